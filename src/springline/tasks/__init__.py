"""What is learned: models, losses, data, and how the result is judged."""

from springline.tasks.base import InMemory, MapStyle, Samples, Task, classification
from springline.tasks.registry import TASKS, load_task

__all__ = ["TASKS", "InMemory", "MapStyle", "Samples", "Task", "classification", "load_task"]

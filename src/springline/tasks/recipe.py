"""How a task that has a name is made: a frozen dataclass whose fields are its keys, `NAME:key=value,…`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

from springline.errors import UsageError
from springline.tasks.base import Task

Say = Callable[[str], None]


class Recipe(ABC):
    """Its name, the key that may be left out (none if empty), and one line for a list."""

    name: ClassVar[str]
    main: ClassVar[str] = ""
    summary: ClassVar[str]

    @abstractmethod
    def load(self, say: Say) -> Task:
        """The task, its data fetched first where needed; say: called with a line about whatever takes time.

        Its name is the text that makes it again.
        """


def built_in(task: Task) -> Task:
    """A recipe's task, marked as one whose name makes it again and whose functions draw from torch's generator only."""
    object.__setattr__(task, "built_in", True)
    return task


def above(recipe: Recipe, key: str, value: float, low: float, *, reached: bool = False) -> None:
    """Raises UsageError unless the key's value is finite and above `low`, or is it where `reached`."""
    if not (low <= value if reached else low < value) or value == float("inf"):
        bound = "at least" if reached else "above"
        raise UsageError(f"task {recipe.name}: {key}={value:g} is not a finite number {bound} {low:g}; choose one.")

"""Many independent runs, several at a time, each in its own folder: made, gone on with, or found finished."""

from springline.fleet.crew import check_jobs, run_all
from springline.fleet.plan import Ended, News, Plan, Watch, carry_out, cores

__all__ = ["Ended", "News", "Plan", "Watch", "carry_out", "check_jobs", "cores", "run_all"]

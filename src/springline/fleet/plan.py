"""One of many runs: what it is to be, and how it is carried out whatever its folder holds already."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from springline.config import RunConfig
from springline.errors import RunError, UsageError
from springline.folder import RunFolder
from springline.methods import Method
from springline.recorder import Progress
from springline.run import Run, resume, start
from springline.scenario import Scenario
from springline.setup import rebuild
from springline.tasks import Task, load_task


class Plan(NamedTuple):
    """A run to be made. method, scenario: only where the configuration cannot tell them (see `setup.unwritten`)."""

    config: RunConfig
    folder: Path
    method: Method | None = None
    scenario: Scenario | None = None

    @property
    def told(self) -> bool:
        """Whether the configuration says it all, but for the task, so that another process can make the run."""
        return self.method is None and self.scenario is None


class Ended(NamedTuple):
    """What became of a plan: error is None, or the sentence that says why it failed. unfinished: its
    training came to no end, good or bad, because its process died or it could not begin, and it can go on."""

    plan: Plan
    error: str | None
    unfinished: bool = False


News = dict[
    str, Any
]  # {"round": …, "accuracy": …} of a run under way, {"began": True}, {"ended": error or None}, and "unfinished"
Watch = Callable[[int, News], None]  # (the plan's place in the list, what is new)


def check(plan: Plan) -> bool:
    """Whether the folder holds this run, begun or finished. Raises UsageError if it holds another."""
    files = RunFolder(plan.folder)
    if not files.config.exists():
        return False
    found = RunConfig.read(files.read_config(), str(files.config))
    if different := found.differences(plan.config):
        raise UsageError(
            f"{plan.folder} holds another run ({different}); choose another folder, or replace it with --overwrite."
        )
    return True


def carry_out(plan: Plan, task: Task | str, progress: Progress | None = None) -> Run:
    """The run, from the beginning, from its last checkpoint, or as it lies there finished."""
    if check(plan):
        own = task if isinstance(task, Task) else None
        return resume(plan.folder, task=own, method=plan.method, scenario=plan.scenario, progress=progress)
    job, engine = rebuild(plan.config, task if isinstance(task, Task) else loaded(task), plan.method, plan.scenario)
    return start(job, engine, plan.config, plan.folder, progress=progress)


def loaded(task: str) -> Task:
    """The task of this name. Raises UsageError where its data are not to be had: no run has failed by that."""
    try:
        return load_task(task)
    except RunError as problem:
        raise UsageError(str(problem)) from None


def attempt(plan: Plan, run: Callable[[], object]) -> Ended:
    """What becomes of a plan that this call carries out: whatever goes wrong in it, the next one can be made."""
    try:
        run()
    except RunError as problem:
        return Ended(plan, str(problem))
    except UsageError as problem:
        return Ended(plan, str(problem), unfinished=True)
    except BrokenPipeError:  # nobody is left to be told
        raise
    except Exception as problem:
        traceback.print_exc()
        return Ended(plan, f"{type(problem).__name__}: {' '.join(str(problem).split())}", unfinished=True)
    return Ended(plan, None)


def is_finished(plan: Plan) -> bool:
    """Whether its result lies there, so that nothing needs to be started for it."""
    files = RunFolder(plan.folder)
    return files.config.exists() and files.read_summary() is not None


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

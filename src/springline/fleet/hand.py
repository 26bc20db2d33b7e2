"""A process that carries out one run after another: `python -m springline.fleet.hand`.

Plans come in as JSON lines on standard input, news go out as JSON lines on standard output. It needs neither a guarded
main module nor anything that can be pickled, so it works from a script, a notebook and a command line alike.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

TELL_EVERY = 0.2  # seconds; also how long a hand outlives a foreman that was killed, for writing to nobody ends it


def main() -> None:
    """Work until standard input ends, or SIGTERM comes."""
    signal.signal(signal.SIGTERM, _stop)
    tell = _speak(os.dup(1))
    os.dup2(2, 1)  # whatever else writes to standard output must not be taken for news
    from springline.config import RunConfig
    from springline.fleet.plan import Plan, attempt, carry_out, loaded
    from springline.tasks import Task

    tasks: dict[str, Task] = {}

    def run(plan: Plan) -> None:
        nonlocal tasks
        if plan.config.task not in tasks:
            tasks = {plan.config.task: loaded(plan.config.task)}  # one at a time: they can be large
        carry_out(plan, tasks[plan.config.task], _teller(tell))

    for line in sys.stdin:
        order = json.loads(line)
        plan = Plan(RunConfig.read(order["config"], "the plan"), Path(order["folder"]))
        tell({"began": True})
        ended = attempt(plan, partial(run, plan))
        tell({"ended": ended.error} | ({"unfinished": True} if ended.unfinished else {}))


def _stop(number: int, _: object) -> None:
    """As Ctrl-C would, so that the run under way leaves a checkpoint, and nothing else behind."""
    signal.signal(number, signal.SIG_IGN)  # who sends it to everybody has told the foreman too, and he tells us
    raise KeyboardInterrupt


def _speak(descriptor: int) -> Callable[[dict[str, Any]], None]:
    out = os.fdopen(descriptor, "w", encoding="utf-8")

    def tell(news: dict[str, Any]) -> None:
        out.write(json.dumps(news) + "\n")
        out.flush()

    return tell


def _teller(tell: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
    told = 0.0

    def progress(row: dict[str, Any]) -> None:
        nonlocal told
        if time.monotonic() - told >= TELL_EVERY:
            told = time.monotonic()
            tell({"round": row["round"], "accuracy": row.get("test_accuracy")})

    return progress


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:  # the foreman is gone
        os._exit(1)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGTERM)

"""How an experiment's trials are carried out on a screen: `springline reproduce` and `springline gauntlet`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from springline.cli.exits import Interrupted
from springline.cli.fleet import RunsProgress
from springline.cli.screen import Screen
from springline.errors import RunError, UsageError

if TYPE_CHECKING:
    from springline.fleet import Plan, Watch
    from springline.reproduce import Experiment, Trial


def carry_out(
    screen: Screen,
    experiment: Experiment,
    trials: Sequence[Trial],
    folder: Path,
    jobs: int | None,
    *,
    whole: Sequence[Trial] = (),
) -> None:
    """Make what is missing of the trials, if any are given, draw what all results show, and say where it lies.

    whole: all trials of the experiment, where a part is asked for; what there is of their results is drawn too.
    """
    from springline.reproduce import reproduce, results_file

    file = results_file(experiment, folder)
    file.missing(whole)  # what was made otherwise is not mixed in
    try:
        with ExitStack() as stack:

            def watching(plans: list[Plan]) -> Watch:
                screen.say(f"{len(plans)} runs to make" if plans else "all results are there")
                return stack.enter_context(RunsProgress(screen, plans)).watch

            results = reproduce(experiment, trials, folder, jobs=jobs, watching=watching) if trials else []
    except KeyboardInterrupt:
        raise Interrupted("stopped; the same command goes on where it stopped.") from None
    shown = file.of(whole) if whole else results
    if not shown:
        raise UsageError(f"{file.path} holds no result to draw; make some first, without --draw.")
    for drawn in experiment.draw(shown, folder / experiment.folder):
        screen.say(str(drawn))
    screen.say(f"results: {file.path}")
    results = results or shown
    failed = [r for r in results if r.error is not None]
    if failed and len(failed) == len(results):
        raise RunError(f"all {len(failed)} runs failed; the first: {failed[0].error}")
    if failed:
        screen.say(f"{len(failed)} of {len(results)} runs failed and count as 0 %; the first: {failed[0].error}")

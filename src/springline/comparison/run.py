"""`compare`: the same task, failures, batches and initial weights for several methods, over several seeds."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from springline.checkpoint import write_atomically
from springline.comparison.prepare import Prepared, prepare
from springline.comparison.result import Comparison, Entry, Trace
from springline.comparison.settings import SETTINGS, TABLE, describe
from springline.errors import RunError
from springline.files import finite
from springline.fleet import Ended, Watch, check_jobs, run_all
from springline.folder import RunFolder
from springline.methods import Method
from springline.tasks import Task


def compare(
    task: Task | str,
    methods: Sequence[Method | str],
    *,
    seeds: int = 3,
    jobs: int | None = None,
    out: Path | str | None = None,
    overwrite: bool = False,
    watch: Watch = lambda *_: None,
    **settings: Any,
) -> Comparison:
    """Train a task with several methods under the same failures, one run per method and seed.

    methods: names of METHODS, each with knobs if need be (`"easgd:alpha=0.2"`), or `Method`s, which are called alike.
    seeds: runs per method.  jobs: runs at the same time (default: one per core, on device cuda one per GPU), each in
    a process of its own with one thread and a GPU of its own; where a task, a method, a schedule or a fault is one's
    own object, all runs are made in this process, one after the other.
    out: the folder of all runs (default: nothing is kept). Runs that lie there finished are not made again, interrupted
    ones go on, so methods and seeds can be added.  overwrite: make them anew.  watch: see `springline.fleet`.
    settings: what a run of `train` depends on: faults, workers, tau, rounds, batch_size, eval_every, seed (the first of
    the seeds), engine, device, …, and knobs to turn in every method that does not turn them itself. No run is guarded.

    Raises UsageError for wrong input, before anything is started. A run that fails becomes a `Trace` with an error.
    """
    prepared = prepare(task, methods, seeds=seeds, **settings)
    if out is not None:
        return compare_in(Path(out), prepared, jobs=jobs, overwrite=overwrite, watch=watch)
    with TemporaryDirectory(prefix="springline-") as folder:
        return replace(compare_in(Path(folder), prepared, jobs=jobs, watch=watch), folder=None)


def compare_in(
    folder: Path,
    prepared: Prepared,
    *,
    jobs: int | None = None,
    overwrite: bool = False,
    watch: Watch = lambda *_: None,
) -> Comparison:
    """Carry out a prepared comparison, and write its table beside the runs."""
    check_jobs(jobs)
    if overwrite:
        _remove_runs(folder)
    prepared.settings.check_or_write(folder, [*prepared.methods])
    ended = run_all(prepared.plans(folder), jobs=jobs, task=prepared.own, watch=watch)
    traces = [_trace(end) for end in ended]
    n = len(prepared.methods)
    entries = [Entry(label, tuple(traces[i::n])) for i, label in enumerate(prepared.methods)]
    settings = prepared.settings.as_json()
    result = Comparison(describe(settings), tuple(entries), folder)
    table = {"settings": settings, "seeds": [*prepared.seeds], "methods": result.table}
    try:
        write_atomically(folder / TABLE, (json.dumps(finite(table), indent=2) + "\n").encode())
    except OSError as error:
        raise RunError(
            f"{folder} cannot be written to any more ({error.strerror}); see whether it was moved or removed, and run "
            "the same again: what has finished there is not made anew."
        ) from None
    return result


def _trace(ended: Ended) -> Trace:
    rows = tuple(RunFolder(ended.plan.folder).read_metrics())
    lost = (
        f"{ended.plan.folder} holds no round, but the run has ended; remove what is left of it and run the same again."
    )
    return Trace(ended.plan.config.seed, rows, ended.error or (None if rows else lost))


def _remove_runs(folder: Path) -> None:
    """Only what a comparison wrote: the folder may be anything that the user named.

    Raises UsageError before anything is removed if another process is at work on one of the runs.
    """
    runs = [config.parent for config in folder.glob("*/seed-*/config.json")]
    with ExitStack() as all_held:
        for run in runs:
            all_held.enter_context(RunFolder(run).held())
        for run in runs:
            shutil.rmtree(run)
    for name in (SETTINGS, TABLE):
        (folder / name).unlink(missing_ok=True)

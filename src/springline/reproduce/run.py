"""Carry out what is missing of an experiment: on all cores, resumable at any point."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from springline.errors import RunError, UsageError
from springline.fleet import Plan, Watch, check_jobs, run_all
from springline.folder import RunFolder
from springline.reproduce.experiment import Experiment, Trial
from springline.reproduce.results import Result, ResultsFile, result_of


def results_file(experiment: Experiment, folder: Path) -> ResultsFile:
    """Where an experiment's results are kept below the folder of all experiments."""
    return ResultsFile(folder / experiment.folder / "results" / "results.jsonl")


def plans(experiment: Experiment, trials: Sequence[Trial], folder: Path) -> list[Plan]:
    """A run folder for each trial, named after its configuration, so that an interrupted run is found again."""
    return [Plan(t.config, folder / experiment.folder / ".runs" / t.config.method / _name(t)) for t in trials]


def reproduce(
    experiment: Experiment,
    trials: Sequence[Trial],
    folder: Path,
    *,
    jobs: int | None = None,
    watching: Callable[[list[Plan]], Watch] | None = None,
) -> list[Result]:
    """Run those of an experiment's trials that have no result yet, and return the results of all.

    folder: of all experiments.  jobs: runs at a time (default: one per core, of runs on GPUs one per GPU).
    watching: given the plans that are to be carried out, returns what follows their news.
    Raises RunError if runs were left unfinished, as when their processes were killed: these have no result, and go on
    when the same is asked again.
    """
    check_jobs(jobs)
    file = results_file(experiment, folder)
    try:
        file.path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{file.path.parent} cannot be written to ({error.strerror}); choose another folder."
        ) from None
    left = file.missing(trials)
    todo = plans(experiment, left, folder)
    follow = watching(todo) if watching else lambda *_: None

    def watch(i: int, news: dict[str, Any]) -> None:
        if "ended" in news and "unfinished" not in news:
            rows = RunFolder(todo[i].folder).read_metrics()
            file.append(result_of(left[i], rows, news["ended"]))
            shutil.rmtree(todo[i].folder, ignore_errors=True)
        follow(i, news)

    why = [ended.error for ended in run_all(todo, jobs=jobs, watch=watch) if ended.unfinished]
    if why:
        raise RunError(f"{len(why)} of {len(todo)} runs are not finished; the first: {why[0]}")
    return file.of(trials)


def _name(trial: Trial) -> str:
    text = json.dumps(trial.config.model_dump(), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]

"""Results of trials as lines of JSON: made once, never mixed with those of another version or configuration."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from springline import __version__
from springline.config import RunConfig
from springline.engines.base import Row
from springline.environment import environment
from springline.errors import RunError, UsageError
from springline.files import finite

if TYPE_CHECKING:
    from springline.reproduce.experiment import Trial

_KEPT = ("round", "time", "test_accuracy", "test_loss", "train_loss")


class Result(NamedTuple):
    """What became of a trial.

    curve: the evaluated rounds (round, virtual time, test_accuracy, test_loss, train_loss).  last: the last row, with
    the mean of what single workers spent computing, communicating and waiting.  error: why the run failed, or None.
    """

    labels: dict[str, Any]
    config: dict[str, Any]
    environment: dict[str, Any]
    curve: list[dict[str, Any]]
    last: dict[str, Any]
    error: str | None

    @property
    def accuracy(self) -> float:
        """The test accuracy at the end; that of chance, 0, for a run that failed."""
        return 0.0 if self.error is not None else float(self.last["test_accuracy"])


def result_of(trial: Trial, rows: Sequence[Row], error: str | None) -> Result:
    """A result from a run's rows."""
    curve = [{k: row[k] for k in _KEPT if k in row} for row in rows if "train_loss" in row]
    last = {k: v for k, v in rows[-1].items() if k != "workers"} | _spent(rows[-1]) if rows else {}
    return Result(trial.labels, trial.config.model_dump(), environment(), curve, last, error)


def _spent(row: Row) -> dict[str, float]:
    workers = row.get("workers", {})
    return {name: fmean(workers[name]) for name in ("computing", "communicating", "waiting") if name in workers}


class ResultsFile:
    """Results in the order in which they came, one per line; lines are appended whole."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[Result]:
        """All results. Raises RunError at a line that cannot be read; half a line at the end is dropped."""
        if not self.path.exists():
            return []
        text = self.path.read_bytes()
        if text and not text.endswith(b"\n"):  # the writer was stopped in the middle of it
            text = text[: text.rfind(b"\n") + 1]
            os.truncate(self.path, len(text))
        found = []
        for number, line in enumerate(text.splitlines(), 1):
            try:
                found.append(_read(line))
            except (ValueError, TypeError):
                raise RunError(f"{self.path}, line {number} is no result; it was edited: restore the file.") from None
        return found

    def append(self, result: Result) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(finite(result._asdict())) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def missing(self, trials: Sequence[Trial]) -> list[Trial]:
        """The trials without a result.

        Raises UsageError, saying what differs, if the file holds a result of a trial under these labels that was made
        by another version or with another configuration.
        """
        there = {_key(r.labels, r.config["rounds"]): r for r in self.read()}
        left = []
        for trial in trials:
            found = there.get(_key(trial.labels, trial.config.rounds))
            if found is None:
                left.append(trial)
                continue
            differences = RunConfig.read(found.config, str(self.path)).differences(trial.config)
            made_by = found.environment["springline"]
            if made_by != __version__:
                differences = f"springline {made_by} → {__version__}" + (f", {differences}" if differences else "")
            if differences:
                raise UsageError(
                    f"{self.path} holds a result for {written(trial.labels)} that was made otherwise ({differences}); "
                    "move the file away to make all results anew."
                )
        return left

    def of(self, trials: Sequence[Trial]) -> list[Result]:
        """The results of these trials, in their order, where there are any."""
        there = {_key(r.labels, r.config["rounds"]): r for r in self.read()}
        found = (there.get(_key(t.labels, t.config.rounds)) for t in trials)
        return [r for r in found if r is not None]


def _read(line: bytes) -> Result:
    """Raises ValueError or TypeError for a line that is no result."""
    found = Result(**json.loads(line))
    parts = [found.labels, found.config, found.environment, found.last]
    whole = all(isinstance(part, dict) for part in parts) and isinstance(found.curve, list)
    if not (whole and "rounds" in found.config and "springline" in found.environment and (found.last or found.error)):
        raise ValueError
    return found


def written(labels: dict[str, Any]) -> str:
    """Labels as "method=easgd, workers=4"."""
    return ", ".join(f"{k}={v}" for k, v in labels.items())


def _key(labels: dict[str, Any], rounds: int) -> str:
    return json.dumps([sorted(labels.items()), rounds])

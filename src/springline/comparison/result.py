"""The result of a comparison: the rows of all its runs, and what a table and a picture say of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from springline.engines.base import Row


@dataclass(frozen=True)
class Trace:
    """One run: its rows, as many as it got to; error: the sentence that says why it failed, or None."""

    seed: int
    rows: tuple[Row, ...]
    error: str | None = None


@dataclass(frozen=True)
class Entry:
    """One method, with a trace per seed."""

    label: str
    traces: tuple[Trace, ...]

    @property
    def finished(self) -> list[Trace]:
        return [t for t in self.traces if t.error is None]

    @property
    def drawn(self) -> list[Trace]:
        """The finished runs; where none has finished, all as far as they got."""
        return self.finished or [t for t in self.traces if t.rows]

    def last(self, name: str) -> list[float]:
        """The last value of a metric in each finished run that has it."""
        values = [t.rows[-1].get(name) for t in self.finished]
        return [v for v in values if v is not None]

    def curve(self, name: str) -> tuple[list[int], list[list[float]]]:
        """(rounds [K], one list [K] per drawn run) of a metric, at the rounds that all of them know it."""
        known = ({r["round"]: r[name] for r in t.rows if r.get(name) is not None} for t in self.drawn)
        found = [values for values in known if values]  # a run that has just begun takes nothing from the others
        rounds = sorted(set.intersection(*map(set, found))) if found else []
        return rounds, [[values[k] for k in rounds] for values in found]


@dataclass(frozen=True)
class Comparison:
    """Several methods under the same failures.  about: on what; folder: where the runs lie, if they were kept."""

    about: str
    entries: tuple[Entry, ...]
    folder: Path | None = None

    @property
    def table(self) -> list[dict[str, Any]]:
        """One dict per method: label, runs, failed, and mean and standard deviation over seeds of the final metrics.

        Keys are test_accuracy, test_loss, train_loss, lost (share of exchange attempts), each with …_std; None where a
        metric is unknown, and for the deviation of a single run.
        """
        return [_line(entry) for entry in self.entries]

    @property
    def failures(self) -> list[tuple[str, int, str]]:
        """(label, seed, sentence) of each run that failed."""
        return [(e.label, t.seed, t.error) for e in self.entries for t in e.traces if t.error is not None]

    def save_picture(self, path: Path | str) -> Path:
        """Draw test accuracy and training loss of the center over communication rounds; .png, .pdf or .svg."""
        from springline.report.curves import Curve, draw_curves
        from springline.report.style import save

        curves = {
            name: [Curve(e.label, *e.curve(name)) for e in self.entries] for name in ("test_accuracy", "train_loss")
        }
        return save(draw_curves(curves, title=f"{self.about}; {_seeds(self.entries)}"), Path(path))


def _seeds(entries: tuple[Entry, ...]) -> str:
    most = max((len(e.drawn) for e in entries), default=0)
    return f"mean ± standard deviation of {most} seeds" if most > 1 else "one seed"


def _line(entry: Entry) -> dict[str, Any]:
    line: dict[str, Any] = {"method": entry.label, "runs": len(entry.traces)}
    line["failed"] = len(entry.traces) - len(entry.finished)
    for name in ("test_accuracy", "test_loss", "train_loss"):
        line |= _spread(name, entry.last(name))
    lost, made = entry.last("exchanges_lost"), entry.last("exchanges_made")
    return line | _spread("lost", [a / (a + b) for a, b in zip(lost, made, strict=True)])


def _spread(name: str, values: list[float]) -> dict[str, float | None]:
    """Mean and sample standard deviation."""
    return {
        name: mean(values) if values else None,
        f"{name}_std": stdev(values) if len(values) > 1 else None,
    }

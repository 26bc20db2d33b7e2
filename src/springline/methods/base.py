"""A method = coupling (what worker and center exchange) × local optimiser (what a worker does between exchanges) × the
share of the data that all workers have in common.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Literal

from springline.couplings import Exchange
from springline.errors import UsageError, unknown
from springline.methods.citations import CITATIONS
from springline.optim.base import Optimiser
from springline.optim.schedule import Rate


@dataclass(frozen=True)
class Method:
    """A frozen combination.

    overlap: share r of the samples that every worker trains on, in [0, 1), or "1/N".
    pull_after: local steps between an exchange and the moment its pull lands: 0 before the next gradient
    (Gauss–Seidel), 1 together with the next step (Jacobi), "tau" a whole period later, hidden behind computing.
    summary, when (to use it), equation, reference: what `springline methods` says of it.  cite: its key in `CITATIONS`.
    """

    name: str
    coupling: Exchange
    optimiser: Optimiser
    overlap: float | Literal["1/N"] = 0.0
    pull_after: int | Literal["tau"] = 0
    summary: str = ""
    when: str = ""
    equation: str = ""
    reference: str = ""
    cite: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.overlap != "1/N" and not (isinstance(self.overlap, (int, float)) and 0 <= self.overlap < 1):
            raise UsageError(
                f"overlap={self.overlap} is outside [0, 1); 0 deals every sample to one worker, 0.25 shares 25 %, and "
                "1/N is the paper's."
            )
        if self.pull_after != "tau" and not (isinstance(self.pull_after, int) and self.pull_after >= 0):
            raise UsageError(f"pull_after={self.pull_after} is not a number of steps; choose 0, 1 or 'tau'.")
        if self.coupling.takes != self.optimiser.hands_over:
            raise UsageError(
                f"method {self.name!r}: {type(self.coupling).__name__} takes a worker's {self.coupling.takes}, but "
                f"{type(self.optimiser).__name__} hands over a {self.optimiser.hands_over}; combine parts that match."
            )

    def with_(self, **knobs: Any) -> Method:
        """The same method with some knobs turned: fields of the method, its coupling, weights or optimiser, by name.

        Raises UsageError for a knob that this method does not have, or a value out of its range.
        """
        method = self
        for name, value in knobs.items():
            path = self.knobs().get(name)
            if path is None:
                raise unknown("knob", name, list(self.knobs()), f" of method {self.name!r}")
            method = _turn(method, path, value)
        return method

    def knobs(self) -> dict[str, tuple[str, ...]]:
        """Every knob by name, with the path of fields that leads to it. A name in two parts belongs to the first."""
        return _paths(self)

    @property
    def example(self) -> Method:
        """The method with a value for every knob that has to be given: something to try it with."""
        return self.with_(**self.coupling.examples)

    @property
    def bibtex(self) -> str:
        """The BibTeX entry of its source; empty for a method of the user's own."""
        return CITATIONS.get(self.cite, "")

    def overlap_of(self, workers: int) -> float:
        """r for N workers."""
        if self.overlap != "1/N":
            return self.overlap
        return 1 / workers if workers > 1 else 0.0


LABELS = ("name", "summary", "when", "equation", "reference", "cite")


def _paths(part: Any, prefix: tuple[str, ...] = ()) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for f in fields(part):
        if not f.init:
            continue
        value = getattr(part, f.name)
        if is_dataclass(value) and not isinstance(value, Rate):
            found = _paths(value, (*prefix, f.name)) | found
        elif f.name not in LABELS:
            found[f.name] = (*prefix, f.name)
    return found


def _turn(part: Any, path: tuple[str, ...], value: Any) -> Any:
    head, *rest = path
    if rest:
        return replace(part, **{head: _turn(getattr(part, head), tuple(rest), value)})
    return replace(part, **{head: read_knob(part, head, value)})


def read_knob(part: Any, name: str, value: Any) -> Any:
    """A knob's value as its present one is: text from a command line becomes a number, a truth value or a tuple.

    Where a knob may be None, a number that is derived or has yet to be given, `none` says so.
    """
    if not isinstance(value, str):
        return value
    present = getattr(part, name)
    if value.lower() == "none" and any(f.name == name and "None" in str(f.type) for f in fields(part)):
        return None
    kind = {"overlap": float, "pull_after": int, "lr": float}.get(name, float if present is None else type(present))
    try:
        if kind is bool:
            return {"true": True, "false": False}[value.lower()]
        if kind is tuple:
            return tuple(float(v) for v in value.split(","))
        if kind in (int, float):
            return kind(value)
    except (ValueError, KeyError):
        if name in ("overlap", "pull_after"):  # a word, 1/N or tau; the method says which
            return value
        wanted = "a number" if present is None else kind.__name__
        raise UsageError(f"{name}={value} cannot be read as {wanted}; its default is {present!r}.") from None
    return value

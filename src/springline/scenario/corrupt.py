"""A message arrives damaged."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from springline.errors import UsageError
from springline.scenario.chance import by_chance
from springline.scenario.fault import Course, Damage, Draw, Fate, Fault, check_rate


@dataclass(frozen=True)
class Corrupt(Fault):
    """Each message is damaged with probability `rate`.

    kind: `nan` makes one element of every vector in it not a number, `scale` multiplies it by `by`, `sign` negates it.
    """

    name: ClassVar[str] = "corrupt"
    main: ClassVar[str] = "kind"
    line: ClassVar[str] = "a message arrives damaged: nan, scale or sign"

    kind: Literal["nan", "scale", "sign"]
    rate: float = 0.01
    by: float = 100.0
    worker: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_damage(self.name, self.kind, self.by)
        check_rate(self.name, "rate", self.rate)

    def course(self, draw: Draw) -> Course:
        return by_chance(self.rate, Fate(damage=Damage(self.kind, self.by)), draw)


def check_damage(name: str, kind: str, by: float) -> None:
    if kind not in ("nan", "scale", "sign"):
        raise UsageError(f"fault {name}: kind={kind!r} is unknown; choose nan, scale or sign.")
    if not math.isfinite(by):
        raise UsageError(f"fault {name}: by={by} is not finite; for messages that are not, choose kind nan.")

"""What stands in the center's file beside its vectors: words, records, tallies; and how a run's first ones are made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from springline.couplings.base import Center, Ease, Exchange, Note, Reply, Scalars
from springline.engines.local.box import Box
from springline.engines.local.memory import PAGE, Region, Text, reserve
from springline.engines.local.plan import EXPECTED, STEP, SWAPPED, TOLD, Plan, views
from springline.engines.local.tally import Tallies
from springline.engines.real.codec import encode
from springline.engines.real.tally import Tally

DONE = 0xFFFFFFFF


@dataclass(frozen=True)
class Incoming:
    """A message whose vectors stand in its worker's box. asked: whether the worker will hear the reply.

    ease: what the center makes of its pull (`Exchange.ease_`).
    """

    worker: int
    round: int
    asked: bool
    note: Note
    scalars: dict[str, Any]
    lost: bool = False  # it never arrived, and is only counted
    absent: bool = False  # nor did the worker say so, because it is down
    begun: float = 0.0  # when the worker began its round, on the monotonic clock
    ease: Ease | None = None


def lay(plan: Plan, place: Path, center: Center, tallies: list[Tally], resolved: int = 0, updates: int = 0) -> None:
    """Make the center's file, holding this center."""
    members = len(tallies)
    reserve(place / "center", plan.center_size, plan.ranges(members))
    region = Region(place / "center")
    words = region.words(0, PAGE // 8)
    words[SWAPPED] = False
    target = views(plan, region, members)
    for name, v in target.shared.items():
        v.copy_(center.shared[name])
    for name, v in target.rows.items():
        v.copy_(center.rows[name])
    target.buffers.copy_(center.buffers)
    kept = Tallies(plan, region)
    for i, tally in enumerate(tallies):
        kept.write(i, tally)
    record = {"scalars": center.scalars, "resolved": resolved, "updates": updates, "entries": [], "members": members}
    record |= {"ahead": None, "swapped": False}
    Text(region, plan.records, plan.record).write(encode(record))
    words[TOLD], words[EXPECTED] = resolved // plan.workers, members
    words[STEP] = DONE


def with_one_more(coupling: Exchange, scalars: Scalars, n: int) -> Scalars:
    """The center's scalars for n workers instead of n − 1: what counts the workers, and what has a place for each."""
    few = torch.zeros(1)
    before, after = (coupling.center(few, few[:0], k).scalars for k in (n - 1, n))
    grown = dict(scalars)
    for name, value in after.items():
        if isinstance(value, list) and len(value) == n:
            grown[name] = [*scalars[name], value[-1]]
        elif value != before[name]:
            grown[name] = value
    return grown


def reply_of(packet: dict[str, Any], box: Box) -> Reply:
    """The reply that a packet announces."""
    if not packet["accepted"]:
        return Reply({}, packet["scalars"], accepted=False)
    return Reply({packet["ease"]: box.first} if packet["ease"] else box.reply, packet["scalars"], accepted=True)

"""A worker's line to the center: one request under way at a time, and a center that may be restored meanwhile.

Ray repeats a request to a center that was restarted. One that was served already is answered from the last reply; where
that reply is gone, it went down with the center, and the message is handed in again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import ray
import torch
from ray.exceptions import RayError
from torch import Tensor

from springline.couplings.base import Ease, Message, Reply, Vectors
from springline.engines.ray.arrays import LARGE, Loan, Piece, nbytes, pack, unpack
from springline.engines.ray.box import Box
from springline.engines.ray.call import get
from springline.engines.ray.plan import Plan
from springline.engines.ray.pulse import Pulse
from springline.engines.real.worker import Stopped


class Refused(Exception):
    """The center does not know this worker, or it has another model."""


class Superseded(Refused):
    """The center knows another one by this worker's number."""


class Line:
    """Worker i's line. last: the last of its rounds whose attempt is resolved, as far as it has heard.

    A part of the center on this machine finds messages in the worker's box, and puts its replies there. near: which of
    them do, since the center's restoration number `met`.
    """

    def __init__(self, plan: Plan, lead: Any, i: int, life: str, pulse: Pulse) -> None:
        self.plan, self.lead, self.worker, self.life, self.pulse = plan, lead, i, life, pulse
        self.last = 0
        self.kept: Any = None  # sent along with every request, where the worker may have to come back as it was
        self.loan = Loan([])
        self._request: tuple[dict[str, Any], Vectors | None] | None = None  # what it says, and the message
        self._answer: Any = None
        self._box = Box.of(plan)
        self._met: int | None = None
        self._near: list[bool] = []
        self._room: Vectors = {}

    def hello(self, start: str) -> dict[str, Any]:
        """Begin a life; what the center knows about the worker."""
        found: dict[str, Any] = _told(
            get(self.lead.hello.remote(self.worker, self.life, start, self.plan.size, self.plan.dtype, os.getpid()))
        )
        self.last = found["last"]
        return found

    def refresh(self) -> None:
        self.last = _told(get(self.lead.where.remote(self.worker)))["last"]

    def push(
        self, round: int, message: Message, *, asked: bool = True, begun: float = 0.0, ease: Ease | None = None
    ) -> None:
        """ease: allowed, but no use is made of it here: the parts of a center have no part in pulls."""
        self.settle()
        said = {
            "note": tuple(message.note),
            "scalars": message.scalars,
            "asked": asked,
            "buffers": pack({"b": message.buffers}),
            "size": message.nbytes,
            "took": time.monotonic() - begun,
        }
        self._ask({"round": round} | said, message.vectors)

    def lost(self, round: int) -> None:
        self.settle()
        self._ask({"round": round}, None)

    def fetch(self, *, start: bool = False) -> tuple[Tensor, Tensor]:
        """Copies of the center's x [P] and buffers b [B]: of where a worker starts, or of the readout."""
        self.settle()
        while True:
            try:
                parts, buffers = get(self.lead.fetch.remote(start))
                x = self._whole(self._fetched(parts))["x"]
                return x.clone(), unpack(buffers, self.plan.buffer_kind)["b"].clone()
            except RayError as error:
                _retry(error)

    def settle(self) -> Reply | None:
        """Wait for the answer to what was asked last. None if it was no push, or nobody knows what came of it."""
        if self._request is None:
            return None
        while True:
            try:
                if self._answer is None:
                    self._send()
                answer = _told(get(self._answer))
                if "unmet" not in answer:
                    pieces = self._fetched(answer.get("pieces", []))
                    break
            except RayError as error:
                _retry(error)
            self._answer = self._met = None
        self._request = self._answer = None
        self.last = max(self.last, answer.get("last", 0))
        if "accepted" not in answer:
            return None
        vectors = self._landed(pieces) if answer["accepted"] else {}
        return Reply(vectors, answer["scalars"], answer["accepted"])

    def _ask(self, said: dict[str, Any], message: Vectors | None) -> None:
        said = said | {"vitals": self.pulse.told(), "pid": os.getpid()}
        if self.kept is not None:
            said["kept"] = self.kept
        somebody = self._met is None or any(self._near)  # may find it in the box
        if message is not None and somebody and self._fits(message) and self._box is not None:
            for name, v in self._box.views.message.items():
                v.copy_(message[name])
            message = self._box.views.message
        self._request = said, message
        with suppress(RayError):  # whoever waits for the answer finds that there is none, and sends it again
            self._send()

    def _fits(self, message: Vectors) -> bool:
        return tuple(message) == self.plan.message and all(len(v) == self.plan.size for v in message.values())

    def _send(self) -> None:
        assert self._request is not None
        said, message = self._request
        if message is None:
            self._answer = self.lead.lost.remote(self.worker, self.life, said)
            return
        cuts: Sequence[tuple[int, int | None]] = self.plan.cuts
        near = [False] * len(cuts)
        if self._box is not None and message is self._box.views.message:
            if self._met is None:
                self._met, self._near = get(self.lead.meet.remote(self.worker, self._box.place))
            near = self._near
        elif not self._fits(message):
            cuts = [(0, None)]  # it is refused, not cut
        parcels = [
            self._box.place if self._box is not None and here else _parcel(pack(message, a, b))
            for (a, b), here in zip(cuts, near, strict=False)
        ]
        parcels += [{} for _ in near[len(parcels) :]]
        said = said | {"met": self._met if any(near) else None}
        self._answer = self.lead.push.remote(self.worker, self.life, said, parcels)

    def _fetched(self, parcels: list[Any]) -> list[Any]:
        """The pieces that were sent along, and those that lie in shared memory; None for those in the box."""
        there = get([p for p in parcels if isinstance(p, ray.ObjectRef)])
        found = iter(there)
        return [next(found) if isinstance(p, ray.ObjectRef) else p for p in parcels]

    def _landed(self, pieces: list[Piece | None]) -> Vectors:
        """The vectors of a reply, and nobody's to keep."""
        if self._box is None or all(piece is not None for piece in pieces):
            found = [piece for piece in pieces if piece is not None]
            self.loan = Loan(found)
            return self._whole(found)  # of several pieces a loan of its own
        reply = self._box.views.reply
        for piece, (a, b) in zip(pieces, self.plan.cuts, strict=True):
            if piece is not None:
                for name, v in unpack(piece, self.plan.kind).items():
                    reply[name][a:b].copy_(v)
        self.loan = Loan([pack(reply)])
        return reply

    def _whole(self, pieces: list[Piece]) -> Vectors:
        """The vectors that the pieces make up; of several, in memory that is used again for the next reply."""
        parts = [unpack(piece, self.plan.kind) for piece in pieces]
        if len(parts) == 1:
            return parts[0]
        for name in parts[0]:
            if name not in self._room:
                self._room[name] = torch.empty(self.plan.size, dtype=self.plan.kind)
            torch.cat([part[name] for part in parts], out=self._room[name])
        whole = {name: self._room[name] for name in parts[0]}
        self.loan = Loan([pack(whole)])
        return whole


def _told(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer, if the run goes on for this worker."""
    if "stop" in answer:
        raise Stopped
    if "refused" in answer:
        raise (Superseded if answer.get("superseded") else Refused)(answer["refused"])
    return answer


def _parcel(piece: Piece) -> Any:
    return ray.put(piece) if nbytes(piece) >= LARGE else {name: v.copy() for name, v in piece.items()}


def _retry(error: RayError) -> None:
    """Raise the error unless it says that something of the center is gone, which will be restored."""
    from ray.exceptions import ActorDiedError, RayTaskError

    if isinstance(error, (RayTaskError, ActorDiedError)):
        raise error
    time.sleep(0.05)

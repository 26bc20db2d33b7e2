"""A worker's line to the center: one request under way at a time, and a center that may be restarted meanwhile.

    push     the message stands in the box; the reply will
    lost     an attempt that failed is counted
    fetch    the center's readout is put into the box, or the x with which a worker starts

A request is repeated to a restarted center, which answers one it has already served from its last reply.
"""

from __future__ import annotations

import select
import socket
import time
from pathlib import Path
from typing import Any

from torch import Tensor

from springline.couplings.base import Ease, Message, Reply
from springline.engines.local.box import Box
from springline.engines.local.memory import Region
from springline.engines.local.plan import Plan
from springline.engines.local.records import reply_of
from springline.engines.local.tally import Tallies
from springline.engines.real import wire
from springline.errors import RunError, UsageError


class Interrupted(Exception):
    """The supervisor wants something, while the worker waits for the center."""


class Line:
    """Worker i's connection to the center of the run at `place`. boss: a socket that interrupts waiting when readable;
    patience: seconds for a center to say welcome; longer: how to have more of it.
    """

    def __init__(
        self,
        plan: Plan,
        place: Path,
        i: int,
        boss: socket.socket | None = None,
        patience: float = 60.0,
        longer: str = "",
    ) -> None:
        self.plan, self.place, self.worker, self.boss = plan, place, i, boss
        self.patience, self.longer = patience, longer
        self.box = Box(plan, place, i)
        self._tallies = Tallies(plan, Region(place / "center", readonly=True))
        self._sock: socket.socket | None = None
        self._request: dict[str, Any] | None = None

    @property
    def last(self) -> int:
        """The last of this worker's rounds whose attempt is resolved."""
        return self._tallies.last(self.worker)

    # -- requests

    def push(
        self, round: int, message: Message, *, asked: bool = True, begun: float = 0.0, ease: Ease | None = None
    ) -> None:
        """ease: what the center is to make of the pull, see `Exchange.ease_`."""
        self.settle()
        self.box.put(message)
        note, bad = list(message.note), [name for name, v in message.vectors.items() if v.numel() != self.plan.size]
        if bad:
            raise UsageError(f"the vectors {bad} have another size than the run's {self.plan.size} parameters.")
        request = {"push": round, "asked": asked, "note": note, "scalars": message.scalars, "begun": begun}
        self._ask(request | {"ease": ease})

    def lost(self, round: int) -> None:
        self.settle()
        self._ask({"lost": round})

    def fetch(self, *, start: bool = False) -> tuple[Tensor, Tensor]:
        """Copies of the center's x [P] and buffers b [B]: of where a worker starts, or of the readout."""
        self.settle()
        self._ask({"fetch": "start" if start else "readout"})
        self.settle()
        return self.box.first.clone(), self.box.buffers.clone()

    def settle(self) -> Reply | None:
        """Wait for the answer to what was asked last. None if it was no push, or the push came too late."""
        request = self._request
        if request is None:
            return None
        while True:
            packet = self._wait()
            if packet is None:
                self._connect()
                self._send(request)
                continue
            if not _answers(packet, request):
                continue
            self._request = None
            return reply_of(packet, self.box) if "push" in request and "accepted" in packet else None

    def connect(self) -> None:
        """Say hello to the center, and wait until it has served whatever an earlier holder of the box sent."""
        if self._sock is None:
            self._connect()

    def close(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    # -- means

    def _ask(self, request: dict[str, Any]) -> None:
        self.connect()
        self._request = request
        self._send(request)

    def _send(self, request: dict[str, Any]) -> None:
        assert self._sock is not None
        wire.send(self._sock, request)  # if nobody is there, waiting for the answer will notice

    def _wait(self) -> dict[str, Any] | None:
        """The next packet from the center; None when it is gone."""
        sock, boss = self._sock, self.boss
        if sock is None:
            return None
        if boss is None:
            packet = wire.receive(sock)
        else:
            try:
                packet = wire.receive(sock, wait=False)
            except BlockingIOError:  # it is not there yet
                if sock not in select.select([sock, boss], [], [])[0]:
                    raise Interrupted from None
                packet = wire.receive(sock)
        if packet is None:
            self.close()
        return packet

    def _connect(self) -> None:
        deadline = time.monotonic() + self.patience
        while True:
            self.close()
            try:
                self._sock = wire.connect(str(self.place / "center.sock"))
            except OSError as error:
                raise RunError(
                    f"worker {self.worker} lost the run at {self.place} ({error.strerror}); its supervisor has ended: "
                    "go on with `springline resume`."
                ) from None
            hello = {"hello": self.worker, "size": self.plan.size, "dtype": self.plan.dtype}
            wire.send(self._sock, hello)
            try:
                packet = self._wait()
            except Interrupted:
                self.close()
                raise
            if packet is not None and "refused" in packet:
                raise UsageError(str(packet["refused"]))
            if packet is not None:
                return
            if time.monotonic() > deadline:
                raise RunError(
                    f"worker {self.worker} waited {self.patience:g} s for the center, which is restarted again and "
                    f"again; see the messages above{self.longer}."
                )


def _answers(packet: dict[str, Any], request: dict[str, Any]) -> bool:
    """Whether this is the answer to that, and not to something asked long ago."""
    pairs = (("push", "reply"), ("lost", "lost"))
    return ("fetch" in request and "fetched" in packet) or any(
        asked in request and packet.get(answered) == request[asked] for asked, answered in pairs
    )

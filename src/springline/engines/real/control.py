"""How other programs speak to a running run: one JSON request, one JSON answer, over a socket in its place.

The answer is a file without a name that travels with an empty packet: it may be of any size, and the run never waits
for somebody to read it.
"""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from springline.engines.real import wire
from springline.engines.real.news import status
from springline.engines.real.place import find
from springline.errors import RunError, UsageError

if TYPE_CHECKING:
    from springline.engines.real.boss import Leader


class Control:
    """The end of whoever leads the run. Requests: status, join, stop."""

    def __init__(self, boss: Leader) -> None:
        self.boss = boss
        self.listener = wire.listen(str(boss.ground.path / "control.sock"))
        self.socks: set[socket.socket] = set()
        boss.watch(self.listener, self.accept)

    def accept(self) -> None:
        sock, _ = self.listener.accept()
        self.socks.add(sock)
        self.boss.watch(sock, lambda: self.hear(sock))

    def hear(self, sock: socket.socket) -> None:
        packet = wire.receive(sock)
        if packet is None:
            self.boss.forget(sock)
            self.socks.discard(sock)
            sock.close()
            return
        with open(os.memfd_create("springline-answer"), "wb") as file:
            file.write(self.answer(packet.get("do")))
            file.flush()
            wire.send(sock, {}, [file.fileno()])

    def answer(self, what: Any) -> bytes:
        """What came of a request; whatever went wrong is the asker's, and not the run's."""
        try:
            return json.dumps(self.carry_out(what)).encode()
        except UsageError as error:
            why = str(error)
        except Exception as error:
            why = f"the run could not carry out {what!r} ({type(error).__name__}: {error}); it goes on."
        return json.dumps({"error": why}).encode()

    def carry_out(self, what: Any) -> dict[str, Any]:
        match what:
            case "status":
                return status(self.boss)
            case "join":
                return {"joined": self.boss.join()}
            case "stop":
                self.boss.stopping = True
                return {"stopping": True}
        raise UsageError(f"{what!r} is no request; there are status, join and stop.")

    def close(self) -> None:
        for sock in [self.listener, *self.socks]:
            self.boss.forget(sock)
            sock.close()


def ask(folder: Path | str, what: str, timeout: float = 10.0) -> dict[str, Any]:
    """Ask the run in a run folder. Raises UsageError if none is going on there or it refuses; RunError if
    it does not answer.
    """
    return ask_place(find(folder), what, timeout)


def ask_place(place: Path, what: str, timeout: float = 10.0) -> dict[str, Any]:
    try:
        with wire.connect(str(place / "control.sock")) as sock:
            sock.settimeout(timeout)
            wire.send(sock, {"do": what})
            packet, files = wire.receive_fds(sock)
    except OSError as error:
        raise RunError(f"the run at {place} does not answer ({error}); it may just be ending.") from None
    if packet is None or not files:
        raise RunError(f"the run at {place} ended before it answered.")
    with open(files[0], "rb") as file:
        file.seek(0)  # the run has left off behind it
        answer: dict[str, Any] = json.load(file)
    if "error" in answer:
        raise UsageError(answer["error"])
    return answer


def join(folder: Path | str) -> int:
    """Add a worker to the run in a run folder; it starts from the center. Returns its number."""
    joined: int = ask(folder, "join")["joined"]
    return joined

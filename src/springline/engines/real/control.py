"""How a running run answers other programs: one packet asks, and the answer is JSON, over a socket in its place.

The answer is a file without a name that travels with an empty packet: it may be of any size, and the run never waits
for somebody to read it.
"""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING, Any

from springline.engines.real import wire
from springline.engines.real.news import status
from springline.errors import UsageError

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

"""Whoever keeps the center of a tied run greets its workers and sees them part.

They are processes of their own, started by somebody else: their end of a socket is all that is known of them. The first
one defines the center; a later one with its number takes its place.
"""

from __future__ import annotations

import pickle
import shutil
import socket
import time
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

from safetensors.torch import load_file

from springline.engines.apart import check_join
from springline.engines.local import Local
from springline.engines.local.crew import PATIENCE, Member
from springline.engines.local.ground import Ground
from springline.engines.real import wire
from springline.engines.real.control import Control
from springline.engines.real.place import Place
from springline.errors import UsageError
from springline.folder import RunFolder
from springline.tied.book import Book
from springline.tied.fit import misfit
from springline.tied.keeper import Keeper
from springline.tied.local import SOCKET
from springline.tied.tying import job_of

GRACE = 30.0  # seconds that a run without a living worker waits for one to come back


class Host(Keeper):
    """workers: N; min_workers: with fewer alive nobody exchanges, unless the others have finished; patience: seconds of
    that, if so many have left for good, before whoever started them gives up; resume: go on from the folder's last
    snapshot.

    starter: how a worker that joins is started, where that is ours to do.
    """

    def __init__(
        self,
        folder: RunFolder,
        workers: int,
        *,
        min_workers: int = 1,
        patience: float = PATIENCE,
        snapshot_every: float = 10.0,
        resume: bool = False,
    ) -> None:
        if min_workers > workers:
            raise UsageError(
                f"min_workers={min_workers} is more than workers={workers}; nobody would ever exchange: use at most "
                f"{workers}."
            )
        super().__init__(workers, Local(min_workers=min_workers, patience=patience), snapshot_every)
        self.folder, self.workers, self.resume = folder, workers, resume
        self.starter: Callable[[int], None] | None = None
        self.greeting: list[tuple[socket.socket, dict[str, Any]]] = []  # who waits to be let in
        self.defining: socket.socket | None = None
        self.first: dict[str, Any] = {}  # what the first worker said of its model
        self.parting: list[socket.socket] = []  # whose last exchange is handed in
        self.joining = 0  # who were asked to join, and for whom the center has no room yet
        self.came = self.told_to_leave = False
        self.deserted_at = time.monotonic()
        self.door = Place()
        self.ground = SimpleNamespace(path=self.door.path)
        self.control = Control(self)
        self.listener = wire.listen(str(self.door.path / SOCKET))
        self.watch(self.listener, self.accept)
        self.door.announce(folder.path)

    # -- greeting workers

    def accept(self) -> None:
        sock, _ = self.listener.accept()
        self.watch(sock, partial(self.hear_stranger, sock))

    def hear_stranger(self, sock: socket.socket) -> None:
        packet = wire.receive(sock)
        if packet is None:
            self.forget(sock)
            sock.close()
            self.greeting = [(s, p) for s, p in self.greeting if s is not sock]
            if self.defining is sock:  # it died before it had said everything; the next one does
                self.defining = None
                self.greet_next()
        elif "hello" in packet:
            self.greeting.append((sock, packet))
            self.greet_next()
        elif "defined" in packet and sock is self.defining:
            self.define()

    def greet_next(self) -> None:
        if self.book is None:
            if self.defining is None and self.greeting:
                self.defining = self.greeting[0][0]
                self.defined_in = self.door.path / f"define-{time.monotonic_ns()}"
                self.defined_in.mkdir(mode=0o700)
                wire.send(self.defining, {"define": str(self.defined_in)})
        elif self.center.state == "up":
            waiting, self.greeting = self.greeting, []
            for sock, hello in waiting:
                self.greet(sock, hello)

    def greet(self, sock: socket.socket, hello: dict[str, Any]) -> None:
        i, why = hello["hello"], misfit(self.first, hello)
        if i is None:
            i = next((m.i for m in self.crew if self.free(m)), len(self.crew))
        if why is None and i < len(self.crew) and self.crew[i].state == "up":
            why = (
                f"worker {i} of this run is tied already; tie one module per process (put several into one "
                "nn.ModuleDict), and start each process under its own number."
            )
        if why is None and i >= len(self.crew):
            try:
                self.make_room(i)
            except UsageError as error:
                why = str(error)
        if why is not None:
            self.strangers.append(why)
            wire.send(sock, {"refused": why})
        elif i >= len(self.crew):
            self.greeting.append((sock, hello))  # until there is room
            self.to_center({"members": i + 1})
        else:
            self.welcome(sock, hello, self.crew[i])

    def make_room(self, i: int) -> None:
        """Memory for worker i, who joins. Raises UsageError if it cannot."""
        if i >= self.ground.plan.capacity:
            raise UsageError(f"the run has room for {self.ground.plan.capacity} workers; start it for more of them.")
        check_join(self.job, i)
        self.ground.add_rows(i + 1)

    def free(self, member: Member) -> bool:
        """Whether the place is anybody's: it is empty, and nobody was started for it."""
        return member.state in ("absent", "starting") and (self.starter is None or member.i not in self.expected)

    def welcome(self, sock: socket.socket, hello: dict[str, Any], member: Member) -> None:
        self.forget(sock)
        self.watch(sock, partial(self.hear_worker, member))
        member.sock, member.pid, member.state = sock, hello["pid"], "up"
        member.restarts += member.began > 0
        member.began = time.monotonic()
        self.came = True
        self.done.discard(member.i)
        news = {"worker": member.i, "workers": self.workers, "place": str(self.ground.path)}
        news["differs"] = hello["digest"] != self.first["digest"]
        news["back"] = self.tallies.last(member.i) > 0
        wire.send(sock, news)
        self.pause()

    def define(self) -> None:
        """Make the center as the first worker says."""
        sock, self.first = self.greeting[0]
        self.defining = None
        try:
            method = pickle.loads((self.defined_in / "method").read_bytes())  # from our own script, through memory
        except Exception as error:
            why = f"the method cannot be loaded beside the script ({error}); define its parts in a module of their own."
            wire.send(sock, {"refused": why})
            self.greeting.pop(0)
            self.greet_next()
            return
        tensors = load_file(self.defined_in / "model.safetensors")
        config = self.first["config"] | {"workers": self.workers}
        self.job = job_of(method, self.workers, config["tau"], config["seed"], tensors["x"], tensors["b"])
        book = Book(self.folder, config, self.defined_in, tensors, resume=self.resume)
        shutil.rmtree(self.defined_in)
        state = book.saved["engine"] if book.saved else None
        if state is not None and any(v.shape != tensors["x"].shape for v in state.center.shared.values()):
            raise UsageError(f"the center in {self.folder.path} is another model's; resume with the same script.")
        self.ground = Ground(self.job, self.engine, state)
        self.book, self.zero = book, time.monotonic()
        if state is not None:
            self.resolved, self.updates = state.resolved, state.updates
            self.told = self.resolved // self.workers
            self.zero -= state.seconds
        for i in self.ground.boxes:
            self.enlist(i)
        self.start_center()

    def enlist(self, i: int) -> None:
        self.crew.append(Member(f"worker {i}", "worker", {}, i=i, state="starting" if i in self.expected else "absent"))

    def join(self) -> int:
        """Have one more worker started. Raises UsageError where workers are not ours to start."""
        if self.starter is None:
            raise UsageError(
                "the workers of this run were not started by `springline launch`; add one by SPRINGLINE_RUN="
                f"{self.folder.path} python SCRIPT."
            )
        if self.book is None:
            raise UsageError("the run's workers are still starting; let another one join when they are tied.")
        i = len(self.crew) + self.joining
        self.make_room(i)
        self.joining += 1
        self.to_center({"members": i + 1})
        return i

    def center_says(self, packet: dict[str, Any]) -> None:
        super().center_says(packet)
        for i in range(len(self.crew), packet.get("members", 0)):
            self.ground.add_box(i)
            self.enlist(i)
            if self.joining and self.starter is not None:
                self.joining -= 1
                self.starter(i)
        if "up" in packet and self.joining:  # its predecessor may not have heard of them
            self.to_center({"members": len(self.crew) + self.joining})
        if "up" in packet or "members" in packet:
            self.greet_next()

    # -- seeing workers part

    def hear_worker(self, member: Member) -> None:
        sock = member.sock
        assert sock is not None
        packet = wire.receive(sock)
        if packet is not None and "end" not in packet:
            return
        member.state = "absent" if packet is None or packet["end"] == "failed" else "gone"
        if packet is not None and packet["end"] == "done":
            self.done.add(member.i)
        self.forget(sock)
        member.sock, member.pid = None, 0
        if self.alone:
            self.deserted_at = time.monotonic()
        self.pause()
        if packet is None:
            sock.close()
        else:
            self.parting.append(sock)

    def part(self) -> None:
        """Say goodbye to those who want to go; the end of the last script is the end of the run."""
        if self.parting and self.alone and self.starter is None:
            self.write(ended=self.finished)
        parting, self.parting = self.parting, []
        for sock in parting:
            wire.send(sock, {"bye": True})
            sock.close()

    @property
    def alone(self) -> bool:
        """Nobody is tied."""
        return all(m.state != "up" for m in self.crew)

    @property
    def finished(self) -> bool:
        """All workers have parted for good."""
        return all(m.state == "gone" for m in self.crew)

    def over(self) -> bool:
        """Whether the workers that we did not start are all gone, or have been away for too long."""
        if not self.came:
            return time.monotonic() - self.deserted_at > PATIENCE and not self.greeting
        if not self.alone or self.greeting:
            return False
        return self.finished or self.stopping or time.monotonic() - self.deserted_at > GRACE

    def turn(self) -> None:
        """Wait for the next thing to happen, for a short time, and see to it."""
        self.hear_all()
        self.part()
        if self.book is not None:
            self.pause()
        if self.stopping and not self.told_to_leave:
            self.stop()

    def stop(self) -> None:
        """Ask everybody to leave."""
        self.stopping = self.told_to_leave = True
        for member in self.crew:
            if member.sock is not None:
                wire.send(member.sock, {"leave": True})
        if self.book is not None:
            self.pause()

    def close(self) -> None:
        self.end_center()
        self.control.close()
        for key in list(self.selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self.selector.close()
        if self.book is not None:
            self.book.close()
            self.ground.close(None)
        self.door.close(self.folder.path)

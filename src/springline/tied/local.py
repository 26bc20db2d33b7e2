"""The center of the local engine, found by the run's folder: under both launchers, and for processes started by hand.

springline launch    the launcher keeps the center; SPRINGLINE_RUN, SPRINGLINE_WORKER and SPRINGLINE_WORKERS say where
torchrun             the first process to come starts a host for it; RANK, WORLD_SIZE and the agent's name say where
by hand              the same, in the folder that was named
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from springline.engines.local.crew import PATIENCE
from springline.engines.real.place import find
from springline.errors import RunError, UsageError
from springline.tied.connection import LocalConnection
from springline.tied.connector import Connector, Offer

SOCKET = "tie.sock"
RUN, WORKER, WORKERS = "SPRINGLINE_RUN", "SPRINGLINE_WORKER", "SPRINGLINE_WORKERS"


@dataclass(frozen=True)
class Rendezvous(Connector):
    """folder: the run's; workers: N; worker: this one's number, if a launcher gave one; launched: by `launch`."""

    folder: Path
    workers: int
    worker: int | None = None
    launched: bool = False

    @staticmethod
    def of(run: Path | str | None, workers: int | None) -> Rendezvous:
        """Where this process belongs. Raises UsageError if its launcher is one of several machines'."""
        env = os.environ
        if RUN in env and run is None:
            worker = int(env[WORKER]) if WORKER in env else None
            return Rendezvous(Path(env[RUN]), int(env.get(WORKERS, workers or 1)), worker, WORKER in env)
        if "TORCHELASTIC_RUN_ID" in env or ("RANK" in env and "LOCAL_WORLD_SIZE" in env):
            n = int(env["WORLD_SIZE"])
            if int(env.get("LOCAL_WORLD_SIZE", n)) != n:
                raise UsageError(
                    f"torchrun started {n} workers on several machines, but they can share this center on one machine "
                    "only; use torchrun on a single machine, or Ray."
                )
            return Rendezvous(Path(run) if run is not None else _torchrun_folder(), n, int(env["RANK"]))
        if run is not None:
            return Rendezvous(Path(run), workers or 1)
        return Rendezvous(Path("runs") / f"{_script()}-{os.getpid()}", workers or 1)

    def connect(self, offer: Offer) -> LocalConnection:
        deadline = time.monotonic() + PATIENCE
        while True:
            self.host(deadline)
            try:
                return LocalConnection(find(self.folder) / SOCKET, offer, deadline)
            except (OSError, EOFError):  # the host ended at that moment
                if self.launched or time.monotonic() > deadline:
                    raise RunError(
                        f"the run in {self.folder} ended before this worker was tied to it; see the messages above."
                    ) from None
                time.sleep(0.05)

    def host(self, deadline: float) -> None:
        """See to it that somebody keeps the center. Raises RunError if nobody does in time."""
        if self.launched or _running(self.folder):
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.folder / ".tie.lock", timeout=PATIENCE):
                if not _running(self.folder):
                    self.start_host(deadline)
        except Timeout:
            raise RunError(
                f"waited {PATIENCE:.0f} s for another process that starts the center in {self.folder}; see its "
                "messages."
            ) from None

    def start_host(self, deadline: float) -> None:
        """Start the process that keeps the center, and wait until it does."""
        command = [sys.executable, "-m", "springline.tied.alone", str(self.folder), str(self.workers)]
        pid = os.posix_spawn(sys.executable, command, os.environ, setsid=True)
        while not _running(self.folder):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                code = os.waitstatus_to_exitcode(status)
                kind = UsageError if code == 2 else RunError
                raise kind(f"the center of the run in {self.folder} did not start; see the message above.")
            if time.monotonic() > deadline:
                raise RunError(f"waited {PATIENCE:.0f} s for the process that keeps the center in {self.folder}.")
            time.sleep(0.02)


def _running(folder: Path) -> bool:
    try:
        return (find(folder) / SOCKET).exists()
    except UsageError:
        return False


def _script() -> str:
    return Path(sys.argv[0]).stem or "python"


def _torchrun_folder() -> Path:
    """The same for all processes of one agent, and another one for each agent."""
    name = os.environ.get("TORCHELASTIC_RUN_ID", "none")
    name = os.environ.get("MASTER_PORT", "0") if name in ("", "none") else name
    return Path("runs") / f"{_script()}-{name}-{os.getppid()}"

"""The folder in a RAM file system that holds the shared memory and the sockets of one run.

Whoever runs it holds a lock on it, which the system lets go of when that process ends in whatever way; so what a killed
run left is known for sure, and the next start removes it.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from springline.errors import UsageError

LIVE = "live.json"  # in the run folder: where the run's place is
STATUS = "status.json"  # there too: what a run on several machines says of itself, for those that have no way to ask it


def root() -> Path:
    """/dev/shm, or the folder for temporary files where there is none."""
    shm = Path("/dev/shm")
    return shm if os.access(shm, os.W_OK) else Path(tempfile.gettempdir())


class Place:
    """path: the folder. Its paths are short, as those of sockets have to be."""

    def __init__(self) -> None:
        sweep()
        prefix = f"springline-{os.getuid()}-"
        self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=root()))
        self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        (self.path / "ready").touch()

    def announce(self, folder: Path | None) -> None:
        """Say in the run's folder where to find it while it runs."""
        if folder is not None:
            live = {"place": str(self.path), "pid": os.getpid(), "started": time.time()}
            (folder / LIVE).write_text(json.dumps(live) + "\n")

    def close(self, folder: Path | None = None) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)
        if folder is not None:
            (folder / LIVE).unlink(missing_ok=True)


def sweep() -> list[Path]:
    """Remove the places of runs that were killed, and say which."""
    removed = []
    for path in root().glob(f"springline-{os.getuid()}-*"):
        if not (path / "ready").exists() and time.time() - _changed(path) < 60:
            continue  # somebody is just making it
        if not alive(path):
            shutil.rmtree(path, ignore_errors=True)
            removed.append(path)
    return removed


def alive(path: Path) -> bool:
    """Whether a process holds this place."""
    try:
        fd = os.open(path / "lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def find(folder: Path | str) -> Path:
    """The place of the run in a run folder. Raises UsageError if it is not running."""
    file = Path(folder) / LIVE
    try:
        live: dict[str, Any] = json.loads(file.read_text())
        place = Path(live["place"])
    except (OSError, ValueError, KeyError):
        place = None
    if place is None and _player(Path(folder)) == "simulator":
        raise UsageError(
            f"the run in {folder} is the simulator's, all of it in one process, which no other can speak to or join; "
            "its metrics.jsonl says how far it is, and workers can join runs of --engine local or ray."
        )
    if place is None or not alive(place):
        raise UsageError(
            f"no run is going on in {folder}; name the folder of a running one, or go on with an interrupted one by "
            f"`springline resume {folder}`."
        )
    return place


def _player(folder: Path) -> str | None:
    """The engine of the run that a folder holds, if it holds one."""
    try:
        return str(json.loads((folder / "config.json").read_text())["engine"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0

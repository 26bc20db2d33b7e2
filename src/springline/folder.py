"""A run's folder, the same for every engine.

config.json           what was asked for, validated
environment.json      versions, commit, machine
metrics.jsonl         one line per communication round
checkpoint.safetensors   the state to resume from
center.safetensors    the trained model's state dict
summary.json          the result
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from safetensors.torch import load_file, save
from torch import Tensor

from springline.checkpoint import load_state, save_state, write_atomically
from springline.engines.base import Row
from springline.environment import environment
from springline.errors import RunError, UsageError


class RunFolder:
    """Reads and writes one run's files."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.config = self.path / "config.json"
        self.metrics = self.path / "metrics.jsonl"
        self.center = self.path / "center.safetensors"
        self.summary = self.path / "summary.json"
        self._checkpoint = self.path / "checkpoint.safetensors"

    def check_empty(self) -> None:
        """Raises UsageError for a folder that is there and holds something, but nothing of a run."""
        # a config.json alone may be anybody's: a run writes its environment.json before
        mine = (self.metrics, self.center, self.summary, self._checkpoint, self.path / "environment.json")
        if not os.access(self.path, os.R_OK | os.X_OK) or not self.path.is_dir() or any(f.exists() for f in mine):
            return  # what cannot be read is for `held` to refuse
        others = sorted(file.name for file in self.path.iterdir() if not file.name.startswith("."))
        if others:
            more = f" and {len(others) - 1} more" if len(others) > 1 else ""
            raise UsageError(
                f"{self.path} is not empty, and what it holds is not a run's ({others[0]}{more}); choose another "
                "folder, or have the run written beside it with --overwrite."
            )

    def create(self, config: dict[str, Any], *, overwrite: bool) -> None:
        """Begin a run here, held. Raises UsageError if one is here already and `overwrite` is not set."""
        begun = [file for file in (self.metrics, self.center, self.summary, self._checkpoint) if _holds(file)]
        if begun and not overwrite:  # a run that could not begin has nothing to lose
            there = "already holds a run" if self.config.exists() else f"holds {begun[0].name}, but no config.json"
            go_on = f"continue it with `springline resume {self.path}`, " if self.config.exists() else ""
            raise UsageError(f"{self.path} {there}; {go_on}replace it with --overwrite, or choose another folder.")
        for file in (self.config, self.metrics, self.center, self.summary, self._checkpoint):
            file.unlink(missing_ok=True)
        self.sweep()
        self.write_json("environment.json", environment())
        self.write_json("config.json", config)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder where needed and keep every other process from writing to it, until the end of the block.

        A process that dies lets go of it. Raises UsageError if another one holds it, or it cannot be written to.
        """
        lock = FileLock(self.path / ".lock", timeout=0)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout:
            raise UsageError(
                f"another process is at work on the run in {self.path}; wait for its end, or choose another folder."
            ) from None
        except OSError as error:
            reason = error.strerror or error
            raise UsageError(f"{self.path} cannot be used as a run folder ({reason}); choose another.") from None
        try:
            yield
        finally:
            lock.release()

    def sweep(self) -> None:
        """Remove what a killed process had half written."""
        for left in self.path.glob(".*.tmp"):
            left.unlink(missing_ok=True)

    def write_json(self, name: str, value: Any) -> None:
        write_atomically(self.path / name, (json.dumps(finite(value), indent=2) + "\n").encode())

    def read_config(self) -> dict[str, Any]:
        """Raises UsageError if there is no run here, RunError if its configuration cannot be read."""
        if not self.config.exists():
            raise UsageError(f"{self.path} holds no run (no config.json in it); name the folder a run was written to.")
        return self._read_json(self.config)

    def other_versions(self) -> str:
        """What the run was begun with, as "springline 0.0.9 (now 0.1.0)", where it is not what is here."""
        file, now = self.path / "environment.json", environment()
        then = self._read_json(file) if file.exists() else {}
        names = [name for name in ("springline", "torch") if name in then and then[name] != now[name]]
        return ", ".join(f"{name} {then[name]} (now {now[name]})" for name in names)

    def read_summary(self) -> dict[str, Any] | None:
        """The result, or None if the run has not ended."""
        return self._read_json(self.summary) if self.summary.exists() else None

    def _read_json(self, file: Path) -> dict[str, Any]:
        try:
            value = json.loads(file.read_text())
        except ValueError:
            raise RunError(
                f"{file} is not readable JSON; it was edited or cut short: restore it from a copy."
            ) from None
        if not isinstance(value, dict):
            raise RunError(f"{file} holds a {type(value).__name__} instead of names with values; it was edited.")
        return value

    def read_metrics(self) -> list[Row]:
        """All rows written so far. Raises RunError at a line that cannot be read, unless it is the last of a run that
        has not ended.
        """
        ended = self.read_summary()
        rows: list[Row] = []
        lines = self.metrics.read_bytes().splitlines() if self.metrics.exists() else []
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
            except ValueError:
                if number == len(lines):  # the run was stopped, or is being watched, in the middle of a line
                    break
                raise RunError(f"{self.metrics}, line {number} is not readable JSON; it was edited.") from None
            known = isinstance(row, dict) and isinstance(row.get("round"), int) and isinstance(row.get("workers"), dict)
            if not known:
                raise RunError(f"{self.metrics}, line {number} is no round of a run; it was edited.")
            rows.append(row)
        if rows and ended is not None and rows[-1]["round"] != ended.get("rounds"):
            raise RunError(
                f"{self.metrics} ends after round {rows[-1]['round']}, but the run after round {ended.get('rounds')}; "
                "it was cut short: restore the file from a copy."
            )
        return rows

    def save_checkpoint(self, state: Any, config: dict[str, Any], wall: float, size: int) -> None:
        """The engine's state, the run's configuration, and how far it had got: seconds, bytes of metrics."""
        save_state(self._checkpoint, {"engine": state, "config": config, "wall_s": wall, "metrics_bytes": size})

    def load_checkpoint(self, device: str = "cpu") -> dict[str, Any] | None:
        """The last checkpoint, its tensors on this device, or None if the run was stopped before its first."""
        if not self._checkpoint.exists():
            return None
        saved = load_state(self._checkpoint, device)
        assert isinstance(saved, dict)
        return saved

    def save_center(self, center: dict[str, Tensor]) -> None:
        """The trained module's state dict, as `module.load_state_dict(load_file(path))` takes it."""
        write_atomically(self.center, save({name: t.contiguous() for name, t in center.items()}))

    def load_center(self) -> dict[str, Tensor]:
        """The trained module's state dict."""
        try:
            return dict(load_file(self.center))
        except Exception as error:
            raise RunError(
                f"{self.center} cannot be read ({error}); the run has not ended, or it was damaged."
            ) from None


def _holds(file: Path) -> bool:
    return file.exists() and file.stat().st_size > 0


class MetricsWriter:
    """Appends rows to metrics.jsonl, flushed one by one, from a given length on."""

    def __init__(self, path: Path, keep: int = 0) -> None:
        if (path.stat().st_size if path.exists() else 0) < keep:
            raise RunError(f"{path} is shorter than its checkpoint says; it was edited: restore it from a copy.")
        if path.exists():
            os.truncate(path, keep)
        self._file = open(path, "ab")  # noqa: SIM115 (closed by close)

    def write(self, row: Row) -> None:
        self._file.write((json.dumps(finite(row)) + "\n").encode())
        self._file.flush()

    def size(self) -> int:
        """Bytes on disk, after making sure that they are."""
        os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        self._file.close()


def finite(value: Any) -> Any:
    """JSON knows no nan and no infinity: they become null."""
    if isinstance(value, dict):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

"""What is written to a run's folder; see files.py."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save
from torch import Tensor

from springline.checkpoint import load_state, save_state, write_atomically
from springline.engines.base import Row
from springline.environment import environment
from springline.errors import RunError, UsageError
from springline.files import RunFiles, finite


class RunFolder(RunFiles):
    """Reads and writes all of one run's files."""

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

    def sweep(self) -> None:
        """Remove what a killed process had half written."""
        for left in self.path.glob(".*.tmp"):
            left.unlink(missing_ok=True)

    def write_json(self, name: str, value: Any) -> None:
        write_atomically(self.path / name, (json.dumps(finite(value), indent=2) + "\n").encode())

    def other_versions(self) -> str:
        """What the run was begun with, as "springline 0.0.9 (now 0.1.0)", where it is not what is here."""
        file, now = self.path / "environment.json", environment()
        then = self._read_json(file) if file.exists() else {}
        names = [name for name in ("springline", "torch") if name in then and then[name] != now[name]]
        return ", ".join(f"{name} {then[name]} (now {now[name]})" for name in names)

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
        try:
            line = json.dumps(row, allow_nan=False)
        except ValueError:  # seldom, and looking for it costs more than writing does
            line = json.dumps(finite(row))
        self._file.write((line + "\n").encode())
        self._file.flush()

    def size(self) -> int:
        """Bytes on disk, after making sure that they are."""
        os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        self._file.close()

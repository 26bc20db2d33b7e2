"""A run's folder, the same for every engine, for those who only read it; no torch is imported for that.

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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from springline.errors import RunError, UsageError

if TYPE_CHECKING:
    from springline.engines.base import Row


class RunFiles:
    """Where one run's files are, and what is in them."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.config = self.path / "config.json"
        self.metrics = self.path / "metrics.jsonl"
        self.center = self.path / "center.safetensors"
        self.summary = self.path / "summary.json"
        self._checkpoint = self.path / "checkpoint.safetensors"

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

    def check_free(self) -> None:
        """Raises UsageError if there is a run already. Asked before a worker is started, and long before it is tied."""
        if self.config.exists():
            raise UsageError(
                f"{self.path} already holds a run; choose another folder, or (with springline launch) go on with it by "
                "--resume or replace it by --overwrite."
            )

    def read_config(self) -> dict[str, Any]:
        """Raises UsageError if there is no run here, RunError if its configuration cannot be read."""
        if not self.config.exists():
            raise UsageError(f"{self.path} holds no run (no config.json in it); name the folder a run was written to.")
        return self._read_json(self.config)

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


def finite(value: Any) -> Any:
    """JSON knows no nan and no infinity: they become null."""
    if isinstance(value, dict):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

"""What becomes of an engine's news: rows kept and written, checkpoints, the wall clock."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from springline.config import RunConfig
from springline.engines.base import Row
from springline.folder import MetricsWriter, RunFolder

Progress = Callable[[Row], None]


class Recorder:
    """The sink of a run: keeps the rows, writes them and the checkpoints, adds the wall clock.

    A checkpoint is made after the first round, and after each round that ends `checkpoint_every` seconds or more after
    the last one; what is made again after a failure is at most that, and a round.
    """

    def __init__(
        self,
        config: RunConfig,
        folder: RunFolder | None,
        progress: Progress | None,
        checkpoint_every: float,
        saved: dict[str, Any] | None = None,
    ) -> None:
        self.config, self.folder, self.progress, self.every = config, folder, progress, checkpoint_every
        self.rows: list[Row] = []
        self.writer = None
        self.before = saved["wall_s"] if saved else 0.0
        if folder is not None:
            self.writer = MetricsWriter(folder.metrics, keep=saved["metrics_bytes"] if saved else 0)
            self.rows = folder.read_metrics()
        self.began = time.monotonic()
        # the first row is kept at once: writing what all workers hold takes a fraction of the round that made it
        self.kept = self.began if saved else -math.inf

    @property
    def where(self) -> Path | None:
        return self.folder.path if self.folder is not None else None

    def wall(self) -> float:
        return self.before + time.monotonic() - self.began

    def row(self, row: Row, *, ago: float = 0.0) -> None:
        row = row | {"wall_s": round(self.wall() - ago, 3)}
        self.rows.append(row)
        if self.writer is not None:
            self.writer.write(row)
        if self.progress is not None:
            self.progress(row)

    def due(self) -> bool:
        return self.folder is not None and time.monotonic() - self.kept >= self.every

    def checkpoint(self, state: Callable[[], Any], *, now: bool = False) -> None:
        if self.folder is None or self.writer is None or not (now or self.due()):
            return
        self.folder.save_checkpoint(state(), self.config.model_dump(), self.wall(), self.writer.size())
        self.kept = time.monotonic()

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()

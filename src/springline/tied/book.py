"""What is written of a tied run: the same files as of any other, see `springline.folder`."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors.torch import save
from torch import Tensor

from springline.checkpoint import write_atomically
from springline.config import RunConfig
from springline.engines.base import Row
from springline.engines.local.news import glance, state_of
from springline.engines.real.news import paused_row, row
from springline.errors import UsageError
from springline.files import finite
from springline.folder import MetricsWriter, RunFolder
from springline.tied.model import state_dict

if TYPE_CHECKING:
    from springline.tied.keeper import Keeper

ROWS = 0.1  # seconds at least between two rows: a script may exchange thousands of times a second


class Book:
    """entries, constants: how the module's state dict is made of x and b (see `Model`). saved: what it goes on from."""

    def __init__(
        self, folder: RunFolder, config: dict[str, Any], defined: Path, tensors: dict[str, Tensor], *, resume: bool
    ) -> None:
        self.folder = folder
        self.entries = json.loads((defined / "entries.json").read_text())
        self.constants = {
            name.removeprefix("constant "): t for name, t in tensors.items() if name.startswith("constant ")
        }
        self.saved = folder.load_checkpoint() if resume else None
        if self.saved is None:
            folder.create(config, overwrite=True)  # whoever holds the folder has made sure that it may be
        self.config = RunConfig.read(config, "the script's arguments")
        self._check_same(self.saved)
        folder.summary.unlink(missing_ok=True)
        self.writer = MetricsWriter(folder.metrics, keep=self.saved["metrics_bytes"] if self.saved else 0)
        self.before = self.saved["wall_s"] if self.saved else 0.0
        self.began, self.wrote = time.monotonic(), -ROWS
        self.last: Row = {}

    def _check_same(self, saved: dict[str, Any] | None) -> None:
        """Raises UsageError where the snapshot is of another method than the script's."""
        if saved is None:
            return
        then = RunConfig.read(saved["config"], "the snapshot")
        now = then.model_copy(update={"method": self.config.method, "knobs": self.config.knobs})
        if different := then.differences(now):
            raise UsageError(
                f"the center in {self.folder.path} was made by another method ({different}); resume with the same "
                "script."
            )

    def wall(self) -> float:
        return self.before + time.monotonic() - self.began

    def row(self, host: Keeper, seconds: float, *, last: bool = False) -> None:
        """One row of metrics, unless one was written just now. A round is N attempts, whoever made them."""
        if not last and time.monotonic() - self.wrote < ROWS:
            return
        found = row(glance(host), host.told, seconds) | paused_row(host)
        found["workers"]["loss"] = [finite(host.ground.vitals(m.i)["loss"]) for m in host.crew]
        self.last = found | {"wall_s": round(self.wall(), 3)}
        self.writer.write(self.last)
        self.wrote = time.monotonic()

    def snapshot(self, host: Keeper, seconds: float) -> None:
        """The copy of the center: as a state dict, and as what the run can go on from."""
        x = host.job.method.coupling.readout(host.ground.spare())
        tensors = state_dict(self.entries, self.constants, x, host.ground.spare().buffers)
        write_atomically(self.folder.center, save(tensors))
        state = state_of(host, seconds)()
        self.folder.save_checkpoint(state, self.config.model_dump(), self.wall(), self.writer.size())

    def end(self) -> None:
        """The run is over, and this is its result."""
        names = ("round", "exchanges_made", "exchanges_lost", "wall_s")
        summary = {"test_accuracy": None, "test_loss": None, "train_loss": None} | {n: self.last[n] for n in names}
        summary["rounds"] = summary.pop("round")
        self.folder.write_json("summary.json", summary | {"run_dir": str(self.folder.path)})

    def close(self) -> None:
        self.writer.close()

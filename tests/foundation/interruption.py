"""Runs that are cut short, and what is left of them to compare."""

from __future__ import annotations

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch

import springline
from springline import Task

FAULTS = ["drop:0.2", "crash:9,down=2,rejoin=initial", "corrupt:nan,rate=0.1", "slow:2,worker=1"]


def digest(rows: Any, center: dict[str, torch.Tensor]) -> str:
    """Of all that a run is, but for the wall clock."""
    told = [{k: v for k, v in row.items() if k != "wall_s"} for row in rows]
    whole = sha256(json.dumps(told).encode())
    for name in sorted(center):
        whole.update(center[name].numpy().tobytes())
    return whole.hexdigest()


def child(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    root = str(Path(__file__).parents[2])
    return subprocess.run([sys.executable, "-c", code, root, *arguments], capture_output=True, text=True, check=False)


class Stop(Exception):
    """Somebody pulled the plug."""


def interrupted(task: Task, out: Path, at: int, **kw: Any) -> None:
    def pull_the_plug(row: Any) -> None:
        if row["round"] == at:
            raise Stop

    with pytest.raises(Stop):
        springline.train(task, "geahes-o", out=out, progress=pull_the_plug, **(TRAINING | kw))


TRAINING: dict[str, Any] = {
    "rounds": 10,
    "batch_size": 8,
    "tau": 2,
    "seed": 3,
    "faults": FAULTS,
    "checkpoint_every": 0.0,
}


def files_of(run: Path) -> tuple[str, bytes]:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return json.dumps([{k: v for k, v in row.items() if k != "wall_s"} for row in rows]), (
        run / "center.safetensors"
    ).read_bytes()

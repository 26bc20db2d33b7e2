"""What `train` and `compare` make of knobs: numbers of NumPy's and torch's, and names that are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import springline
from springline import Task, UsageError
from springline.config import RunConfig
from springline.folder import RunFolder
from springline.setup import rebuild

WORLD: dict[str, Any] = {"workers": 2, "rounds": 4, "batch_size": 8}


@pytest.mark.parametrize("lr", [np.float32(0.1), np.float64(0.1), np.array(0.1), torch.tensor(0.1)])
def test_a_number_is_a_number_whoever_made_it(blobs: Task, lr: Any, tmp_path: Path) -> None:
    run = springline.train(blobs, "easgd", lr=lr, out=tmp_path / "given", **WORLD)
    assert run.config.knobs["lr"] == lr.item()
    assert type(run.config.knobs["lr"]) is float
    again, _ = rebuild(RunConfig.read(RunFolder(tmp_path / "given").read_config(), "here"), blobs)
    assert again.method == springline.method("easgd", lr=lr.item())
    own = springline.train(blobs, springline.method("easgd", lr=lr), **WORLD)
    assert own.config == run.config
    assert all(own.center[name].equal(value) for name, value in run.center.items())


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("epochs", "unknown argument 'epochs'; give rounds, the exchanges of every worker"),
        ("steps", "unknown argument 'steps'; give rounds"),
        ("learning_rate", "unknown argument 'learning_rate'; give lr"),
        ("optimizer", "unknown argument 'optimizer'; the optimiser belongs to the method"),
        ("alhpa", "unknown knob 'alhpa' of method 'easgd'; did you mean alpha"),
        ("wings", "unknown knob 'wings' of method 'easgd'; known: alpha, .*; beside knobs there are .*rounds, .*tau"),
        ("worker", "unknown argument 'worker'; did you mean workers"),
    ],
)
def test_a_name_that_is_none_is_told_what_it_means(blobs: Task, name: str, says: str) -> None:
    for call in (springline.train, springline.compare):
        with pytest.raises(UsageError, match=says) as refused:
            call(blobs, "easgd" if call is springline.train else ["easgd"], **WORLD, **{name: 3})
        assert str(refused.value).endswith((".", "?"))

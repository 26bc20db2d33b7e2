"""Workers are forked from a process that has imported what their first step needs, and has one thread."""

from __future__ import annotations

import functools
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import springline
from springline import METHODS
from springline.engines.local import Local
from springline.optim import Torch

from .support import cross_entropy, net, task


def told_net(folder: Path):
    """And tell what is imported as a worker builds it, by how many threads of whoever has forked it."""
    threads = len(os.listdir(f"/proc/{os.getppid()}/task"))
    (folder / f"{os.getpid()} forked").write_text("\n".join([str(threads), *imported()]))
    return net()


def told_loss(folder: Path, model, batch):
    """And tell what is imported by now; the last one has seen a step before it."""
    loss = cross_entropy(model, batch)
    half = folder / f"{os.getpid()} half"
    half.write_text("\n".join(imported()))
    half.replace(folder / f"{os.getpid()} stepped")  # it may be killed at any time
    return loss


def imported() -> list[str]:
    """The packages of torch, which imports a small module now and then."""
    return sorted({".".join(name.split(".")[:2]) for name in sys.modules if name.startswith("torch.")})


ADAM = replace(METHODS["easgd"], name="adam", optimiser=Torch(functools.partial(torch.optim.Adam, lr=1e-3)))


@pytest.mark.parametrize(("method", "late"), [("eahes-o", True), (ADAM, True), ("easgd", False)])
def test_a_forked_worker_imports_nothing_more(tmp_path, method, late):
    model, loss = (functools.partial(f, tmp_path) for f in (told_net, told_loss))
    own = replace(task(), model=model, loss_fn=loss, test=None)
    springline.train(own, method, engine=Local(order=(0, 1)), workers=2, tau=2, rounds=1, batch_size=16)
    workers = {path.name.split()[0] for path in tmp_path.glob("* stepped")} - {str(os.getpid())}
    assert len(workers) == 2
    for pid in workers:
        threads, *before = (tmp_path / f"{pid} forked").read_text().splitlines()
        assert threads == "1"
        assert (tmp_path / f"{pid} stepped").read_text().splitlines() == before
        assert ("torch._dynamo" in before) is late

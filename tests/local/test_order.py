"""With the simulator's order of exchanges, real processes give the simulator's weights, bit for bit."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from springline import METHODS, train
from springline.engines.local import Local
from springline.engines.local.plan import CHUNK

from .support import net, normed, task

STAR = [name for name, method in METHODS.items() if method.coupling.topology == "star"]
PATIENT = {"deadline": 1e6}  # a round is closed by its last message, not by a busy machine
NEEDED = {"dc-asgd": {"lam": 0.04}, "sync-easgd": PATIENT, "sync-easgd-gs": PATIENT, "ssgd": PATIENT}


def both(method: str, workers: int = 3, **options):
    """The same run on both engines."""
    options = {"batch_size": 16, "rounds": 6, "eval_every": 6} | NEEDED.get(method, {}) | options
    model = options.pop("model", net)
    simulated = train(task(model), method, workers=workers, **options)
    return simulated, train(task(model), method, workers=workers, engine=order(workers), **options)


def order(workers: int) -> Local:
    return Local(order=tuple(range(workers)))


def check(simulated, real) -> None:
    for name, v in simulated.center.items():
        assert torch.equal(real.center[name], v), name
    for name in ("exchanges_made", "exchanges_lost", "exchanges_refused", "exchanges_unanswered", "bytes", "test_loss"):
        assert real.rows[-1][name] == simulated.rows[-1][name], name
    for name in ("made", "lost", "h1", "h2", "score"):
        assert real.rows[-1]["workers"][name] == simulated.rows[-1]["workers"][name], name


@pytest.mark.parametrize("method", STAR)
def test_every_method(method):
    coupling = METHODS[method].coupling
    check(*both(method, coupling.most_workers or 3, tau=1 if coupling.single_step else 2))


@pytest.mark.parametrize("method", ["easgd", "geamsgd-o"])
@pytest.mark.parametrize("pull_after", [1, "tau"])
def test_a_pull_that_lands_later(pull_after, method):
    check(*both(method, tau=3, pull_after=pull_after))


def wide() -> nn.Module:
    return nn.Sequential(nn.Linear(8, 12_000), nn.Tanh(), nn.Linear(12_000, 3))


@pytest.mark.parametrize("method", ["eamsgd", "geamsgd-o", "downpour"])
def test_vectors_of_several_chunks(method):
    assert sum(p.numel() for p in wide().parameters()) > CHUNK
    check(*both(method, tau=2, model=wide, lr=1e-4, faults=["drop:0.2", "corrupt:sign,rate=0.2"]))


def test_statistics_of_batch_norm():
    check(*both("easgd", tau=2, model=normed))


@pytest.mark.parametrize("method", ["easgd", "geamsgd-o"])
@pytest.mark.parametrize("pull_after", [0, 1])
def test_what_happens_to_messages(method, pull_after):
    """Lost, damaged and unanswered ones, in the same rounds of the same workers."""
    faults = ["drop:0.3", "lost-reply:0.3", "corrupt:sign,rate=0.2", "script:corrupt,kind=nan,round=6"]
    simulated, real = both(method, rounds=12, faults=faults, tau=2, pull_after=pull_after)
    check(simulated, real)
    last = real.rows[-1]
    assert min(last[f"exchanges_{name}"] for name in ("lost", "refused", "unanswered")) > 0


def test_a_lost_attempt_remembers_what_the_worker_was_told():
    """A real worker cannot know the center without asking: `estimate = last` is what it has."""
    check(*both("deahes-o", rounds=12, faults=["drop:0.3"], estimate="last"))


@pytest.mark.parametrize("method", ["mdownpour", "dana-zero", "mvadownpour"])
@pytest.mark.parametrize("fault", ["crash,round=4,rounds=2", "corrupt,kind=nan,round=4,rounds=3"])
def test_who_begins_anew_begins_where_the_method_says(method, fault):
    """After a crash, or after as many refusals as the center has patience for: which is not what is read out."""
    simulated, real = both(method, 1, rounds=9, faults=[f"script:{fault},worker=0"])
    check(simulated, real)
    assert real.rows[-1]["exchanges_lost"] >= 2

"""`springline.tie`: what a script calls once it has a model and an optimizer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from springline.config import RunConfig
from springline.engines.job import Job
from springline.errors import UsageError
from springline.methods import Method
from springline.methods import method as named_method
from springline.setup import in_numbers
from springline.tasks.base import Task
from springline.tied.connector import CONNECTORS, Connector, Offer
from springline.tied.elsewhere import RayConnector
from springline.tied.line import Line
from springline.tied.local import Rendezvous
from springline.tied.model import Model

CONNECTORS.append(RayConnector.at_home)
ENDLESS = 10**9  # rounds; the script decides when it is over


def tie(
    model: nn.Module,
    optimizer: torch.optim.Optimizer | None,
    method: Method | str = "easgd",
    *,
    tau: int = 1,
    seed: int = 0,
    run: Path | str | None = None,
    workers: int | None = None,
    connector: Connector | None = None,
    **knobs: Any,
) -> Line:
    """Tie this process's model to the center of a run; the model then has the center's parameters.

    The script's own loop makes the gradients, and `optimizer` the steps; `line.step()` after each of them counts it,
    and exchanges parameters with the center every τ of them. optimizer=None: the method's own optimiser makes the
    steps, in `line.step(closure)`.
    method: a name of `springline.METHODS`, or a `Method`; knobs turn its parameters (`alpha=0.2, pull_after="tau"`).
    tau: τ local steps per exchange.  seed: decides who gets which samples in `line.shard`.

    The run is found by the launcher: `springline launch -n 4 script.py`, or `torchrun --nproc-per-node 4 script.py`.
    Without one, run is the folder of a run that other processes of this machine are tied to as well, and workers is how
    many there will be; a process with neither is alone with its center, in a folder of its own.
    connector: where the center is, for other kinds than this machine's.

    Raises UsageError for arguments that do not fit each other or the run, RunError if there is no run within 60 s.
    """
    if not isinstance(model, nn.Module):
        raise UsageError(f"springline.tie was given a {type(model).__name__} as model; give an nn.Module.")
    if optimizer is not None and not isinstance(optimizer, torch.optim.Optimizer):
        raise UsageError(
            f"springline.tie was given {optimizer!r} as optimizer; give a torch.optim.Optimizer of the model's "
            "parameters, or None for the method's own."
        )
    chosen = in_numbers((named_method(method) if isinstance(method, str) else method).with_(**knobs))
    wrapped = Model(model)
    if optimizer is not None:
        _check_optimizer(chosen, model, optimizer)
    meeting = _connector(run, workers) if connector is None else connector
    n = getattr(meeting, "workers", None) or workers or 1
    job = job_of(chosen, n, tau, seed)
    script = Path(sys.argv[0]).name or "python"
    connection = meeting.connect(Offer(wrapped, job, config_of(job, script), getattr(meeting, "worker", None)))
    return Line(wrapped, optimizer, job, connection)


class Flat(nn.Module):
    """Initial parameters and buffers that have left their module."""

    def __init__(self, x: Tensor, b: Tensor) -> None:
        super().__init__()
        self.x = nn.Parameter(x)
        self.register_buffer("b", b)


def job_of(method: Method, workers: int, tau: int, seed: int, x: Tensor | None = None, b: Tensor | None = None) -> Job:
    """What the center has to know of a tied run, checked as every run is. Raises UsageError for what does not fit.

    x, b: the initial parameters and buffers.
    """
    x, b = torch.zeros(1) if x is None else x, torch.zeros(0) if b is None else b
    samples = torch.zeros(1000 * workers, 1)  # in the place of the script's, so that a partition can be checked
    task = Task("a script's own", model=lambda: Flat(x, b), loss_fn=_no_loss, train=samples)
    return Job(task, method, workers=workers, tau=tau, rounds=ENDLESS, batch_size=1, eval_every=ENDLESS, seed=seed)


def config_of(job: Job, script: str) -> dict[str, Any]:
    from springline.setup import turned

    return RunConfig(
        task=script,
        method=job.method.name,
        knobs=turned(job.method),
        workers=job.workers,
        tau=job.tau,
        rounds=job.rounds,
        batch_size=job.batch_size,
        eval_every=job.eval_every,
        seed=job.seed,
        engine="tie",
    ).model_dump()


def _no_loss(model: nn.Module, batch: Any) -> torch.Tensor:
    raise AssertionError("the loss is the script's own")


def _connector(run: Path | str | None, workers: int | None) -> Connector:
    if run is None:
        for at_home in CONNECTORS:
            if (found := at_home()) is not None:
                return found
    return Rendezvous.of(run, workers)


def _check_optimizer(method: Method, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    if method.coupling.takes == "gradient":
        raise UsageError(
            f"with {method.name} workers send gradients and the center makes the step, so an optimizer of your own "
            "would step a second time; call springline.tie(model, None, …) and line.step(closure), or take a method "
            "whose workers step themselves, such as easgd."
        )
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    if not any(id(p) in held for p in model.parameters()):
        raise UsageError(
            f"the {type(optimizer).__name__} holds none of the model's parameters, so nothing that it steps would be "
            "exchanged; make it over model.parameters() of the model that is tied."
        )

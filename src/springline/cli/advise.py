"""`springline advise`: which learning rates a method bears, and which to start from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from springline.cli import options as o
from springline.cli.screen import Screen
from springline.errors import UsageError

if TYPE_CHECKING:
    from springline.guard import MethodAdvice
    from springline.methods import Method


def add_to(app: typer.Typer) -> None:
    app.command()(advise)


def advise(
    method: Annotated[str, typer.Option("--method", "-m", help="A name of `springline methods`.")],
    workers: o.Workers = 4,
    tau: o.Tau = 1,
    curvature: Annotated[
        float | None, typer.Option(metavar="H", help="Largest curvature h: the top eigenvalue of the Hessian.")
    ] = None,
    task: Annotated[
        str | None, typer.Option(metavar="TASK", help="Estimate h on this task's model, where a run begins.")
    ] = None,
    batch_size: o.BatchSize = 64,
    seed: o.Seed = 0,
    topology: o.Topology = "star",
    alpha: o.Alpha = None,
    lr: o.Rate = None,
    pull_after: o.PullAfter = None,
    knob: o.Knobs = None,
    as_json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Say for which learning rates η a method is stable, and recommend α, β and η, with the reason.

    The theory is that of a quadratic of curvature h, workers one after the other, and no failures.
    """
    from springline.guard import advise_method
    from springline.methods import method as named_method
    from springline.scenario import parse_topology
    from springline.theory.advice import MOST_STEPS, MOST_WORKERS

    if (curvature is None) == (task is None):
        raise UsageError(
            "give the largest curvature of the model by --curvature H, or --task TASK to have it estimated."
        )
    if curvature is not None and not 0 < curvature < float("inf"):
        raise UsageError(
            f"--curvature {curvature:g} is not positive and finite; give the top eigenvalue of the Hessian."
        )
    if workers < 1 or tau < 1:
        raise UsageError(f"--workers {workers} --tau {tau}: both are at least 1.")
    if workers > MOST_WORKERS or tau > MOST_STEPS:
        raise UsageError(
            f"--workers {workers} --tau {tau}: the recursion is computed for at most {MOST_WORKERS} workers and "
            f"{MOST_STEPS} local steps; ask for fewer."
        )
    screen = Screen(as_json)
    knobs = o.knobs(knob, alpha, lr, None, pull_after)
    chosen = named_method(method, **knobs)
    about = ""
    if curvature is None:
        assert task is not None
        curvature = _estimate(screen, task, chosen, workers, tau, topology, batch_size, seed)
        about = f" (estimated on {task} at the start, batch size {batch_size}, seed {seed})"
    found = advise_method(chosen, workers, tau, curvature, parse_topology(topology), keep=tuple(knobs))
    _tell(screen, found, about)
    if task is not None and found.advice.eta is not None:
        turned = "".join(f" --set {name}={value:g}" for name, value in found.settings.items())
        where = f" --topology {topology}" if topology != "star" else ""
        screen.say(f"try: springline train {task} --method {method} --workers {workers} --tau {tau}{where}{turned}")
    screen.result(found.numbers)


def _estimate(
    screen: Screen, task: str, method: Method, workers: int, tau: int, topology: str, batch_size: int, seed: int
) -> float:
    from springline.engines.job import Job
    from springline.guard import largest_curvature
    from springline.scenario import Scenario
    from springline.tasks import load_task

    world = Scenario.of(topology=topology)
    job = Job(
        load_task(task, say=screen.say), method, world, workers=workers, tau=tau, batch_size=batch_size, seed=seed
    )
    h = largest_curvature(job)
    if h is None:
        raise UsageError(f"no positive curvature of {task} was found at its start; give it by --curvature H.")
    return h


def _tell(screen: Screen, found: MethodAdvice, about: str) -> None:
    a = found.advice
    screen.say(
        f"{found.method.name}, {a.setting.workers} workers, τ = {a.setting.tau}, h = {a.setting.curvature:.4g}{about}"
    )
    ranges = ", ".join(f"{low:.4g} < η < {high:.4g}" for low, high in a.intervals) or "no η"
    how = "in closed form" if a.formula else "from the spectral radius of one round"
    screen.say(f"  stable for {ranges} ({how})")
    if a.limit == 0 and a.intervals:
        screen.say("  but for no small η: directions of smaller curvature diverge")
    start = {"η": a.eta, "α": a.alpha, "β": a.beta}
    given = ", ".join(f"{name} = {value:.4g}" for name, value in start.items() if value is not None)
    if a.eta is not None:
        momentum = "" if found.momentum is None else f", with momentum {found.momentum:g}"
        screen.say(f"  start from {given}{momentum}")
    if found.own is not None and found.factor is not None:
        what = "shrinks to" if found.factor < 1 else "grows by"
        screen.say(f"  with lr={found.own:g} the distance to the optimum {what} a factor {found.factor:.4g} per round")
    screen.say(f"  why: {a.reason}; {a.reference}")

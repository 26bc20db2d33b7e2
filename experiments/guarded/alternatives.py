"""Scores by which a weighting could judge a worker, tried against each other: which failures does each see?

    python experiments/guarded/alternatives.py [--local nesterov] [--rules fixed loss] [--seeds 1] [--jobs 2]

Every score gives f in [0, 1] and weighs h1 = α + (1−α)f, h2 = α(1−f), like `Guarded`; a rule with several takes the
largest. MNIST, four workers, τ = 1. Results go to alternatives.jsonl, a line per run; what is there is not made again.
Then alternatives.md is written from all that is there.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any, ClassVar

import torch
from torch import Tensor

import springline
from springline.couplings import Dynamic, Elastic, Fixed, Guarded, Oracle
from springline.couplings.base import Center, Message, Note, Reply
from springline.couplings.guarded import log_of, ramp
from springline.couplings.weights import Evidence, Weighting, Weights
from springline.environment import environment
from springline.methods import Method
from springline.optim.adahessian import AdaHessian
from springline.optim.nesterov import Nesterov
from springline.optim.sgd import SGD
from springline.reproduce.gauntlet import FAILURES, flags
from springline.tasks.layout import Layout

HERE = Path(__file__).parent
WORKERS, ROUNDS, HELD, HORIZON = 4, 200, 256, 20
CLOSE = 0.15
LOCAL = {"sgd": SGD(lr=0.05), "nesterov": Nesterov(lr=0.05, momentum=0.5), "adahessian": AdaHessian(lr=0.01)}
SEEN: dict[str, float] = {}  # what the center sees of the message that it is serving, beyond the evidence

Ramp = tuple[float, float]  # where a score begins to count, and where it is complete
NAMES = ("loss", "far", "idle", "lag", "held", "against")


@dataclass(frozen=True)
class Scores(Weights):
    """far, idle: r and q of `Guarded`.  loss: log of the running mean of the worker's training loss, over about
    HORIZON local steps, over the median of the others'.  lag: rounds of center updates since its last exchange.

    held: log loss of x_i over that of c, on samples that the center holds back.  against: minus the cosine between
    x_i − c and how the center has moved of late.
    """

    reaches: ClassVar[bool] = True

    alpha: float = 0.1
    loss: Ramp | None = None
    far: Ramp | None = None
    idle: Ramp | None = None
    lag: Ramp | None = None
    held: Ramp | None = None
    against: Ramp | None = None

    def weigh(self, evidence: Evidence) -> Weighting:
        values = {"idle": evidence.idle, "far": log_of(evidence.distance, evidence.reach), **SEEN}
        f = max(ramp(values[name], *getattr(self, name)) for name in NAMES if getattr(self, name))
        return Weighting(self.alpha + (1 - self.alpha) * f, self.alpha * (1 - f), f)


LOSS, FAR, IDLE = (0.25, 0.7), (math.log(2), math.log(4)), (1.0, 4.0)
RULES: dict[str, Weights] = {
    "fixed": Fixed(0.1),
    "oracle": Oracle(0.1),
    "dynamic": Dynamic(0.1),
    "loss": Scores(loss=LOSS),
    "distance": Scores(far=FAR),
    "staleness": Scores(lag=(2.0, 10.0)),
    "idle": Scores(idle=IDLE),
    "held-out loss": Scores(held=LOSS),
    "direction": Scores(against=(0.0, 0.5)),
    "held-out loss, distance": Scores(held=LOSS, far=FAR),
    "loss, distance": Scores(loss=LOSS, far=FAR),
    "loss, distance, idle": Scores(loss=LOSS, far=FAR, idle=IDLE),
    "distance, idle": Guarded(0.1),
}
ASKED = (
    "none", "drop", "outage-long", "outage-long-computing", "crash-stale", "crash-initial", "slow-one",
    "corrupt-scale", "corrupt-sign", "mixture-spot", "mixture-network", "mixture-all",
)  # fmt: skip


class Sight:
    """What a center could see besides: losses, time since a worker's last exchange, a held-out batch, how it moved."""

    def __init__(self, task: springline.Task) -> None:
        self.layout, self.task = Layout(task.build(0)), task
        assert task.test is not None
        self.batch = task.test.batch(torch.arange(HELD))
        self.served, self.last, self.moved = 0, [0] * WORKERS, torch.zeros(self.layout.size)
        self.means, self.weights = [math.nan] * WORKERS, [0.0] * WORKERS

    def look(self, c: Tensor, message: Message) -> None:
        i, x = message.note.worker, message.vectors["x"]
        SEEN["lag"] = (self.served - self.last[i]) / WORKERS
        SEEN["held"] = self.loss(x) - self.loss(c) if bool(torch.isfinite(x).all()) else math.inf
        SEEN["against"] = -float(torch.nn.functional.cosine_similarity(x - c, self.moved, 0))
        SEEN["loss"] = self.compare(message.note)
        self.served += 1
        self.last[i] = self.served

    def compare(self, note: Note) -> float:
        i, keep = note.worker, (1 - 1 / HORIZON) ** note.steps
        before = 0.0 if note.reborn else keep * self.weights[i]
        if note.steps:
            self.weights[i] = before + 1 - keep
            told = note.loss * (1 - keep) / self.weights[i]
            self.means[i] = told + (self.means[i] * before / self.weights[i] if before else 0.0)
        others = [v for j, v in enumerate(self.means) if j != i and math.isfinite(v)]
        return log_of(self.means[i], median(others)) if others else math.nan

    def forget(self, i: int, f: float) -> None:
        """Who was pulled in is no longer where its losses were."""
        self.weights[i] *= 1 - f

    def loss(self, x: Tensor) -> float:
        """The log of it."""
        self.layout.bind(x)
        with torch.no_grad():
            return math.log(float(self.task.loss_fn(self.layout.module, self.batch)) + 1e-9)


@dataclass(frozen=True)
class Watching(Elastic):
    """An elastic coupling whose center sees more. Only for the simulator, in a process of its own."""

    sight: Any = None

    def serve_(self, center: Center, message: Message) -> tuple[Center, Reply]:
        c = center.shared["c"]
        self.sight.look(c, message)
        before = c.clone()
        served = super().serve_(center, message)
        self.sight.moved.lerp_(c - before, 0.1)
        if served[1].accepted:
            self.sight.forget(message.note.worker, served[1].scalars["score"])
        return served


def run(rule: str, local: str, failure: str, seed: int) -> dict[str, Any]:
    """The final test accuracy in per cent, 0 for a run that failed."""
    torch.set_num_threads(1)
    task, weights = springline.load_task("mnist"), RULES[rule]
    special = isinstance(weights, Scores) and any((weights.loss, weights.lag, weights.held, weights.against))
    coupling = Watching(weights, sight=Sight(task)) if special else Elastic(weights)
    method = Method("alternative", coupling, LOCAL[local], overlap="1/N")
    key = {"rule": rule, "local": local, "failure": failure, "seed": seed, "rounds": ROUNDS}
    settings: dict[str, Any] = {"workers": WORKERS, "rounds": ROUNDS, "seed": seed, "eval_every": ROUNDS}
    settings["compiled"] = local == "adahessian"  # whose step it makes faster
    try:
        done = springline.train(task, method, faults=flags(failure, WORKERS), guard=False, **settings)
    except springline.RunError as error:
        return key | {"accuracy": 0.0, "error": str(error)}
    assert done.test_accuracy is not None
    return key | {"accuracy": round(100 * done.test_accuracy, 2)}


def write_table(lines: Sequence[dict[str, Any]]) -> None:
    """A table per local optimiser: failures × rules, bold within CLOSE points of a row's best; then the worst of each.

    Means over the seeds.
    """
    text = []
    for local in dict.fromkeys(line["local"] for line in lines):
        mine = [line for line in lines if line["local"] == local]
        failures = [f for f in FAILURES if any(line["failure"] == f for line in mine)]
        rules = [rule for rule in RULES if any(line["rule"] == rule for line in mine)]
        text += [f"Local optimiser: {local}. Test accuracy (%).", "", "| failure | " + " | ".join(rules) + " |"]
        text.append("|---" * (len(rules) + 1) + "|")
        behind = dict.fromkeys(rules, 0.0)
        for failure in failures:
            found = {
                rule: [x["accuracy"] for x in mine if (x["failure"], x["rule"]) == (failure, rule)] for rule in rules
            }
            means = {rule: mean(values) for rule, values in found.items() if values}
            best = max(means.values())
            cells = []
            for rule in rules:
                close = rule in means and best - means[rule] <= CLOSE
                behind[rule] = max(behind[rule], best - means.get(rule, best))
                cells.append("" if rule not in means else f"**{means[rule]:.1f}**" if close else f"{means[rule]:.1f}")
            text.append(f"| {failure} | " + " | ".join(cells) + " |")
        text.append("| *at most behind the best of a row* | " + " | ".join(f"{v:.1f}" for v in behind.values()) + " |")
        seeds = len({line["seed"] for line in mine})
        text += ["", f"{seeds} seed{'s' if seeds > 1 else ''}; bold: within {CLOSE} of the best of the row.", ""]
    (HERE / "alternatives.md").write_text("\n".join(text).rstrip() + "\n")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--local", default="nesterov", choices=LOCAL)
    arguments.add_argument("--rules", nargs="+", default=list(RULES), choices=RULES)
    arguments.add_argument("--seeds", type=int, default=1)
    arguments.add_argument("--jobs", type=int, default=2)
    chosen = arguments.parse_args()
    file = HERE / "alternatives.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    there = {(x["rule"], x["local"], x["failure"], x["seed"]) for x in lines}
    every = [(r, chosen.local, f, s) for s in range(chosen.seeds) for f in ASKED for r in chosen.rules]
    with ProcessPoolExecutor(chosen.jobs) as pool, open(file, "a") as out:
        for future in as_completed([pool.submit(run, *key) for key in every if key not in there]):
            lines.append(future.result() | {"environment": environment()})
            out.write(json.dumps(lines[-1]) + "\n")
            out.flush()
    write_table(lines)


if __name__ == "__main__":
    main()

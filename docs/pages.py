"""Writes the page of every method: `python docs/pages.py`. A test sees to it that the pages are what this writes.

Equation, reference and advice come from the registry and the docstring of the method's coupling; what it costs is
counted on a run of two rounds; figures and numbers come from `experiments/methods/results/results.jsonl`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import mean
from typing import Any

import torch

from springline.couplings import Elastic
from springline.engines.job import Job
from springline.engines.simulator import Simulator
from springline.engines.worker import Replica
from springline.methods import METHODS, Method
from springline.reproduce import EXPERIMENTS, Result, results_file
from springline.scenario import Scenario
from springline.state import flatten
from springline.tasks import load_task

HERE = Path(__file__).parent
WORKERS, SIZE = 4, 64


class _Last:
    """A sink that keeps the last state and row."""

    where = None

    def __init__(self) -> None:
        self.state: Any = None
        self.last: dict[str, Any] = {}

    def row(self, row: dict[str, Any], *, ago: float = 0.0) -> None:
        self.last = row

    def due(self) -> bool:
        return True

    def checkpoint(self, state: Any, *, now: bool = False) -> None:
        self.state = state()


@cache
def costs(method: Method) -> dict[str, str]:
    """What a method holds and sends, in numbers of P parameters, counted on two rounds without failures."""
    coupling = method.coupling
    workers = min(WORKERS, coupling.most_workers or WORKERS)
    tau = 1 if coupling.single_step else 2
    topology = f"tree:{WORKERS}" if coupling.topology == "tree" else "star"
    job = Job(load_task(f"quadratic:dim={SIZE}"), method, Scenario.of(topology=topology), workers, tau, 2, batch_size=1)
    sink = _Last()
    Simulator().run(job, sink)
    world = sink.state
    held = [_vectors(Replica(job).train(seat.me, 1)) for seat in world.seats]
    shared, rows = len(world.center.shared), len(world.center.rows) - ("b" in world.center.rows)
    sent = sink.last["bytes"] / sink.last["exchanges_made"] / SIZE / 8
    center = f"{shared}" + (f" + {rows} N" if rows else "")
    if coupling.topology == "tree":  # its messages go one way, and its inner nodes are what the rows hold
        center, sent = "1 at each inner node", 1.0
    return {"worker": f"{max(held)}", "center": center, "sent": f"{sent:.3g}"}


def _vectors(state: Any) -> int:
    """Distinct tensors of P elements."""
    tensors, _ = flatten(state)
    return len({t.data_ptr() for t in tensors.values() if t.numel() == SIZE})


def page(method: Method, results: list[Result]) -> str:
    """The page of one method, as markdown."""
    own = sys.modules[type(method.coupling).__module__].__doc__ or ""
    parts = [own]
    if isinstance(method.coupling, Elastic):
        parts.append(sys.modules[type(method.coupling.weights).__module__].__doc__ or "")
    parts.append(sys.modules[type(method.optimiser).__module__].__doc__ or "")
    cost = costs(method.example)
    lines = [f"# {method.name}", "", method.summary[0].upper() + method.summary[1:] + ".", ""]
    lines += ["```text", method.equation, "```", "", "## When to use it", "", method.when, ""]
    lines += ["## What it costs", ""]
    lines += ["| | in numbers of P parameters |", "|---|---|"]
    lines += [f"| a worker holds | {cost['worker']} |", f"| the center holds | {cost['center']} |"]
    lines += [f"| an exchange sends, both ways together | {cost['sent']} |", ""]
    lines += ["Counted on a run; gradients and other temporaries not included.", ""]
    lines += ["## How to run it", "", "```bash", command(method), "```", ""]
    if found := [*measured(method, results)]:
        lines += [f"![test accuracy over local steps](../../experiments/methods/{method.name}.png)", ""]
        lines += [*found, ""]
        lines += [made_by(method, results), ""]
    lines += ["## The parts", ""]
    for text in parts:
        lines += ["```text", text.strip(), "```", ""]
    lines += ["## Reference", "", method.reference + ".", "", "```bibtex", method.bibtex.strip(), "```", ""]
    return "\n".join(lines)


def made_by(method: Method, results: list[Result]) -> str:
    """With which settings, so that nobody compares what was made otherwise."""
    mine = [r for r in results if r.labels["method"] == method.name]
    config, seeds = mine[0].config, sorted({r.labels["seed"] for r in mine})
    workers = "one worker" if config["workers"] == 1 else f"{config['workers']} workers"
    knobs = ", ".join(["default knobs", *(f"{k} = {v}" for k, v in config["knobs"].items())])
    which = f"seeds {', '.join(map(str, seeds))}; the band is their range" if len(seeds) > 1 else f"seed {seeds[0]}"
    return (
        f"Made by `springline reproduce methods --only method={method.name}`: {workers}, τ = {config['tau']}, "
        f"{config['rounds']} rounds, batches of {config['batch_size']}, {knobs}, {which}. Defaults differ from "
        "method to method, so these numbers say how a method does with them, and not which is the best."
    )


def command(method: Method) -> str:
    coupling = method.coupling
    words = ["springline train mnist --method", method.name]
    words += [f"--workers {min(WORKERS, coupling.most_workers or WORKERS)}"]
    words += ["--topology tree:4"] if coupling.topology == "tree" else []
    words += ["--tau 1"] if coupling.single_step else ["--tau 4"]
    words += [f"--set {name}={value}" for name, value in coupling.examples.items()]
    words += [] if coupling.most_workers == 1 else ["--fault drop:0.333"]
    return " ".join(words)


def measured(method: Method, results: list[Result]) -> Iterator[str]:
    """The final test accuracy of each failure model, over the runs that came to their end."""
    mine = [r for r in results if r.labels["method"] == method.name]
    for faults in dict.fromkeys(r.labels["faults"] for r in mine):
        runs = [r for r in mine if r.labels["faults"] == faults]
        found = [100 * r.accuracy for r in runs if r.error is None]
        said = f"final test accuracy {mean(found):.1f} % ({min(found):.1f} to {max(found):.1f})" if found else ""
        failed = f"{len(runs) - len(found)} of {len(runs)} runs failed" if len(found) < len(runs) else ""
        yield f"- exchanges lost: {faults}; {', '.join(filter(None, (said, failed)))}"


def pages() -> dict[Path, str]:
    """Every page by its path."""
    torch.set_num_threads(1)
    results = results_file(EXPERIMENTS["methods"], HERE.parent / "experiments").read()
    made = {HERE / "methods" / f"{name}.md": page(method, results) for name, method in METHODS.items()}
    index = ["# The methods", "", "| method | what it is | worker | center | sent |", "|---|---|---|---|---|"]
    for name, method in METHODS.items():
        cost = costs(method.example)
        index.append(
            f"| [{name}]({name}.md) | {method.summary} | {cost['worker']} | {cost['center']} | {cost['sent']} |"
        )
    index += ["", "worker, center: vectors of P parameters that each holds; sent: vectors per exchange, both ways.", ""]
    return made | {HERE / "methods" / "README.md": "\n".join(index)}


if __name__ == "__main__":
    for path, text in pages().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        print(path)

"""Time to 95 % MNIST test accuracy of four workers: springline's engine `local` against PyTorch's and torchft's means.

    python benchmarks/peers/run.py [--repeats 3] [--lr 0.01] [--peers ddp,…] [--scenarios even,slow,kill] [--out FILE]

Every cell is a run of its own with a hard limit; their order is another one in each repetition. See README.md here.
Writes everything to benchmarks/peers/results.json after each cell, and a table beside it; a second call makes the cells
that are not there yet.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import signal
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from cell import Cell
from judge import Judge
from launch import PEERS
from material import lay_out

import springline
from springline.engines.real.place import root
from springline.environment import environment
from springline.streams import stream

HERE = Path(__file__).parent
SETTINGS: dict[str, Any] = {"workers": 4, "tau": 4, "batch_size": 64, "snapshot_every": 0.1, "slowed": 2}
SCENARIOS = ("even", "slow", "kill")


def main() -> None:
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as Ctrl-C: what it started ends with it
    names = options.peers.split(",")
    if any(name.startswith("torchft") for name in names) and importlib.util.find_spec("torchft") is None:
        sys.exit(
            "torchft is not installed; run `pip install torchft==0.2.0` (or -r benchmarks/peers/requirements.txt) in "
            "this environment or a copy of it, or leave it out with --peers."
        )
    task = springline.load_task("mnist", say=lambda line: print(line, file=sys.stderr))
    x, y = task.test.tensors
    judge = Judge(x, y, options.target)
    seeds = list(range(options.repeats))
    rows = made(options)
    with tempfile.TemporaryDirectory(prefix="peers-", dir=root()) as place:
        material = Path(place)
        lay_out(task, material, seeds, SETTINGS["workers"], SETTINGS["batch_size"])
        cells = [(name, scenario) for scenario in options.scenarios.split(",") for name in names]
        for seed in seeds:
            for k in stream(seed, "order of the peers").permutation(len(cells)):
                name, scenario = cells[k]
                if (name, scenario, seed) in {(row["peer"], row["scenario"], row["seed"]) for row in rows}:
                    continue
                rows.append(one(material, name, scenario, seed, options, judge))
                print(json.dumps({k: v for k, v in rows[-1].items() if k != "log"}), file=sys.stderr, flush=True)
                write(rows, options)
    print(table(rows))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--lr", type=float, default=0.01, help="of every peer; 0.01 is that of the network's example")
    parser.add_argument("--target", type=float, default=0.95)
    parser.add_argument("--factor", type=float, default=4.0, help="how many times longer a slowed worker's steps take")
    parser.add_argument("--kill-after", type=float, default=5.0, help="seconds of training before the SIGKILL")
    parser.add_argument("--checkpoint-every", type=int, default=50, help="steps; of torchrun's peers, where one kills")
    parser.add_argument("--timeout", type=float, default=180.0, help="seconds of training at most, per cell")
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--scenarios", default=",".join(SCENARIOS))
    parser.add_argument("--out", type=Path, default=HERE / "results.json")
    return parser.parse_args()


def one(
    material: Path, peer: str, scenario: str, seed: int, options: argparse.Namespace, judge: Judge
) -> dict[str, Any]:
    """A cell of the table, once."""
    what = SETTINGS | {key: PEERS[peer].get(key) for key in ("method", "knobs")}
    what |= {"peer": peer, "scenario": scenario, "seed": seed, "lr": options.lr, "timeout": options.timeout}
    what["material"] = str(material)
    what["slow"] = options.factor if scenario == "slow" else 1.0
    what["kill_after"] = options.kill_after if scenario == "kill" else None
    what["checkpoint_every"] = options.checkpoint_every if scenario == "kill" else 0
    folder = Path(tempfile.mkdtemp(prefix="cell-", dir=material))
    try:
        return Cell(folder, what, judge).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """What decides a cell beside peer, scenario and seed."""
    return SETTINGS | {k: v for k, v in vars(options).items() if k not in ("out", "repeats", "peers", "scenarios")}


def versions() -> dict[str, str]:
    return {name: version(name) for name in ("torch", "torchft") if importlib.util.find_spec(name)}


def made(options: argparse.Namespace) -> list[dict[str, Any]]:
    """The cells of an earlier call."""
    if not options.out.exists():
        return []
    found = json.loads(options.out.read_text())
    for what, now in (("settings", settings(options)), ("versions", versions())):
        if found[what] != now:
            sys.exit(f"{options.out} was made with the {what} {found[what]}, not {now}; write elsewhere with --out.")
    cells: list[dict[str, Any]] = found["cells"]
    return cells


def write(rows: list[dict[str, Any]], options: argparse.Namespace) -> None:
    """What there is so far, so that an interrupted run is not lost."""
    found = {"environment": environment(), "versions": versions(), "settings": settings(options)}
    options.out.write_text(json.dumps(found | {"summary": summary(rows), "cells": rows}, indent=1) + "\n")
    options.out.with_suffix(".md").write_text(table(rows) + "\n")


def summary(rows: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    """Of each peer in each scenario: the median and the ends of the seconds and steps, and how often it got there."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for peer, scenario in dict.fromkeys((row["peer"], row["scenario"]) for row in rows):
        mine = [r for r in rows if (r["peer"], r["scenario"]) == (peer, scenario)]
        entry: dict[str, Any] = {"runs": len(mine), "reached": sum(r["seconds"] is not None for r in mine)}
        for name in ("seconds", "steps", "startup_s", "steps_per_s", "back_after_s", "gap_s", "busy_before"):
            if values := [r[name] for r in mine if r.get(name) is not None]:
                entry[name] = [round(median(values), 2), min(values), max(values)]
        found.setdefault(peer, {})[scenario] = entry
    return found


def table(rows: list[dict[str, Any]]) -> str:
    """In Markdown: seconds to the target, of several runs the median (least to most), then local steps per worker."""
    found = summary(rows)
    scenarios = [s for s in SCENARIOS if any(s in of for of in found.values())]
    lines = ["| | " + " | ".join(scenarios) + " |", "|---" * (len(scenarios) + 1) + "|"]
    for peer in (name for name in PEERS if name in found):
        lines += [f"| {peer} | " + " | ".join(text(found[peer].get(s)) for s in scenarios) + " |"]
    return "\n".join(lines)


def text(entry: dict[str, Any] | None) -> str:
    if entry is None:
        return ""
    if "seconds" not in entry:
        return f"not reached ({entry['runs']} runs)"
    mid, low, high = entry["seconds"]
    missing = "" if entry["reached"] == entry["runs"] else f", {entry['reached']} of {entry['runs']} runs"
    spread = f" ({low:.1f} to {high:.1f}{missing})" if entry["runs"] > 1 else ""
    return f"{mid:.1f} s{spread}, {entry['steps'][0]:.0f} steps"


if __name__ == "__main__":
    main()

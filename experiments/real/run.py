"""The same run on real workers twice: as it is, and while workers are killed.

    python experiments/real/run.py [--engine ray|local] [--rounds 2500]

Runs `springline train` (the commands are recorded), then writes ENGINE.json and ENGINE.md beside this file: what was
reached, exchanges lost, kills seen. Both runs have the same number of rounds, so one with workers that are down makes
fewer local steps; at this length both have to end at the same accuracy. The goal was at least 95 % in each.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from springline.environment import environment
from springline.folder import RunFolder

HERE = Path(__file__).parent
FAULT = "crash:mtbf=10s,down=3s"
HEADS = {
    "test_accuracy": "test accuracy",
    "seconds": "seconds",
    "made": "exchanges made",
    "lost": "lost",
    "repeated": "repeated",
    "steps": "local steps",
    "kills": "kills seen",
}


def run(engine: str, rounds: int, faults: list[str]) -> dict[str, Any]:
    """One run, by the command line."""
    said = ["train", "mnist", "--method", "geahes-o", "--workers", "4", "--tau", "4", "--engine", engine]
    said += ["--rounds", str(rounds), "--eval-every", str(max(1, rounds // 20))]
    for fault in faults:
        said += ["--fault", fault]
    folder = Path(tempfile.mkdtemp(prefix="springline-real-")) / "run"
    try:
        subprocess.run([sys.executable, "-m", "springline", *said, "--out", str(folder)], check=True)
        rows = RunFolder(folder).read_metrics()
    finally:
        shutil.rmtree(folder.parent)
    last, workers = rows[-1], rows[-1]["workers"]
    return {
        "command": "springline " + " ".join(said),
        "test_accuracy": last["test_accuracy"],
        "seconds": round(last["wall_s"], 1),
        **{name: last[f"exchanges_{name}"] for name in ("made", "lost", "refused", "repeated", "unanswered")},
        "steps": sum(workers["steps"]),
        "kills": sum(workers["restarts"]),
        "curve": [[r["round"], r["test_accuracy"]] for r in rows if "test_accuracy" in r],
    }


def table(found: dict[str, Any]) -> str:
    lines = [f"# Workers that are killed, engine {found['engine']}", "", "| | " + " | ".join(HEADS.values()) + " |"]
    lines.append("|---" * (len(HEADS) + 1) + "|")
    for name in ("without", "with"):
        cells = [f"{100 * r:.2f} %" if key == "test_accuracy" else str(r) for key in HEADS for r in [found[name][key]]]
        lines.append(f"| {name} faults | " + " | ".join(cells) + " |")
    lines += ["", *(f"    {found[name]['command']}" for name in ("without", "with")), ""]
    lines += [f"Made by `python experiments/real/run.py --engine {found['engine']} --rounds {found['rounds']}`.", ""]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=["ray", "local"], default="ray")
    parser.add_argument("--rounds", type=int, default=2500)
    args = parser.parse_args()
    found: dict[str, Any] = {"engine": args.engine, "rounds": args.rounds, "environment": environment()}
    for name, faults in (("without", []), ("with", [FAULT])):
        found[name] = run(args.engine, args.rounds, faults)
    (HERE / f"{args.engine}.json").write_text(json.dumps(found, indent=1) + "\n")
    (HERE / f"{args.engine}.md").write_text(table(found))
    print(table(found))


if __name__ == "__main__":
    main()

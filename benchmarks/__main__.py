"""`make bench`: run every benchmark in this folder, one after the other, and collect what each printed last.

`python benchmarks NAME…` runs only these, and leaves the results of the others as they are.

A benchmark is a script `benchmarks/NAME.py` that needs no arguments and ends its standard output with one JSON object:
ratios measured in that one run. The collection goes to benchmarks/results.json, each with the machine and the state of
the library that it was made with.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from springline.environment import environment

HERE = Path(__file__).parent


def run(script: Path) -> dict[str, object]:
    """What the script printed last, as JSON; or why there is nothing."""
    done = subprocess.run([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, check=False)
    sys.stdout.write(done.stdout)
    lines = done.stdout.strip().splitlines()
    if done.returncode:
        return {"error": f"it ended with code {done.returncode}"}
    try:
        value = json.loads(lines[-1])
    except (IndexError, ValueError):
        return {"error": "its output does not end with a JSON object"}
    return value if isinstance(value, dict) else {"error": f"it ended with {lines[-1]!r}, which is no JSON object"}


def main() -> int:
    results = HERE / "results.json"
    every = {script.stem: script for script in sorted(HERE.glob("[!_]*.py"))}
    if unknown := set(sys.argv[1:]) - set(every):
        print(f"unknown benchmark {', '.join(sorted(unknown))}; there are {', '.join(every)}.", file=sys.stderr)
        return 2
    chosen = sys.argv[1:] or list(every)
    found = {}
    for script in map(every.__getitem__, chosen):
        print(f"== {script.name}", flush=True)
        found[script.stem] = run(script)
    before = json.loads(results.read_text())["benchmarks"] if sys.argv[1:] and results.exists() else {}
    made = {name: value | {"environment": environment()} for name, value in found.items()}
    kept = dict(sorted((before | made).items()))
    results.write_text(json.dumps({"benchmarks": kept}, indent=2) + "\n")
    failed = [name for name, value in found.items() if "error" in value]
    print(f"{len(found) - len(failed)} of {len(found)} benchmarks ended well; written to {results}")
    for name in failed:
        print(f"{name}: {found[name]['error']}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

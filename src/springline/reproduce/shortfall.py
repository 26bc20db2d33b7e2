"""How far one method is ahead of the best of the others, failure by failure, and whether that is near enough.

The best of the others is chosen per setting and failure, by its mean, after the fact: a bar that no single one of them
reaches. Differences are taken seed by seed, because under one seed all methods meet the same failures.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from springline.reproduce.claims import Ends, difference, ends_by_seed
from springline.reproduce.results import Result
from springline.reproduce.tables import chosen, distinct, settings

NEAR = 0.3  # points behind the best that are near enough


def write_shortfall(results: Sequence[Result], method: str, path: Path) -> Path:
    """A markdown table, failures × settings: points ahead of the best of the others ± standard error, and its name.

    Cells of more than `NEAR` points behind are bold. The last row: the worst cell of each setting.
    """
    everywhere = settings(results)
    names = [f"{task}, N = {workers}, τ = {tau}" for task, workers, tau in everywhere]
    others = [m for m in distinct(results, "method") if m != method]
    lines = [
        f"`{method}` against the best of {', '.join(f'`{m}`' for m in others)}: difference of test accuracies at the "
        f"end (points ± standard error), and who that best one is. Bold: more than {NEAR} behind.",
        "",
        "| failure | " + " | ".join(names) + " |",
        "|---" * (len(names) + 1) + "|",
    ]
    behind = dict.fromkeys(names, 0.0)
    for failure in distinct(results, "failure"):
        cells = []
        for name, (task, workers, tau) in zip(names, everywhere, strict=True):
            here = chosen(results, task=task, workers=workers, tau=tau, failure=failure)
            ends = {m: ends_by_seed(chosen(here, method=m)) for m in (method, *others)}
            if not all(ends.values()):
                cells.append("")
                continue
            rival = max(others, key=lambda m: mean(ends[m].values()))
            cell, ahead = _cell(ends[method], ends[rival], rival)
            behind[name] = max(behind[name], -ahead)
            cells.append(cell)
        lines.append(f"| {failure} | " + " | ".join(cells) + " |")
    lines.append("| *at most behind* | " + " | ".join(f"{w:.2f}" for w in behind.values()) + " |")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def _cell(mine: Ends, best: Ends, rival: str) -> tuple[str, float]:
    ahead, error = difference(mine, best)
    number = f"{ahead:+.2f}" + (f" ± {error:.2f}" if error else "")
    return (f"**{number}**" if ahead < -NEAR else number) + f" `{rival}`", ahead

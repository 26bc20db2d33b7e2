"""The final test errors that the DANA paper prints, Tables 3 to 8: per cent, mean and deviation of five runs.

The paper's Table 4 prints the labels 28 and 32 one row late; here they stand where they belong.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import NamedTuple


class Printed(NamedTuple):
    """A cell of a table. algorithm: as our methods are called; "msgd" is the paper's single worker."""

    table: int
    network: str
    dataset: str
    pace: str
    workers: int
    algorithm: str
    mean: float
    std: float


@cache
def printed() -> tuple[Printed, ...]:
    """All cells, in the paper's order."""
    text = (files("springline.reproduce") / "dana_printed.csv").read_text(encoding="utf-8")
    return tuple(
        Printed(
            int(row["table"]),
            row["network"],
            row["dataset"],
            row["pace"],
            int(row["workers"]),
            {"Baseline": "msgd"}.get(row["algorithm"], row["algorithm"].lower()),
            float(row["mean"]),
            float(row["std"]),
        )
        for row in csv.DictReader(text.splitlines())
    )


def printed_table(table: int) -> list[str]:
    """One of the paper's tables in markdown: a row per algorithm, a column per number of workers."""
    cells = [cell for cell in printed() if cell.table == table]
    workers = sorted({cell.workers for cell in cells})
    of = {(cell.algorithm, cell.workers): f"{cell.mean:.2f} ± {cell.std:.2f}" for cell in cells}
    rows = [
        f"| {algorithm} | " + " | ".join(of.get((algorithm, n), "") for n in workers) + " |"
        for algorithm in dict.fromkeys(cell.algorithm for cell in cells)
    ]
    return [
        f"The paper's Table {table}, {cells[0].network} on {cells[0].dataset}, {cells[0].pace}, five runs:",
        "",
        "| algorithm | " + " | ".join(f"workers {n}" for n in workers) + " |",
        "|---" * (len(workers) + 1) + "|",
        *rows,
    ]

"""The dynamic-weighting paper's claims, one by one, each with what was measured.

A claim that one group is ahead of another is looked at in every setting (N, τ): it holds there if the mean difference
is positive by more than its standard error, and its contrary does if it is negative by more. Differences are taken seed
by seed, because under one seed all methods meet the same failures, batches and initial weights.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev

import numpy as np

from springline.reproduce.results import Result
from springline.reproduce.tables import chosen, distinct

HESSIAN, PLAIN = ("eahes", "eahes-o", "eahes-om", "deahes-o"), ("easgd", "eamsgd")
Setting = tuple[int, int]  # (N, τ)
Ends = dict[int, float]  # final test accuracy (%) by seed
Difference = tuple[float, float]  # its mean, and its standard error


EARLY = 0.2  # of the rounds


def claims(grid: Sequence[Result], overlaps: Sequence[Result], path: Path) -> Path:
    """Markdown tables of claim, verdict and numbers: at the end, and early. grid: figures 4 and 5; overlaps: figure 3.

    Only settings of which every method has a result are compared.
    """
    lines = ["## At the end", "", *_table(grid, overlaps), "", f"## After {EARLY:.0%} of the rounds", ""]
    lines += _table([_early(r) for r in grid], [_early(r) for r in overlaps])
    seeds = len(distinct(grid or overlaps, "seed"))
    lines += ["", f"{seeds} seeds." if seeds > 1 else "One seed, so no standard errors: signs, not findings."]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def _early(result: Result) -> Result:
    """The result as it would be had the run ended early: on the line between the two points of its curve beside that
    round, since accuracy rises by points within few rounds then.
    """
    rounds, accuracies = ([point[name] for point in result.curve] for name in ("round", "test_accuracy"))
    early = float(np.interp(EARLY * result.config["rounds"], rounds, accuracies))
    return result._replace(last=result.last | {"test_accuracy": early})


def _table(grid: Sequence[Result], overlaps: Sequence[Result]) -> list[str]:
    there = set(distinct(grid, "method"))
    seen: list[Setting] = sorted({(r.labels["workers"], r.labels["tau"]) for r in grid})
    settings = [s for s in seen if set.intersection(*({*_ends(grid, s, m)} for m in there))]
    lines = [
        "| the paper says | here | difference of test accuracies (points ± standard error) |",
        "|---|---|---|",
    ]
    if {*HESSIAN, *PLAIN} <= there:
        worst = {s: min((_ends(grid, s, m) for m in HESSIAN), key=_mean) for s in settings}
        best = {s: max((_ends(grid, s, m) for m in PLAIN), key=_mean) for s in settings}
        lines.append(_line("the worst AdaHessian-based method is ahead of the best SGD-based one", worst, best))
    for ahead, behind in (
        ("eahes", "easgd"), ("eahes", "eamsgd"), ("eahes-om", "deahes-o"), ("eahes-om", "eahes-o"),
        ("deahes-o", "eahes-o"), ("eahes-o", "eahes"), ("geahes-o", "deahes-o"), ("geahes-o", "eahes-o"),
    ):  # fmt: skip
        if {ahead, behind} <= there:
            first, second = ({s: _ends(grid, s, m) for s in settings} for m in (ahead, behind))
            ours = " (this library's, not a claim of the paper)" if ahead == "geahes-o" else ""
            lines.append(_line(f"`{ahead}` is ahead of `{behind}`{ours}", first, second))
    for method in (m for m in (*HESSIAN, "geahes-o") if m in there):
        for what, at, low, high in (("workers", 0, 4, 8), ("τ", 1, 1, 4)):
            more = {s: _ends(grid, s, method) for s in settings if s[at] == high}
            less = {s: _ends(grid, _with(s, at, low), method) for s in more}
            if more and all(less.values()):
                lines.append(_line(f"`{method}` does not lose by {what} {low} → {high}", more, less, even=True))
    if overlaps:
        lines.append(_overlap(overlaps))
    return lines


def _with(setting: Setting, at: int, value: int) -> Setting:
    return (value, setting[1]) if at == 0 else (setting[0], value)


def _ends(results: Sequence[Result], setting: Setting, method: str) -> Ends:
    return ends_by_seed(chosen(results, workers=setting[0], tau=setting[1], method=method))


def ends_by_seed(results: Sequence[Result]) -> Ends:
    """Final test accuracies in per cent, by seed."""
    return {r.labels["seed"]: 100 * r.accuracy for r in results}


def _mean(ends: Ends) -> float:
    return mean(ends.values())


def difference(a: Ends, b: Ends) -> Difference:
    """The mean of a − b over the seeds that both have, and its standard error; 0 where there is one seed."""
    found = [a[seed] - b[seed] for seed in a.keys() & b.keys()]
    return mean(found), stdev(found) / math.sqrt(len(found)) if len(found) > 1 else 0.0


def _line(claim: str, ahead: dict[Setting, Ends], behind: dict[Setting, Ends], even: bool = False) -> str:
    """even: the claim is that the first is not behind."""
    found = {f"N={s[0]} τ={s[1]}": difference(ahead[s], behind[s]) for s in ahead}
    return _row(claim, _verdict(found, even), found)


def _row(claim: str, verdict: str, found: Mapping[str, Difference]) -> str:
    numbers = [f"{where}: {d:+.2f}" + (f" ± {error:.2f}" if error else "") for where, (d, error) in found.items()]
    return f"| {claim} | {verdict} | {', '.join(numbers)} |"


def _verdict(found: Mapping[str, Difference], even: bool = False) -> str:
    """Where it holds, where its contrary does, and where the difference is within its standard error."""
    holds = [where for where, (d, error) in found.items() if (d >= -error if even else d > error)]
    contrary = [where for where, (d, error) in found.items() if d < -error]
    if len(holds) == len(found):
        return "**holds**"
    if not holds:
        return "**does not hold**" + ("; the contrary does" if len(contrary) == len(found) else "")
    return f"**holds only** at {', '.join(holds)}" + (f"; the contrary at {', '.join(contrary)}" if contrary else "")


def _overlap(results: Sequence[Result]) -> str:
    """Test accuracy grows with the overlap: each share against none."""
    shares = sorted(distinct(results, "overlap"))
    ends = {o: ends_by_seed(chosen(results, overlap=o)) for o in shares}
    found = {f"{o:.1%}": difference(ends[o], ends[shares[0]]) for o in shares[1:]}
    means = [_mean(ends[o]) for o in shares]
    verdict = _verdict(found)
    if verdict == "**holds**" and means != sorted(means):
        verdict = "**holds only** against none, not from one share to the next"
    return _row("test accuracy grows with the overlap (against none)", verdict, found)

"""The dynamic-weighting paper's claims, one by one, each with what was measured.

A claim that one group is ahead of another is looked at in every setting (N, τ): it holds there if the difference of the
means is positive by more than its standard error, and its contrary does if it is negative by more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, variance

from springline.reproduce.results import Result
from springline.reproduce.tables import accuracies, distinct

HESSIAN, PLAIN = ("eahes", "eahes-o", "eahes-om", "deahes-o"), ("easgd", "eamsgd")
Setting = tuple[int, int]  # (N, τ)
Difference = tuple[float, float]  # of two means, and its standard error


def claims(grid: Sequence[Result], overlaps: Sequence[Result], path: Path) -> Path:
    """A markdown table: claim, verdict, numbers. grid: figures 4 and 5; overlaps: figure 3.

    Only settings of which every method has a result are compared.
    """
    there = set(distinct(grid, "method"))
    seen: list[Setting] = sorted({(r.labels["workers"], r.labels["tau"]) for r in grid})
    settings = [s for s in seen if all(_ends(grid, s, m) for m in there)]
    lines = [
        "| the paper says | here | difference of final test accuracies (points ± standard error) |",
        "|---|---|---|",
    ]
    if {*HESSIAN, *PLAIN} <= there:
        worst = {s: min((_ends(grid, s, m) for m in HESSIAN), key=mean) for s in settings}
        best = {s: max((_ends(grid, s, m) for m in PLAIN), key=mean) for s in settings}
        lines.append(_line("the worst AdaHessian-based method is ahead of the best SGD-based one", worst, best))
    for ahead, behind in (
        ("eahes-om", "deahes-o"), ("eahes-om", "eahes-o"), ("deahes-o", "eahes-o"), ("eahes-o", "eahes"),
        ("geahes-o", "deahes-o"), ("geahes-o", "eahes-o"),
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
    seeds = len(distinct(grid or overlaps, "seed"))
    lines += ["", f"{seeds} seeds." if seeds > 1 else "One seed, so no standard errors: signs, not findings."]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def _with(setting: Setting, at: int, value: int) -> Setting:
    return (value, setting[1]) if at == 0 else (setting[0], value)


def _ends(results: Sequence[Result], setting: Setting, method: str) -> list[float]:
    return accuracies(results, workers=setting[0], tau=setting[1], method=method)


def difference(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    """(mean a − mean b, its standard error; 0 where there is a single run)."""
    squared = sum(variance(v) / len(v) for v in (a, b) if len(v) > 1)
    return mean(a) - mean(b), math.sqrt(squared)


def _line(claim: str, ahead: dict[Setting, list[float]], behind: dict[Setting, list[float]], even: bool = False) -> str:
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
    ends = {o: accuracies(results, overlap=o) for o in shares}
    found = {f"{o:.1%}": difference(ends[o], ends[shares[0]]) for o in shares[1:]}
    means = [mean(ends[o]) for o in shares]
    verdict = _verdict(found)
    if verdict == "**holds**" and means != sorted(means):
        verdict = "**holds only** against none, not from one share to the next"
    return _row("test accuracy grows with the overlap (against none)", verdict, found)

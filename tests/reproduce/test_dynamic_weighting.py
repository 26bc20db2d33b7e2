"""The dynamic-weighting paper's figures: which runs they are made of, and what is said of its claims."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from springline.reproduce import EXPERIMENTS, Result
from springline.reproduce.claims import claims, difference
from springline.reproduce.dynamic_weighting import METHODS, PERIODS, WORKERS

from .support import made

EXPERIMENT = EXPERIMENTS["dynamic-weighting"]


def test_figures_4_and_5_are_the_same_126_runs() -> None:
    trials = EXPERIMENT.trials(False)
    of = {name: [t for t in trials if drawn_from(t.labels)] for name, drawn_from in EXPERIMENT.figures.items()}
    assert len(of["3"]) == 5 * 3
    assert len(of["4"]) == 7 * 2 * 3 * 3
    assert of["4"] == of["5"]
    assert {t.config.method for t in of["3"]} == {"eahes"}
    assert len({tuple(t.labels.items()) for t in trials}) == len(trials)
    assert all(t.config.faults == ["drop:0.333"] for t in trials)


def test_every_experiment_has_distinct_trials_and_a_quick_set() -> None:
    for experiment in EXPERIMENTS.values():
        for quick in (False, True):
            trials = experiment.trials(quick)
            keys = {(tuple(sorted(t.labels.items(), key=str)), t.config.rounds) for t in trials}
            assert len(keys) == len(trials) > 0, experiment.name
        assert len(experiment.trials(True)) <= len(experiment.trials(False))


def grid(accuracy: dict[str, float]) -> list[Result]:
    """Every method at the same accuracy in every setting, ± 0.1 points over two seeds."""
    return [
        made(accuracy[m] + sign * 0.001, method=m, workers=n, tau=tau, seed=seed, figure="4 and 5")
        for m in METHODS
        for n in WORKERS
        for tau in PERIODS
        for seed, sign in enumerate((-1, 1))
    ]


def verdicts(path: Path, early: bool = False) -> dict[str, str]:
    """Of the claims at the end, or early."""
    text = path.read_text().split("## ")[2 if early else 1]
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {row[0].removeprefix("| "): row[1] for row in rows}


def test_claims_hold_where_the_numbers_say_so(tmp_path: Path) -> None:
    ends = dict.fromkeys(METHODS, 0.9) | {"easgd": 0.5, "eamsgd": 0.6, "eahes-om": 0.95, "eahes": 0.8}
    results = grid(ends)
    found = verdicts(claims(results, [], tmp_path / "claims.md"))
    assert found["the worst AdaHessian-based method is ahead of the best SGD-based one"] == "**holds**"
    assert found["`eahes-om` is ahead of `deahes-o`"] == "**holds**"
    assert found["`deahes-o` is ahead of `eahes-o`"] == "**does not hold**"
    assert found["`eahes` does not lose by τ 1 → 4"] == "**holds**"
    assert found["`eahes-o` is ahead of `eahes`"] == "**holds**"
    assert "2 seeds." in (tmp_path / "claims.md").read_text()
    worse = [made(0.7, **r.labels) if r.labels["method"] == "eahes-o" else r for r in results]
    found = verdicts(claims(worse, [], tmp_path / "claims.md"))
    assert found["`eahes-o` is ahead of `eahes`"] == "**does not hold**; the contrary does"
    setting: dict[str, Any] = {"method": "deahes-o", "workers": 8, "tau": 4}
    others = [r for r in results if not setting.items() <= r.labels.items()]
    better = [made(0.95, seed=seed, figure="4 and 5", **setting) for seed in (0, 1)]
    found = verdicts(claims([*others, *better], [], tmp_path / "claims.md"))
    assert found["`deahes-o` is ahead of `eahes-o`"] == "**holds only** at N=8 τ=4"


def test_the_claim_of_overlap_compares_with_none(tmp_path: Path) -> None:
    def shares(slope: float) -> list[Result]:
        return [made(0.9 + slope * o, overlap=o, seed=s, figure="3") for o in (0.0, 0.25, 0.5) for s in (0, 1)]

    name = "test accuracy grows with the overlap (against none)"
    results = grid(dict.fromkeys(METHODS, 0.9))
    assert verdicts(claims(results, shares(0.1), tmp_path / "c.md"))[name] == "**holds**"
    assert verdicts(claims(results, shares(-0.1), tmp_path / "c.md"))[name] == "**does not hold**; the contrary does"


def test_early_is_another_table(tmp_path: Path) -> None:
    ends = dict.fromkeys(METHODS, 0.9) | {"eahes": 0.8}
    curve = [0.5, 0.6, 0.7, 0.8]  # at 10, 20, 30, 40 of 50 rounds
    results = [
        made(r.accuracy, curve=[0.99] * 4 if r.labels["method"] == "eahes" else curve, **r.labels) for r in grid(ends)
    ]
    path = claims(results, [], tmp_path / "c.md")
    assert verdicts(path)["`eahes-o` is ahead of `eahes`"] == "**holds**"
    assert verdicts(path, early=True)["`eahes-o` is ahead of `eahes`"] == "**does not hold**; the contrary does"
    assert "N=4 τ=1: -49.00," in path.read_text(), "of the curve at round 10"


def test_one_seed_gives_signs_without_errors(tmp_path: Path) -> None:
    results = [r for r in grid(dict.fromkeys(METHODS, 0.9) | {"eahes": 0.8}) if r.labels["seed"] == 0]
    text = claims(results, [], tmp_path / "claims.md").read_text()
    assert "One seed" in text
    assert "±" not in text.replace("(points ± standard error)", "")
    assert "N=4 τ=1: +10.00," in text


def test_a_difference_is_taken_seed_by_seed() -> None:
    d, error = difference({0: 91.0, 1: 80.0, 2: 50.0}, {1: 78.0, 0: 90.0, 3: 0.0})
    assert d == 1.5
    assert abs(error - 0.5) < 1e-12  # of 1 and 2
    assert difference({0: 2.0}, {0: 1.0}) == (1.0, 0.0)

"""The gauntlet: the same failures for every method, and a table and heat map that say what the results say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from springline.errors import UsageError
from springline.reproduce.gauntlet import FAILURES, draw, flags, gauntlet_trials
from springline.reproduce.heat import rounds_to
from springline.scenario import parse_fault

from .support import made


@pytest.mark.parametrize("workers", [1, 4, 8])
def test_every_failure_can_be_played(workers: int) -> None:
    for failure in FAILURES:
        for flag in flags(failure, workers):
            parse_fault(flag)
    assert flags("slow-half", 8) == ["slow:4,worker=0+1+2+3"]


def test_all_methods_meet_the_same_failures_and_the_fault_free_run_is_always_there() -> None:
    trials = gauntlet_trials("mnist", ["easgd", "eahes-o:alpha=0.2"], seeds=2, failures=["drop"])
    assert len(trials) == 2 * 2 * 2
    for failure in ("none", "drop"):
        configs = [t.config for t in trials if t.labels["failure"] == failure and t.labels["seed"] == 1]
        assert [c.method for c in configs] == ["easgd", "eahes-o"]
        assert len({(tuple(c.faults), c.seed, c.rounds) for c in configs}) == 1
    assert trials[-1].config.knobs == {"alpha": "0.2"}
    assert [t.labels["seed"] for t in trials] == [0] * 4 + [1] * 4, "whoever stops half-way has whole seeds"


def test_a_label_says_what_is_run_whatever_all_methods_turn() -> None:
    own, usual = gauntlet_trials(
        "mnist", ["easgd:alpha=0.2", "easgd"], seeds=1, failures=["none"], knobs={"alpha": 0.1}
    )
    assert (own.labels["method"], own.config.knobs) == ("easgd:alpha=0.2", {"alpha": "0.2"})
    assert usual.config.knobs == {"alpha": 0.1}


def test_wrong_names_are_told_before_anything_runs() -> None:
    for methods, failures, says in (
        (["easdg"], ["drop"], "unknown method 'easdg'"),
        (["easgd:k=1"], ["drop"], "unknown knob 'k'"),
        (["easgd:alpha"], ["drop"], "write NAME:knob=value"),
        (["easgd"], ["drip"], "unknown failure 'drip'"),
        ([], ["drop"], "no methods"),
    ):
        with pytest.raises(UsageError, match=says):
            gauntlet_trials("mnist", methods, failures=failures)


def test_the_table_says_mean_spread_worst_and_rounds(tmp_path: Path) -> None:
    common: dict[str, Any] = {"task": "t", "workers": 4, "tau": 1}
    results = [
        made(0.90, curve=[0.5, 0.86], failure="none", method="a", seed=0, **common),
        made(0.90, curve=[0.5, 0.86], failure="none", method="a", seed=1, **common),
        made(0.80, curve=[0.5, 0.86], failure="bad", method="a", seed=0, **common),
        made(0.70, curve=[0.5, 0.60], failure="bad", method="a", seed=1, **common),
        made(0.88, failure="bad", method="b", seed=0, **common),
        made(0.00, error="a loss was not finite.", failure="bad", method="b", seed=1, **common),
        made(0.60, failure="worse", method="a", seed=0, **common),
    ]
    picture, table = draw(results, tmp_path)
    text = table.read_text().splitlines()
    assert "| failure | `a` | `b` |" in text
    assert "| none | 90.0 ± 0.0 [90.0], 20 |  |" in text
    assert "| bad | 75.0 ± 7.1 [70.0], – | 44.0 ± 62.2 [0.0], – |" in text
    assert "| worse | 60.0, – |  |" in text, "one seed deviates from nothing"
    assert "| *at most behind the best of a row* | 0.0 | 31.0 |" in text
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert rounds_to(results, 0.855, failure="bad", method="a") == [20, None]


def test_guarded_weights_are_held_against_the_best_of_the_others(tmp_path: Path) -> None:
    """Per failure and setting; the difference is taken seed by seed: 88 − 90 and 84 − 85 are −1.5 ± 0.5."""
    accuracies = {
        (4, "bad"): {"geahes-o": (0.88, 0.84), "a": (0.90, 0.85), "b": (0.70, 0.95)},
        (4, "worse"): {"geahes-o": (0.80, 0.80), "a": (0.10, 0.10), "b": (0.802, 0.802)},
        (8, "bad"): {"geahes-o": (0.80, 0.80), "a": (0.70, 0.70), "b": (0.60, 0.60)},
    }
    results = [
        made(accuracy, task="t", tau=1, workers=workers, failure=failure, method=method, seed=seed)
        for (workers, failure), of in accuracies.items()
        for method, ends in of.items()
        for seed, accuracy in enumerate(ends)
    ]
    table = next(path for path in draw(results, tmp_path) if path.name == "guarded.md").read_text().splitlines()
    assert "| failure | t, N = 4, τ = 1 | t, N = 8, τ = 1 |" in table
    assert "| bad | **-1.50 ± 0.50** `a` | +10.00 `a` |" in table
    assert "| worse | -0.20 `b` |  |" in table
    assert "| *at most behind* | 1.50 | 0.00 |" in table

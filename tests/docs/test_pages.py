"""The pages of the methods are what `python docs/pages.py` writes; tables of experiments, what `reproduce` does."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from springline import METHODS
from springline.config import RunConfig
from springline.reproduce import EXPERIMENTS, Result, ResultsFile, results_file

ROOT = Path(__file__).parents[2]


def module() -> Any:
    spec = importlib.util.spec_from_file_location("pages", ROOT / "docs" / "pages.py")
    assert spec is not None
    assert spec.loader is not None
    pages = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pages)
    return pages


def test_the_pages_are_up_to_date() -> None:
    pages = module()
    stale = [path.name for path, text in pages.pages().items() if not path.exists() or path.read_text() != text]
    assert not stale, f"run `python docs/pages.py`: {stale}"


@pytest.mark.parametrize("name", ["dana", "dana-speed-up", "easgd", "stability"])  # the others' take long to draw
def test_the_tables_of_an_experiment_are_up_to_date(name: str, tmp_path: Path) -> None:
    experiment, kept = EXPERIMENTS[name], ROOT / "experiments"
    results = results_file(experiment, kept).of(experiment.trials(False))
    drawn = {path.name: path.read_text() for path in experiment.draw(results, tmp_path) if path.suffix == ".md"}
    assert drawn == {file: (kept / experiment.folder / file).read_text() for file in drawn}


def test_every_method_has_been_seen_to_learn_mnist() -> None:
    """A run of the record for each: that ended, far above chance."""
    file = ROOT / "experiments" / "methods" / "results" / "results.jsonl"
    best = dict.fromkeys(METHODS, 0.0)
    for result in ResultsFile(file).read():
        name = result.labels["method"]
        best[name] = max(best[name], result.accuracy)
    assert {name: accuracy for name, accuracy in best.items() if accuracy < 0.5} == {}


def test_failed_runs_are_counted_and_nothing_is_said_of_what_was_not_measured() -> None:
    pages, easgd = module(), METHODS["easgd"]

    def result(accuracy: float, error: str | None = None, method: str = "easgd") -> Result:
        config = RunConfig(task="mnist", method=method, tau=4, rounds=75).model_dump()
        labels = {"method": method, "faults": "none", "seed": 0}
        return Result(labels, config, {}, [], {"test_accuracy": accuracy}, error)

    half = [result(0.9), result(0.8), result(0.1, "a loss was not finite.")]
    assert [*pages.measured(easgd, half)] == [
        "- exchanges lost: none; final test accuracy 85.0 % (80.0 to 90.0), 1 of 3 runs failed"
    ]
    assert [*pages.measured(easgd, half[2:])] == ["- exchanges lost: none; 1 of 1 runs failed"]
    assert "easgd.png" in pages.page(easgd, half)
    assert "4 workers, τ = 4, 75 rounds, batches of 64, default knobs, seed 0." in pages.page(easgd, half)
    for text in (pages.page(easgd, []), pages.page(easgd, [result(0.9, method="sgd")])):
        assert "easgd.png" not in text
        assert "reproduce methods" not in text

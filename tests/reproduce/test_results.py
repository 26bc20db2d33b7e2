"""Results are made once, survive a writer that was stopped, and are never mixed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from springline.config import RunConfig
from springline.errors import RunError, UsageError
from springline.reproduce import ResultsFile, Trial

from .support import made

CONFIG = RunConfig(task="mnist", method="easgd", rounds=10)
TRIALS = [Trial({"method": "easgd", "seed": seed}, CONFIG) for seed in range(3)]


def test_only_what_has_no_result_is_missing(tmp_path: Path) -> None:
    file = ResultsFile(tmp_path / "deep" / "results.jsonl")
    assert file.missing(TRIALS) == TRIALS
    file.append(made(0.5, method="easgd", seed=1))
    assert file.missing(TRIALS) == [TRIALS[0], TRIALS[2]]
    assert [r.accuracy for r in file.of(TRIALS)] == [0.5]


def test_a_line_cut_short_is_made_again(tmp_path: Path) -> None:
    file = ResultsFile(tmp_path / "results.jsonl")
    file.append(made(0.5, method="easgd", seed=0))
    whole = file.path.read_bytes()
    file.append(made(0.6, method="easgd", seed=1))
    for end in (len(whole) + 1, file.path.stat().st_size - 1):
        file.path.write_bytes(file.path.read_bytes()[:end])
        assert file.missing(TRIALS) == TRIALS[1:]
        assert file.path.read_bytes() == whole


def test_an_edited_line_is_named(tmp_path: Path) -> None:
    file = ResultsFile(tmp_path / "results.jsonl")
    file.append(made(0.5, method="easgd", seed=0))
    file.path.write_text(file.path.read_text() + "{}\n")
    with pytest.raises(RunError, match=r"results\.jsonl, line 2 is no result"):
        file.read()


@pytest.mark.parametrize(
    "edited", [{"labels": []}, {"config": {}}, {"environment": {}}, {"curve": 3}, {"last": {}}, {"last": None}]
)
def test_a_line_with_other_parts_is_no_result(edited: dict[str, object], tmp_path: Path) -> None:
    file = ResultsFile(tmp_path / "results.jsonl")
    file.append(made(0.5, method="easgd", seed=0))
    file.path.write_text(json.dumps(json.loads(file.path.read_text()) | edited) + "\n")
    with pytest.raises(RunError, match=r"results\.jsonl, line 1 is no result"):
        file.read()


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    file = ResultsFile(tmp_path / "results.jsonl")
    file.path.write_bytes(b"\xff\n")
    with pytest.raises(RunError, match=r"results\.jsonl, line 1 is no result"):
        file.read()


def test_another_configuration_or_version_is_not_mixed_in(tmp_path: Path) -> None:
    file = ResultsFile(tmp_path / "results.jsonl")
    file.append(made(0.5, method="easgd", seed=0))
    other = [Trial(TRIALS[0].labels, CONFIG.model_copy(update={"tau": 4}))]
    with pytest.raises(UsageError, match=r"method=easgd, seed=0 that was made otherwise \(tau 1 → 4\)"):
        file.missing(other)
    line = json.loads(file.path.read_text())
    line["environment"]["springline"] = "0.0.1"
    file.path.write_text(json.dumps(line) + "\n")
    with pytest.raises(UsageError, match=r"springline 0\.0\.1 → "):
        file.missing(TRIALS)

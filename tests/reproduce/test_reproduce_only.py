"""A part of an experiment is made; its pictures show whatever there is of the whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from springline.cli.experiments import carry_out
from springline.cli.screen import Screen
from springline.config import RunConfig
from springline.errors import UsageError
from springline.reproduce import Experiment, Result, Trial

CONFIG = RunConfig(task="logistic:dim=50", method="easgd", workers=2, rounds=2, batch_size=4, eval_every=2, threads=1)


def test_what_was_made_before_is_drawn_too(tmp_path: Path) -> None:
    trials = [Trial({"seed": seed}, CONFIG.model_copy(update={"seed": seed})) for seed in range(3)]
    drawn: list[list[int]] = []

    def draw(results: Sequence[Result], folder: Path) -> list[Path]:
        drawn.append([r.labels["seed"] for r in results])
        return []

    experiment = Experiment("part", "", lambda _: trials, draw)
    for asked in (trials[2:], trials[:1]):
        carry_out(Screen(True), experiment, asked, tmp_path, 1, whole=trials)
    assert drawn == [[2], [0, 2]]
    carry_out(Screen(True), experiment, [], tmp_path, 1, whole=trials)
    assert drawn.pop() == [0, 2]  # nothing was asked for, and nothing made
    with pytest.raises(UsageError, match=r"results\.jsonl holds no result to draw; make some first"):
        carry_out(Screen(True), experiment, [], tmp_path / "elsewhere", 1, whole=trials)
    trials[2] = Trial({"seed": 2}, CONFIG.model_copy(update={"seed": 2, "batch_size": 5}))
    with pytest.raises(UsageError, match=r"seed=2 that was made otherwise \(batch_size 4 → 5\)"):
        carry_out(Screen(True), experiment, trials[:1], tmp_path, 1, whole=trials)
    assert len(drawn) == 2

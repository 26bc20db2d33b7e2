"""Pictures show what they are given, and every line can be told from the others without colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from springline.errors import UsageError
from springline.report.curves import Curve, curve_of, draw_curves
from springline.report.style import FORMATS, save, style
from springline.report.workers import draw_run

from .support import run_rows


def test_lines_differ_without_colour() -> None:
    looks = [(str(style(i).dash), style(i).marker) for i in range(12)]
    assert len(set(looks)) == 12
    assert len({style(i) for i in range(210)}) == 210


def test_a_curve_is_the_mean_with_a_band_of_one_deviation() -> None:
    curves = [Curve("a", [2, 4], [[0.5, 0.7], [0.7, 0.8]]), Curve("b", [2, 4], [[0.1, 0.2]]), Curve("none", [], [])]
    drawn = draw_curves({"test_accuracy": curves, "test_loss": [Curve("a", [], [])]}, title="two runs")
    (axes,) = drawn.axes  # nobody knows a test loss
    assert [line.get_label() for line in axes.lines] == ["a", "b"]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [60, 75])
    np.testing.assert_allclose(axes.lines[1].get_ydata(), [10, 20])
    (band,) = axes.collections
    low, high = band.get_paths()[0].vertices[:, 1].min(), band.get_paths()[0].vertices[:, 1].max()
    np.testing.assert_allclose([low, high], [60 - 100 * 0.02**0.5, 75 + 100 * 0.005**0.5])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("communication rounds", "center test accuracy (%)")
    assert drawn.get_suptitle() == "two runs"
    (legend,) = drawn.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b"]


def test_losses_stand_on_a_logarithmic_axis_whose_band_does_not_reach_zero() -> None:
    drawn = draw_curves({"train_loss": [Curve("a", [1, 2], [[2.0, 0.01], [1.0, 1.0]])]}, title="")
    (axes,) = drawn.axes
    assert axes.get_yscale() == "log"
    assert axes.collections[0].get_paths()[0].vertices[:, 1].min() >= 0.01


def test_accuracies_stand_on_an_axis_of_what_is_missing() -> None:
    """From 80 to 90 is as far as from 90 to 95, and the band of one deviation does not go beyond 100."""
    drawn = draw_curves({"test_accuracy": [Curve("a", [1, 2, 3], [[0.1, 0.9, 0.999], [0.2, 0.9, 0.95]])]}, title="")
    (axes,) = drawn.axes
    heights = axes.transData.transform([(0, 80), (0, 90), (0, 95)])[:, 1]
    np.testing.assert_allclose(heights[1] - heights[0], heights[2] - heights[1])
    assert axes.collections[0].get_paths()[0].vertices[:, 1].max() <= 99.9
    assert {20, 50, 80, 90, 95, 99} <= set(axes.get_yticks())


def test_a_metric_is_drawn_at_the_rounds_that_know_it() -> None:
    assert curve_of("a", run_rows(5, 1), "test_accuracy") == Curve("a", [2, 4], [[0.52, 0.54]])
    assert curve_of("a", run_rows(5, 1), "test_loss") == Curve("a", [], [])


def test_one_run_shows_each_workers_distance_weights_and_lost_exchanges() -> None:
    drawn = draw_run(run_rows(12, 3), title="run")
    panels = {axes.get_ylabel(): axes for axes in drawn.axes}
    assert list(panels) == [
        "center test accuracy (%)", "center training loss", "distance to center", "weight h1", "weight h2",
        "lost exchanges\nof worker",
    ]  # fmt: skip
    assert [line.get_label() for line in panels["distance to center"].lines] == ["worker 0", "worker 1", "worker 2"]
    lost = panels["lost exchanges\nof worker"].collections[0].get_offsets()
    assert {tuple(point) for point in np.asarray(lost)} == {
        (k, i) for i in range(3) for k in range(1, 13) if k % (i + 2) == 0
    }


def test_a_coupling_without_weights_and_many_workers() -> None:
    drawn = draw_run(run_rows(6, 40, weights=False), title="run")
    panels = {axes.get_ylabel(): axes for axes in drawn.axes}
    assert "weight h1" not in panels
    assert [line.get_label() for line in panels["distance to center"].lines] == ["median of 40 workers"]


def test_a_worker_that_joined_is_drawn_from_there_on() -> None:
    rows = [*run_rows(3, 2), *run_rows(6, 3)[3:]]
    assert rows[3]["workers"]["lost"][2] == 1  # its first attempt
    drawn = draw_run(rows, title="run")
    panels = {axes.get_ylabel(): axes for axes in drawn.axes}
    np.testing.assert_array_equal(panels["distance to center"].lines[2].get_ydata(), [np.nan] * 3 + [6, 7, 8])
    lost = panels["lost exchanges\nof worker"].collections[0].get_offsets()
    assert {tuple(point) for point in np.asarray(lost)} == {(2, 0), (4, 0), (6, 0), (3, 1), (6, 1), (4, 2)}


def test_a_round_in_which_nobody_knows_a_weight_is_left_out() -> None:
    drawn = draw_run(run_rows(4, 40), title="run")
    (panel,) = (axes for axes in drawn.axes if axes.get_ylabel() == "weight h2")
    assert list(panel.lines[0].get_xdata()) == [2, 3, 4]


@pytest.mark.parametrize("suffix", FORMATS)
def test_pictures_are_written_in_each_format(suffix: str, tmp_path: Path) -> None:
    path = save(draw_run(run_rows(3, 2), title="run"), tmp_path / "deep" / f"picture{suffix}")
    head = path.read_bytes()[:5]
    assert head == {".png": b"\x89PNG\r", ".pdf": b"%PDF-", ".svg": b"<?xml"}[suffix]


def test_a_picture_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    drawn = draw_curves({}, title="")
    with pytest.raises(UsageError, match=r"end it in \.png, \.pdf or \.svg"):
        save(drawn, tmp_path / "picture.gif")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        save(drawn, tmp_path / "file" / "picture.png")

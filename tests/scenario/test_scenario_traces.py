"""Recorded traces: read, refused, repeated, and recorded from a run."""

from __future__ import annotations

from pathlib import Path

import pytest

import springline
from springline import UsageError
from springline.scenario import Scenario, Trace, record_trace

CSV = "worker,seconds\n0,1.5\n1,2\n0,0.5\n"
JSON = '{"worker": 0, "seconds": 1.5}\n{"worker": 1, "seconds": 2}\n\n{"seconds": 0.5, "worker": 0}\n'


def trace(folder: Path, text: str, name: str = "trace.csv") -> Trace:
    file = folder / name
    file.write_text(text)
    return Trace(str(file))


@pytest.mark.parametrize("text", [CSV, JSON], ids=["csv", "json"])
def test_reads_and_repeats(text: str, tmp_path: Path) -> None:
    pace = trace(tmp_path, text)
    assert [pace.step_time(0, 0, k) for k in range(5)] == [1.5, 0.5, 1.5, 0.5, 1.5]
    assert [pace.step_time(7, 1, k) for k in range(3)] == [2, 2, 2]
    assert pace.tick == pytest.approx(4 / 3)


def test_text_holds_the_digest_and_a_changed_file_is_refused(tmp_path: Path) -> None:
    pace = trace(tmp_path, CSV)
    scenario = Scenario(pace=pace)
    assert Scenario.of(**scenario.text()) == scenario
    text = scenario.text()["pace"]
    Path(pace.file).write_text(CSV.replace("1.5", "1.6"))
    with pytest.raises(UsageError, match="has changed"):
        Scenario.of(pace=text)
    assert pace.step_time(0, 0, 0) == 1.5, "a run that goes on keeps what it has read"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("worker,seconds\n0,1\n1,-0.5\n", "line 3 of .* gives worker 1 a step of -0.5 seconds.*correct the line"),
        ("worker,seconds\n0,0\n", "line 2 of .* a step of 0.0 seconds"),
        ("worker,seconds\n0,nan\n", "line 2 of .* a step of nan seconds"),
        ('{"worker": 0, "seconds": -1}\n', "line 1 of .* a step of -1.0 seconds"),
        ('{"worker": 0}\n', "line 1 of .* has no worker and seconds"),
        ("{nonsense\n", "line 1 of .* is not JSON"),
        ("0,1.5\n0,2\n", "line 2 of .* has no worker and seconds; write `worker,seconds`"),
        ("worker,seconds\n0\n", "line 2 of .* has no worker and seconds"),
        ("worker,seconds\n-1,1\n", "gives worker -1"),
        ("worker,seconds\n", "holds no steps"),
        ("", "holds no steps"),
    ],
)
def test_one_sentence_about_a_bad_file(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=says) as error:
        trace(tmp_path, text)
    assert "\n" not in str(error.value)


def test_no_file() -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        Scenario.of(pace="trace:file=/nowhere/trace.csv")


def test_needs_every_worker(tmp_path: Path) -> None:
    scenario = Scenario(pace=trace(tmp_path, CSV))
    scenario.check(2, 100)
    with pytest.raises(UsageError, match=r"has no steps of worker 2; it was recorded with 2 workers"):
        scenario.check(3, 100)


SETTINGS = [(1, {}), (3, {}), (3, {"pull_after": 1}), (2, {"pull_after": "tau"})]


@pytest.mark.parametrize(("tau", "knobs"), SETTINGS)
def test_a_trace_holds_every_step_and_all_its_time(
    tau: int, knobs: dict[str, object], blobs: springline.Task, tmp_path: Path
) -> None:
    setting = {"workers": 3, "tau": tau, "rounds": 8, "batch_size": 8, **knobs}
    run = springline.train(blobs, "easgd", pace="gamma:batch=2,v=0.3", network="latency=0.5", **setting)
    record_trace(run.rows, tmp_path / "trace.csv")
    times = Trace(str(tmp_path / "trace.csv")).times
    assert [len(times[i]) for i in range(3)] == run.rows[-1]["workers"]["steps"]
    assert [sum(times[i]) for i in range(3)] == pytest.approx(run.rows[-1]["workers"]["computing"])


@pytest.mark.parametrize(("tau", "knobs"), SETTINGS)
def test_a_trace_stands_for_what_it_was_recorded_from(
    tau: int, knobs: dict[str, object], blobs: springline.Task, tmp_path: Path
) -> None:
    """A slow worker, recorded and replayed without the fault, gives the same run."""
    setting = {"workers": 3, "tau": tau, "rounds": 8, "batch_size": 8, **knobs}
    run = springline.train(blobs, "easgd", pace="constant:2", faults=["slow:2.5,worker=0"], **setting)
    record_trace(run.rows, tmp_path / "trace.csv")
    again = springline.train(blobs, "easgd", pace=f"trace:file={tmp_path / 'trace.csv'}", **setting)
    assert [r["time"] for r in again.rows] == [r["time"] for r in run.rows]
    assert [r["workers"] for r in again.rows] == [r["workers"] for r in run.rows]
    assert all(again.center[name].equal(t) for name, t in run.center.items())


def test_nothing_to_record(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no trace to record"):
        record_trace([], tmp_path / "trace.csv")

"""`springline compare` in real processes: interrupted, gone on with, added to, with a method that diverges."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

from springline import Task, compare

from .support import TASK, Done, finish, rows, springline, start, wait_for

ROUNDS = 2000
SMALL = ("--workers", "2", "--batch-size", "4", "--eval-every", "400", "--seeds", "1", "--rounds", str(ROUNDS))
JOB = ("compare", TASK, *SMALL, "--fault", "drop:0.3", "--out", "all", "--jobs", "2")


def test_compare_goes_on_where_it_stopped_and_shows_what_failed(tmp_path: Path, told: Callable[..., Done]) -> None:
    run = tmp_path / "all" / "easgd" / "seed-0"
    methods = ("--methods", "easgd,easgd:lr=1e37")
    process = start(*JOB, *methods, cwd=tmp_path)
    wait_for(lambda: len(rows(run)) >= 3, process)
    process.send_signal(signal.SIGINT)
    stopped = finish(process)
    assert stopped.code == 130
    assert stopped.sentence == "stopped; the same command goes on where it stopped."
    assert not (run / "summary.json").exists()

    done = springline(*JOB, *methods, cwd=tmp_path)
    assert done.code == 1
    assert done.sentence.startswith("1 of 2 runs failed; easgd:lr=1e37, seed 0: the training loss of worker")
    assert "1 failed" in done.out
    assert len(rows(run)) == ROUNDS
    assert (tmp_path / "all" / "curves.png").read_bytes().startswith(b"\x89PNG")
    finished = {file: file.read_bytes() for file in run.iterdir()}

    more = springline(*JOB, "--methods", "easgd,eamsgd", "--json", cwd=tmp_path)
    assert more.code == 0, more.err
    assert len(more.out.splitlines()) == 1
    result = json.loads(more.out)
    assert [line["method"] for line in result["methods"]] == ["easgd", "eamsgd"]
    assert result["methods"][0]["lost"] == result["methods"][1]["lost"], "the same failures for all"
    assert {file: file.read_bytes() for file in run.iterdir()} == finished, "a finished run was touched"
    assert json.loads((tmp_path / "all" / "table.json").read_text())["methods"] == result["methods"]

    other = told(*JOB, "--methods", "easgd", "--tau", "2")
    assert other.code == 2
    assert "tau 1 → 2" in other.sentence
    assert len(rows(run)) == ROUNDS

    picture = told("plot", "all", "--out", "again.svg")
    assert picture.code == 0
    assert "eamsgd" in (tmp_path / "again.svg").read_text()


def test_an_unfinished_comparison_is_drawn(blobs: Task, tmp_path: Path, told: Callable[..., Done]) -> None:
    compare(blobs, ["easgd"], seeds=1, rounds=4, batch_size=8, eval_every=2, out=tmp_path / "all")
    run = tmp_path / "all" / "easgd" / "seed-0"
    (run / "summary.json").unlink()  # as if it had been stopped
    assert told("plot", "all", "--out", "begun.svg").code == 0
    assert "center training loss" in (tmp_path / "begun.svg").read_text()
    (run / "metrics.jsonl").write_text("")
    none = told("plot", "all")
    assert (none.code, "all has no finished round yet; wait for one" in none.sentence) == (2, True)


def test_wrong_usage_starts_nothing(tmp_path: Path, told: Callable[..., Done]) -> None:
    for args, says in (
        (("--methods", "easgd,easdg"), "unknown method 'easdg'"),
        (("--jobs", "0"), "jobs=0 is less than 1"),
    ):
        done = told(*JOB, *args)
        assert done.code == 2
        assert says in done.sentence
    assert not list(tmp_path.iterdir())

"""Everything that a user can get wrong on the command line: one sentence with the remedy, and nothing written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from springline.cli.train import _next_free

from .support import SMALL, TASK, Done, springline, start

WRONG = {
    "method": (["--method", "easdg"], "unknown method 'easdg'; did you mean easgd"),
    "fault": (["--fault", "drap:0.3"], "unknown fault 'drap'; did you mean drop"),
    "fault key": (["--fault", "drop:speed=3"], "drop has no key 'speed'; it has rate"),
    "fault rate": (["--fault", "drop:1.5"], "rate=1.5 is outside [0, 1]"),
    "fault worker": (["--fault", "slow:4,worker=7"], "there is no worker 7"),
    "workers": (["--workers", "0"], "workers=0 is less than 1"),
    "tau": (["--tau", "0"], "tau=0 is less than 1"),
    "rounds": (["--rounds", "0"], "rounds=0 is less than 1"),
    "alpha": (["--alpha", "1.5"], "alpha=1.5 is outside (0, 1]"),
    "threshold": (["--method", "deahes-o", "--set", "k=0.1"], "k=0.1 is not negative"),
    "overlap": (["--overlap", "1"], "overlap=1.0 is outside [0, 1)"),
    "overlap's text": (["--overlap", "much"], "overlap=much is outside [0, 1)"),
    "knob": (
        ["--set", "momentun=0.5", "--method", "eamsgd"],
        "unknown knob 'momentun' of method 'eamsgd'; did you mean momentum",
    ),
    "knob's text": (["--set", "alpha"], "write KNOB=VALUE"),
    "knob twice": (["--set", "alpha=0.2", "--alpha", "0.1"], "alpha is given twice"),
    "engine": (
        ["--engine", "simulater"],
        "unknown engine 'simulater'; did you mean simulator (known: local, ray, simulator)?",
    ),
    "option": (["--metod", "easgd"], "no such option: --metod"),
    "pace": (["--pace", "gama"], "unknown pace 'gama'; did you mean gamma"),
    "network": (
        ["--network", "latency=-1"],
        "a latency is finite and not negative, rates are positive; for example latency=0.01",
    ),
    "topology": (["--topology", "ring"], "unknown topology 'ring'; known: star, tree."),
    "sampler": (["--sampler", "cycles"], "see `springline train --help`"),
    "number": (["--workers", "four"], "see `springline train --help`"),
}
WRONG_FOR_THE_DATA = {
    "workers": (["--workers", "1001", "--method", "easgd"], "1001 workers are more than the 1000 training samples"),
    "batch": (["--batch-size", "251", "--method", "easgd"], "use a batch of at most 250"),
}


@pytest.mark.parametrize(("args", "says"), WRONG.values(), ids=WRONG)
def test_wrong_usage_is_one_sentence_and_code_2(
    args: list[str], says: str, tmp_path: Path, told: Callable[..., Done]
) -> None:
    done = told("train", TASK, *args)
    assert (done.code, done.out) == (2, "")
    assert says in done.sentence
    assert not list(tmp_path.iterdir()), "something was written"


@pytest.mark.parametrize(("args", "says"), WRONG_FOR_THE_DATA.values(), ids=WRONG_FOR_THE_DATA)
def test_what_the_data_do_not_allow_is_wrong_usage(
    args: list[str], says: str, tmp_path: Path, told: Callable[..., Done]
) -> None:
    done = told("train", TASK, *args, "--out", "run")
    assert done.code == 2
    assert says in done.sentence
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", ["train", "compare"])
def test_an_unknown_task_names_the_nearest(command: str, tmp_path: Path, told: Callable[..., Done]) -> None:
    done = told(command, "mnits")
    assert done.code == 2
    assert "unknown task 'mnits'; did you mean mnist" in done.sentence
    assert not list(tmp_path.rglob("*.json"))


def test_a_folder_in_use_is_left_as_it_is(tmp_path: Path, told: Callable[..., Done]) -> None:
    run = tmp_path / "run"
    run.mkdir()
    files = {"config.json": b'{"task": "mnist"}', "metrics.jsonl": b'{"round": 1}\n', "center.safetensors": b"weights"}
    for name, content in files.items():
        (run / name).write_bytes(content)
    done = told("train", TASK, "--rounds", "1", *SMALL, "--out", "run")
    assert done.code == 2
    assert "springline resume run" in done.sentence
    assert "--overwrite" in done.sentence
    assert {name: (run / name).read_bytes() for name in files} == files


def test_no_run_no_picture(tmp_path: Path, told: Callable[..., Done]) -> None:
    assert "holds no run" in told("resume", "nothing").sentence
    assert "holds no run" in told("plot", "nothing").sentence
    done = told("plot", "nothing", "--out", "picture.jpeg")
    assert (done.code, "end it in .png, .pdf or .svg" in done.sentence) == (2, True)
    assert not list(tmp_path.iterdir())


def test_an_edited_configuration_is_named(tmp_path: Path, told: Callable[..., Done]) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"task": TASK, "method": "easgd", "workers": "many"}))
    done = told("resume", ".")
    assert done.code == 2
    assert "config.json: workers: " in done.sentence
    (tmp_path / "config.json").write_text('{"task": "mn')
    done = told("resume", ".")
    assert (done.code, "not readable JSON" in done.sentence) == (1, True)


def test_damaged_data_without_a_source_say_what_to_do(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    (folder / "train-images-idx3-ubyte").write_bytes(b"cut short")
    nowhere = dict.fromkeys(("https_proxy", "HTTPS_PROXY"), "http://127.0.0.1:9")  # nobody listens there
    nowhere |= {"SPRINGLINE_DATA": str(tmp_path / "data"), "PATH": str(tmp_path), "NO_PROXY": "", "no_proxy": ""}
    done = springline("train", "mnist", cwd=tmp_path, **nowhere)
    assert done.code == 1
    assert "train-images-idx3-ubyte has 9 bytes instead of 47040016" in done.err
    assert "Traceback" not in done.err
    assert (folder / "train-images-idx3-ubyte").read_bytes() == b"cut short"
    assert not (tmp_path / "runs").exists()


@pytest.mark.filterwarnings("ignore::springline.guard.watch.StabilityWarning")
def test_a_loss_that_turns_non_finite_stops_the_run_and_keeps_its_checkpoint(
    tmp_path: Path, told: Callable[..., Done]
) -> None:
    args = ("--method", "easgd", "--lr", "1e37", "--rounds", "50", *SMALL, "--out", "run")
    done = told("train", TASK, *args)
    assert done.code == 1
    for part in ("training loss of worker", "local step", "round", "lower the learning rate"):
        assert part in done.sentence
    assert (tmp_path / "run" / "checkpoint.safetensors").exists()
    again = told("resume", "run")  # the checkpoint is whole, the learning rate still wrong
    assert (again.code, again.sentence) == (1, done.sentence)


def test_a_folder_that_cannot_be_made(tmp_path: Path, told: Callable[..., Done]) -> None:
    (tmp_path / "file").write_text("")
    done = told("train", TASK, "--rounds", "1", *SMALL, "--out", "file/run")
    assert done.code == 2
    assert "cannot be used as a run folder" in done.sentence


@pytest.mark.parametrize("make", [lambda runs: runs.symlink_to("nowhere"), lambda runs: runs.touch()])
def test_where_no_run_folder_can_be_made(
    make: Callable[[Path], None], tmp_path: Path, told: Callable[..., Done]
) -> None:
    make(tmp_path / "runs")
    done = told("train", TASK, "--rounds", "1", *SMALL)
    assert (done.code, done.sentence) == (2, "no run folder can be made in runs (File exists); name one by --out DIR.")


def test_the_next_free_name_is_taken(tmp_path: Path) -> None:
    assert [_next_free(tmp_path / "runs", "mnist").name for _ in range(3)] == ["mnist-1", "mnist-2", "mnist-3"]


OTHERS = {
    "jobs": (["gauntlet", TASK, "--methods", "easgd", "--jobs", "-4"], "jobs=-4 is less than 1"),
    "no failures": (["gauntlet", TASK, "--methods", "easgd", "--failures", ""], "there are no failures to go through"),
    "reproduce": (["reproduce", "stability", "--quick", "--jobs", "0"], "jobs=0 is less than 1"),
    "folder": (["reproduce", "stability", "--quick", "--dir", "file"], "cannot be written to (Not a directory)"),
    "gallery": (["theory", "all", "--out", "file"], "file cannot be written to"),
    "threads": (["train", TASK, "--threads", "1000000"], "see `springline train --help`"),
    "steps": (
        ["advise", "--method", "easgd", "--curvature", "1", "--tau", "100000000"],
        "at most 256 workers and 10000",
    ),
    "command": (["trian", "mnist"], "no such command 'trian', did you mean 'train'; see `springline --help`"),
    "start": (["train", "double-well:x0=inf"], "x0=inf is not finite"),
    "patience": (["train", TASK, "--engine", "local", "--patience", "0"], "patience=0 is no number of seconds above 0"),
    "pace elsewhere": (
        ["train", TASK, "--engine", "local", "--pace", "gamma", "--batch-size", "4"],
        "pace is the simulator's, and under engine local its steps take what they take; leave it out",
    ),
    "no trial": (["reproduce", "dynamic-weighting", "--figure", "3", "--only", "method=easgd"], "ask for less"),
    "no figure": (["reproduce", "stability", "--figure", "9"], "unknown figure '9' of stability; known: none."),
    "drawn in part": (["reproduce", "stability", "--draw", "--only", "method=dana"], "leave out --only and --figure"),
    "patient simulator": (["train", TASK, "--patience", "9"], "--patience is nothing that engine simulator knows"),
}


@pytest.mark.parametrize(("args", "says"), OTHERS.values(), ids=OTHERS)
def test_wrong_usage_of_other_commands(args: list[str], says: str, tmp_path: Path, told: Callable[..., Done]) -> None:
    (tmp_path / "file").write_text("mine")
    done = told(*args)
    assert done.code == 2
    assert says in done.sentence
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_nobody_can_join_the_simulators_run(told: Callable[..., Done]) -> None:
    assert told("train", TASK, "--rounds", "1", *SMALL, "--out", "run").code == 0
    done = told("join", "run")
    assert (done.code, "is the simulator's" in done.sentence) == (2, True)


def test_debug_shows_where(tmp_path: Path) -> None:
    done = springline("train", TASK, "--method", "easdg", "--debug", cwd=tmp_path)
    assert done.code == 1
    assert "Traceback" in done.err
    assert "UsageError" in done.err


def test_nobody_reads_on(tmp_path: Path) -> None:
    """`springline methods | head -1` ends quietly."""
    process = start("methods", cwd=tmp_path)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    process.wait(60)
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()

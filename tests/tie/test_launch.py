"""Scripts under both launchers, in real processes: they end well, fail, are killed, leave, join, and go on."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

import springline
from springline import METHODS
from springline.cli.exits import run as command_line
from springline.engines.local.plan import SPARE
from springline.engines.real import wire
from springline.engines.real.ask import join
from springline.errors import UsageError
from springline.folder import RunFolder
from springline.tied.book import Book
from springline.tied.host import Host
from springline.tied.launcher import Launcher
from springline.tied.tying import config_of, job_of
from tests.local.support import gone

from .support import DEADLINE, LOOP, Launched, environment, start, until

EXAMPLES = Path(__file__).parents[2] / "examples"


def summary(run: Path) -> dict:
    return json.loads((run / "summary.json").read_text())


def test_an_example_under_launch(tmp_path):
    script = str(EXAMPLES / "mnist_tied.py")
    run = start(tmp_path, "springline", "launch", "-n", "2", script, "--samples", "1280")
    out, err = run.communicate(timeout=120)
    assert run.returncode == 0, err
    assert out.count("epoch 1: test accuracy") == 2
    folder = tmp_path / "runs" / "mnist_tied-1"
    assert summary(folder)["exchanges_made"] == 2 * 3, "640 samples are 10 batches: two periods and what is left"
    assert load_file(folder / "center.safetensors")["0.weight"].shape == (10, 1, 5, 5)
    assert json.loads((folder / "config.json").read_text())["method"] == "easgd"


def test_each_worker_sees_one_gpu(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    host = SimpleNamespace(workers=3, folder=RunFolder(tmp_path))
    launcher = Launcher(host, ["script.py"], restart=False, say=print)
    for visible, expected in (("4,7", ["4", "7", "4"]), ("", ["0", "1", "0"])):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert [launcher.environment(i)["CUDA_VISIBLE_DEVICES"] for i in range(3)] == expected


def test_an_example_under_torchrun(tmp_path):
    script = str(EXAMPLES / "mnist_tied.py")
    run = start(tmp_path, "torch.distributed.run", "--nproc-per-node", "2", script, "--samples", "1280")
    out, err = run.communicate(timeout=120)
    assert run.returncode == 0, err
    assert out.count("epoch 1: test accuracy") == 2
    [folder] = (tmp_path / "runs").iterdir()
    assert summary(folder)["exchanges_made"] == 2 * 3


def test_the_plain_example(tmp_path):
    """It differs from the tied one in three lines, and runs."""
    plain, tied = ((EXAMPLES / name).read_text().splitlines() for name in ("mnist_plain.py", "mnist_tied.py"))
    added = [line for line in tied[tied.index("import argparse") :] if line not in plain]
    assert len(added) == 3, added
    command = [sys.executable, str(EXAMPLES / "mnist_plain.py"), "--samples", "640"]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=DEADLINE)
    assert (done.returncode, done.stderr) == (0, "")


def test_workers_that_fail_leave_and_join(tmp_path):
    """One is killed and the others go on; two join at once, and one leaves when it is asked to."""
    run = Launched(tmp_path, LOOP.format(""), "-n", "3")
    status = run.exchanging(3)
    pids = {w["worker"]: w["pid"] for w in status["workers"]}
    os.kill(pids[1], signal.SIGKILL)
    status = run.when("its death", lambda s: s["workers"][1]["state"] == "dead")
    made = status["workers"][0]["made"]
    run.when("the others going on", lambda s: s["workers"][0]["made"] > made)
    os.kill(pids[2], signal.SIGTERM)
    run.when("it has left", lambda s: s["workers"][2]["state"] == "gone")
    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(join, [run.run] * 2)) == [3, 4]
    run.when("they exchange", lambda s: len(s["workers"]) == 5 and all(w["made"] for w in s["workers"][3:]))
    run.end()
    code, out, err = run.done()
    assert code == 1
    assert "worker 1 ended with signal SIGKILL; the other 2 go on" in out
    assert "1 of 5 workers failed: worker 1 by signal SIGKILL; --restart starts such workers again." in err
    assert summary(run.run)["exchanges_made"] > made


FAILS_ONCE = """
if line.worker == 1 and not os.path.exists("failed"):
    open("failed", "w").close()
    line.step(loss=1.0)
    line.step(loss=1.0)
    raise RuntimeError("on purpose")
"""


def test_restarts_and_a_killed_center(tmp_path):
    """A worker that fails is started again and rejoins at the center; a killed center goes on where it was."""
    run = Launched(tmp_path, LOOP.format(FAILS_ONCE), "-n", "2", "--restart")
    status = run.when("a restart", lambda s: s["workers"][1]["restarts"] == 1 and s["workers"][1]["made"] > 3)
    made = [w["made"] for w in status["workers"]]
    os.kill(status["center"]["pid"], signal.SIGKILL)
    run.when(
        "exchanges with its successor",
        lambda s: (
            s["center"]["restarts"] == 1 and all(w["made"] > m + 1 for w, m in zip(s["workers"], made, strict=True))
        ),
    )
    run.end()
    code, out, err = run.done()
    assert code == 0, err
    assert "worker 1 ended with exit code 1; it is started again" in out
    assert "the center has ended (signal 9) and is started again." in err


def test_stopped_and_resumed(tmp_path):
    """Ctrl-C: the workers hand in their last exchange, the center is written, exit code 130; --resume goes on."""
    run = Launched(tmp_path, LOOP.format(""), "-n", "2")
    status = run.exchanging(2)
    run.process.send_signal(signal.SIGINT)
    code, _, err = run.done()
    assert code == 130
    assert "springline: stopped; go on with `springline launch --resume --out run -n 2 script.py …`." in err
    assert "Traceback" not in err
    assert not (run.run / "summary.json").exists()
    before = load_file(run.run / "center.safetensors")
    rows = (run.run / "metrics.jsonl").read_text().splitlines()
    made = json.loads(rows[-1])["exchanges_made"]
    assert made >= sum(w["made"] for w in status["workers"])

    taken = Launched(tmp_path, LOOP.format(""), "-n", "2").done()
    assert taken[0] == 2
    assert "springline: run already holds a run; choose another folder, or (with springline launch) go on" in taken[2]

    (tmp_path / "end").touch()  # so that it ends at once, where it was
    code, _, err = Launched(tmp_path, LOOP.format("line.step(loss=1.0)"), "-n", "2", "--resume").done()
    assert code == 0, err
    after = load_file(run.run / "center.safetensors")
    assert all(bool((after[name] == before[name]).all()) for name in before), "workers did not start from the center"
    assert summary(run.run)["exchanges_made"] == made + 2


def test_too_few_workers(tmp_path):
    run = Launched(tmp_path, LOOP.format(""), "-n", "2", "--min-workers", "2")
    pid = run.exchanging(2)["workers"][0]["pid"]
    os.kill(pid, signal.SIGKILL)
    waits = run.when("it waits", lambda s: s["waits"])
    assert waits["waits"] == "1 of at least 2 workers are alive"
    run.process.send_signal(signal.SIGTERM)  # as Slurm and Kubernetes do, which stops it as Ctrl-C does
    code, _, err = run.done()
    assert code == 143
    assert "springline: stopped; go on with `springline launch --resume --out run" in err


FINISHES = """
if line.worker == 0:
    line.step(loss=1.0)
    line.step(loss=1.0)
    sys.exit()
"""


def test_who_has_finished_is_not_missed(tmp_path):
    """Scripts end one after the other; the last go on, though fewer are alive than have to be."""
    run = Launched(tmp_path, LOOP.format(FINISHES), "-n", "2", "--min-workers", "2")
    status = run.when("it has finished", lambda s: s["workers"][0]["state"] == "gone")
    made = status["workers"][1]["made"]
    run.when("the other goes on", lambda s: s["workers"][1]["made"] > made + 3)
    run.end()
    code, _, err = run.done()
    assert code == 0, err


DIES_EARLY = "import os\nassert os.environ['SPRINGLINE_WORKER'] != '1'\n" + LOOP.format("")


def test_gives_up_when_too_many_have_left(tmp_path):
    """One never comes, so that the other waits: for as long as there is patience, and then the center is written."""
    run = Launched(tmp_path, DIES_EARLY, "-n", "2", "--min-workers", "2", "--patience", "3")
    code, _, err = run.done()
    assert code == 1
    # one exchange was held back; the worker may begin another one before it hears that it is to leave
    assert re.search(
        r"springline: only 1 of at least 2 workers are left after \d+ exchanges; go on with", " ".join(err.split())
    ), err
    assert (run.run / "center.safetensors").exists()
    assert not (run.run / "summary.json").exists()


UNWRITABLE = """
line.step(loss=1.0)
if os.path.exists("run/center.safetensors"):
    os.remove("run/center.safetensors")
os.mkdir("run/center.safetensors")
sys.exit()
"""


def test_a_center_that_cannot_be_written(tmp_path):
    """A script by itself has no launcher to say so: its own exit code does."""
    (tmp_path / "script.py").write_text(LOOP.format(UNWRITABLE))
    env = environment() | {"SPRINGLINE_RUN": "run"}
    run = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=DEADLINE
    )
    assert run.returncode == 1, run.stderr
    assert "springline: the center of the run in run could not be kept or written ([Errno 21]" in run.stderr
    assert "springline: the process that keeps the center ended before worker 0 had parted from it" in run.stderr
    assert "Traceback" not in run.stderr


def test_orphans(tmp_path):
    """Nothing outlives a launcher that is killed."""
    run = Launched(tmp_path, LOOP.format(""), "-n", "2")
    status = run.exchanging(2)
    run.process.kill()
    run.process.communicate()
    pids = [w["pid"] for w in status["workers"]] + [status["center"]["pid"]]
    until("everybody gone", lambda: all(map(gone, pids)))


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        (LOOP.format("sys.exit()"), "script.py never called line.step(); call it after each optimizer.step()."),
        ("", "script.py ended without calling springline.tie, so every worker did the same work; tie the model"),
    ],
)
def test_refuses(tmp_path, script, sentence):
    code, _, err = Launched(tmp_path, script, "-n", "2").done()
    assert code == 2
    assert sentence in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--min-workers", "3", "--out", "run", "script.py"), "min_workers=3 is more than workers=2"),
        (("--resume", "--out", "run", "script.py"), "run holds no run (no config.json in it)"),
        (("nowhere.py",), "nowhere.py is no file; name the script"),
    ],
)
def test_refuses_before_a_worker_is_started(tmp_path, monkeypatch, capsys, options, sentence):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "script.py").touch()
    assert command_line(["launch", "-n", "2", *options]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"springline: {sentence}")
    assert err.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_no_memory_for_one_more(tmp_path):
    """Who would have joined is told so; the run goes on."""
    host = Host(RunFolder(tmp_path), 1)
    try:

        def add_rows(members: int) -> None:
            raise UsageError(f"/dev/shm is full for {members} workers")

        host.ground = SimpleNamespace(path=host.door.path, plan=SimpleNamespace(capacity=4), add_rows=add_rows)
        ours, theirs = wire.pair()
        config = dict.fromkeys(("method", "knobs", "tau", "seed"))
        host.job = job_of(METHODS["easgd"], 1, 1, 0)
        host.first = hello = {"hello": 0, "size": 4, "dtype": "float32", "fingerprint": "", "config": config}
        host.greet(ours, hello)
        assert wire.receive(theirs) == {"refused": "/dev/shm is full for 1 workers"}
        assert (host.strangers, host.greeting) == (["/dev/shm is full for 1 workers"], [])
        ours.close()
        theirs.close()
    finally:
        host.close()


def test_a_snapshot_that_a_ctrl_c_ends(tmp_path):
    """Gives its copy of the center back: another one is wanted before the end."""
    host = Host(RunFolder(tmp_path), 1)

    def snapshot(*_: object) -> None:
        raise KeyboardInterrupt

    try:
        host.ground = SimpleNamespace(path=host.door.path, words=[0] * 16)
        host.book = SimpleNamespace(snapshot=snapshot)
        host.ground.words[SPARE] = host.lent = 5
        with pytest.raises(KeyboardInterrupt):
            host.keep(1.0)
        assert (host.ground.words[SPARE], host.lent) == (0, 0)
    finally:
        host.book = None
        host.close()


def test_a_snapshot_of_another_method(tmp_path):
    files, defined = RunFolder(tmp_path / "run"), tmp_path / "defined"
    files.path.mkdir()
    defined.mkdir()
    (defined / "entries.json").write_text("[]")
    configs = [config_of(job_of(springline.method(name), 2, 1, 0), "script.py") for name in ("easgd", "eamsgd")]
    files.create(configs[0], overwrite=False)
    files.save_checkpoint(None, configs[0], 0.0, 0)
    with pytest.raises(UsageError, match=r"made by another method \(method 'easgd' → 'eamsgd'\); resume with the same"):
        Book(files, configs[1], defined, {}, resume=True)
    Book(files, configs[0], defined, {}, resume=True).writer.close()

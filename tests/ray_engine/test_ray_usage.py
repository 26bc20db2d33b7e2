"""What a user can get wrong is one sentence, within the time it may take."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from springline import RunError, UsageError, train
from springline.engines.ray import Ray

from .support import task


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"address": "ray://10.0.0.1:10001"}, "give HOST:PORT of the cluster's head"),
        ({"center_shards": 0}, "center_shards=0 is less than 1"),
        ({"min_workers": 0}, "min_workers=0 is less than 1"),
        ({"gpus_per_worker": -1}, "gpus_per_worker=-1 is not a number of them"),
    ],
)
def test_options(options, sentence):
    with pytest.raises(UsageError, match=sentence):
        Ray(**options)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"engine": Ray(min_workers=3)}, "min_workers=3 is more than workers=2"),
        ({"engine": Ray(gpus_per_worker=64)}, "2 workers with 64 GPUs each need 128, and this machine has"),
        ({"engine": Ray(order=(0, 5))}, "names a worker that is not there"),
        ({"engine": "ray", "buffers": "shared"}, "buffers=shared"),
        ({"engine": "ray", "pace": "constant:2"}, "pace is the simulator's, and under engine ray"),
    ],
)
def test_jobs(options, sentence):
    with pytest.raises(UsageError, match=sentence):
        train(task(), "easgd", workers=2, **options)


def test_an_address_that_does_not_answer():
    """In a program of its own: this one is connected to a cluster."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = (
        "from springline import train, UsageError\nfrom springline.engines.ray import Ray\n"
        "from tests.local.support import task\n"
        f"try:\n    train(task(), 'easgd', engine=Ray(address='127.0.0.1:{port}'), batch_size=16, guard=False)\n"
        "except UsageError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.startswith(f"no Ray cluster answers at 127.0.0.1:{port} (Connection refused); see `ray status`")


def test_a_start_that_does_not_succeed_says_what_it_waits_for(cluster):
    with pytest.raises(RunError, match=r"within 1 s: [12] of 2 workers wait for 99 CPU each; the cluster has \d+ CPU"):
        train(task(), "easgd", workers=2, engine=Ray(cpus_per_worker=99, patience=1.0))

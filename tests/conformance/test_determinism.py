"""The same seed gives the same bytes, in this process and in another; another seed does not."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
import torch

from .support import NAMES, job, run

FAULTS = ("drop:0.2", "slow:2,worker=0")
HERE = Path(__file__).parent.parent

pytestmark = pytest.mark.xdist_group("determinism")  # the other process is started once


def digest(name: str, seed: int = 0) -> str:
    what = replace(job(name, FAULTS, pace="gamma:batch=1,v=0.3"), seed=seed)
    kept, outcome = run(what)
    told = json.dumps(kept.rows).encode()
    return sha256(outcome.x.numpy().tobytes() + outcome.buffers.numpy().tobytes() + told).hexdigest()


@pytest.fixture(scope="module")
def elsewhere() -> dict[str, str]:
    """The digests of all methods, as another process finds them."""
    code = "import conformance.test_determinism as t, json; print(json.dumps({n: t.digest(n) for n in t.NAMES}))"
    threads = f"import torch; torch.set_num_threads({torch.get_num_threads()}); "
    done = subprocess.run(
        [sys.executable, "-c", threads + code], cwd=HERE, capture_output=True, text=True, check=True, timeout=120
    )
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_bytes(name: str, elsewhere: dict[str, str]) -> None:
    here = digest(name)
    assert digest(name) == here
    assert elsewhere[name] == here
    assert digest(name, seed=1) != here

"""No run outlives its test: one that a failed test has left would compute on beside all that follow."""

from __future__ import annotations

import contextlib
import threading

import pytest

from springline.errors import RunError, UsageError

from .support import DEADLINE, Watched, stop


@pytest.fixture(autouse=True)
def _no_run_is_left():
    yield
    for thread in threading.enumerate():
        if isinstance(thread, Watched):
            with contextlib.suppress(UsageError, RunError):
                stop(thread.folder)
            thread.join(DEADLINE)

"""Commands in the tests' own process, where a process of their own would only import torch once more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from springline.cli.exits import run

from .support import Done


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """told(*args): what a command that starts nothing says in `tmp_path`, and its exit code."""
    monkeypatch.chdir(tmp_path)

    def call(*args: str) -> Done:
        code = run([*args])
        return Done(code, *capsys.readouterr())

    return call

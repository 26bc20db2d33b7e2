"""`make docs` shows docstrings: every public name has one, and all can be rendered."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = "couplings data engines.local engines.ray methods models optim scenario tasks theory tied"
MODULES = ["springline", *(f"springline.{part}" for part in PARTS.split())]


def test_the_modules_are_those_of_the_makefile() -> None:
    text = (ROOT / "Makefile").read_text().replace("\\\n\t", "")
    assert f"API := springline $(addprefix springline.,{PARTS})" in text


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_says_what_it_is(module: str) -> None:
    imported = import_module(module)
    assert imported.__doc__
    for name in imported.__all__:
        thing = getattr(imported, name)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert thing.__doc__, f"{module}.{name}"
            assert not thing.__doc__.startswith(f"{name}("), f"{module}.{name} has only what a dataclass is given"


def test_it_is_rendered(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pdoc", "--math", "-o", str(tmp_path), *MODULES]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "workers that fail as the scenario says" in (tmp_path / "springline.html").read_text()
    assert (tmp_path / "springline" / "couplings.html").exists()

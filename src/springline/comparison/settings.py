"""What all runs of a comparison have in common, and the folder that holds them.

compare.json          the common settings, with the versions they were measured with, and the labels of the methods
LABEL/seed-S/         one run's folder
table.json            the result
curves.png            the picture
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import torch

from springline import __version__
from springline.checkpoint import write_atomically
from springline.config import RunConfig
from springline.errors import RunError, UsageError

SETTINGS, TABLE, PICTURE = "compare.json", "table.json", "curves.png"
LABELS = "labels"  # the methods as they were named, in the order of the last call


class Settings(NamedTuple):
    """common: the configuration of any of its runs; method, knobs and seed are each run's own."""

    common: RunConfig

    def as_json(self) -> dict[str, Any]:
        fields = self.common.model_dump(exclude={"method", "knobs", "seed"})
        return fields | {"springline": __version__, "torch": torch.__version__}

    def check_or_write(self, folder: Path, labels: Sequence[str]) -> None:
        """Write them, and how the methods are called, before those that are there already.

        Raises UsageError if the folder holds runs that were made with others.
        """
        path, mine = folder / SETTINGS, self.as_json()
        theirs = read_settings(folder) if path.exists() else mine
        called = [*dict.fromkeys([*labels, *theirs.pop(LABELS, ())])]
        if not path.exists() and (folder / "config.json").exists():
            raise UsageError(f"{folder} holds a single run; choose another folder for the comparison.")
        self._compare(folder, mine, theirs)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(path, (json.dumps(mine | {LABELS: called}, indent=2) + "\n").encode())
        except OSError as error:
            raise UsageError(f"{folder} cannot be written to ({error.strerror}); choose another folder.") from None

    def _compare(self, folder: Path, mine: dict[str, Any], theirs: dict[str, Any]) -> None:
        names = [*mine, *(name for name in theirs if name not in mine)]
        different = [f"{n} {theirs.get(n)!r} → {mine.get(n)!r}" for n in names if theirs.get(n) != mine.get(n)]
        if different:
            raise UsageError(
                f"{folder} holds runs made with other settings ({', '.join(different)}), which cannot be mixed; "
                "choose another folder, or replace them with --overwrite."
            )


def describe(settings: dict[str, Any]) -> str:
    """A title."""
    faults = " ".join(settings["faults"]) or "no faults"
    return f"{settings['task']}, {settings['workers']} workers, τ = {settings['tau']}, {faults}"


def read_settings(folder: Path) -> dict[str, Any]:
    """The common settings in a comparison's folder."""
    try:
        value = json.loads((folder / SETTINGS).read_text())
    except FileNotFoundError:
        raise UsageError(f"{folder} holds no comparison (no {SETTINGS} in it); name a comparison's folder.") from None
    except ValueError:
        value = None
    found: dict[str, Any] = value if isinstance(value, dict) else {}
    lists = isinstance(found.get("faults"), list) and isinstance(found.get(LABELS, []), list)
    if not (lists and found.keys() >= {"task", "workers", "tau"}):
        raise RunError(f"{folder / SETTINGS} is no comparison's; it was edited or cut short: restore it from a copy.")
    return found


def default_folder(settings: Settings) -> Path:
    """runs/TASK-…, the same for the same common settings, so that the same command goes on where it stopped."""
    digest = blake2b(json.dumps(settings.as_json(), sort_keys=True).encode(), digest_size=4).hexdigest()
    return Path("runs") / f"compare-{file_name(settings.common.task)}-{digest}"


def file_name(text: str) -> str:
    """The name of a task or method as part of a file's name."""
    return text.replace(":", ",").replace("/", "-").replace(os.sep, "-")


def run_folder(folder: Path, label: str, seed: int) -> Path:
    """Where one run lies."""
    return folder / file_name(label) / f"seed-{seed}"

"""A comparison read back from its folder, whether it has ended or not."""

from __future__ import annotations

from pathlib import Path

from springline.comparison.result import Comparison, Entry, Trace
from springline.comparison.settings import LABELS, SETTINGS, describe, file_name, read_settings
from springline.folder import RunFolder


def is_comparison(folder: Path) -> bool:
    return (folder / SETTINGS).exists()


def load_comparison(folder: Path) -> Comparison:
    """The runs that lie there; those that have not ended are traces with an error. Raises UsageError if none do."""
    settings = read_settings(folder)
    order = settings.get(LABELS, [])
    named = {file_name(label): label for label in order}
    found: dict[str, list[Trace]] = {}
    for config in folder.glob("*/seed-*/config.json"):
        seed = config.parent.name.removeprefix("seed-")
        if not seed.removeprefix("-").isdecimal():  # a copy that somebody has made
            continue
        files = RunFolder(config.parent)
        rows = tuple(files.read_metrics())
        error = None if rows and files.read_summary() is not None else "it has not ended."
        name = config.parent.parent.name
        found.setdefault(named.get(name, name), []).append(Trace(int(seed), rows, error))
    labels = sorted(found, key=lambda label: (order.index(label) if label in order else len(order), label))
    entries = [Entry(label, tuple(sorted(found[label], key=lambda t: t.seed))) for label in labels]
    return Comparison(describe(settings), tuple(entries), folder)

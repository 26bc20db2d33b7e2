"""A comparison before it runs: checked, and dealt out as one plan per method and seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from springline.comparison.settings import Settings, default_folder, run_folder
from springline.config import RunConfig
from springline.errors import UsageError
from springline.fleet import Plan
from springline.methods import METHODS, Method, name_and_knobs
from springline.setup import set_up
from springline.tasks import Task, load_task


@dataclass(frozen=True)
class Prepared:
    """methods: by label, the configuration of the first seed, and the method itself if it has no name in METHODS.

    seeds: of each method; own: the task, if it has no name.
    """

    methods: dict[str, tuple[RunConfig, Method | None]]
    seeds: range
    own: Task | None

    @property
    def settings(self) -> Settings:
        return Settings(next(iter(self.methods.values()))[0])

    @property
    def folder(self) -> Path:
        """The folder where these settings have their place."""
        return default_folder(self.settings)

    def plans(self, folder: Path) -> list[Plan]:
        """Seed by seed, so that whoever stops half-way has all methods under fewer seeds."""
        return [
            Plan(config.model_copy(update={"seed": seed}), run_folder(folder, label, seed), own)
            for seed in self.seeds
            for label, (config, own) in self.methods.items()
        ]


def prepare(
    task: Task | str,
    methods: Sequence[Method | str],
    *,
    seeds: int = 3,
    seed: int = 0,
    say: Callable[[str], None] = lambda _: None,
    **settings: Any,
) -> Prepared:
    """Check everything that can be wrong with any of the runs; see `compare` for the arguments."""
    if not methods:
        raise UsageError("there are no methods to compare; name at least one, for example easgd,geahes-o.")
    if seeds < 1:
        raise UsageError(f"seeds={seeds} is less than 1; it is the number of runs of each method.")
    labelled = [_labelled(method) for method in methods]
    loaded = load_task(task, say=say) if isinstance(task, str) else task
    apart = isinstance(task, str) and all(not isinstance(m, Method) or m.name in METHODS for _, m, _ in labelled)
    found: dict[str, tuple[RunConfig, Method | None]] = {}
    for label, method, own_knobs in labelled:
        job, _, config = set_up(loaded, method, seed=seed, **(settings | own_knobs))
        if apart:  # in a process of its own, one per core
            config = config.model_copy(update={"threads": 1})
        found[label] = config, None if job.method.name in METHODS else job.method
    return Prepared(found, range(seed, seed + seeds), None if isinstance(task, str) else task)


def _labelled(method: Method | str) -> tuple[str, Method | str, dict[str, str]]:
    """(label, method, its own knobs); text is NAME or NAME:knob=value:knob=value."""
    if isinstance(method, Method):
        return method.name, method, {}
    return method.strip(), *name_and_knobs(method)

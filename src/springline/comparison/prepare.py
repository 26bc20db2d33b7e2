"""A comparison before it runs: checked, and dealt out as one plan per method and seed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from springline.arguments import check_kinds
from springline.comparison.settings import Settings, default_folder, run_folder
from springline.config import RunConfig
from springline.errors import UsageError
from springline.fleet import Plan
from springline.methods import METHODS, Method, name_and_knobs
from springline.methods import method as named_method
from springline.scenario import Scenario
from springline.setup import find_engine, in_numbers, set_up, turned, unwritten
from springline.tasks import Task, load_task


@dataclass(frozen=True)
class Prepared:
    """methods: by label, the configuration of the first seed, and what of method and scenario it cannot tell.

    seeds: of each method; own: the task, if it has no name.
    """

    methods: dict[str, tuple[RunConfig, Method | None, Scenario | None]]
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
            Plan(config.model_copy(update={"seed": seed}), run_folder(folder, label, seed), method, scenario)
            for seed in self.seeds
            for label, (config, method, scenario) in self.methods.items()
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
    labelled: dict[str, tuple[Method, Collection[str]]] = {}
    for given in methods:
        label, method, own = _labelled(given)
        if label in labelled:
            raise UsageError(f"two of the methods are called {label}; leave one out, or give it a name of its own.")
        labelled[label] = method, own
    loaded = load_task(task, say=say) if isinstance(task, str) else task
    found: dict[str, tuple[RunConfig, Method | None, Scenario | None]] = {}
    for label, (method, own) in labelled.items():
        mine = {name: value for name, value in settings.items() if name not in own}
        turned_method = in_numbers(method.with_(**{name: mine.pop(name) for name in method.knobs() if name in mine}))
        job, _, config = set_up(loaded, turned_method, seed=seed, **mine)
        find_engine(config.engine)  # by its name, as a run that goes on finds it
        found[label] = config, *unwritten(turned_method, job.scenario)
    if isinstance(task, str) and not any(method or world for _, method, world in found.values()):
        one = {"threads": 1}  # each in a process of its own, one per core
        found = {label: (config.model_copy(update=one), None, None) for label, (config, _, _) in found.items()}
    return Prepared(found, range(seed, seed + seeds), None if isinstance(task, str) else task)


def _labelled(method: Method | str) -> tuple[str, Method, Collection[str]]:
    """(label, method, the knobs that are its own, whatever is turned in all); text is NAME or NAME:knob=value:…."""
    check_kinds(method=method)
    if isinstance(method, str):
        name, knobs = name_and_knobs(method)
        return method.strip(), named_method(name, **knobs), knobs
    method = in_numbers(method)
    knobs = turned(method) if method.name in METHODS else {}
    return ":".join([method.name, *(f"{name}={_text(value)}" for name, value in knobs.items())]), method, knobs


def _text(value: Any) -> str:
    """A knob's value as `name_and_knobs` and `read_knob` take it."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)

"""What a run is made of: from what a user writes, or from a configuration, to a job, an engine and back."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import fields, replace
from difflib import get_close_matches
from types import NoneType
from typing import Any

import numpy as np
import torch

from springline.arguments import check_kinds, check_names
from springline.config import RunConfig
from springline.engines.base import Engine
from springline.engines.job import Job
from springline.engines.local import Local
from springline.engines.ray import Ray
from springline.engines.simulator import Simulator
from springline.errors import UsageError, unknown
from springline.methods import METHODS, Method
from springline.methods import method as named_method
from springline.methods.base import LABELS
from springline.scenario import Scenario
from springline.tasks.base import Task
from springline.tasks.registry import is_named, load_task

ENGINES: dict[str, Engine] = {engine.name: engine for engine in (Simulator(), Local(), Ray())}
PARTS = Scenario().text()  # of a scenario, each with what it usually is
JOB_FIELDS = tuple(f.name for f in fields(Job) if f.name not in ("task", "method", "scenario"))
_LENGTH = "give rounds, the exchanges of every worker, with tau local steps each"
_OPTIMISER = "the optimiser belongs to the method: choose another method, or dataclasses.replace(method, optimiser=…)"
MEANT = {  # what these arguments of others are called here
    "epochs": _LENGTH,
    "steps": _LENGTH,
    "iterations": _LENGTH,
    "learning_rate": "give lr",
    "optimiser": _OPTIMISER,
    "optimizer": _OPTIMISER,
}
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")  # in an object's text; another one in every process
PLAIN = (str, bool, int, float, tuple, list)  # the knobs that a configuration holds as they are


def set_up(
    task: Task | str,
    method: Method | str = "geahes-o",
    *,
    scenario: Scenario | None = None,
    engine: Engine | str = "simulator",
    **settings: Any,
) -> tuple[Job, Engine, RunConfig]:
    """What `train` would run with these arguments, checked, and as its configuration; nothing is run or written.

    settings: fields of the `Job`, parts of the scenario, and the method's knobs; see `train` for all of them.
    """
    check_kinds(task=task, method=method, scenario=scenario, engine=engine, **settings)
    check_names(settings, method)
    parts = {name: settings.pop(name) for name in PARTS if name in settings}
    chosen = {name: settings.pop(name) for name in JOB_FIELDS if name in settings}
    if chosen.get("eval_every") is None:
        chosen["eval_every"] = max(1, chosen.get("rounds", Job.rounds) // 50)
    chosen_method = named_method(method) if isinstance(method, str) else method
    _check_knobs(settings, chosen_method)
    turned_method = in_numbers(chosen_method.with_(**settings))
    given = [name for name, value in parts.items() if value not in (PARTS[name], ())]
    if given and scenario is not None:
        raise UsageError(f"both scenario= and {given[0]}= were given; put the {given[0]} into the scenario.")
    world = scenario or Scenario.of(**parts)
    job = Job(load_task(task) if isinstance(task, str) else task, turned_method, world, **chosen)
    player = find_engine(engine)
    written = {name: getattr(job, name) for name in JOB_FIELDS} | chosen  # the job has worked its schedule in
    config = RunConfig(
        task=job.task.name,
        method=turned_method.name,
        knobs=turned(turned_method),
        engine=player.name,
        engine_options=player.options(),
        threads=torch.get_num_threads(),
        **written,
        **world.text(),
    )
    player.check(job)
    return job, player, config


def _check_knobs(given: Iterable[str], method: Method) -> None:
    """Raises UsageError for a name that is no knob: the argument that it means, or all that there are."""
    knobs = list(method.knobs())
    for name in given:
        if name in knobs:
            continue
        if name in MEANT:
            raise UsageError(f"unknown argument {name!r}; {MEANT[name]}.")
        sentence = str(unknown("knob", name, knobs, f" of method {method.name!r}"))
        if not get_close_matches(name, knobs):
            sentence = (
                f"{sentence.removesuffix('.')}; beside knobs there are {', '.join(sorted({*PARTS, *JOB_FIELDS}))}."
            )
        raise UsageError(sentence)


def rebuild(
    config: RunConfig, task: Task | None = None, method: Method | None = None, scenario: Scenario | None = None
) -> tuple[Job, Engine]:
    """What a configuration describes, on the threads it names; objects that have no name have to be given."""
    if task is None:
        if not is_named(config.task):
            raise UsageError(f"the configuration: task {config.task!r} is your own; pass it to resume(task=…).")
        task = load_task(config.task)
    if method is None:
        if config.method not in METHODS:
            near = get_close_matches(config.method, METHODS, n=1)
            meant = f", or write {near[0]} there if that was meant" if near else ""
            raise UsageError(
                f"the configuration: method {config.method!r} is your own; pass it to resume(method=…){meant}."
            )
        try:
            method = named_method(config.method, **config.knobs)
        except UsageError as error:  # a knob that was an object, a schedule for example, or was edited
            raise UsageError(f"{str(error).removesuffix('.')}; pass the method to resume(method=…).") from None
    if config.threads is not None:
        torch.set_num_threads(config.threads)  # sums of another number of threads round differently
    job = Job(
        task,
        method,
        scenario or Scenario.of(config.faults, config.pace, config.network, config.topology),
        **config.model_dump(include=set(JOB_FIELDS)),
    )
    player = find_engine(config.engine).with_options(config.engine_options)
    player.check(job)
    return job, player


def find_engine(engine: Engine | str) -> Engine:
    """The named engine, or the engine itself."""
    if isinstance(engine, Engine):
        return engine
    if engine not in ENGINES:
        raise unknown("engine", engine, list(ENGINES))
    return ENGINES[engine]


def check_same(config: RunConfig, task: Task | None, method: Method | None, scenario: Scenario | None) -> None:
    """Raises UsageError, saying what differs, where one of these is not what the configuration describes."""
    given: dict[str, Any] = {} if scenario is None else scenario.text()
    if task is not None and task.name != config.task:  # it may be written otherwise there
        named = is_named(config.task) and load_task(config.task).name == task.name
        given |= {} if named else {"task": task.name}
    if method is not None:
        given |= {"method": method.name, "knobs": turned(in_numbers(method))}
    if different := config.differences(RunConfig(**config.model_dump() | given)):
        raise UsageError(
            f"the run was begun with other arguments ({different}), and its state fits no others; pass those that it "
            "was begun with, or start a new run."
        )


def turned(method: Method) -> dict[str, Any]:
    """The knobs in which a method differs from the registered one of its name; of a method of one's own all knobs.

    A knob that is an object, such as a schedule, is there as its text, for the reader; so are all of one's own method.
    Raises UsageError if knobs cannot turn that one into this one: it could not be resumed from its name.
    """
    kept = PLAIN if method.name in METHODS else ()
    return {name: v if isinstance(v, kept) else _ADDRESS.sub("", repr(v)) for name, v in _turned(method).items()}


def unwritten(method: Method, scenario: Scenario) -> tuple[Method | None, Scenario | None]:
    """Those of the two that a configuration cannot tell, so that `rebuild` has to be given them; None for the others.

    A method without a name in METHODS or with an object for a knob; a scenario with a part of the user's own.
    """
    told = method.name in METHODS and all(isinstance(v, (*PLAIN, NoneType)) for v in _turned(method).values())
    try:
        again = Scenario.of(**scenario.text())
    except UsageError:
        again = None
    return None if told else method, None if again == scenario else scenario


def _turned(method: Method) -> dict[str, Any]:
    if method.name not in METHODS:
        return _knobs(method)
    usual = METHODS[method.name]
    theirs = _knobs(usual)
    found = {name: v for name, v in _knobs(method).items() if name not in theirs or v != theirs[name]}
    labels = {name: getattr(usual, name) for name in LABELS}
    if not found.keys() <= theirs.keys() or usual.with_(**found) != replace(method, **labels):
        raise UsageError(
            f"method {method.name!r} is not the registered one, whatever its knobs; give it a name of its own."
        )
    return found


def _knobs(method: Method) -> dict[str, Any]:
    """Every knob's value."""

    def value(path: tuple[str, ...]) -> Any:
        part: Any = method
        for name in path:
            part = getattr(part, name)
        return part

    return {name: value(path) for name, path in method.knobs().items()}


def in_numbers(method: Method) -> Method:
    """Knobs that are numbers of NumPy's or torch's as Python's, which a configuration can hold."""
    single = (np.generic, np.ndarray, torch.Tensor)
    return method.with_(**{k: v.item() for k, v in _knobs(method).items() if isinstance(v, single) and v.ndim == 0})

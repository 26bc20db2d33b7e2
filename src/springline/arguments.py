"""What a program may hand to `train`: that each argument is of a kind that can be meant, before it is looked at."""

from __future__ import annotations

from difflib import get_close_matches
from numbers import Integral
from typing import Any

from springline.engines.base import Engine
from springline.errors import UsageError, unknown
from springline.methods import METHODS, Method
from springline.scenario import Fault, Network, Pace, Scenario, Topology
from springline.tasks.base import Task

WHOLE = ("workers", "tau", "rounds", "batch_size", "eval_every", "seed")
KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "task": ((Task, str), "a springline.Task or the name of one"),
    "method": ((Method, str), "a springline.Method or the name of one"),
    "scenario": ((Scenario, type(None)), "a Scenario"),
    "engine": ((Engine, str), "an engine or the name of one"),
    "faults": ((Fault, str, list, tuple), "a list of faults, as text or objects"),
    "pace": ((Pace, str), "a pace, as text or an object"),
    "network": ((Network, str), "a network, as text or an object"),
    "topology": ((Topology, str), "a topology, as text or an object"),
    "schedule": ((str,), "text"),
}
OTHERS = ("device", "compiled", "sampler", "buffers", "out", "overwrite", "checkpoint_every", "progress", "guard")


def check_kinds(**given: Any) -> None:
    """Raises UsageError for an argument that is not of its kind; names that are none of these are not looked at."""
    faults = given.get("faults", ())
    each = [("faults", fault) for fault in faults] if isinstance(faults, (list, tuple)) else []
    for name, value in [*given.items(), *each]:
        allowed, wanted = KINDS.get(name, ((object,), ""))
        if not isinstance(value, allowed):
            raise UsageError(f"{name}={value!r} is of type {type(value).__name__}; give {wanted}.")
        left_out = name == "eval_every" and value is None
        if name in WHOLE and not left_out and (isinstance(value, bool) or not isinstance(value, Integral)):
            raise UsageError(f"{name}={value!r} is no whole number; give one.")


def check_names(given: dict[str, Any], method: Method | str) -> None:
    """Raises UsageError for a name that is neither an argument's nor a knob's, but close to an argument's."""
    chosen = METHODS.get(method) if isinstance(method, str) else method
    arguments = [*KINDS, *WHOLE, *OTHERS]
    for name in given:
        if chosen is not None and name not in chosen.knobs() and name not in arguments:
            near = get_close_matches(name, [*arguments, *chosen.knobs()], n=1)
            if near and near[0] in arguments:
                raise unknown("argument", name, arguments)

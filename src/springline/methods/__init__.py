"""The named methods: METHODS is the one list that the command line, the docs and the conformance tests read.

Each family has a file with its entries, in the order in which they are listed.
"""

from __future__ import annotations

from typing import Any

from springline.errors import UsageError, unknown
from springline.methods.base import Method
from springline.methods.citations import CITATIONS
from springline.methods.elastic import ELASTIC
from springline.methods.pushing import PUSHING
from springline.methods.sequential import SEQUENTIAL
from springline.methods.synchronous import SYNCHRONOUS
from springline.methods.tree import TREE

METHODS: dict[str, Method] = {method.name: method for method in (*ELASTIC, *SYNCHRONOUS, *TREE, *PUSHING, *SEQUENTIAL)}


def method(name: str, **knobs: Any) -> Method:
    """The named method with some knobs turned: `method("easgd", alpha=0.2, lr=0.05)`."""
    if name not in METHODS:
        raise unknown("method", name, list(METHODS))
    return METHODS[name].with_(**knobs)


def name_and_knobs(text: str) -> tuple[str, dict[str, str]]:
    """What NAME:knob=value:knob=value says: the name, and the knobs that are turned."""
    name, *parts = text.strip().split(":")
    knobs = {}
    for part in parts:
        knob, equals, value = part.partition("=")
        if not (knob and equals and value):
            raise UsageError(f"method {text}: write NAME:knob=value, for example easgd:alpha=0.2.")
        knobs[knob.replace("-", "_")] = value
    return name, knobs


__all__ = ["CITATIONS", "METHODS", "Method", "method", "name_and_knobs"]

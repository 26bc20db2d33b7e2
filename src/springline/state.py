"""State as plain trees, and their way into a file and back without pickle.

A state is a tree of records, dicts (string keys), lists and tuples, whose leaves are tensors and JSON values.
`flatten` splits it into named tensors (for safetensors) and a JSON value; `unflatten` puts it together again. A tensor
that stands in several places (a message to several nodes) is named once. A record is a `NamedTuple` or a dataclass; its
class is written by name and must have been marked with `@state`, so a file can create nothing else.
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

from torch import Tensor

_CLASSES: dict[str, type] = {}
C = TypeVar("C", bound=type)


def state(cls: C) -> C:
    """Mark a `NamedTuple` or a dataclass as one that may stand in a checkpoint."""
    name = f"{cls.__module__.rpartition('.')[2]}.{cls.__qualname__}"
    assert _CLASSES.setdefault(name, cls) is cls, f"two state classes are named {name}"
    cls.state_name = name  # type: ignore[attr-defined]
    return cls


def flatten(tree: Any) -> tuple[dict[str, Tensor], Any]:
    """Tensors by path, and the rest as JSON in which `{"$": path}` stands for a tensor."""
    tensors: dict[str, Tensor] = {}
    paths: dict[int, str] = {}

    def walk(node: Any, path: str) -> Any:
        if isinstance(node, Tensor):
            name = paths.setdefault(id(node), path)
            tensors[name] = node
            return {"$": name}
        if hasattr(type(node), "state_name"):
            names = type(node).__match_args__
            fields = {k: walk(getattr(node, k), f"{path}.{k}" if path else k) for k in names}
            return {"@": type(node).state_name, "fields": fields}
        if isinstance(node, dict):
            assert all(isinstance(k, str) for k in node), f"{path}: a state dict has string keys"
            return {"{": {k: walk(v, f"{path}.{k}" if path else k) for k, v in node.items()}}
        if isinstance(node, (list, tuple)):
            items = [walk(v, f"{path}.{i}" if path else str(i)) for i, v in enumerate(node)]
            return {"(": items} if isinstance(node, tuple) else items
        if isinstance(node, float) and not math.isfinite(node):
            return {"float": str(node)}
        assert node is None or isinstance(node, (bool, int, float, str)), f"{path}: {type(node)} is not a state"
        return node

    return tensors, walk(tree, "")


def unflatten(tensors: dict[str, Tensor], tree: Any) -> Any:
    """The tree that `flatten` took apart. A tensor that stood in several places comes back as several."""
    given: set[str] = set()

    def walk(node: Any) -> Any:
        if isinstance(node, list):
            return [walk(v) for v in node]
        if not isinstance(node, dict):
            return node
        if "$" in node:
            name = node["$"]
            tensor = tensors[name].clone() if name in given else tensors[name]
            given.add(name)
            return tensor
        if "float" in node:
            return float(node["float"])
        if "(" in node:
            return tuple(walk(v) for v in node["("])
        if "{" in node:
            return {k: walk(v) for k, v in node["{"].items()}
        return _CLASSES[node["@"]](**{k: walk(v) for k, v in node["fields"].items()})

    return walk(tree)

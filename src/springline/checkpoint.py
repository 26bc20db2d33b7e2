"""A state in one file: safetensors, a digest over all of it, and never a half-written one.

The tensors stand in the file as such; the rest of the tree, and a SHA-256 over tensors and tree, in its metadata. A
file is written beside its place and moved there, so a reader sees the old state or the new one.
"""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from springline import __version__
from springline.errors import RunError
from springline.state import flatten, unflatten

FORMAT = "springline checkpoint 3"


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all, even if the machine stops."""
    temporary = _beside(path)
    temporary.write_bytes(data)
    _into_place(temporary, path)


def save_state(path: Path, tree: Any) -> None:
    """Write a state tree (see `springline.state`). Raises OSError if the file cannot be written."""
    tensors, rest = flatten(tree)
    written: dict[tuple[Any, ...], str] = {}
    unique, same = {}, {}  # what many hold, as workers that have been sent the same message do, is written once
    places = set()
    for name, t in tensors.items():
        held = (t.data_ptr(), t.shape, t.stride(), t.dtype, t.device) if t.numel() else (name,)
        if held in written:
            same[name] = written[held]
            continue
        written[held] = name
        t = t.detach().contiguous().cpu()
        # a view of another's memory (a center's row) is written by its own name
        unique[name] = t.clone() if t.data_ptr() in places else t
        places.add(t.data_ptr())
    text, shared = json.dumps(rest), json.dumps(same)
    digest = _digest(unique, text + shared)
    metadata = {"format": FORMAT, "version": __version__, "state": text, "same": shared, "sha256": digest}
    temporary = _beside(path)
    try:
        save_file(unique, temporary, metadata)  # straight from the tensors: a state can be half of the memory there is
    except SafetensorError as error:  # what the system said, as safetensors puts it
        temporary.unlink(missing_ok=True)  # a disk that is full has no room for half of one
        raise OSError(str(error)) from error
    _into_place(temporary, path)


def load_state(path: Path, device: torch.device | str = "cpu") -> Any:
    """Read it back, onto a device. Raises RunError for a file that is truncated, edited or no checkpoint."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except FileNotFoundError:
        raise RunError(f"{path} does not exist; the run was stopped before its first checkpoint.") from None
    except (SafetensorError, OSError) as error:
        raise _damaged(path, str(error)) from error
    if metadata.get("format") != FORMAT:
        raise _damaged(path, f"format {metadata.get('format')!r}")
    if _digest(tensors, metadata.get("state", "") + metadata.get("same", "")) != metadata.get("sha256"):
        raise _damaged(path, "its digest does not match")
    try:
        same = json.loads(metadata.get("same", "{}"))
        there = {name: t.to(device) for name, t in tensors.items()}
        return unflatten(there | {name: there[owner] for name, owner in same.items()}, json.loads(metadata["state"]))
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"{path} was written by springline {metadata.get('version')} and holds a state that {__version__} does not "
            f"know ({error}); resume the run with that version, or start it again with --overwrite."
        ) from error


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def _into_place(temporary: Path, path: Path) -> None:
    """Move a file to where it belongs, once the disk has it."""
    with open(temporary, "rb+") as file:
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _damaged(path: Path, why: str) -> RunError:
    return RunError(
        f"{path} is not a whole checkpoint ({why}); it was truncated or edited: restore it from a copy, or start the "
        "run again with --overwrite."
    )


def _digest(tensors: dict[str, Tensor], text: str) -> str:
    digest = sha256(text.encode())
    for name in sorted(tensors):
        t = tensors[name]
        digest.update(f"{name} {t.dtype} {tuple(t.shape)}".encode())
        digest.update(t.reshape(-1).view(torch.uint8).numpy().data if t.numel() else b"")
    return digest.hexdigest()

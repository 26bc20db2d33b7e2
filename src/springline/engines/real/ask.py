"""How other programs speak to a running run, see control.py; no torch is imported for that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from springline.engines.real import wire
from springline.engines.real.place import find
from springline.errors import RunError, UsageError


def ask(folder: Path | str, what: str, timeout: float = 10.0) -> dict[str, Any]:
    """Ask the run in a run folder. Raises UsageError if none is going on there or it refuses; RunError if
    it does not answer.
    """
    return ask_place(find(folder), what, timeout)


def ask_place(place: Path, what: str, timeout: float = 10.0) -> dict[str, Any]:
    try:
        with wire.connect(str(place / "control.sock")) as sock:
            sock.settimeout(timeout)
            wire.send(sock, {"do": what})
            packet, files = wire.receive_fds(sock)
    except OSError as error:
        raise RunError(f"the run at {place} does not answer ({error}); it may just be ending.") from None
    if packet is None or not files:
        raise RunError(f"the run at {place} ended before it answered.")
    with open(files[0], "rb") as file:
        file.seek(0)  # the run has left off behind it
        answer: dict[str, Any] = json.load(file)
    if "error" in answer:
        raise UsageError(answer["error"])
    return answer


def join(folder: Path | str) -> int:
    """Add a worker to the run in a run folder; it starts from the center. Returns its number."""
    joined: int = ask(folder, "join")["joined"]
    return joined

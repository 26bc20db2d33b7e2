"""A run of engine `local` on MNIST that goes on for as long as a benchmark looks at it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import springline
from springline.engines.real.ask import ask
from springline.errors import RunError, UsageError
from springline.methods import METHODS

WORKERS, TAU, BATCH = 4, 4, 64
LOOK = 0.01  # seconds between two looks: a status costs the run a fraction of a millisecond


class Running:
    """knobs: of EASGD. It is running, and has exchanged, when this is made."""

    def __init__(self, folder: Path, task: springline.Task, **knobs: Any) -> None:
        self.folder = folder
        method = METHODS["easgd"].with_(**knobs)
        self.thread = threading.Thread(target=self._live, args=(task, method), daemon=True)
        self.thread.start()
        self.when(lambda s: all(w["made"] > 20 for w in s["workers"]))

    def _live(self, task: springline.Task, method: springline.Method) -> None:
        endless: dict[str, Any] = {"workers": WORKERS, "tau": TAU, "rounds": 10**7, "eval_every": 10**7}
        try:
            springline.train(task, method, engine="local", out=self.folder, batch_size=BATCH, **endless)
        except KeyboardInterrupt:
            return

    def status(self) -> dict[str, Any]:
        return ask(self.folder, "status")

    def when(self, holds: Callable[[dict[str, Any]], bool]) -> None:
        """Wait until something holds of its status."""
        while self.thread.is_alive():
            try:
                if holds(self.status()):
                    return
            except (UsageError, RunError):  # it has not begun
                pass
            time.sleep(LOOK)
        raise SystemExit("the run ended too early")

    def kill(self, i: int) -> dict[str, float]:
        """SIGKILL for worker i: seconds until it is seen, until its successor's first step and first exchange."""
        worker = self.status()["workers"][i]
        begin, found = time.monotonic(), {}
        os.kill(worker["pid"], signal.SIGKILL)
        self.when(lambda s: s["workers"][i]["pid"] != worker["pid"])
        found["seen"] = time.monotonic() - begin
        self.when(lambda s: s["workers"][i]["restarts"] > worker["restarts"])
        self.when(lambda s: s["workers"][i]["state"] in ("computing", "exchanging"))
        found["step"] = time.monotonic() - begin
        made = self.status()["workers"][i]["made"]
        self.when(lambda s: s["workers"][i]["made"] > made)
        return found | {"back": time.monotonic() - begin}

    def stop(self) -> None:
        ask(self.folder, "stop")
        self.thread.join()

"""The center of scripts that run as tasks or actors of a Ray cluster, on whichever machines: found by name on it."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from springline.errors import RunError
from springline.tied.connector import Connector, Offer

if TYPE_CHECKING:
    from springline.tied.ray_connection import RayConnection

PATIENCE = 60.0  # seconds for the center to answer


@dataclass(frozen=True)
class RayConnector(Connector):
    """name: of the center. All tasks that name the same one are tied to it, whatever has started them."""

    name: str

    @staticmethod
    def at_home() -> RayConnector | None:
        """In a task or an actor of Ray: the one center of the program that started it."""
        ray = sys.modules.get("ray")
        if ray is None or not ray.is_initialized():
            return None
        context = ray.get_runtime_context()
        return RayConnector(context.get_job_id()) if context.worker.mode == ray.WORKER_MODE else None

    def connect(self, offer: Offer) -> RayConnection:
        from springline.tied.ray_connection import Ended, RayConnection

        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return RayConnection(self.name, offer, deadline)
            except Ended:  # all who were tied to it had just parted; the next one begins anew
                if time.monotonic() > deadline:
                    raise RunError(f"the center {self.name!r} ended again and again; give each run its own.") from None
                time.sleep(0.05)

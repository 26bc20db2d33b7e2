"""Finding a Ray cluster, or starting one on this machine for the time of a run."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import ray

from springline.engines.job import Job
from springline.errors import RunError, UsageError

if TYPE_CHECKING:
    from springline.engines.ray import Ray

NAMESPACE = "springline"
ANSWER = 10.0  # seconds for an address to answer
PATIENCE = 3.0  # seconds until it is said that somebody is waited for

log = logging.getLogger("springline.ray")


@contextmanager
def connected(engine: Ray, job: Job) -> Iterator[None]:
    """In the block, this process belongs to a Ray cluster. One that was started for it ends with it.

    A program that is connected already stays so, to the same cluster. Token authentication is what Ray's own settings
    say: on for a cluster started here, as the cluster's otherwise.
    """
    if ray.is_initialized():
        yield
        return
    if engine.address is None:
        cpus = max(len(os.sched_getaffinity(0)), int(job.workers * engine.cpus_per_worker + 0.999))
        _init(address="local", num_cpus=cpus, include_dashboard=False)
    else:
        if engine.address != "auto":
            _knock(engine.address)
        _init(address=engine.address)
    try:
        yield
    finally:
        ray.shutdown()


def _init(address: str, **settings: Any) -> None:
    news = threading.Timer(PATIENCE, log.warning, ("waiting for an answer of the Ray cluster at %s.", address))
    news.daemon = True
    if address != "local":  # to start one takes a few seconds, and fails by itself
        news.start()
    before = signal.getsignal(signal.SIGTERM)  # Ray takes it, and ends the program without a snapshot
    try:
        ray.init(
            address=address,
            namespace=NAMESPACE,
            log_to_driver=False,
            configure_logging=False,
            logging_level=logging.ERROR,
            **settings,
        )
    except ConnectionError as error:
        raise UsageError(
            f"no Ray cluster was found at {address!r} ({_line(error)}); start one with `ray start --head`."
        ) from None
    except (RuntimeError, ray.exceptions.AuthenticationError) as error:
        if "token" in str(error).lower():
            raise UsageError(
                f"the Ray cluster at {address!r} wants its token, and this machine has another or none; copy the "
                "head's ~/.ray/auth_token to the same place here, or set RAY_AUTH_TOKEN."
            ) from None
        raise RunError(f"Ray could not be started at {address!r}: {_line(error)}") from None
    finally:
        news.cancel()
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _knock(address: str) -> None:
    """Raises UsageError if nobody listens there."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise UsageError(
            f"address={address!r} is not HOST:PORT; give that of the cluster's head, for example 10.0.0.1:6379."
        )
    try:
        socket.create_connection((host, int(port)), timeout=ANSWER).close()
    except OSError as error:
        raise UsageError(
            f"no Ray cluster answers at {address} ({error.strerror or error}); see `ray status` on its head, or start "
            "one there with `ray start --head`."
        ) from None


def waits_for(waiting: int, workers: int, engine: Ray) -> str:
    """What workers that were not started yet wait for."""
    wants = {"CPU": engine.cpus_per_worker, "GPU": engine.gpus_per_worker}
    there: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    each = " and ".join(f"{amount:g} {name}" for name, amount in wants.items() if amount) or "a place"
    has = " and ".join(f"{there.get(name, 0):g} {name}" for name, amount in wants.items() if amount) or "none"
    return f"{waiting} of {workers} workers wait for {each} each; the cluster has {has}"


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]

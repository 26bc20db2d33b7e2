"""One Ray cluster for all of these tests, with a token; starting one takes seconds."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

HERE = Path(__file__).parent

# read once, when Ray is first imported
os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": uuid4().hex * 2, "RAY_USAGE_STATS_ENABLED": "0"}

# Ray leaves sockets and pipes of processes that have ended to the garbage collector, and says that some of its own
# modules will move; both happen in Ray's code, whoever calls it.
RAYS_OWN = (
    "ignore:.*:ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
    "ignore:.*:FutureWarning:ray.*",
    "ignore:.*:DeprecationWarning:ray.*",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == HERE:
            for line in RAYS_OWN:
                item.add_marker(pytest.mark.filterwarnings(line))
            item.add_marker(pytest.mark.xdist_group("ray"))


@pytest.fixture(scope="session")
def cluster() -> Iterator[object]:
    """Its first machine, with three CPUs; machines that die are missed after a second."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ray
        from ray.cluster_utils import Cluster

        quick = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 300, "health_check_failure_threshold": 3}
        machine = {"num_cpus": 3, "object_store_memory": 200 << 20, "include_dashboard": False, "_system_config": quick}
        found = Cluster(initialize_head=True, head_node_args=machine)
        settings = {"logging_level": logging.ERROR, "log_to_driver": False}
        found_here = [str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        paths = {"env_vars": {"PYTHONPATH": os.pathsep.join(found_here)}}  # workers import the tests' own modules
        ray.init(address=found.address, namespace="springline", runtime_env=paths, **settings)
        yield found
        ray.shutdown()
        found.shutdown()


@pytest.fixture(scope="module")
def hands(cluster: object) -> Iterator[None]:
    """Actors that one test leaves are there for the next."""
    from springline.engines.ray.pool import warm

    with warm():
        yield

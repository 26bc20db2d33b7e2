"""Which faults of a scenario befall the workers, and which the center."""

from __future__ import annotations

from dataclasses import replace

from springline.scenario.center_crash import CenterCrash
from springline.scenario.crash import Crash
from springline.scenario.fault import Fault
from springline.scenario.scenario import Scenario
from springline.scenario.script import Script


def of_workers(scenario: Scenario) -> Scenario:
    """Without those that befall the center."""
    return replace(scenario, faults=tuple(f for f in scenario.faults if not isinstance(f, CenterCrash)))


def of_center(scenario: Scenario) -> list[CenterCrash]:
    return [f for f in scenario.faults if isinstance(f, CenterCrash)]


def comes_back_stale(fault: Fault) -> bool:
    """Whether a worker may have to come back as it was, so that what it is has to be kept."""
    return isinstance(fault, (Crash, Script)) and fault.rejoin == "stale"

"""The world a run lives in: pace, communication and faults, and the fate they hold for every worker's every round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from springline import options
from springline.scenario.fault import UNHARMED, Course, Fate, Fault, Moment
from springline.scenario.network import Network
from springline.scenario.pace import Constant, Pace
from springline.scenario.parse import FAULTS, PACES, TOPOLOGIES, parse_fault, parse_network, parse_pace, parse_topology
from springline.scenario.topology import Star, Topology
from springline.streams import stream


@dataclass(frozen=True)
class Scenario:
    """faults: what breaks; pace: step times; network: what communication costs; topology: who is connected to whom.

    Each may be given as its text: `Scenario.of(["drop:0.333"], pace="gamma:batch=128", topology="tree:16")`.
    """

    faults: tuple[Fault, ...] = ()
    pace: Pace = field(default_factory=Constant)
    network: Network = field(default_factory=Network)
    topology: Topology = field(default_factory=Star)

    def __post_init__(self) -> None:
        given = [self.faults] if isinstance(self.faults, (str, Fault)) else self.faults
        faults: list[Any] = [parse_fault(f) if isinstance(f, str) else f for f in given]
        # a single worker may be given as a number
        faults = [replace(f, worker=(f.worker,)) if isinstance(f.worker, int) else f for f in faults]
        object.__setattr__(self, "faults", tuple(faults))

    @staticmethod
    def of(
        faults: Sequence[Fault | str] | Fault = (),
        pace: Pace | str = "constant",
        network: Network | str = "",
        topology: Topology | str = "star",
    ) -> Scenario:
        """A scenario from objects or their text. Raises UsageError for text that cannot be read."""
        return Scenario(
            faults,  # type: ignore[arg-type]
            parse_pace(pace) if isinstance(pace, str) else pace,
            parse_network(network) if isinstance(network, str) else network,
            parse_topology(topology) if isinstance(topology, str) else topology,
        )

    def text(self) -> dict[str, Any]:
        """What `Scenario.of(**…)` reads back; of a part of the user's own only what it is called."""
        return {
            "faults": [_written(fault) for fault in self.faults],
            "pace": _written(self.pace),
            "network": options.write_fields(self.network),
            "topology": _written(self.topology),
        }

    def check(self, workers: int, rounds: int) -> None:
        """Raises UsageError for a fault that befalls nobody in so many rounds, or a part that N workers do not fit."""
        self.topology.check(workers)
        self.pace.check(workers, self.network)
        for fault in self.faults:
            fault.check(workers, rounds)


def _written(part: Fault | Pace | Topology) -> str:
    known = (*FAULTS.values(), *PACES.values(), *TOPOLOGIES.values())
    return options.write(part) if type(part) in known else getattr(part, "name", type(part).__name__)


class Fates:
    """What a scenario's faults hold for each worker under one seed.

    Each (fault, worker) draws from streams of its own, keyed by the fault's place among those of its kind, so adding a
    fault changes nothing about the others.
    """

    def __init__(self, scenario: Scenario, seed: int, workers: int) -> None:
        self._courses: list[list[Course]] = [[] for _ in range(workers)]
        seen: dict[str, int] = {}
        for fault in scenario.faults:
            nth = seen[fault.name] = seen.get(fault.name, -1) + 1
            for worker in range(workers):
                if fault.befalls(worker):
                    draw = partial(stream, seed, f"fault {fault.name}", nth, 0 if fault.common else worker)
                    self._courses[worker].append(fault.course(draw))

    def of(self, worker: int, moment: Moment) -> Fate:
        """The fate of a worker's round."""
        fate = UNHARMED
        for course in self._courses[worker]:
            fate = fate.also(course(moment))
        return fate

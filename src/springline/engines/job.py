"""What an engine is asked to run, checked once for all engines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, get_args

from torch import Tensor

from springline.couplings.base import DIFFERENCE, LANDED, Ease, Exchange
from springline.data.batches import Batches, Feed, Partitioned
from springline.data.chunks import CHUNK, Cycle
from springline.data.partition import partition
from springline.engines.device import check_device
from springline.errors import UsageError, unknown
from springline.methods import METHODS, Method
from springline.methods.scheduled import scheduled
from springline.scenario import TOPOLOGIES, Scenario
from springline.tasks.base import Task
from springline.tasks.registry import is_named

Sampler = Literal["partition", "cycle"]
Buffers = Literal["average", "shared", "recalibrate"]


def _names(fits: Callable[[Exchange], bool]) -> str:
    """Some of the named methods whose coupling fits."""
    names = [method.name for method in METHODS.values() if fits(method.coupling)]
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


@dataclass(frozen=True)
class Job:
    """A task, a method and a scenario, with everything a result depends on.

    workers: N; tau: τ local steps per exchange; rounds: N exchange attempts each, so one of every worker when all are
    equally fast; batch_size: samples per local step; eval_every: rounds between evaluations of the center.
    schedule: what becomes of the method's η in the course of the run; it is worked into the method and then empty.
    sampler: "partition", each worker has samples of its own, or "cycle", workers claim chunks of one cycle over all.
    buffers: whose batch-norm statistics are evaluated and exported with the center: "average", those the center took
    over from the workers with the same weight as their parameters; "shared", the one set of all workers; "recalibrate",
    computed anew from training batches.
    """

    task: Task
    method: Method
    scenario: Scenario = field(default_factory=Scenario)
    workers: int = 4
    tau: int = 1
    rounds: int = 100
    batch_size: int = 64
    eval_every: int = 1
    seed: int = 0
    schedule: str = ""
    device: str = "cpu"
    compiled: bool = False
    sampler: Sampler = "partition"
    buffers: Buffers = "average"

    def __post_init__(self) -> None:
        for name, what in (
            ("workers", "somebody has to train"),
            ("tau", "a worker makes at least one local step per exchange"),
            ("rounds", "a run has at least one communication round"),
            ("eval_every", "it counts the rounds between two evaluations"),
        ):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}={getattr(self, name)} is less than 1; {what}.")
        if is_named(self.task.name) and not self.task.built_in:
            raise UsageError(
                f"task {self.task.name!r} is your own, but one of Springline's has that name, and would be trained "
                "where the run is resumed; give yours another name."
            )
        check_device(self.device)
        if self.pull_after > self.tau:
            raise UsageError(
                f"pull_after={self.pull_after} is more than tau={self.tau}: the pull would land after the next "
                "exchange; use at most tau."
            )
        coupling = self.method.coupling
        if coupling.single_step and self.tau > 1:
            raise UsageError(
                f"tau={self.tau}: {self.method.name} is defined for one local step per exchange; use tau=1, or a "
                f"method with local steps ({_names(lambda c: not c.single_step and c.topology == 'star')})."
            )
        if coupling.most_workers is not None and self.workers > coupling.most_workers:
            raise UsageError(
                f"workers={self.workers}: {self.method.name} is sequential; use workers={coupling.most_workers}, or a "
                "method for several workers."
            )
        if coupling.replaces and self.pull_after > 0:
            raise UsageError(
                f"pull_after={self.pull_after}: the reply of {self.method.name} replaces the worker's parameters, so "
                "steps made before it lands would be lost; use pull_after=0."
            )
        if (topology := self.scenario.topology.name) != coupling.topology:
            raise UsageError(
                f"{self.method.name} does not fit the topology {topology!r}; use --topology "
                f"{TOPOLOGIES[coupling.topology].example(self.workers)}, or a "
                f"method for {topology!r} ({_names(lambda c: c.topology == topology)})."
            )
        coupling.check(self.method.name)
        self.scenario.check(self.workers, self.rounds)
        for option, known in (("sampler", get_args(Sampler)), ("buffers", get_args(Buffers))):
            if getattr(self, option) not in known:
                raise unknown(option, str(getattr(self, option)), list(known))
        if self.sampler == "cycle" and self.method.overlap_of(self.workers) > 0:
            raise UsageError(
                f"sampler=cycle: {self.method.name} shares {self.method.overlap_of(self.workers):.3g} of the samples "
                "among the parts of its workers, but a cycle has no parts; use overlap=0, or sampler=partition."
            )
        _ = self.feed  # partition and batch size are checked before anything is built
        if self.schedule:
            n, shard = len(self.task.train), min(map(len, self.partition))
            method = scheduled(self.method, self.schedule, self.workers, n, shard, self.batch_size)
            object.__setattr__(self, "method", method)
            object.__setattr__(self, "schedule", "")  # a copy of this job must not apply it again

    def of_worker(self, i: int) -> Job:
        """As worker i has it. One that joins trains on the last part of a partition among as many as there are then.

        Raises UsageError where a run of so many could not begin.
        """
        return self if i < self.workers else replace(self, workers=i + 1)

    @property
    def pull_after(self) -> int:
        """Local steps between an exchange and the landing of its pull."""
        return self.tau if self.method.pull_after == "tau" else self.method.pull_after

    @property
    def ease(self) -> Ease | None:
        """What the center makes of a pull for a worker whose message comes as it was, where engine and method allow."""
        if not self.method.coupling.eases:
            return None
        return LANDED if self.pull_after == 0 else DIFFERENCE  # a worker that does not wait moves on

    @cached_property
    def partition(self) -> list[Tensor]:
        """The sample indices of each worker."""
        return partition(len(self.task.train), self.workers, self.method.overlap_of(self.workers), self.seed)

    @cached_property
    def batches(self) -> list[Batches]:
        """Each worker's batches as a function of its step count."""
        return [Batches(part, self.batch_size, self.seed, i) for i, part in enumerate(self.partition)]

    @cached_property
    def feed(self) -> Feed:
        """Which samples each worker's next step sees."""
        if self.sampler == "cycle":
            n = len(self.task.train)
            return Cycle(n, self.batch_size, self.seed, min(CHUNK, n // self.workers))
        return Partitioned(self.batches)

"""A worker's own part, the same in every engine: local steps, and its end of the exchange.

Every verb is a pure function of the worker's state, its batches and the seed; what a worker does between two exchanges
can therefore run anywhere, at any time, and gives the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from springline.couplings.base import Message, Note, Reply, Worker
from springline.engines.job import Job
from springline.errors import RunError, UsageError
from springline.scenario.fault import Rejoin
from springline.state import state
from springline.streams import key, stream
from springline.tasks.base import to_device
from springline.tasks.layout import Layout
from springline.tasks.oracle import ModelOracle


@state
class WorkerState(NamedTuple):
    """Everything one worker is."""

    worker: int  # i
    x: Tensor  # [P] its parameters
    buffers: Tensor  # [B] its model's buffers
    optimiser: Any  # the optimiser's state
    link: Worker  # its side of the coupling
    steps: int  # local steps made since the run began; selects the next batch
    missed: int  # attempts that failed since the last one that did not
    reborn: bool  # it lost its state since then
    loss_sum: float  # of the training losses since the last attempt
    loss_count: int
    claims: Any = None  # what it has claimed of the data and not used up, where the sampler has it claim


class Replica:
    """The module, its oracle and the data, with which a process plays any number of workers."""

    def __init__(self, job: Job) -> None:
        self.job = job
        module = job.task.build(job.seed).to(job.device).train()
        self.layout = Layout(module)
        self.x0, self.b0 = self.layout.read()
        self.oracle = ModelOracle(self.layout, job.task.loss_fn, job.compiled, job.task.begin)

    def start(self, worker: int, steps: int = 0, reborn: bool = False) -> WorkerState:
        """A worker that knows nothing but the initial parameters, with which the center began too."""
        return self._new(worker, self.x0, self.b0, steps, reborn, served=0)

    def start_at(
        self, center: Tensor, buffers: Tensor, worker: int, steps: int = 0, reborn: bool = False
    ) -> WorkerState:
        """A worker that knows nothing but the center's present value."""
        return self._new(worker, center, buffers, steps, reborn, served=math.nan)

    def _new(self, worker: int, x: Tensor, buffers: Tensor, steps: int, reborn: bool, served: float) -> WorkerState:
        method = self.job.method
        optimiser, link = method.optimiser.init(x), method.coupling.worker(x, served)
        return WorkerState(worker, x, buffers, optimiser, link, steps, 0, reborn, 0.0, 0)

    def rehearse(self) -> None:
        """One step that counts for nothing: what is wrong with model, loss or data shows before a run has begun.

        Raises UsageError for a buffer that changes and is part of no worker's state, and what a step raises.
        """
        task = self.job.task
        before = {name: b.clone() for name, b in self.layout.module.named_buffers()}
        self.train(self.claim(self.start(0), 1, lambda: 0), 1)
        for name, b in self.layout.constants().items():
            # batch norm looks at its counter only with momentum=None, which Layout refuses
            if not name.endswith("num_batches_tracked") and name in before and _changed(before[name], b):
                raise UsageError(
                    f"task {task.name!r}: training changes the buffer {name!r}, which no worker has to itself; "
                    "make it a floating-point one that begins with finite values and is written into in place."
                )

    def claim(self, me: WorkerState, steps: int, ticket: Callable[[], int]) -> WorkerState:
        """The worker with data for its next steps. ticket(): the next value of a counter that all workers share."""
        claims = self.job.feed.claim(me.claims, steps, ticket)
        return me if claims is me.claims else me._replace(claims=claims)

    def train(self, me: WorkerState, steps: int, round: int | None = None) -> WorkerState:
        """`steps` local steps. Raises RunError at the first loss that is not finite.

        round: the worker's, for the message; by default the one it would be in had it never been down.
        """
        job, optimiser = self.job, self.job.method.optimiser
        task, x, inner, losses, claims = job.task, me.x, me.optimiser, [], me.claims
        buffers = me.buffers
        if self.layout.buffer_size:
            buffers = buffers.clone()
            self.layout.bind_buffers(buffers)
        self.oracle.forget()
        for step in range(me.steps, me.steps + steps):
            indices, claims = job.feed.take(me.worker, step, claims)
            task.begin(key(job.seed, "batch", me.worker, step))  # for data sets that draw
            batch = task.train.batch(indices)
            if job.device != "cpu":
                batch = to_device(batch, job.device)
            if task.transform is not None:
                batch = task.prepare(batch, stream(job.seed, "transform", me.worker, step))
            oracle = self.oracle.see(batch, key(job.seed, "step", me.worker, step))
            x, inner, loss = optimiser.step(x, inner, oracle)
            losses.append(loss)
        if self.layout.buffer_size:
            self.layout.collect_buffers(buffers)
        values = [loss.item() for loss in losses]  # all at the end: a device is waited for once
        for j, value in enumerate(values):
            if not math.isfinite(value):
                step = me.steps + j
                raise RunError(
                    f"the training loss of worker {me.worker} became {value} at its local step {step + 1} (round "
                    f"{round or step // job.tau + 1}); lower the learning rate, or see whether its data are finite."
                )
        return me._replace(
            x=x,
            buffers=buffers,
            optimiser=inner,
            steps=me.steps + steps,
            loss_sum=me.loss_sum + sum(values),
            loss_count=me.loss_count + len(values),
            claims=claims,
        )

    def push(self, me: WorkerState) -> tuple[WorkerState, Message]:
        """The worker's message to the center."""
        optimiser, coupling = self.job.method.optimiser, self.job.method.coupling
        y = optimiser.output(me.x, me.optimiser)
        link, message = coupling.push(me.link, y, self._note(me), me.buffers)
        return me._replace(link=link, loss_sum=0.0, loss_count=0), message

    def pull(self, me: WorkerState, reply: Reply, missed: int = 0, *, own: bool = False) -> WorkerState:
        """The worker after an accepted reply has landed. missed: attempts that failed since the one it answers.

        own: nobody else looks at its x, which may be changed in place.
        """
        coupling = self.job.method.coupling
        link, x = (coupling.pull_ if own else coupling.pull)(me.link, me.x, reply)
        return me._replace(link=link, x=x, missed=missed, reborn=False)

    def miss(self, me: WorkerState, center: Tensor | None, *, told: bool = False) -> WorkerState:
        """The worker after an attempt that failed. center: the center's readout where this engine can know it.

        told: it was an earlier one, and the worker hears of it now; the steps since then belong to the next.
        """
        y, note = self.job.method.optimiser.output(me.x, me.optimiser), self._note(me)
        if told:
            note = note._replace(loss=math.nan, steps=0)
        link = self.job.method.coupling.missed(me.link, y, note, center)
        me = me._replace(link=link, missed=me.missed + 1)
        return me if told else me._replace(loss_sum=0.0, loss_count=0)

    def rejoin(self, me: WorkerState, how: Rejoin, center: Tensor, buffers: Tensor) -> WorkerState:
        """The worker as it comes back after a crash."""
        if how == "stale":
            return me
        if how == "initial":
            new = self.start(me.worker, me.steps, reborn=True)
        else:
            new = self.start_at(center.clone(), buffers.clone(), me.worker, me.steps, reborn=True)
        return new._replace(missed=me.missed, claims=me.claims)

    def _note(self, me: WorkerState) -> Note:
        loss = me.loss_sum / me.loss_count if me.loss_count else float("nan")
        return Note(me.worker, me.missed, me.reborn, loss, me.loss_count)


def _changed(old: Tensor, new: Tensor) -> bool:
    """Whether a buffer has other values; one of another size is a cache that has grown."""
    return old.shape == new.shape and not torch.allclose(old, new.to(old), rtol=0, atol=0, equal_nan=True)

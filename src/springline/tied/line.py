"""A script's end of its line to the center: it counts the local steps, and exchanges every τ of them.

x_i          moved by the script's own optimizer, or by the method's in `step(closure)`
every τ      push x_i (or what the method sends), and pull `pull_after` steps later, in place
"""

from __future__ import annotations

import contextlib
import math
import time
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Subset

from springline.couplings.base import LANDED, Note, Reply, Worker
from springline.data.partition import partition
from springline.engines.job import Job
from springline.errors import UsageError
from springline.streams import key
from springline.tasks.oracle import ModelOracle
from springline.tied.connector import Connection
from springline.tied.ends import let_go, look_after
from springline.tied.model import Model, state_dict

PACE = 0.2  # weight of the latest exchange in the running mean of their distance in time


class TieWarning(UserWarning):
    """Something about a tied script that the run survives."""


class Line:
    """A worker's line. worker: its number i; workers: N; steps: local steps made; exchanges: attempts made.

    Also a context: `with springline.tie(…) as line:` closes it at the end, as the end of the script does.
    """

    def __init__(self, model: Model, optimizer: torch.optim.Optimizer | None, job: Job, connection: Connection) -> None:
        self._model, self._optimizer, self._job, self._connection = model, optimizer, job, connection
        self.worker, self.workers = connection.worker, connection.workers
        self.steps = self.exchanges = 0
        self._coupling = job.method.coupling
        self._round = connection.last
        self._pending = False  # a reply is under way
        self._since = 0  # local steps since the last attempt
        self._losses: list[Tensor | float] = []
        self._missed = self._strikes = 0
        self._link: Worker
        self._inner: Any  # the state of the method's own optimiser
        self._reborn = self._closed = False
        self.leaving = False  # it was asked to
        self._oracle: ModelOracle | None = None
        self._clock = self._began = time.monotonic()
        self._state = "computing"
        self._spent = {"computing": 0.0, "communicating": 0.0, "waiting": 0.0}
        self._pace = 0.0
        if connection.differs and not connection.back:
            warnings.warn(
                f"the initial parameters of worker {self.worker} differ from those of the run's first worker, and are "
                "replaced by the center's; call torch.manual_seed with one seed in every worker before the model is "
                "made, or load the same weights.",
                TieWarning,
                stacklevel=3,
            )
        self._reset(reborn=connection.back)
        look_after(self)

    # -- what the script calls

    def step(self, closure: Callable[[], Tensor] | None = None, *, loss: Tensor | float | None = None) -> Tensor | None:
        """Count one local step, to be called after `optimizer.step()`; every τ of them are followed by an exchange.

        closure: instead of an optimizer of the script's own, the method's makes the step (`tie(model, None, …)`);
        closure() returns this batch's loss, with its graph and without calling backward(). Its value is returned.
        loss: this step's training loss, if it is to be recorded.

        Raises UsageError for what is missing, RunError if the run is gone. Where the worker was asked to leave, it
        hands in its last exchange and ends the script with SystemExit(0).
        """
        if self._closed:
            raise UsageError("line.step() was called after line.close(); close the line when training is over.")
        if closure is not None:
            loss = self._make_step(closure)
        elif self._optimizer is None:
            raise UsageError(
                f"line.step() was called without a closure, but no optimizer was tied, so {self._job.method.name}'s "
                "own has to make the step; call line.step(closure), or pass your optimizer to springline.tie."
            )
        if loss is not None:
            self._losses.append(loss.detach() if isinstance(loss, Tensor) else float(loss))
        self.steps += 1
        self._since += 1
        if self._pending and self._since == self._job.pull_after:
            self._began += self._land()  # how long a round takes is measured without the wait for the one before
        self._tell("computing")
        if self._since == self._job.tau:
            self._exchange()
        if self.leaving or self._connection.unwanted:
            self.close("left")
            raise SystemExit(0)
        return loss if isinstance(loss, Tensor) else None

    def shard(self, dataset: Any) -> Subset[Any]:
        """This worker's part of a map-style data set: the shared samples, and those dealt out to it alone.

        The share that all workers have is the method's overlap. Every worker has to be given the same data set.
        """
        if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__"):
            raise UsageError(
                f"line.shard was given a {type(dataset).__name__}, which has no length or cannot be indexed; give a "
                "map-style data set, and split a stream yourself by line.worker and line.workers."
            )
        n = max(self.workers, self.worker + 1)  # somebody who joined later has the last part among so many
        parts = partition(len(dataset), n, self._job.method.overlap_of(n), self._job.seed)
        return Subset(dataset, parts[self.worker].tolist())

    def center_state_dict(self) -> dict[str, Tensor]:
        """The center, as `model.load_state_dict` takes it. A reply that is under way lands first."""
        if self._closed:
            raise UsageError("line.center_state_dict() was called after line.close(); ask for it before.")
        self._land()
        x, b = self._connection.fetch(start=False)
        return state_dict(self._model.entries(), self._model.constants(), x, b)

    def close(self, how: str = "done") -> None:
        """Hand in the steps since the last exchange, and part. Called by itself at the end of the script.

        Raises RunError if the center is lost, or could not be written where this is the last worker's end. Ends the
        script with SystemExit(0) where the worker was asked to leave, as `step` does.
        """
        if self._closed:
            return
        try:
            if how != "failed":
                if self._since:
                    self._exchange()
                self._land()
        except BaseException:
            how = "failed"
            raise
        finally:
            self._closed = True
            self._tell("leaving")
            try:
                self._connection.close(how)
            finally:
                let_go(self)
        if self.steps == 0 and how == "done":
            warnings.warn(
                f"worker {self.worker} never called line.step(), so it exchanged nothing; call it after each "
                "optimizer.step().",
                TieWarning,
                stacklevel=2,
            )
        if self.leaving and how == "done":
            raise SystemExit(0)

    def __enter__(self) -> Line:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with contextlib.suppress(SystemExit) if kind else contextlib.nullcontext():
            self.close("failed" if kind is not None and issubclass(kind, Exception) else "done")

    # -- an exchange

    def _exchange(self) -> None:
        self._land()  # of the attempt before, where the script ends in the middle of a period
        self._model.wait()  # what is still being computed is no part of the exchange
        start = time.monotonic()
        self._tell("exchanging")
        x, b = self._model.read()
        loss = self._mean_loss()
        note = Note(self.worker, self._missed, self._reborn, loss, self._since)
        self._link, message = self._coupling.push(self._link, self._handed_over(x), note, b)
        self._round = max(self._connection.last, self._round) + 1
        self._connection.push(self._round, message, self._began, self._job.ease)
        self._spent["communicating"] += time.monotonic() - start
        self._pending, self._since, self._losses = True, 0, []
        self.exchanges += 1
        if self._job.pull_after == 0:
            self._land()
        took, self._began = time.monotonic() - self._began, time.monotonic()
        self._pace = took if self._pace == 0 else self._pace + PACE * (took - self._pace)
        self._connection.tell(loss=loss, pace=self._pace, round=self._round)
        self._tell("computing")

    def _land(self) -> float:
        """The reply to the last message, waited for if need be: for so many seconds."""
        if not self._pending:
            return 0.0
        self._pending = False
        start = time.monotonic()
        self._tell("waiting")
        reply = self._connection.settle()
        waited = time.monotonic() - start
        self._spent["waiting"] += waited
        if reply is not None and reply.accepted:
            self._pull(reply)
            return waited
        x, _ = self._model.read()
        note = Note(self.worker, self._missed, self._reborn, math.nan, 0)
        self._link = self._coupling.missed(self._link, self._handed_over(x), note, None)
        self._missed += 1
        self._strikes += reply is not None
        self._connection.tell(missed=self._missed, strikes=self._strikes)
        if self._strikes >= self._coupling.patience:
            warnings.warn(
                f"the center refused {self._strikes} messages of worker {self.worker} in a row, because their values "
                "were not finite; the worker starts again from the center: lower the learning rate, or see whether its "
                "data are finite.",
                TieWarning,
                stacklevel=2,
            )
            self._reset(reborn=True)
        return waited

    def _pull(self, reply: Reply) -> None:
        device = self._model.layout.parameters[0].device
        if device.type != "cpu":
            reply = reply._replace(vectors={name: v.to(device) for name, v in reply.vectors.items()})
        if LANDED in reply.vectors:
            x = reply.vectors[LANDED]
        else:
            x, _ = self._model.read()  # a copy, which pull_ may change
        link, x = self._coupling.pull_(self._link, x, reply)
        self._link = link._replace(vectors={name: self._connection.own(v) for name, v in link.vectors.items()})
        self._model.write(x)
        self._missed, self._strikes, self._reborn = 0, 0, False

    def _reset(self, reborn: bool) -> None:
        """Be at the center, and know nothing else."""
        self._pending = False
        x, b = self._connection.fetch(start=True)
        like = self._model.layout.parameters[0]
        x, b = x.to(like.device), b.to(like.device)
        self._model.write(x)
        self._model.write_buffers(b)
        self._link, self._reborn, self._strikes = self._coupling.worker(x), reborn, 0
        self._inner = self._job.method.optimiser.init(x)
        if reborn and self._optimizer is not None:
            self._optimizer.state.clear()

    def _mean_loss(self) -> float:
        """Over the steps since the last attempt at which it was finite; nan if there are none, or it was not told."""
        told = [v for v in map(float, self._losses) if math.isfinite(v)]
        return sum(told) / len(told) if told else math.nan

    def _handed_over(self, x: Tensor) -> Tensor:
        if self._coupling.takes == "position":
            return x
        return self._job.method.optimiser.output(x, self._inner)

    # -- a local step of the method's own

    def _make_step(self, closure: Callable[[], Tensor]) -> Tensor:
        if self._optimizer is not None:
            raise UsageError(
                f"line.step was given a closure, for {self._job.method.name}'s own optimiser, but "
                f"{type(self._optimizer).__name__} was tied; call springline.tie(model, None, …), or line.step() "
                "without a closure."
            )
        if self._oracle is None:
            self._oracle = ModelOracle(self._model.layout, lambda module, batch: self._closure())
        self._closure = closure
        x, _ = self._model.read()
        self._oracle.see((), key(self._job.seed, "step", self.worker, self.steps))
        self._oracle.forget()
        try:
            x, self._inner, loss = self._job.method.optimiser.step(x, self._inner, self._oracle)
        except RuntimeError as error:
            if "backward through the graph a second time" not in str(error):
                raise
            raise UsageError(
                "the closure given to line.step called backward(), which line.step does itself; let it return the "
                "loss only."
            ) from None
        self._model.layout.bind(x.clone())
        return loss

    def _tell(self, state: str) -> None:
        now = time.monotonic()
        if self._state == "computing":
            self._spent["computing"] += now - self._clock
        self._clock, self._state = now, state
        self._connection.tell(state=state, steps=self.steps, **self._spent)

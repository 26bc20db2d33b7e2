"""What a worker and the center say to each other: pure functions on flat vectors.

    worker:  push    -> message          center:  measure   additive over the elements
             pull    <- reply                     decide    scalars only
             missed  (nothing came back)          apply_    elementwise

`serve_` is the center's one atomic step, and it is made of three so that any engine may cut the vectors into chunks or
shards: what is measured adds up over pieces, what is decided needs numbers only, what is applied looks at one element
at a time. The sums are always taken block by block (`BLOCK`), so the pieces give the same bytes as the whole.

N workers, P parameters. Vectors are `[P]`; a center may also hold rows `[N, P]`, of which an exchange touches only its
worker's own.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from springline.state import state

BLOCK = 1 << 17  # elements summed at once: 512 KiB of float32, few enough for a cache, many enough to pay for a call

Ease = Literal["landed", "difference"]  # the name of a reply's only vector, where the center has eased the pull
LANDED: Ease = "landed"  # the worker's new x, where it still is where its message says
DIFFERENCE: Ease = "difference"  # between that and the center, where the worker has moved on

Vectors = dict[str, Tensor]
Scalars = dict[str, Any]


@state
class Note(NamedTuple):
    """What every message says beside its vectors."""

    worker: int
    missed: int  # attempts that failed since the last one that did not
    reborn: bool  # the worker lost its state since then
    loss: float  # mean training loss over the local steps since the previous attempt; nan if there were none
    steps: int  # the local steps since the previous attempt


@state
class Message(NamedTuple):
    """Worker -> center. A message may be damaged on the way; the center trusts nothing in it."""

    vectors: Vectors  # name -> [P]
    note: Note
    scalars: Scalars  # what this coupling adds
    buffers: Tensor  # [B] the model's floating-point buffers (batch-norm statistics); often empty

    @property
    def nbytes(self) -> int:
        """Bytes of its tensors."""
        return sum(v.nbytes for v in self.vectors.values()) + self.buffers.nbytes


@state
class Reply(NamedTuple):
    """Center -> worker."""

    vectors: Vectors  # name -> [P]; empty if the message was refused
    scalars: Scalars  # what was measured and decided, for the worker and for the record
    accepted: bool

    @property
    def nbytes(self) -> int:
        """Bytes of its tensors."""
        return sum(v.nbytes for v in self.vectors.values())


@state
class Center(NamedTuple):
    """Everything the center holds. The tensors are the center's own and are changed in place by `serve_` only."""

    shared: Vectors  # name -> [P]
    rows: Vectors  # name -> [N, P]; row i is touched by exchanges of worker i only
    buffers: Tensor  # [B]
    scalars: Scalars  # changes with every exchange; small: numbers, texts, lists and dicts of such

    def row(self, i: int) -> Vectors:
        """What belongs to worker i alone: name -> [P], a view."""
        return {name: rows[i] for name, rows in self.rows.items()}


@state
class Worker(NamedTuple):
    """Everything a worker's side of the coupling holds, beside x and its optimiser."""

    vectors: Vectors  # name -> [P]
    scalars: Scalars


class Exchange(ABC):
    """What every protocol between workers and a center has: the state, the worker's side, the readout.

    protocol: who answers what. "message": the center answers one message at a time (`Coupling`); "round": those of a
    round at once (`sync_base.SyncCoupling`); "one-way": nobody answers (`tree.TreeCoupling`). Engines choose by it.
    takes: what the worker hands over, its position x or a gradient g.
    sends: the names of the vectors in its messages, all of which have to arrive.
    single_step: it is defined for τ = 1 only.
    replaces: a reply replaces the worker's x instead of moving it, so it cannot land later than it was asked for.
    most_workers: the largest N it is defined for, if there is one.
    topology: the name of the topology it belongs to.
    examples: values for the knobs that have to be given, by which documentation and tests can try it.
    patience: refused messages in a row after which the worker is set back to the center.
    """

    protocol: ClassVar[Literal["message", "round", "one-way"]]
    takes: ClassVar[Literal["position", "gradient"]] = "position"
    sends: ClassVar[tuple[str, ...]] = ("x",)
    single_step: ClassVar[bool] = False
    replaces: ClassVar[bool] = False
    most_workers: ClassVar[int | None] = None
    topology: ClassVar[str] = "star"
    examples: ClassVar[Scalars] = {}
    patience: ClassVar[int] = 3

    def check(self, method: str) -> None:  # noqa: B027 (most have nothing to check)
        """Raise UsageError for a knob that has to be given and was not; asked when a job is made. method: its name."""

    # -- state ---------------------------------------------------------------------------------------------------

    @abstractmethod
    def center(self, x0: Tensor, buffers: Tensor, workers: int) -> Center:
        """The center before the first exchange; all tensors its own."""

    def worker(self, x0: Tensor, served: float = math.nan) -> Worker:
        """A worker's side before its first exchange, when it starts at x0, where the center is or was.

        served: the number of exchanges that the center had served when its value was x0; nan: nobody knows.
        """
        return Worker({}, {})

    @abstractmethod
    def readout(self, center: Center) -> Tensor:
        """[P], what is evaluated and exported."""

    def position(self, center: Center) -> Tensor:
        """[P], what updates are applied to; the readout may be an average over it. Distance and gap are to here."""
        return self.readout(center)

    def start(self, center: Center) -> Tensor:
        """[P], the x with which a worker starts, or starts again: what it would be told if it had just exchanged."""
        return self.position(center)

    def fetched(self, center: Center, *, start: bool) -> Tensor:
        """[P], what somebody is told who asks for the center: in order to start there, or to use it."""
        return self.start(center) if start else self.readout(center)

    # -- at the worker -------------------------------------------------------------------------------------------

    @abstractmethod
    def push(self, worker: Worker, y: Tensor, note: Note, buffers: Tensor) -> tuple[Worker, Message]:
        """The message for what the optimiser handed over, y [P]."""

    @abstractmethod
    def pull(self, worker: Worker, x: Tensor, reply: Reply) -> tuple[Worker, Tensor]:
        """The worker after an accepted reply, which may land some steps after it was asked for."""

    def pull_(self, worker: Worker, x: Tensor, reply: Reply) -> tuple[Worker, Tensor]:
        """The same bytes as `pull`; x may become the new one in place, so nobody else may look at it."""
        return self.pull(worker, x, reply)

    @property
    def eases(self) -> bool:
        """Whether the center can make its part of the pull too, for a worker whose message came as it was: `ease_`."""
        return False

    def ease_(self, how: Ease, message: Vectors, decision: Scalars, reply: Vectors) -> None:
        """This piece of the reply becomes what `pull` would make of it and of the message: as much as `how` says.

        For replies of one vector, which `pull_` then finds under the name `how`. The center has both in the cache; the
        worker would have to read them again.
        """
        raise NotImplementedError

    def missed(self, worker: Worker, y: Tensor, note: Note, center: Tensor | None) -> Worker:
        """The worker after an attempt that failed. center: its readout, where the engine can know it."""
        return worker

    def measure(self, shared: Vectors, row: Vectors, message: Vectors) -> list[float]:
        """Sums over the elements of this piece; not finite if the message is not."""
        return [square(message[name]) for name in self.sends]


class Coupling(Exchange):
    """One kind of exchange between a worker and the center, as a frozen description: one message at a time."""

    protocol = "message"

    @property
    def by_sums(self) -> Literal["no", "rarely", "yes"]:
        """Whether what `apply_` makes of a decision follows the sums. If not, or rarely, `decide` can be asked before
        anything is measured, with nan for every sum, for a guess that stands, or mostly does. Then each piece is
        measured and applied at once, and `decide` is asked again, with the sums."""
        return "yes"

    def stands(self, guess: Scalars, decision: Scalars) -> bool:
        """Whether `apply_` and `ease_` make the same of a guess as of the decision that came of the sums."""
        return True

    # -- at the center -------------------------------------------------------------------------------------------

    @abstractmethod
    def decide(self, scalars: Scalars, message: Message, measured: list[float]) -> tuple[Scalars, Scalars]:
        """(center's scalars, the message's own scalars, the measured sums) -> (new scalars, decision).

        The decision holds whatever `apply_` needs, `blend`, the weight with which the center takes over the worker's
        buffers, and anything worth recording. It goes back to the worker with the reply.
        """

    @abstractmethod
    def apply_(self, shared: Vectors, row: Vectors, message: Vectors, decision: Scalars) -> Vectors:
        """Change this piece of the center in place and return the same piece of the reply."""

    def sweep_(
        self, old: Vectors, message: Vectors, decision: Scalars, new: Vectors, reply: Vectors, how: Ease | None = None
    ) -> list[float]:
        """`measure` and `apply_` (and `ease_`) of one piece, for couplings without rows that can be guessed: the sums.

        It leaves the center's piece `old` as it is; `new` becomes what `apply_` makes of it, `reply` what it returns.
        """
        measured = self.measure(old, {}, message)
        for name, v in new.items():
            v.copy_(old[name])
        for name, v in self.apply_(new, {}, message, decision).items():
            reply[name].copy_(v)
        if how is not None:
            self.ease_(how, message, decision, reply)
        return measured

    # -- the atomic step, built from the three -------------------------------------------------------------------

    def serve_(self, center: Center, message: Message) -> tuple[Center, Reply]:
        """Apply one message. The readable reference for every engine's own way of doing it."""
        i = message.note.worker
        row = center.row(i)
        measured = measure_in_blocks(self, center.shared, row, message)
        if measured is None or not blendable(message.buffers, center.buffers):
            return center, Reply({}, {}, accepted=False)
        scalars, decision = self.decide(center.scalars, message, measured)
        vectors = self.apply_(center.shared, row, message.vectors, decision)
        if len(center.buffers):
            center.buffers.lerp_(message.buffers, decision["blend"])
        return center._replace(scalars=scalars), Reply(vectors, decision, accepted=True)


def measure_in_blocks(coupling: Exchange, shared: Vectors, row: Vectors, message: Message) -> list[float] | None:
    """The sums over all elements, block by block in order; None if a vector is missing, misshapen or not finite."""
    size = len(next(iter(shared.values())))
    if not message.vectors or any(v.shape != (size,) for v in message.vectors.values()):
        return None
    whole, total = (shared, row, message.vectors), None
    pieces = [whole] if size <= BLOCK else [[cut(v, a, a + BLOCK) for v in whole] for a in range(0, size, BLOCK)]
    for piece in pieces:
        try:
            part = coupling.measure(*piece)
        except KeyError:
            return None
        total = part if total is None else [s + p for s, p in zip(total, part, strict=True)]
    assert total is not None
    return total if all(map(math.isfinite, total)) else None


def square(v: Tensor) -> float:
    """‖v‖²; of half precision in float32, as in its own the sum would be infinite from 65,520 on."""
    v = v if v.dtype.itemsize >= 4 else v.float()
    return torch.dot(v, v).item()


def blendable(buffers: Tensor, present: Tensor) -> bool:
    """Whether a message's buffers can be blended into the present ones."""
    return buffers.shape == present.shape and finite(buffers)


def finite(buffers: Tensor) -> bool:
    """Whether all are; most models have none, and asking torch about nothing would cost a fifth of a short exchange."""
    return not buffers.numel() or bool(torch.isfinite(buffers).all())


def cut(vectors: Vectors, a: int, b: int) -> Vectors:
    """Elements a … b of each vector, as views."""
    return {name: v[..., a:b] for name, v in vectors.items()}

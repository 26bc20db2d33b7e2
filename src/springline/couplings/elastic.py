"""Elastic averaging: worker and center move towards each other.

    d = x_i − c
    x_i ← x_i − h1·d,   c ← c + h2·d

The weights (h1, h2) come from a `Weights` rule. The reply carries c, and the worker takes d from what it had sent: a
message that was damaged on its way misleads the center, but not its sender too. (Where nothing happens to it on its
way, the reply may carry d instead, or the new x_i if the worker waits for it.) The pull −h1·d may land at once, in
Gauss–Seidel form, together with the next step, in Jacobi form, or a whole period later.

Reference: Zhang, Distributed stochastic optimization for deep learning, Algorithms 1 and 2; Xu & Carr, eqs. 8, 9, 12
and 13 (eqs. 8 and 9 print the difference with the wrong sign).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from springline.couplings.base import (
    BLOCK,
    DIFFERENCE,
    LANDED,
    Center,
    Coupling,
    Ease,
    Message,
    Note,
    Reply,
    Scalars,
    Vectors,
    Worker,
    square,
)
from springline.couplings.fixed import Fixed
from springline.couplings.weights import NAN, Evidence, Follows, Weights

LERP_BELOW = 0.5  # below it `lerp` computes a + w·(b − a), to the last bit and in one pass; else it counts from b


@dataclass(frozen=True)
class Elastic(Coupling):
    """Center: c [P], N, and the number of exchanges. Worker: its log distances, the rounds in which it has computed
    since its last pull, the center's number at that pull, its reach ρ, what it has sent [P] until the pull lands, and,
    if the weights ask for them, c̃ [P] and where it last was [P].

    weights: the rule for (h1, h2).
    """

    weights: Weights = field(default_factory=Fixed)

    @property
    def by_sums(self) -> Follows:
        return self.weights.by_distance

    def center(self, x0: Tensor, buffers: Tensor, workers: int) -> Center:
        return Center({"c": x0.clone()}, {}, buffers.clone(), {"workers": workers, "served": 0})

    def readout(self, center: Center) -> Tensor:
        return center.shared["c"]

    def worker(self, x0: Tensor, served: float = NAN) -> Worker:
        # x0 was the center's value, so c̃ is known from the beginning, and so is ρ
        vectors = {"seen": x0} if self.weights.history else {}
        if self.weights.reaches:
            vectors["last"] = x0
        return Worker(vectors, {"u": [], "rounds": 0, "served": served, "reach": 0.0})

    # -- at the worker

    def push(self, worker: Worker, y: Tensor, note: Note, buffers: Tensor) -> tuple[Worker, Message]:
        worker = self._arrived(worker, y, note)
        return worker._replace(vectors=worker.vectors | {"sent": y}), Message({"x": y}, note, worker.scalars, buffers)

    def missed(self, worker: Worker, y: Tensor, note: Note, center: Tensor | None) -> Worker:
        worker = self._arrived(worker, y, note)
        if self.weights.history:
            estimate = center if center is not None and self.weights.peers else worker.vectors["seen"]
            u = self._remember(worker.scalars["u"], float(torch.linalg.vector_norm(y - estimate)))
            worker = worker._replace(scalars=worker.scalars | {"u": u})
        return worker

    def pull(self, worker: Worker, x: Tensor, reply: Reply) -> tuple[Worker, Tensor]:
        sent, c, h1 = worker.vectors["sent"], reply.vectors["c"], reply.scalars["h1"]
        gone = self._way(sent, c), self._way(x, sent)
        pulled = torch.lerp(x, c, h1) if sent is x and h1 < LERP_BELOW else x.add(sent - c, alpha=-h1)
        return self._landed(worker, pulled, gone, reply), pulled

    def pull_(self, worker: Worker, x: Tensor, reply: Reply) -> tuple[Worker, Tensor]:
        if LANDED in reply.vectors:
            x = reply.vectors[LANDED]
            return self._landed(worker, x, (reply.scalars["distance"], 0.0), reply), x  # what was sent has arrived
        sent, h1 = worker.vectors["sent"], reply.scalars["h1"]
        if DIFFERENCE in reply.vectors:
            gone = reply.scalars["distance"], self._way(x, sent)
            return self._landed(worker, x.add_(reply.vectors[DIFFERENCE], alpha=-h1), gone, reply), x
        c = reply.vectors["c"]
        gone = self._way(sent, c), self._way(x, sent)
        if sent is x and h1 < LERP_BELOW:  # it has not moved since
            return self._landed(worker, x.lerp_(c, h1), gone, reply), x
        place = x.new_empty(min(BLOCK, len(x)))
        for piece, s, k in zip(*(torch.split(v, BLOCK) for v in (x, sent, c)), strict=True):  # d stays in the cache
            piece.add_(torch.sub(s, k, out=place[: len(k)]), alpha=-h1)
        return self._landed(worker, x, gone, reply), x

    def _landed(self, worker: Worker, x: Tensor, gone: tuple[float, float], reply: Reply) -> Worker:
        """It is at x now. gone: how far from the center was what it had sent, and how far it has come since then."""
        vectors = {name: v for name, v in worker.vectors.items() if name != "sent"}
        scalars = worker.scalars | {"rounds": 0, "served": reply.scalars["served"]}
        if self.weights.reaches:
            vectors["last"] = x
            scalars["reach"] = (1 - reply.scalars["h1"]) * gone[0] + gone[1]
        if self.weights.history:
            vectors["seen"] = reply.vectors["c"]
            scalars["u"] = self._remember(scalars["u"], reply.scalars["distance"])
        return Worker(vectors, scalars)

    # -- at the center

    @property
    def eases(self) -> bool:
        return not self.weights.history  # which wants to see c

    def ease_(self, how: Ease, message: Vectors, decision: Scalars, reply: Vectors) -> None:
        x, c = message["x"], reply["c"]
        if how == LANDED:
            pull_towards(x, c, decision["h1"], out=c)
        else:
            torch.sub(x, c, out=c)

    def measure(self, shared: Vectors, row: Vectors, message: Vectors) -> list[float]:
        """‖x − c‖² of this piece."""
        d = message["x"] - shared["c"]
        return [square(d)]

    def decide(self, scalars: Scalars, message: Message, measured: list[float]) -> tuple[Scalars, Scalars]:
        note, distance = message.note, math.sqrt(measured[0])
        served, said = scalars["served"], message.scalars
        u = tuple(self._remember(said["u"], distance))
        idle = (served - said["served"]) / scalars["workers"] - said["rounds"]
        # a center that was put back to a snapshot is not where those last saw it who have been told of a later one
        reach = NAN if said["served"] > served else said["reach"]
        evidence = Evidence(note.worker, distance, u, note.missed, note.reborn, reach, idle)
        h1, h2, score = self.weights.weigh(evidence)
        return scalars | {"served": served + 1}, {
            "h1": h1, "h2": h2, "score": score, "distance": distance, "blend": h2, "served": served + 1,
        }  # fmt: skip

    def stands(self, guess: Scalars, decision: Scalars) -> bool:
        return bool(guess["h2"] == decision["h2"] and guess["h1"] == decision["h1"])

    def apply_(self, shared: Vectors, row: Vectors, message: Vectors, decision: Scalars) -> Vectors:
        x, c, h2 = message["x"], shared["c"].clone(), decision["h2"]
        if h2 < LERP_BELOW:
            shared["c"].lerp_(x, h2)
        else:
            shared["c"].add_(x - c, alpha=h2)
        return {"c": c}

    def sweep_(
        self, old: Vectors, message: Vectors, decision: Scalars, new: Vectors, reply: Vectors, how: Ease | None = None
    ) -> list[float]:
        x, c, place, h2 = message["x"], old["c"], reply["c"], decision["h2"]
        if h2 < LERP_BELOW:  # at once, because it waits for memory; what follows finds x and c in the cache
            torch.lerp(c, x, h2, out=new["c"])
        d = torch.sub(x, c, out=place)
        if h2 >= LERP_BELOW:
            torch.add(c, d, alpha=h2, out=new["c"])
        measured = [square(d)]
        if how == LANDED and x.dtype.itemsize >= 4:  # the same to the last bit, and d is nearer than c
            torch.add(x, d, alpha=-decision["h1"], out=place)
        elif how == LANDED:
            self.ease_(how, message, decision, {"c": place.copy_(c)})
        elif how is None:
            place.copy_(c)
        return measured

    # -- what the weights look back on

    def _remember(self, u: list[float], distance: float) -> list[float]:
        """The last log distances, this one included; a zero distance gives none."""
        return [*u, math.log(distance)][-1 - self.weights.history :] if distance > 0 else u

    def _arrived(self, worker: Worker, y: Tensor, note: Note) -> Worker:
        """It is at y now: a round more, if it has computed, and ρ has grown by the way there from where it last was."""
        vectors, scalars = worker
        scalars = scalars | {"rounds": scalars["rounds"] + (note.steps > 0)}
        if self.weights.reaches:
            scalars["reach"] += self._way(y, vectors["last"])
            vectors = vectors | {"last": y}
        return Worker(vectors, scalars)

    def _way(self, x: Tensor, since: Tensor) -> float:
        """‖x − since‖; 0 if the weights do not ask."""
        return straight(x, since) if self.weights.reaches and x is not since else 0.0


def pull_towards(x: Tensor, c: Tensor, h1: float, out: Tensor) -> None:
    """out ← x − h1·(x − c)."""
    if h1 < LERP_BELOW:
        torch.lerp(x, c, h1, out=out)
    else:
        torch.add(x, x - c, alpha=-h1, out=out)


def straight(a: Tensor, b: Tensor) -> float:
    """‖a − b‖₂."""
    pieces = zip(torch.split(a, BLOCK), torch.split(b, BLOCK), strict=True) if a.is_cpu else [(a, b)]
    return math.sqrt(sum(square(d) for d in (p - q.to(p.device) for p, q in pieces)))

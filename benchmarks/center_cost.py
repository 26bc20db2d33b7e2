"""What one exchange costs the center of each method, against one plain copy of the parameters.

    python benchmarks/center_cost.py [--parameters 8000000] [--rounds 9]

Exchanges and copies alternate in one process with one thread; a time is the median of processor times. An exchange is
served block by block, as the engines do it: measure, decide, apply, and the reply written to the worker's buffer. A
synchronous center serves N messages at once, so its cost is divided by N. DANA-Zero is measured with 4 and with 16
workers: its sum of momenta is kept incrementally, so the two should agree. Ends with one JSON object: copies per
exchange, by method.
"""

from __future__ import annotations

import argparse
import json
from statistics import median
from time import process_time
from typing import Any

import torch

from springline.couplings.base import BLOCK, Center, Coupling, Exchange, Message, Note, cut, measure_in_blocks
from springline.couplings.sync_base import SyncCoupling
from springline.couplings.tree import TreeCoupling
from springline.methods import METHODS

WORKERS = 4


class Exchanges:
    """A center that is served by its workers in turn, block by block as the engines do it."""

    def __init__(self, coupling: Exchange, size: int, workers: int) -> None:
        self.coupling, self.size, self.workers, self.turn = coupling, size, workers, 0
        x0, buffers = torch.randn(size), torch.empty(0)
        self.center: Center = coupling.center(x0, buffers, workers)
        link = coupling.worker(x0)
        self.messages: list[Message] = [
            coupling.push(link, x0 + 1e-3, Note(i, 0, False, 1.0, 1), buffers)[1] for i in range(workers)
        ]
        self.reply = torch.empty(size)  # what goes back to the worker

    def one(self) -> float:
        """Processor seconds of the center for one worker's exchange."""
        self.turn = (self.turn + 1) % self.workers
        begin = process_time()
        if isinstance(self.coupling, SyncCoupling):
            self.round(self.coupling)
            return (process_time() - begin) / self.workers
        if isinstance(self.coupling, TreeCoupling):
            self.meet(self.coupling)
        else:
            assert isinstance(self.coupling, Coupling)
            self.serve(self.coupling)
        return process_time() - begin

    def serve(self, coupling: Coupling) -> None:
        message, shared = self.messages[self.turn], self.center.shared
        row = self.center.row(self.turn)
        measured = measure_in_blocks(coupling, shared, row, message)
        assert measured is not None
        scalars, decision = coupling.decide(self.center.scalars, message, measured)
        for a in range(0, self.size, BLOCK):
            ours, mine, said = (cut(v, a, a + BLOCK) for v in (shared, row, message.vectors))
            for piece in coupling.apply_(ours, mine, said, decision).values():
                self.reply[a : a + BLOCK].copy_(piece)
        self.center = self.center._replace(scalars=scalars)

    def round(self, coupling: SyncCoupling) -> None:
        shared = self.center.shared
        measured = [measure_in_blocks(coupling, shared, {}, m) for m in self.messages]
        sums = [m for m in measured if m is not None]
        scalars, decisions = coupling.decide(self.center.scalars, self.messages, sums)
        for a in range(0, self.size, BLOCK):
            pieces = [cut(m.vectors, a, a + BLOCK) for m in self.messages]
            for reply in coupling.apply_(cut(shared, a, a + BLOCK), pieces, decisions):
                for piece in reply.values():
                    self.reply[a : a + BLOCK].copy_(piece)
        self.center = self.center._replace(scalars=scalars)

    def meet(self, coupling: TreeCoupling) -> None:
        x, message = self.center.rows["x"][0], self.messages[self.turn]
        assert coupling.fit(x, message)
        y = message.vectors["x"]
        for a in range(0, self.size, BLOCK):
            x[a : a + BLOCK].copy_(coupling.meet(x[a : a + BLOCK], y[a : a + BLOCK], 0.1))


def copies(coupling: Exchange, size: int, rounds: int, workers: int) -> float:
    """Median time of an exchange in median times of a copy."""
    exchanges = Exchanges(coupling, size, workers)
    a, b = torch.randn(size), torch.empty(size)
    served, copied = [], []
    for turn in range(rounds + 1):
        seconds = exchanges.one()
        begin = process_time()
        b.copy_(a)
        if turn:  # the first touches new memory
            served.append(seconds)
            copied.append(process_time() - begin)
    return round(median(served) / median(copied), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parameters", type=int, default=8_000_000)
    parser.add_argument("--rounds", type=int, default=9)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[str, Any] = {}
    for name, method in METHODS.items():
        coupling = method.example.coupling
        workers = min(WORKERS, coupling.most_workers or WORKERS)
        found[name] = copies(coupling, chosen.parameters, chosen.rounds, workers)
        print(f"{name:18} {found[name]:5.2f} copies per exchange", flush=True)
    more = copies(METHODS["dana-zero"].coupling, chosen.parameters, chosen.rounds, 16)
    print(f"dana-zero of 16    {more:5.2f}")
    settings = {"parameters": chosen.parameters, "workers": WORKERS, "threads": 1}
    print(json.dumps(settings | {"copies_per_exchange": found, "dana_zero_of_16_workers": more}))


if __name__ == "__main__":
    main()

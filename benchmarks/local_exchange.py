"""What one exchange of 25 million parameters costs in engine `local`, against one plain copy of them.

    python benchmarks/local_exchange.py [--parameters 25000000]

Copies and exchanges take turns on one thread and processor time is counted, so that what else the machine does meets
both alike. put: the worker writes its message. serve: the center decides, measures, applies, and makes the worker's
pull, such that it may be killed at any moment. pull: the worker takes the reply. serve_late, pull_late: the same where
the worker has moved on since it sent (pull_after > 0): the reply is how far it was from the center, and it makes the
pull of that. two_passes: an exchange while
the center's spare copy is lent, in which the center measures first, then keeps the old values and applies. growth: of
the center's memory over 10,000 of a small model. Ends with one JSON object: copies per part. Goal of an exchange: 4.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from statistics import median, quantiles
from time import thread_time

import torch

from springline.couplings import Elastic
from springline.couplings.base import DIFFERENCE, LANDED, Ease, Message, Note
from springline.engines.local.box import Box, make_box
from springline.engines.local.plan import SPARE, Plan
from springline.engines.local.records import Incoming, lay, reply_of
from springline.engines.local.server import Server
from springline.engines.real.codec import decode
from springline.engines.real.heap import keep_vectors
from springline.engines.real.place import root
from springline.engines.real.tally import Tally


class Exchanges:
    """A center and one worker's box on shared memory, in one process."""

    def __init__(self, size: int, place: Path) -> None:
        self.coupling, x0, none = Elastic(), torch.randn(size), torch.empty(0)
        plan = Plan(size, 0, "float32", "float32", 1, 1, 1, 1, ("c",), (), ("x",), ("c",))
        lay(plan, place, self.coupling.center(x0, none, 1), [Tally()])
        make_box(plan, place, 0)
        self.server, self.box = Server(plan, self.coupling, place), Box(plan, place, 0)
        self.link, self.x, self.round = self.coupling.worker(x0), x0 + 1e-3, 0
        self.note = Note(0, 0, False, 1.0, 1)
        self.link, self.message = self.coupling.push(self.link, self.x, self.note, none)

    def put(self) -> None:
        self.box.put(Message({"x": self.x}, self.note, {}, torch.empty(0)))

    def serve(self, lent: bool = False, ease: Ease = LANDED) -> None:
        self.server.words[SPARE] = lent
        self.round += 1
        self.server.serve([Incoming(0, self.round, True, self.note, self.message.scalars, ease=ease)])

    def pull(self) -> None:
        """Its next step reads the result where it is, and makes an x of its own."""
        reply = reply_of(decode(self.server.answer(0)), self.box)
        self.coupling.pull_(self.link, self.x, reply)


def timed(what: object) -> float:
    begin = thread_time()
    what()  # type: ignore[operator]
    return thread_time() - begin


def turns(times: dict[str, list[float]], *parts: str) -> list[float]:
    """Copies that these parts take together, turn by turn: the median and the quartiles."""
    each = [sum(of) / copy for copy, *of in zip(times["copy"], *(times[name] for name in parts), strict=True)]
    low, middle, high = quantiles(each, n=4)
    return [round(v, 2) for v in (middle, low, high)]


def resident() -> int:
    """Bytes of this process that are its own."""
    fields = Path("/proc/self/statm").read_text().split()
    return (int(fields[1]) - int(fields[2])) * 4096


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parameters", type=int, default=25_000_000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_vectors(4 * options.parameters)
    place = Path(tempfile.mkdtemp(prefix="springline-bench-", dir=root()))
    try:
        large = Exchanges(options.parameters, place)
        source, target = torch.randn(options.parameters), torch.zeros(options.parameters)
        times: dict[str, list[float]] = {"copy": [], "put": [], "serve": [], "pull": []}
        times |= {"two_passes": [], "serve_late": [], "pull_late": []}
        for k in range(41):
            for name, what in (
                ("copy", lambda: target.copy_(source)),
                ("put", large.put),
                ("serve", large.serve),
                ("pull", large.pull),
                ("put again", large.put),
                ("two_passes", lambda: large.serve(lent=True)),
                ("put again", large.put),
                ("serve_late", lambda: large.serve(ease=DIFFERENCE)),
                ("pull_late", large.pull),
            ):
                seconds = timed(what)
                if k and name in times:
                    times[name].append(seconds)
        copy = median(times["copy"])
        copies = {name: round(median(t) / copy, 2) for name, t in times.items() if name != "copy"}
        small = Exchanges(20_000, place)
        sizes = []
        for k in range(11_000):
            small.put(), small.serve(), small.pull()
            if k in (999, 10_999):
                sizes.append(resident())
    finally:
        shutil.rmtree(place)
    result = {
        "copy_ms": round(1000 * copy, 2),
        **copies,
        "exchange": turns(times, "put", "serve", "pull"),
        "exchange_late": turns(times, "put", "serve_late", "pull_late"),
        "growth_bytes_per_exchange": round((sizes[1] - sizes[0]) / 10_000, 1),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()

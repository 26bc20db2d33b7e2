"""The center's process dies, and is started again with its memory intact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from springline.scenario.fault import UNHARMED, Course, Draw, Fate, Moment
from springline.scenario.intermittent import Intermittent
from springline.scenario.spans import Span


@dataclass(frozen=True)
class CenterCrash(Intermittent):
    """The center runs for `mtbf` on average and is away for `down` on average; nothing it holds is lost.

    With real workers the process is killed, and whoever attempts an exchange meanwhile waits for its successor; no
    round goes by without a center, so one that is away for rounds is restarted at once. In the simulator nobody waits:
    all workers are cut off at once, they compute on, and their attempts are lost.
    """

    name: ClassVar[str] = "center-crash"
    main: ClassVar[str] = "mtbf"
    line: ClassVar[str] = "the center dies and is restarted with what it held; nobody can exchange meanwhile"
    common: ClassVar[bool] = True

    mtbf: Span | float | str
    down: Span | float | str = "1s"
    worker: tuple[int, ...] = ()

    def course(self, draw: Draw) -> Course:
        timeline = self.timeline(draw)

        def fate(moment: Moment) -> Fate:
            return Fate(pushed=False) if timeline.interval(moment.position(timeline.unit)[0]) % 2 else UNHARMED

        return fate

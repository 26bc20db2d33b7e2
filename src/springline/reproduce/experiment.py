"""What an experiment is: the trials it consists of, and the figures that are drawn from their results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from springline.config import RunConfig
from springline.reproduce.results import Result

Label = str | int | float


class Trial(NamedTuple):
    """One run of an experiment. labels: what sets it apart from the others, as figures and tables name it."""

    labels: dict[str, Label]
    config: RunConfig


class Experiment(NamedTuple):
    """An experiment of a paper, or of this library.

    trials(quick): its runs; a quick set is a subset of rounds or seeds that shows the same in minutes.
    draw(results, folder): the figures and tables, made from results alone; returns the files.
    figures: by name, which labels a figure of the paper is drawn from.
    """

    name: str
    title: str
    trials: Callable[[bool], list[Trial]]
    draw: Callable[[Sequence[Result], Path], list[Path]]
    figures: Mapping[str, Callable[[dict[str, Label]], bool]] = MappingProxyType({})

    @property
    def folder(self) -> str:
        """The name of its folder below that of all experiments."""
        return self.name.replace("-", "_")

"""What a run was asked to do, as one validated, frozen value that a JSON file holds."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from springline.errors import UsageError


class RunConfig(BaseModel):
    """The configuration of a run. What needs knowledge of the parts (ranges, names) is checked by the parts themselves.

    faults, pace, network and topology are written as their flags; knobs are the method's, as text or numbers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    method: str
    knobs: dict[str, str | float | int | bool | list[float]] = {}
    workers: int = 4
    tau: int = 1
    rounds: int = 100
    batch_size: int = 64
    eval_every: int = 1
    seed: int = 0
    schedule: str = ""
    faults: list[str] = []
    pace: str = "constant"
    network: str = ""
    topology: str = "star"
    engine: str = "simulator"
    engine_options: dict[str, int | float | str | list[int] | None] = {}
    device: str = "cpu"
    compiled: bool = False
    sampler: str = "partition"
    buffers: str = "average"
    threads: int | None = None

    @classmethod
    def read(cls, value: dict[str, Any], where: str) -> RunConfig:
        """A configuration from JSON. Raises UsageError naming the first field that is wrong."""
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"]))
            raise UsageError(f"{where}: {field}: {first['msg'].lower()}; correct it or start a new run.") from None

    def on(self, device: str) -> RunConfig:
        """The same with its tensors on another device; what workers reserved of GPUs is not asked for on the CPU."""
        reserved = {"gpus_per_worker"} if device == "cpu" else set()
        options = {name: value for name, value in self.engine_options.items() if name not in reserved}
        return self.model_copy(update={"device": device, "engine_options": options})

    def differences(self, other: RunConfig) -> str:
        """Where another configuration differs, as "tau 1 → 4, seed 0 → 1"; empty where they agree."""
        mine, others = self.model_dump(), other.model_dump()
        found = ((name, *_apart(mine[name], others[name])) for name in mine)
        return ", ".join(f"{name} {one!r} → {other!r}" for name, one, other in found if one != other)


def _apart(one: Any, other: Any) -> tuple[Any, Any]:
    """The two values; of two dicts only what differs."""
    if not isinstance(one, dict):
        return one, other
    same = [k for k in one if k in other and one[k] == other[k]]
    return {k: v for k, v in one.items() if k not in same}, {k: v for k, v in other.items() if k not in same}

"""`train`, the one entry point, and `Run`, what it returns."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from springline.config import RunConfig
from springline.engines.base import Engine, Row
from springline.engines.evaluator import Evaluator
from springline.engines.job import Buffers, Job, Sampler
from springline.engines.worker import Replica
from springline.errors import RunError, UsageError
from springline.folder import RunFolder
from springline.guard import warn_if_unstable
from springline.methods import Method
from springline.recorder import Progress, Recorder
from springline.report.breakdown import breakdown
from springline.scenario import Fault, Network, Pace, Scenario, Topology
from springline.setup import check_same, rebuild, set_up
from springline.setup import turned as turned  # tied/tie.py takes it from here
from springline.tasks.base import Task
from springline.tasks.drawing import unseen
from springline.tasks.layout import Layout, tensors_of

CHECKPOINT_EVERY = 10.0  # seconds of wall time between checkpoints


@dataclass(frozen=True)
class Run:
    """A finished run.

    config: what was asked for.  rows: the metrics of each communication round.  center: the trained model's state dict.
    folder: where it was written, if it was.
    """

    config: RunConfig
    rows: tuple[Row, ...]
    center: dict[str, Tensor]
    folder: Path | None = None

    @property
    def summary(self) -> dict[str, Any]:
        """The result in a few numbers; what --json prints."""
        last = self.rows[-1]
        names = ("test_accuracy", "test_loss", "train_loss")
        return {name: last.get(name) for name in names} | {
            "rounds": last["round"],
            "exchanges_made": last["exchanges_made"],
            "exchanges_lost": last["exchanges_lost"],
            **({"rounds_incomplete": last["rounds_incomplete"]} if "rounds_incomplete" in last else {}),
            "wall_s": last["wall_s"],
            "run_dir": str(self.folder) if self.folder else None,
        }

    @property
    def test_accuracy(self) -> float | None:
        """The center's accuracy on the test data after the last round, if the task has such."""
        return self.rows[-1].get("test_accuracy")

    def breakdown(self) -> dict[str, float | None]:
        """Where the time went (mean seconds of a worker), mean lag and gap; see `springline.report.breakdown`."""
        return breakdown(self.rows[-1])

    def load_into(self, module: nn.Module) -> nn.Module:
        """The module with the trained parameters and buffers."""
        said = {name: value for name, value in module.state_dict().items() if not isinstance(value, Tensor)}
        module.load_state_dict(said | self.center)
        return module

    @staticmethod
    def load(folder: Path | str) -> Run:
        """A finished run from its folder. Raises UsageError if there is none, RunError if it is not whole."""
        files = RunFolder(folder)
        config = RunConfig.read(files.read_config(), str(files.config))
        if files.read_summary() is None:
            raise UsageError(f"the run in {folder} has not ended; continue it with `springline resume {folder}`.")
        rows = files.read_metrics()
        if not rows:
            raise RunError(f"{files.metrics} holds no round, but the run has ended; restore the file from a copy.")
        return Run(config, tuple(rows), files.load_center(), files.path)


def train(
    task: Task | str,
    method: Method | str = "geahes-o",
    *,
    scenario: Scenario | None = None,
    faults: Sequence[Fault | str] | Fault = (),
    pace: Pace | str = "constant",
    network: Network | str = "",
    topology: Topology | str = "star",
    engine: Engine | str = "simulator",
    workers: int = 4,
    tau: int = 1,
    rounds: int = 100,
    batch_size: int = 64,
    eval_every: int | None = None,
    seed: int = 0,
    schedule: str = "",
    device: str = "cpu",
    compiled: bool = False,
    sampler: Sampler = "partition",
    buffers: Buffers = "average",
    out: Path | str | None = None,
    overwrite: bool = False,
    checkpoint_every: float = CHECKPOINT_EVERY,
    progress: Progress | None = None,
    guard: bool = True,
    **knobs: Any,
) -> Run:
    """Train a task with a method, on workers that fail as the scenario says.

    task: a `Task`, or a name of `springline.TASKS`.  method: a `Method`, or a name of `springline.METHODS`; knobs turn
    its parameters (`alpha=0.2, lr=0.05`).  scenario: the faults, pace, network and topology together; or each by
    itself, as an object or its text: `faults=["drop:0.333"]`, `pace="gamma:batch=128"`, `network="latency=0.01"`,
    `topology="tree:4"`.  workers: N; tau: τ local steps per exchange; rounds: exchange attempts of every worker;
    batch_size: samples per step; eval_every: rounds between evaluations (default: 50 in all).
    schedule: how the learning rate goes on from there, as `"warmup:5e+step:0.1@80e,120e"`, `"inverse-root:1e-4"`; its
    clock is that of whoever applies it, a worker's steps or the center's updates (`springline.optim.schedule`).
    compiled: let torch.compile make the local steps faster.
    sampler: "partition" gives each worker samples of its own, with "cycle" workers claim chunks of one cycle over all.
    buffers: whose batch-norm statistics the center has: "average" (those taken over from the workers), "shared" (one
    set for all workers; simulator only) or "recalibrate" (computed anew from training batches).
    out: the run's folder (default: nothing is written).  checkpoint_every: seconds of wall time, at least, between two
    checkpoints, and so what a resumed run makes again at most, after the first round's; 0 makes one every round.
    progress: called with every row.
    guard: estimate the curvature at the start, and warn (`StabilityWarning`) if theory says that the run will diverge.

    Raises UsageError for wrong input before anything is written, RunError if the run cannot go on.
    """
    job, player, config = set_up(
        task,
        method,
        scenario=scenario,
        faults=faults,
        pace=pace,
        network=network,
        topology=topology,
        engine=engine,
        workers=workers,
        tau=tau,
        rounds=rounds,
        batch_size=batch_size,
        eval_every=eval_every,
        seed=seed,
        schedule=schedule,
        device=device,
        compiled=compiled,
        sampler=sampler,
        buffers=buffers,
        **knobs,
    )
    if guard:
        warn_if_unstable(job, stacklevel=2)
    return start(job, player, config, out, overwrite=overwrite, checkpoint_every=checkpoint_every, progress=progress)


def start(
    job: Job,
    player: Engine,
    config: RunConfig,
    out: Path | str | None,
    *,
    overwrite: bool = False,
    checkpoint_every: float = CHECKPOINT_EVERY,
    progress: Progress | None = None,
) -> Run:
    """Begin what `set_up` or `rebuild` made."""
    with unseen(job.device):
        Replica(replace(job, compiled=False)).rehearse()
    if out is None:
        return _go(job, player, Recorder(config, None, progress, checkpoint_every))
    folder = RunFolder(out)
    if not overwrite:
        folder.check_empty()
    with folder.held():
        folder.create(config.model_dump(), overwrite=overwrite)
        return _go(job, player, Recorder(config, folder, progress, checkpoint_every))


def resume(
    folder: Path | str,
    *,
    task: Task | None = None,
    method: Method | None = None,
    scenario: Scenario | None = None,
    checkpoint_every: float = CHECKPOINT_EVERY,
    progress: Progress | None = None,
    patience: float | None = None,
    device: str | None = None,
) -> Run:
    """Go on with a run from its last checkpoint; it ends with the bytes it would have had without the interruption.

    task, method, scenario: needed only where the run was started with objects that have no name on the command line;
    the same as then.
    checkpoint_every, progress: as for `train`.  patience: of the engine, if it is to be another one than before.
    device: where its tensors are to be, if that is elsewhere than before. The bytes may then be others, for which there
    is a warning. The configuration stays what the run was begun with, so whoever goes on once more names the device
    again.
    A run that has ended is loaded.

    Raises UsageError if there is no run, another process is at it, or what is passed is not what it was begun with;
    RunError if its files are damaged, or were edited so that configuration and checkpoint disagree.
    """
    files = RunFolder(folder)
    config = RunConfig.read(files.read_config(), str(files.config))
    if files.read_summary() is not None:
        return Run.load(folder)
    check_same(config, task, method, scenario)
    here = config if device is None else config.on(device)
    job, player = rebuild(here, task, method, scenario)
    if patience is not None:
        player = player.with_options({"patience": patience})
    if changed := ", ".join(filter(None, [files.other_versions(), config.differences(here)])):
        warnings.warn(
            f"the run in {folder} was begun with {changed}; it goes on, but not necessarily to the same bytes.",
            stacklevel=2,
        )
    with files.held():
        files.sweep()
        saved = files.load_checkpoint(player.home(job))
        if saved is not None and (edited := RunConfig.read(saved["config"], "the checkpoint").differences(config)):
            raise RunError(
                f"{files.config} is not what the checkpoint was made with ({edited}); put the old values back, or "
                "start a new run."
            )
        return _go(job, player, Recorder(config, files, progress, checkpoint_every, saved), saved)


def _go(job: Job, engine: Engine, recorder: Recorder, saved: dict[str, Any] | None = None) -> Run:
    config, folder = recorder.config, recorder.folder
    try:
        with unseen(job.device):
            outcome = engine.run(job, recorder, saved["engine"] if saved else None)
            if job.buffers == "recalibrate":
                outcome = outcome._replace(buffers=Evaluator(job).settle(*outcome))
    finally:
        recorder.close()
    last = recorder.rows[-1]
    damaging = {fault.name for fault in job.scenario.faults} & {"corrupt", "script"}
    if last["exchanges_refused"] and not last["exchanges_made"] + last["exchanges_unanswered"] and not damaging:
        raise RunError(
            f"the center refused all {last['exchanges_refused']} messages of this run, because their values were not "
            "finite, and is untrained; lower the learning rate, or see whether data and buffers are finite."
        )
    with unseen(job.device):
        module = job.task.build(job.seed)
    layout = Layout(module)
    kinds = {name: t.dtype for name, t in tensors_of(module).items()}  # a buffer's may be another than that of b
    layout.bind(outcome.x.cpu())
    layout.bind_buffers(outcome.buffers.cpu())
    center = {name: t.detach().to(kinds[name], copy=True) for name, t in tensors_of(module).items()}
    run = Run(config, tuple(recorder.rows), center, folder.path if folder else None)
    if folder is not None:
        folder.save_center(center)
        folder.write_json("summary.json", run.summary)
    return run

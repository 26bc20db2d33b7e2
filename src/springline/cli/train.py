"""`springline train` and `springline resume`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from springline.cli import options as o
from springline.cli.exits import Interrupted
from springline.cli.screen import RunProgress, Screen, duration, lost_share, percent
from springline.errors import UsageError

if TYPE_CHECKING:
    from springline.run import Run


def add_to(app: typer.Typer) -> None:
    app.command()(train)
    app.command()(resume)


def train(
    task: o.TaskName,
    method: Annotated[str, typer.Option("--method", "-m", help="A name of `springline methods`.")] = "geahes-o",
    workers: o.Workers = 4,
    tau: o.Tau = 1,
    rounds: o.Rounds = 100,
    batch_size: o.BatchSize = 64,
    eval_every: o.EvalEvery = None,
    fault: o.Faults = None,
    pace: o.Pace = "constant",
    network: o.Network = "",
    topology: o.Topology = "star",
    scheme: o.Scheme = None,
    sampler: o.SamplerName = "partition",
    buffers: o.BuffersName = "average",
    seed: o.Seed = 0,
    alpha: o.Alpha = None,
    lr: o.Rate = None,
    schedule: o.Schedule = "",
    overlap: o.Overlap = None,
    pull_after: o.PullAfter = None,
    knob: o.Knobs = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="The run's folder (default: the next runs/TASK-METHOD-1, -2, …)."),
    ] = None,
    overwrite: o.Overwrite = False,
    as_json: o.Json = False,
    checkpoint_every: o.CheckpointEvery = 10.0,
    tensorboard: o.TensorBoard = False,
    engine: o.Engine = "simulator",
    min_workers: o.MinWorkers = None,
    max_workers: o.MaxWorkers = None,
    patience: o.Patience = None,
    address: o.Address = None,
    center_shards: o.CenterShards = None,
    cpus_per_worker: o.CpusPerWorker = None,
    gpus_per_worker: o.GpusPerWorker = None,
    device: o.Device = "cpu",
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1024,
            help="Threads of torch; 1 is often fastest for small networks.",
            rich_help_panel="The machine",
        ),
    ] = None,
    compiled: o.Compiled = False,
    guard: o.Guard = True,
    debug: o.Debug = False,
) -> None:
    """Train TASK with a method, on workers that fail as the faults say, and write a run folder.

    Ctrl-C stops it, `springline resume DIR` goes on.
    """
    import torch

    from springline.comparison.settings import file_name
    from springline.methods import method as named_method
    from springline.run import train as start
    from springline.scenario import Scenario
    from springline.tasks import load_task

    screen = Screen(as_json)
    chosen = named_method(method, **o.knobs(knob, alpha, lr, overlap, pull_after))
    scenario = Scenario.of(fault or (), pace, network, o.arranged(topology, scheme))
    player = o.engine_with(
        engine,
        min_workers=min_workers,
        max_workers=max_workers,
        patience=patience,
        address=address,
        center_shards=center_shards,
        cpus_per_worker=cpus_per_worker,
        gpus_per_worker=gpus_per_worker,
    )
    if threads is not None:
        torch.set_num_threads(threads)
    loaded = load_task(task, say=screen.say)
    with (
        _folder(out, file_name(f"{task}-{method}")) as folder,
        _stoppable(folder),
        screen.rounds(rounds) as shown,
        _events(folder if tensorboard else None, shown) as progress,
    ):
        run = start(
            loaded,
            chosen,
            scenario=scenario,
            engine=player,
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
            out=folder,
            overwrite=overwrite,
            checkpoint_every=checkpoint_every,
            progress=progress,
            guard=guard,
        )
    _tell(screen, run)


def resume(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of an interrupted run.")],
    as_json: o.Json = False,
    checkpoint_every: o.CheckpointEvery = 10.0,
    tensorboard: o.TensorBoard = False,
    patience: o.Patience = None,
    device: Annotated[
        str | None,
        typer.Option(
            help="Where tensors live from now on: cpu, cuda, cuda:1 (default: where they were).",
            rich_help_panel="The machine",
        ),
    ] = None,
    debug: o.Debug = False,
) -> None:
    """Go on with an interrupted run; it ends with the weights it would have had without the interruption."""
    from springline.config import RunConfig
    from springline.folder import RunFolder
    from springline.run import resume as go_on
    from springline.tasks import load_task
    from springline.tasks.registry import is_named

    screen = Screen(as_json)
    files = RunFolder(run)
    config = RunConfig.read(files.read_config(), str(files.config))
    ended = files.read_summary() is not None
    task = load_task(config.task, say=screen.say) if is_named(config.task) and not ended else None
    with (
        _stoppable(run),
        screen.rounds(config.rounds) as shown,
        _events(run if tensorboard else None, shown) as progress,
    ):
        finished = go_on(
            run, task=task, checkpoint_every=checkpoint_every, progress=progress, patience=patience, device=device
        )
    if ended:
        screen.say(f"{run} had ended already")
    _tell(screen, finished)


def _tell(screen: Screen, run: Run) -> None:
    from springline.files import finite

    s = run.summary
    parts = [f"training loss {s['train_loss']:.4f}"] if s["train_loss"] is not None else []
    if s["test_loss"] is not None:
        parts.insert(0, f"test loss {s['test_loss']:.4f}")
    if s["test_accuracy"] is not None:
        parts.insert(0, f"test accuracy {percent(s['test_accuracy'])}")
    screen.say(f"center after {s['rounds']} rounds: {', '.join(parts)}")
    screen.say(f"exchanges lost: {lost_share(s)}; wall time {duration(s['wall_s'])}")
    if run.config.engine == "simulator":
        screen.say(_virtual(run.breakdown()))
    screen.say(f"written to {run.folder}; next: springline plot {run.folder}")
    screen.result(finite(s))


def _virtual(b: dict[str, float | None]) -> str:
    """Where the virtual time of a worker went, and how stale its exchanges were."""
    spent = ", ".join(f"{name} {b[name]:.4g} s" for name in ("computing", "waiting", "communicating"))
    return f"virtual time {b['time']:.4g} s, of which a worker was {spent}; mean lag {b['lag']:.3g}, gap {b['gap']:.3g}"


@contextmanager
def _stoppable(folder: Path) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        if (folder / "config.json").exists():
            raise Interrupted(f"stopped; go on with `springline resume {folder}`.") from None
        raise Interrupted("stopped before the run began.") from None


@contextmanager
def _events(folder: Path | None, shown: RunProgress) -> Iterator[RunProgress]:
    """What is called with every row: the screen, and TensorBoard's events where they are wanted."""
    if folder is None:
        yield shown
        return
    from springline.watching.tensorboard import Events

    with Events(folder) as events:

        def both(row: dict[str, Any]) -> None:
            shown(row)
            events(row)

        yield both


@contextmanager
def _folder(wanted: Path | None, name: str) -> Iterator[Path]:
    """The folder that was asked for, or the next free runs/NAME-1, -2, …; removed again if nothing was written."""
    if wanted is not None:
        yield wanted
        return
    try:
        Path("runs").mkdir(exist_ok=True)  # in a link that leads nowhere every name seems to be taken
        folder = _next_free(Path("runs"), name)
    except OSError as error:
        raise UsageError(f"no run folder can be made in runs ({error.strerror}); name one by --out DIR.") from None
    try:
        yield folder
    finally:
        with suppress(OSError):  # it is not empty: a run was begun
            folder.rmdir()
            folder.parent.rmdir()


def _next_free(runs: Path, name: str) -> Path:
    number = 1
    while True:
        folder = runs / f"{name}-{number}"
        try:
            folder.mkdir(parents=True)  # another process may have removed an empty runs/ just now
            return folder
        except FileExistsError:
            number += 1

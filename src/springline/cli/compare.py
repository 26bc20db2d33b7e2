"""`springline compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from springline.cli import options as o
from springline.cli.exits import Interrupted
from springline.cli.fleet import RunsProgress
from springline.cli.screen import Screen
from springline.errors import RunError

if TYPE_CHECKING:
    from springline.comparison import Comparison


def add_to(app: typer.Typer) -> None:
    app.command()(compare)


def compare(
    task: o.TaskName,
    methods: o.Methods = "easgd,eahes-o,geahes-o",
    seeds: Annotated[int, typer.Option(help="Runs per method, with SEED, SEED + 1, ….")] = 3,
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
        typer.Option(
            "--out", metavar="DIR", help="The folder of all runs (default: one in runs/ named after the settings)."
        ),
    ] = None,
    overwrite: o.Overwrite = False,
    as_json: o.Json = False,
    engine: o.Engine = "simulator",
    device: o.Device = "cpu",
    jobs: o.Jobs = None,
    compiled: o.Compiled = False,
    debug: o.Debug = False,
) -> None:
    """Train TASK with several methods, all under the same failures: a table and a picture.

    The same command goes on where it stopped; finished runs are not made again, so methods and seeds can be added.
    """
    from springline.comparison import prepare
    from springline.comparison.run import compare_in

    screen = Screen(as_json)
    prepared = prepare(
        task,
        o.names(methods),
        seeds=seeds,
        seed=seed,
        faults=fault or (),
        workers=workers,
        tau=tau,
        rounds=rounds,
        batch_size=batch_size,
        eval_every=eval_every,
        engine=engine,
        device=device,
        schedule=schedule,
        compiled=compiled,
        pace=pace,
        network=network,
        topology=o.arranged(topology, scheme),
        sampler=sampler,
        buffers=buffers,
        say=screen.say,
        **o.knobs(knob, alpha, lr, overlap, pull_after),
    )
    folder = out if out is not None else prepared.folder
    try:
        with RunsProgress(screen, prepared.plans(folder)) as progress:
            result = compare_in(folder, prepared, jobs=jobs, overwrite=overwrite, watch=progress.watch)
    except KeyboardInterrupt:
        raise Interrupted("stopped; the same command goes on where it stopped.") from None
    _tell(screen, result, rounds)


def _tell(screen: Screen, result: Comparison, rounds: int) -> None:
    from springline.comparison.settings import PICTURE
    from springline.files import finite
    from springline.report.tables import comparison_table

    assert result.folder is not None
    picture = result.save_picture(result.folder / PICTURE) if any(e.finished for e in result.entries) else None
    screen.say(f"The center after {rounds} rounds: {result.about}")
    screen.show(comparison_table(result.table))
    screen.say(f"runs and table.json: {result.folder}")
    if picture is not None:
        screen.say(f"picture: {picture}")
    screen.result(
        finite({"methods": result.table, "folder": str(result.folder), "picture": str(picture) if picture else None})
    )
    if result.failures:
        label, seed, why = result.failures[0]
        total = sum(len(e.traces) for e in result.entries)
        raise RunError(f"{len(result.failures)} of {total} runs failed; {label}, seed {seed}: {why}")

"""Arguments and options that several commands share, with their help; and what their text means."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from springline.errors import UsageError

if TYPE_CHECKING:
    from springline.engines.base import Engine as BaseEngine

_WORLD, _METHOD, _OUTPUT, _MACHINE = "The run", "The method's knobs", "Output", "The machine"

TaskName = Annotated[str, typer.Argument(metavar="TASK", help="What is learned: a name of `springline tasks`.")]
Workers = Annotated[int, typer.Option("--workers", "-n", help="Workers N.", rich_help_panel=_WORLD)]
Tau = Annotated[int, typer.Option(help="Local steps τ between two exchanges.", rich_help_panel=_WORLD)]
Rounds = Annotated[int, typer.Option(help="Exchange attempts of every worker.", rich_help_panel=_WORLD)]
BatchSize = Annotated[int, typer.Option(help="Samples per local step.", rich_help_panel=_WORLD)]
EvalEvery = Annotated[
    int | None,
    typer.Option(help="Rounds between two evaluations of the center (default: 50 in all).", rich_help_panel=_WORLD),
]
Faults = Annotated[
    list[str] | None,
    typer.Option(
        "--fault",
        metavar="NAME:KEY=VALUE,…",
        help="What breaks, e.g. drop:0.333 or crash:mtbf=40,rejoin=initial; repeatable; see `springline faults`.",
        rich_help_panel=_WORLD,
    ),
]
Pace = Annotated[
    str,
    typer.Option(
        metavar="NAME:KEY=VALUE,…",
        help="Who computes how fast (simulator); see `springline world`.",
        rich_help_panel=_WORLD,
    ),
]
Network = Annotated[
    str,
    typer.Option(
        metavar="KEY=VALUE,…",
        help="What communication costs (simulator); see `springline world`.",
        rich_help_panel=_WORLD,
    ),
]
Topology = Annotated[
    str,
    typer.Option(
        metavar="NAME:KEY=VALUE,…", help="Who exchanges with whom; see `springline world`.", rich_help_panel=_WORLD
    ),
]
Scheme = Annotated[
    int | None,
    typer.Option(
        help="Which nodes of a tree send how often, 1 or 2; short for scheme= in --topology.", rich_help_panel=_WORLD
    ),
]
Schedule = Annotated[
    str,
    typer.Option(
        metavar="NAME:…",
        help="How the learning rate goes on from there: warmup:5e, step:0.1@80e, inverse-root:1e-4, or some with +.",
        rich_help_panel=_METHOD,
    ),
]
SamplerName = Annotated[
    Literal["partition", "cycle"],
    typer.Option(
        "--sampler", help="Samples of its own for each worker, or chunks of one shared cycle.", rich_help_panel=_WORLD
    ),
]
BuffersName = Annotated[
    Literal["average", "shared", "recalibrate"],
    typer.Option("--buffers", help="Whose batch-norm statistics the center has.", rich_help_panel=_WORLD),
]
Seed = Annotated[int, typer.Option(help="Decides batches, failures and initial weights.", rich_help_panel=_WORLD)]

Alpha = Annotated[float | None, typer.Option(help="Weight α of an exchange.", rich_help_panel=_METHOD)]
Rate = Annotated[float | None, typer.Option("--lr", help="Learning rate η.", rich_help_panel=_METHOD)]
Overlap = Annotated[
    str | None, typer.Option(help="Share of the data that all workers have, or 1/N.", rich_help_panel=_METHOD)
]
PullAfter = Annotated[
    str | None,
    typer.Option(help="Local steps until a pull lands: 0, 1, … or tau.", rich_help_panel=_METHOD),
]
Knobs = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KNOB=VALUE",
        help="Any knob that `springline methods NAME` lists; repeatable.",
        rich_help_panel=_METHOD,
    ),
]

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what OUT holds.", rich_help_panel=_OUTPUT)]
Json = Annotated[
    bool,
    typer.Option(
        "--json", help="End standard output with one JSON object; all else on standard error.", rich_help_panel=_OUTPUT
    ),
]
CheckpointEvery = Annotated[
    float,
    typer.Option(
        "--checkpoint-every",
        "--snapshot-every",
        metavar="SECONDS",
        min=0,
        help="Time between two checkpoints after round 1's, which `resume` makes again at most; 0: every round.",
        rich_help_panel=_OUTPUT,
    ),
]
Guard = Annotated[
    bool,
    typer.Option("--guard/--no-guard", help="Warn if theory says that the run will diverge.", rich_help_panel=_METHOD),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.", rich_help_panel=_OUTPUT)]
Picture = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="The picture: .png, .pdf or .svg.")]

Methods = Annotated[
    str,
    typer.Option(
        "--methods",
        "-m",
        metavar="A,B,…",
        help="Names of `springline methods`, each with knobs if need be: easgd:alpha=0.2.",
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option("--jobs", "-j", help="Runs at the same time, one thread each (default: one per core, or per GPU)."),
]

Engine = Annotated[str, typer.Option(help="What runs it.", rich_help_panel=_MACHINE)]
MinWorkers = Annotated[
    int | None,
    typer.Option(
        help="With fewer workers alive nobody exchanges until there are enough again.", rich_help_panel=_MACHINE
    ),
]
Patience = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        help="How long a start may take, or a run wait for workers when others have left for good (60 s).",
        rich_help_panel=_MACHINE,
    ),
]
MaxWorkers = Annotated[
    int | None,
    typer.Option(help="Room for those that join later (default: 16 more than workers).", rich_help_panel=_MACHINE),
]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT", help="Head of the Ray cluster (default: Ray on this machine).", rich_help_panel=_MACHINE
    ),
]
CenterShards = Annotated[
    int | None, typer.Option(help="Ray actors that share the center's parameters.", rich_help_panel=_MACHINE)
]
CpusPerWorker = Annotated[
    float | None, typer.Option(help="CPUs that a worker on Ray reserves, and its threads.", rich_help_panel=_MACHINE)
]
GpusPerWorker = Annotated[
    float | None, typer.Option(help="GPUs, or a share of one, that it reserves.", rich_help_panel=_MACHINE)
]
TensorBoard = Annotated[
    bool, typer.Option("--tensorboard", help="Write TensorBoard events to OUT/tensorboard.", rich_help_panel=_OUTPUT)
]
Device = Annotated[str, typer.Option(help="Where tensors live: cpu, cuda, cuda:1.", rich_help_panel=_MACHINE)]
Compiled = Annotated[
    bool, typer.Option("--compile", help="Make local steps faster with torch.compile.", rich_help_panel=_MACHINE)
]


def arranged(topology: str, scheme: int | None) -> str:
    """--topology and --scheme as one text."""
    return topology if scheme is None else f"{topology}{',' if ':' in topology else ':'}scheme={scheme}"


def names(text: str) -> list[str]:
    """A,B,… as a list."""
    return [name.strip() for name in text.split(",") if name.strip()]


def knobs(
    settings: list[str] | None, alpha: float | None, lr: float | None, overlap: str | None, pull_after: str | None
) -> dict[str, Any]:
    """The knobs that were turned, by name. Raises UsageError for one that is not written KNOB=VALUE, or given twice."""
    given = {"alpha": alpha, "lr": lr, "overlap": overlap, "pull_after": pull_after}
    turned = {name: value for name, value in given.items() if value is not None}
    for text in settings or ():
        name, equals, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if not (name and equals and value):
            raise UsageError(f"--set {text}: write KNOB=VALUE, for example --set alpha=0.2.")
        if name in turned:
            raise UsageError(f"--set {text}: {name} is given twice; give it once.")
        turned[name] = value
    return turned


def engine_with(name: str, **options: Any) -> BaseEngine:
    """The named engine with those of the options that were given. Raises UsageError for one that it does not have."""
    from dataclasses import fields

    from springline.setup import ENGINES, find_engine

    found = find_engine(name)
    given = {key: value for key, value in options.items() if value is not None}
    has = {f.name for f in fields(found)}
    for key in given.keys() - has:
        flag = "--" + key.replace("_", "-")
        able = next((e.name for e in ENGINES.values() if key in {f.name for f in fields(e)}), "local")
        raise UsageError(f"{flag} is nothing that engine {found.name} knows; leave it out, or add --engine {able}.")
    return found.with_options(given)

"""The thesis's experiments on CIFAR, at the scale of two cores: the MNIST network, batch 64 instead of 128.

part "tau"    test error over τ ∈ {1, 4, 16, 64}, p = 4, as many local steps for each (its Figures 4.1–4.4)
part "p"      test error over p ∈ {4, 8, 16}: EASGD and EAMSGD at τ = 10, DOWNPOUR and MDOWNPOUR at τ = 1 (4.5–4.7)
part "long"   EASGD with τ from 10 to 1000; EAMSGD with τ = 100, with η as it is and in decay
part "early"  EASGD of four workers, two of which stop half-way
part "tree"   EASGD Tree of 64 leaves, both schemes, without and with momentum, batch 16 (6.3–6.5)
part "time"   seconds of computing and communicating in the simulator's cost model (Table 4.4)

α = β/p with β = 0.9; every method at two learning rates, of which the better is shown, as the thesis shows its best.
Reference: Zhang, Distributed stochastic optimization for deep learning, 2016, chapters 4 and 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from springline.config import RunConfig
from springline.report.style import figure, label, legend_below, logarithmic, save, style
from springline.reproduce.experiment import Experiment, Label, Trial
from springline.reproduce.results import Result
from springline.reproduce.tables import chosen, distinct, errors, markdown, spread

BETA = 0.9
STEPS = {"tau": 640, "p": 320, "long": 2000, "early": 640, "tree": 160}  # of each worker
POINTS = {"p": 16}  # evaluations of a run; 8 elsewhere
RATES = {"easgd": (0.1, 0.02), "eamsgd": (0.02, 0.005), "mdownpour": (0.005, 0.001)}
DOWNPOUR_RATES = (0.02, 0.005)
MOMENTUM = 0.9
PERIODS, WORKERS = (1, 4, 16, 64), (4, 8, 16)
LONG = (10, 100, 1000)
INERTIAS = {0.9: 0.02, 0.99: 0.002}  # δ and η of part "long", so that η/(1 − δ) is the same
LEVELS = (10.0, 5.0, 3.0)  # test errors (%) to be reached
# Table 4.4's CIFAR rows: 400 steps of 11 s; a message's way and service, so that p = 4, τ = 1 communicates for 3 s
STEP, LATENCY, SERVICE = 11 / 400, 0.00225, 0.003
PRINTED = {(4, 1): 3, (8, 1): 5, (16, 1): 9, (4, 10): 1, (8, 10): 1, (16, 10): 1}  # seconds communicating


def trials(quick: bool) -> list[Trial]:
    """Seed by seed; quick: one seed and a quarter of the steps."""
    found = []
    share = 4 if quick else 1
    for seed in range(1 if quick else 2):
        for tau in PERIODS:
            for method in ("easgd", "eamsgd", "downpour", "adownpour", "mvadownpour"):
                found += [_trial("tau", method, 4, tau, eta, seed, share) for eta in rates(method)]
        for p in WORKERS:
            for method, tau in (("easgd", 10), ("eamsgd", 10), ("downpour", 1), ("mdownpour", 1)):
                found += [_trial("p", method, p, tau, eta, seed, share) for eta in rates(method)]
        if not seed:
            periods = LONG[:-1] if quick else LONG
            found += [_trial("long", "easgd", 4, tau, RATES["easgd"][0], seed, share) for tau in periods]
            found += [_inert(delta, decay, seed, share) for delta in INERTIAS for decay in ("no", "yes")]
        half = STEPS["early"] // 10 // share // 2
        gone = [f"script:outage,worker={i},round={half + 1},rounds={half}" for i in (0, 1)]
        found += [_trial("early", "easgd", 4, 10, eta, seed, share, faults=gone) for eta in rates("easgd")]
        for scheme, up, down in ((1, 10, 40), (2, 2, 16)):
            for delta in (0.0, MOMENTUM):
                found.append(_tree(scheme, up, down, delta, seed, share))
        if not seed:
            found += [_timed(p, tau) for p, tau in PRINTED]
    return found


def rates(method: str) -> tuple[float, ...]:
    return RATES.get(method, DOWNPOUR_RATES)


def _trial(
    part: str, method: str, p: int, tau: int, eta: float, seed: int, share: int, faults: Sequence[str] = ()
) -> Trial:
    knobs: dict[str, Any] = {"lr": eta}
    knobs |= {"alpha": BETA / p} if method in ("easgd", "eamsgd") else {}
    knobs |= {"momentum": MOMENTUM} if method in ("eamsgd", "mdownpour") else {}
    rounds = max(2, STEPS[part] // tau // share)
    labels: dict[str, Label] = {"part": part, "method": method, "p": p, "tau": tau, "lr": eta, "seed": seed}
    every = max(1, rounds // POINTS.get(part, 8))
    return Trial(labels, _config(method, knobs, p, tau, rounds, seed, eval_every=every, faults=list(faults)))


def _inert(delta: float, decay: str, seed: int, share: int) -> Trial:
    """EAMSGD with τ = 100; η in decay is a tenth from half-way on, a hundredth for the last quarter."""
    trial, steps = _trial("long", "eamsgd", 4, 100, INERTIAS[delta], seed, share), STEPS["long"] // share
    schedule = f"step:0.1@{steps // 2},{steps * 3 // 4}" if decay == "yes" else ""
    config = trial.config.model_copy(update={"knobs": trial.config.knobs | {"momentum": delta}, "schedule": schedule})
    return Trial(trial.labels | {"delta": delta, "decay": decay}, config)


def _tree(scheme: int, tau: int, tau2: int, delta: float, seed: int, share: int) -> Trial:
    """tau, tau2: scheme 1's periods of the leaves and above them, scheme 2's up and down."""
    method = "eamsgd-tree" if delta else "easgd-tree"
    eta = 0.02 if delta else 0.1
    knobs: dict[str, Any] = {"lr": eta} | ({"momentum": delta} if delta else {})
    labels: dict[str, Label] = {"part": "tree", "method": method, "scheme": scheme, "lr": eta, "seed": seed}
    rounds = max(2, STEPS["tree"] // tau // share)
    topology = f"tree:8,scheme={scheme},tau2={tau2}"
    return Trial(labels, _config(method, knobs, 64, tau, rounds, seed, topology=topology, batch_size=16))


def _timed(p: int, tau: int) -> Trial:
    labels: dict[str, Label] = {"part": "time", "method": "easgd", "p": p, "tau": tau, "seed": 0}
    network = f"latency={LATENCY},service={1e3 * 8 / SERVICE}"  # a message of 1,000 doubles takes SERVICE
    config = _config("easgd", {"alpha": BETA / p, "lr": 1e-3}, p, tau, 400 // tau, 0)
    made = {"task": "quadratic:dim=1000", "pace": f"constant:{STEP}", "network": network, "batch_size": 1}
    return Trial(labels, config.model_copy(update=made))


def _config(method: str, knobs: dict[str, Any], p: int, tau: int, rounds: int, seed: int, **more: Any) -> RunConfig:
    common: dict[str, Any] = {
        "task": "mnist", "method": method, "knobs": knobs, "workers": p, "tau": tau, "rounds": rounds, "seed": seed,
        "eval_every": max(1, rounds // 8), "threads": 1,
    }  # fmt: skip
    return RunConfig(**(common | more))


def draw(results: Sequence[Result], folder: Path) -> list[Path]:
    """Test error over τ and over p, a table for each part, and the steps to a test error for each p."""
    parts = {name: [r for r in results if r.labels["part"] == name] for name in (*STEPS, "time")}
    made = []
    for x in ("tau", "p"):
        if parts[x]:
            made += [_picture(x, parts[x], folder / f"error-{x}.png"), _errors(x, parts[x], folder / f"error-{x}.md")]
    if parts["p"]:
        made.append(_reached(parts["p"], folder / "reached.md"))
    if parts["long"]:
        made.append(_long(parts["long"], folder / "long.md"))
    if parts["early"]:
        made.append(_early(parts, folder / "early.md"))
    if parts["tree"]:
        found = {
            (r.labels["method"], f"scheme {r.labels['scheme']}"): errors(
                parts["tree"], method=r.labels["method"], scheme=r.labels["scheme"]
            )
            for r in parts["tree"]
        }
        made.append(markdown("64 leaves", found, folder / "tree.md", "Final test error of the root (%)."))
    if parts["time"]:
        made.append(_times(parts["time"], folder / "time.md"))
    return made


def best(results: Sequence[Result]) -> list[float]:
    """Final test errors (%) at the learning rate whose mean is lowest; a failed run counts as 100."""
    return min((errors(results, lr=eta) for eta in distinct(results, "lr")), key=mean)


def _by(x: str, results: Sequence[Result]) -> dict[tuple[str, int], list[float]]:
    found = {}
    for method in distinct(results, "method"):
        for v in sorted(distinct(results, x)):
            if runs := chosen(results, **{"method": method, x: v}):
                found[method, v] = best(runs)
    return found


def _errors(x: str, results: Sequence[Result], path: Path) -> Path:
    name = {"tau": "τ", "p": "p"}[x]
    found = {(method, f"{name} = {v}"): e for (method, v), e in _by(x, results).items()}
    return markdown("method", found, path, "Final test error (%) at the better of two learning rates.")


def _picture(x: str, results: Sequence[Result], path: Path) -> Path:
    drawn = figure(6.0, 4.2)
    axes = drawn.add_subplot()
    found = _by(x, results)
    for i, method in enumerate(distinct(results, "method")):
        points = [(v, *spread(e)) for (m, v), e in found.items() if m == method]
        at, middle, std = zip(*points, strict=True)
        look = style(i)
        axes.errorbar(at, middle, yerr=std, label=method, color=look.colour, linestyle=look.dash, marker=look.marker,
                      capsize=3)  # fmt: skip
    label(axes, {"tau": "period τ", "p": "workers p"}[x], "final test error (%)")
    axes.set_xscale("log", base=2)
    logarithmic(axes)
    ticks = sorted(distinct(results, x))
    axes.set_xticks(ticks, [str(t) for t in ticks])
    legend_below(drawn)
    return save(drawn, path)


def steps_to(level: float, results: Sequence[Result]) -> list[float]:
    """Local steps of a worker to a test error (%), at the learning rate that is there first; empty if no rate gets
    there with every seed."""
    found = []
    for eta in distinct(results, "lr"):
        runs = chosen(results, lr=eta)
        steps = [
            next((r.config["tau"] * p["round"] for p in r.curve if 100 * (1 - p["test_accuracy"]) <= level), None)
            for r in runs
        ]
        if (whole := [s for s in steps if s is not None]) and len(whole) == len(runs):
            found.append(whole)
    return min(found, key=mean, default=[])


def _reached(results: Sequence[Result], path: Path) -> Path:
    found = {
        (method, f"{level:g} %, p = {p}"): steps_to(level, chosen(results, method=method, p=p))
        for method in distinct(results, "method")
        for level in LEVELS
        for p in sorted(distinct(results, "p"))
    }
    caption = (
        f"Local steps of a worker until the test error is so low, at the better of two learning rates; looked at every "
        f"{STEPS['p'] // POINTS['p']} steps, {STEPS['p']} in all."
    )
    return markdown("method", found, path, caption)


def _long(results: Sequence[Result], path: Path) -> Path:
    found = {}
    for r in results:
        how = "" if r.labels["method"] == "easgd" else f", δ = {r.labels['delta']}"
        how += ", η in decay" if r.labels.get("decay") == "yes" else ""
        found[f"{r.labels['method']}{how}", f"τ = {r.labels['tau']}"] = [100 * (1 - r.accuracy)]
    return markdown("method", found, path, f"Final test error (%) after {STEPS['long']} local steps of four workers.")


def _early(parts: dict[str, list[Result]], path: Path) -> Path:
    found = {("easgd, τ = 10, p = 4", "two of four stop half-way"): best(parts["early"])}
    if whole := chosen(parts["tau"], method="easgd", tau=16):
        found["easgd, τ = 10, p = 4", "nobody stops (τ = 16)"] = best(whole)
    return markdown("run", found, path, "Final test error (%).")


def _times(results: Sequence[Result], path: Path) -> Path:
    """Mean seconds of a worker, and what the thesis prints."""
    lines = [
        "Seconds of a worker for 400 steps; printed: Table 4.4's parameter communication. The cost of one message was "
        "chosen so that p = 4, τ = 1 agrees; the other rows follow from it.",
        "",
        "| p | τ | computing | waiting + communicating | printed |",
        "|---|---|---|---|---|",
    ]
    for r in results:
        p, tau = r.labels["p"], r.labels["tau"]
        apart = r.last["waiting"] + r.last["communicating"]
        lines.append(f"| {p} | {tau} | {r.last['computing']:.1f} | {apart:.1f} | {PRINTED[p, tau]} |")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


EASGD = Experiment(
    "easgd", "the EASGD thesis: test error over τ and p, the tree, and where the time goes", trials, draw
)

"""Which recursion of `theory.families` a method follows: by the type of its coupling and of its local optimiser.

A coupling that is not listed has no theory, and neither has a subclass, whose rule may be another. Dynamic, Oracle and
Guarded weights are judged by what they are where nothing fails: α for worker and center. A run that diverges keeps
them there, for its distances grow (Dynamic), nothing is lost (Oracle), and its way explains its distance (Guarded).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from springline.couplings import (
    ADMM,
    ASGD,
    DCASGD,
    SSGD,
    Dana,
    DanaZero,
    Downpour,
    Dynamic,
    Elastic,
    Fixed,
    Guarded,
    MDownpour,
    MultiASGD,
    NagASGD,
    Oracle,
    Sequential,
    StalenessAware,
    SyncElastic,
    TreeCoupling,
)
from springline.methods import Method
from springline.optim.adahessian import AdaHessian
from springline.optim.gradient import Gradient
from springline.optim.heavy_ball import HeavyBall
from springline.optim.nesterov import Nesterov
from springline.optim.schedule import Rate
from springline.optim.sgd import SGD
from springline.scenario.topology import Star, Topology, Tree
from springline.theory import Setting


class Theory(NamedTuple):
    """The recursion of a method on F(x) = h x²/2: family(η, setting), with the curvature still to be filled in."""

    family: str
    setting: Setting
    rate: Rate | float
    weight_decay: float  # adds to every curvature

    def at(self, curvature: float) -> Setting:
        """The setting for a model whose largest curvature is h: weight decay adds to it."""
        return replace(self.setting, curvature=curvature + self.weight_decay)


class Without(NamedTuple):
    """No recursion, and why."""

    reason: str


Found = Theory | Without


class Step(NamedTuple):
    """A linear local step: v ← δv − ηg, with g taken at x + δv (look_ahead) or at x."""

    delta: float
    look_ahead: bool
    weight_decay: float
    rate: Rate | float | None


def theory_of(method: Method, workers: int, tau: int = 1, topology: Topology | None = None) -> Found:
    """The recursion that a run of this method follows, at round-robin pace and without failures.

    topology: the run's; for a tree it says how often which node sends.
    """
    step = _step(method)
    if isinstance(step, Without):
        return step
    find = COUPLINGS.get(type(method.coupling))
    if find is None:
        return Without(f"the coupling {type(method.coupling).__name__} has no recursion in springline.theory")
    pull_after = tau if method.pull_after == "tau" else method.pull_after
    setting = Setting(workers=workers, tau=tau, delta=step.delta, look_ahead=step.look_ahead, pull_after=pull_after)
    return find(method.coupling, step, setting, topology or Star())


def _step(method: Method) -> Step | Without:
    o: Any = method.optimiser
    if type(o) is SGD:
        return Step(0.0, True, o.weight_decay, o.lr)
    if type(o) in (Nesterov, HeavyBall):
        return Step(o.momentum, type(o) is Nesterov, o.weight_decay, o.lr)
    if type(o) is Gradient:
        return Step(0.0, True, o.weight_decay, None)
    if type(o) is AdaHessian:
        return Without("AdaHessian divides gradients by its own estimate of the curvature, so its steps are not linear")
    return Without(f"the steps of {type(o).__name__} are not known to be linear")


def _found(family: str, coupling: Any, step: Step, setting: Setting) -> Theory:
    rate = coupling.lr if step.rate is None else step.rate
    return Theory(family, setting, rate, step.weight_decay)


def _by_momentum(plain: str, moving: str) -> Callable[..., Found]:
    def find(coupling: Any, step: Step, setting: Setting, _: Topology) -> Found:
        return _found(moving if step.delta else plain, coupling, step, setting)

    return find


def _central(family: str) -> Callable[..., Found]:
    """The center steps; its momentum, where it has one, is δ."""

    def find(coupling: Any, step: Step, setting: Setting, _: Topology) -> Found:
        return _found(family, coupling, step, replace(setting, delta=getattr(coupling, "momentum", 0.0)))

    return find


def _sequential(coupling: Sequential, step: Step, setting: Setting, _: Topology) -> Found:
    moving = "msgd" if step.look_ahead else "heavy-ball"
    return _found(moving if step.delta else "sgd", coupling, step, setting)


def _elastic(coupling: Elastic, step: Step, setting: Setting, _: Topology) -> Found:
    weights = coupling.weights
    if type(weights) not in (Fixed, Oracle, Dynamic, Guarded):
        return Without(f"the weights of {type(weights).__name__} are not known to theory")
    return _found(
        "eamsgd" if step.delta else "easgd", coupling, step, replace(setting, alpha=weights.alpha, beta=weights.alpha)
    )


def _sync_elastic(coupling: SyncElastic, step: Step, setting: Setting, _: Topology) -> Found:
    alpha = coupling.beta / setting.workers if coupling.alpha is None else coupling.alpha
    form = "sync" if coupling.form == "jacobi" else "gauss-seidel"
    kind = "eamsgd" if step.delta else "easgd"
    return _found(f"{kind}-{form}", coupling, step, replace(setting, alpha=alpha, beta=coupling.beta))


def _ssgd(coupling: SSGD, step: Step, setting: Setting, _: Topology) -> Found:
    family = "msgd" if coupling.momentum else "ssgd"
    return _found(family, coupling, step, replace(setting, delta=coupling.momentum))


def _dc_asgd(coupling: DCASGD, step: Step, setting: Setting, _: Topology) -> Found:
    if coupling.lam == 0:
        return _found("asgd", coupling, step, setting)
    return Without("DC-ASGD corrects by λ g², which is not linear; only lam=0, plain ASGD, has a theory")


def _admm(coupling: ADMM, step: Step, setting: Setting, _: Topology) -> Found:
    return _found("admm", coupling, step, replace(setting, rho=coupling.rho))


def _tree(coupling: TreeCoupling, step: Step, setting: Setting, topology: Topology) -> Found:
    if not isinstance(topology, Tree):
        return Without("a tree needs its topology: how many children a node has")
    plan = replace(
        setting,
        alpha=coupling.alpha_of(topology.d),
        arity=topology.d,
        depth=topology.depth(setting.workers),
        scheme=topology.scheme,
        tau_up=setting.tau,
        tau_down=topology.tau2 or 10 * setting.tau,
    )
    return _found("tree", coupling, step, plan)


COUPLINGS: dict[type, Callable[..., Found]] = {
    Sequential: _sequential,
    Elastic: _elastic,
    SyncElastic: _sync_elastic,
    SSGD: _ssgd,
    TreeCoupling: _tree,
    Downpour: _by_momentum("downpour", "downpour-momentum"),
    MDownpour: _central("mdownpour"),
    ASGD: _central("asgd"),
    NagASGD: _central("nag-asgd"),
    MultiASGD: _central("multi-asgd"),
    DanaZero: _central("dana-zero"),
    Dana: _central("dana"),
    DCASGD: _dc_asgd,
    StalenessAware: _central("staleness-aware"),
    ADMM: _admm,
}

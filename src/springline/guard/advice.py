"""Advice for a method: the rates that theory recommends, put into the method itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from springline.couplings import Elastic, SyncElastic, TreeCoupling
from springline.errors import UsageError
from springline.guard.families import Theory, theory_of
from springline.methods import METHODS, Method
from springline.optim.schedule import Rate
from springline.scenario.topology import Topology
from springline.theory import FAMILIES, Advice, advise, round_factor
from springline.theory.advice import check_curvature


@dataclass(frozen=True)
class MethodAdvice:
    """method: with the recommended rates in it, but η.  advice: where the stable η end, and where to start.

    momentum: δ of the recursion, or None.  own: its present η, or None for a schedule; factor: the growth of the
    distance per round with it.
    """

    method: Method
    advice: Advice
    momentum: float | None
    own: float | None
    factor: float | None

    @property
    def numbers(self) -> dict[str, Any]:
        """As JSON."""
        a = self.advice
        return {
            "method": self.method.name,
            "family": a.method,
            "workers": a.setting.workers,
            "tau": a.setting.tau,
            "curvature": a.setting.curvature,
            "limit": a.limit,
            "stable": [list(interval) for interval in a.intervals],
            "closed_form": a.formula,
            "eta": a.eta,
            "alpha": a.alpha,
            "beta": a.beta,
            "momentum": self.momentum,
            "lr": self.own,
            "factor_per_round": self.factor,
            "reason": a.reason,
            "reference": a.reference,
            "settings": self.settings,
        }

    @property
    def settings(self) -> dict[str, float]:
        """The knobs of the method that follow the advice, η included."""
        knobs = self.method.knobs()
        values = {"alpha": self.advice.alpha, "lr": self.advice.eta}
        if isinstance(self.method.coupling, SyncElastic):
            values["beta"] = self.advice.beta
        return {name: float(f"{v:.4g}") for name, v in values.items() if v is not None and name in knobs}


def advise_method(
    method: Method,
    workers: int,
    tau: int,
    curvature: float,
    topology: Topology | None = None,
    keep: tuple[str, ...] = (),
) -> MethodAdvice:
    """The stable range of η, and recommended rates.

    keep: the knobs among alpha and beta that stay as they are in the method instead of being recommended.

    Raises UsageError for numbers out of range, and for a method that theory says nothing of.
    """
    chosen = _recommended(method, workers, keep)
    found = theory_of(chosen, workers, tau, topology)
    if not isinstance(found, Theory):
        known = ", ".join([name for name, m in METHODS.items() if isinstance(theory_of(m, 4), Theory)][:5])
        raise UsageError(f"there is no theory of {method.name}: {found.reason}; methods with one: {known}, ….")
    check_curvature(curvature)
    setting = found.at(curvature)
    advice = advise(found.family, setting, recommend_rates=False)
    own = None if isinstance(found.rate, Rate) else found.rate
    momentum = setting.delta if "delta" in FAMILIES[found.family].uses else None
    factor = None if own is None else round_factor(found.family, own, setting)
    return MethodAdvice(chosen, advice, momentum, own, factor)


def _recommended(method: Method, workers: int, keep: tuple[str, ...]) -> Method:
    """β = 0.9, α = β/N on a star and 0.9/(d+1) on a tree (Zhang, §4.1, §6.1)."""
    if isinstance(method.coupling, Elastic):
        rates: dict[str, Any] = {"alpha": 0.9 / max(workers, 1)}
    elif isinstance(method.coupling, SyncElastic):
        rates = {"beta": 0.9} | ({} if "beta" in keep else {"alpha": None})
    elif isinstance(method.coupling, TreeCoupling):
        rates = {"alpha": None}
    else:
        rates = {}
    return method.with_(**{name: value for name, value in rates.items() if name not in keep})

"""The tables of the thesis's experiments, from results that are made up."""

from __future__ import annotations

from springline.reproduce import EXPERIMENTS
from springline.reproduce.easgd import steps_to

from .support import made


def test_steps_to_an_error():
    """The mean over seeds at the rate that is there first; a rate that does not get there with every seed is out."""
    slow = [made(0.9, curve=[0.5, 0.8], lr=0.1, seed=seed) for seed in (0, 1)]
    fast = [made(0.97, curve=[0.95, 0.96], lr=0.2, seed=0), made(0.5, curve=[0.5, 0.5], lr=0.2, seed=1)]
    tau = slow[0].config["tau"]
    assert steps_to(20.0, slow) == [20 * tau, 20 * tau]
    assert steps_to(20.0, [*slow, *fast]) == [20 * tau, 20 * tau]
    assert steps_to(50.0, [*slow, *fast]) == [10 * tau, 10 * tau]
    assert steps_to(1.0, [*slow, *fast]) == []


def test_decay_comes_within_the_run():
    for quick in (False, True):
        decays = [t for t in EXPERIMENTS["easgd"].trials(quick) if t.labels.get("decay") == "yes"]
        assert decays
        for trial in decays:
            steps = trial.config.rounds * trial.config.tau
            last = int(trial.config.schedule.rpartition(",")[2])
            assert steps / 2 < last < steps


def test_one_run_has_no_deviation(tmp_path):
    results = [made(0.9, part="early", method="easgd", p=4, tau=10, lr=0.1, seed=0)]
    (path,) = EXPERIMENTS["easgd"].draw(results, tmp_path)
    assert "| easgd, τ = 10, p = 4 | 10.00 (1) |" in path.read_text()
    results.append(made(0.8, part="early", method="easgd", p=4, tau=10, lr=0.1, seed=1))
    EXPERIMENTS["easgd"].draw(results, tmp_path)
    assert "| easgd, τ = 10, p = 4 | 15.00 ± 7.07 (2) |" in path.read_text()

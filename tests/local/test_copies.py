"""The center's spare copy: lent for what is written, and given back whatever happens meanwhile."""

from __future__ import annotations

import torch

from springline import train
from springline.engines.local.plan import SPARE
from springline.engines.local.supervisor import Supervisor
from springline.engines.real.tally import Tally
from springline.folder import RunFolder

from .support import DEADLINE, Watched, stop, task, until

LONG = 10**6


def everybody(status) -> bool:
    return all(w["made"] > 0 for w in status["workers"])


def test_a_row_that_is_told_twice(tmp_path, monkeypatch):
    """Its center died before it could note that, and its successor made another copy: that one is given back too."""
    says, twice = Supervisor.center_says, []

    def center_says(self, packet):
        says(self, packet)
        if packet.get("copied") and "row" in packet and not twice:
            twice.append(packet["row"])
            until("the copy is given back", lambda: self.lent != packet["copied"])  # the center may lend another one
            self.ground.words[SPARE] = 7
            says(self, packet | {"copied": 7})

    monkeypatch.setattr(Supervisor, "center_says", center_says)
    run = Watched(tmp_path, workers=2, rounds=LONG, eval_every=10)

    def evaluated() -> bool:
        assert run.is_alive()
        return bool(twice) and any("test_loss" in row and row["round"] > twice[0] for row in rows(tmp_path))

    until("a later row that is evaluated", evaluated)
    stop(tmp_path)


def rows(folder) -> list[dict]:
    return RunFolder(folder).read_metrics() if (folder / "metrics.jsonl").exists() else []


def test_the_last_checkpoint_belongs_to_one_moment(tmp_path, monkeypatch):
    """Also where the center is busy with another copy when it is asked for one."""
    says, tells = Supervisor.center_says, Supervisor.to_center
    told = []

    def to_center(self, packet):
        if "copy" in packet and not told:
            self.ground.words[SPARE] = 1  # as if it had just made one, for a row
        tells(self, packet)

    def center_says(self, packet):
        says(self, packet)
        if "copied" in packet and "row" not in packet:
            told.append(packet["copied"] > 0)
            if not packet["copied"]:
                self.release(1)

    monkeypatch.setattr(Supervisor, "to_center", to_center)
    monkeypatch.setattr(Supervisor, "center_says", center_says)
    run = Watched(tmp_path, workers=2, rounds=LONG, eval_every=LONG, checkpoint_every=1e6)
    updates = run.when("everybody works", lambda s: everybody(s) and s["updates"] > 100)["updates"]
    stop(tmp_path)
    run.join(DEADLINE)
    assert told == [False, True]
    state = RunFolder(tmp_path).load_checkpoint()["engine"]
    assert state.updates == state.resolved == sum(Tally(*tally).made for tally in state.tallies) >= updates


def test_the_checkpoint_of_the_last_row_holds_its_center(tmp_path, monkeypatch):
    """Also where the copy for an earlier row is not given back by then."""
    gives, kept = Supervisor.release, []

    def release(self, copy):
        if self.told == self.job.rounds:
            gives(self, copy)
        else:
            kept.append(copy)

    monkeypatch.setattr(Supervisor, "release", release)
    run = train(task(), "easgd", workers=2, rounds=30, batch_size=16, engine="local", out=tmp_path, checkpoint_every=0)
    assert [copy for copy in kept if copy] == kept[:1]
    saved = RunFolder(tmp_path).load_checkpoint()["engine"]
    assert torch.equal(saved.center.shared["c"], vector(run))
    assert sum(Tally(*tally).made for tally in saved.tallies) == saved.updates == 60


def vector(run) -> torch.Tensor:
    return torch.cat([v.flatten() for v in run.center.values()])

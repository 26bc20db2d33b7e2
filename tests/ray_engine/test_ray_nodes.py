"""A machine of the cluster is lost, and another one comes."""

from __future__ import annotations

from springline.engines.ray import Ray

from .support import DEADLINE, Watched, ask

LONG = 10**6  # rounds that nobody waits for


def everybody(status) -> bool:
    return all(w["made"] > 0 for w in status["workers"])


def test_a_node_is_lost_and_another_one_comes(cluster, tmp_path):
    """Its worker waits for room, visibly, while the other goes on; on the new machine it starts from the center."""
    spot = {"num_cpus": 2, "resources": {"spot": 2}, "object_store_memory": 80 << 20}
    first, second = (cluster.add_node(**spot) for _ in range(2))
    run = Watched(tmp_path, Ray(cpus_per_worker=2), workers=3, rounds=LONG, eval_every=LONG)
    run.when("everybody works", everybody)
    cluster.remove_node(first)
    lost = run.when("one is missed", lambda s: any(w["state"] == "restarting" for w in s["workers"]))
    [gone] = [w["worker"] for w in lost["workers"] if w["state"] == "restarting"]
    others = [w["worker"] for w in lost["workers"] if w["worker"] != gone]
    steps = {i: lost["workers"][i]["steps"] for i in others}
    run.when("the others go on", lambda s: all(s["workers"][i]["steps"] > steps[i] for i in others))
    third = cluster.add_node(**spot)
    made = lost["workers"][gone]["made"]
    run.when("it exchanges again", lambda s: s["workers"][gone]["made"] > made)
    ask(tmp_path, "stop")
    run.join(DEADLINE)
    for node in (second, third):
        cluster.remove_node(node)

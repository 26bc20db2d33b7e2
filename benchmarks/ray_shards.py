"""What several shards of the center are worth in a cluster, where the link of the center's host is the busiest.

    python benchmarks/ray_shards.py [--size 25000000] [--link 1.0] [--wide 10.0] [--turns 2]

Eight hosts on one machine (_hosts.py), with a Ray node in each: four for the center, of which the first is the head,
and one for each of four workers. Every host has a link of 1 Gbit/s in both directions to one switch. In an exchange of
EASGD a worker hands P parameters of float32 to the center and gets as many back, by the engine's own classes. A center
of one shard, on the first host, and one of four, on a host each, take turns.

    four workers     exchange all the time. All that they send and get goes over one link of the center, or over four:
                     what shards are for. Each makes four in a row, of which the first and the last do not count.
    one worker       exchanges alone. Its own link is as narrow as the center's, so shards cannot help.
    one wide worker  exchanges alone, over a link of 10 Gbit/s.

exchange_ms: median of what a worker waits. link_ms: what the bytes of the parameters alone need on the busiest link (at
best, with in and out at the same time, where several workers share it). socket_ms: what one worker's bytes took there
and back over a bare TCP connection, beside link_ms of one worker. cores_busy: of this machine, which does the work of
all hosts; near `cpus` it is the cores that are waited for, as they would not be on eight machines. Goal: four shards
below one for four workers.
Needs Linux, with namespaces, `ip` and `tc`; elsewhere it says so and ends with code 1.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import secrets
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import _hosts
import ray
from _ray_center import Bench, center

SHARDS, WORKERS = 4, 4
HOSTS = SHARDS + WORKERS
ROW, ALONE = 4, 2  # exchanges in a row, of each of several workers and of one
PORT, PATIENCE = 6379, 120.0  # of the head; seconds for the hosts to start
STORE = 1 << 30  # bytes of each host's object store


class Mirror:
    """Takes so many bytes and gives as many back, over bare sockets."""

    def __init__(self, host: str, size: int) -> None:
        self.bytes, self.server = bytearray(4 * size), socket.create_server((host, 0))
        threading.Thread(target=self.serve, daemon=True).start()

    def port(self) -> int:
        return int(self.server.getsockname()[1])

    def serve(self) -> None:
        while True:
            with self.server.accept()[0] as line:
                line.recv_into(self.bytes, 0, socket.MSG_WAITALL)
                line.sendall(self.bytes)


class Far(Bench):
    """A worker whose center is on other hosts."""

    def row(self, shards: int, times: int) -> list[float]:
        """Exchanges without a step between two of them."""
        return [self.exchange(shards) for _ in range(times)]

    def mirrored(self, host: str, port: int) -> float:
        data = bytearray(self.x.numpy().tobytes())
        with socket.create_connection((host, port)) as line:
            began = time.perf_counter()
            line.sendall(data)
            line.recv_into(data, 0, socket.MSG_WAITALL)
            return time.perf_counter() - began


class Cores:
    """How many cores of this machine were busy in the block."""

    def __enter__(self) -> Cores:
        self.began = self._idle(), time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        idle, took = self._idle() - self.began[0], time.monotonic() - self.began[1]
        self.busy = len(os.sched_getaffinity(0)) - idle / took

    @staticmethod
    def _idle() -> float:
        fields = Path("/proc/stat").read_text().split(maxsplit=6)
        return (int(fields[4]) + int(fields[5])) / os.sysconf("SC_CLK_TCK")


def on(k: int) -> dict[str, Any]:
    """Options of an actor that lives on host k."""
    return {"num_cpus": 0, "resources": {f"node:{_hosts.address(k)}": 1e-3}}


def measure(size: int, link: float, wide: float, turns: int) -> dict[str, Any]:
    """On the head, when it has started."""
    head = _hosts.address(0)
    ray.init(f"{head}:{PORT}", _node_ip_address=head, log_to_driver=False, logging_level=logging.ERROR)
    wait_for_hosts()
    workers: list[Any] = [ray.remote(Far).options(**on(SHARDS + i)).remote(size, i) for i in range(WORKERS)]
    mirror: Any = ray.remote(Mirror).options(**on(0)).remote(head, size)
    for shards in (1, SHARDS):
        plan, lead = center(size, shards, WORKERS, [on(k) for k in range(shards)])
        ray.get([w.greet.remote(shards, plan, lead) for w in workers])
        ray.get([w.exchange.remote(shards) for w in workers])  # the first ones map memory that is used again afterwards
    port = ray.get(mirror.port.remote())
    say("the hosts are ready")
    times: dict[tuple[str, int], list[float]] = defaultdict(list)
    busy: dict[tuple[str, int], list[float]] = defaultdict(list)
    bare = []
    for turn in range(turns):
        bare.append(ray.get(workers[0].mirrored.remote(head, port)))
        for case in ("four workers", "one worker", "one wide worker"):
            _hosts.set_rate(SHARDS, wide if "wide" in case else link)
            for shards in (1, SHARDS):
                with Cores() as cores:
                    if case == "four workers":
                        rows = ray.get([w.row.remote(shards, ROW) for w in workers])
                        found = [took for row in rows for took in row[1:-1]]
                    else:
                        found = ray.get(workers[0].row.remote(shards, ALONE))
                times[case, shards] += found
                busy[case, shards].append(cores.busy)
                took = f"{1e3 * statistics.median(found):.0f} ms, {cores.busy:.2f} cores busy"
                say(f"turn {turn + 1}, {case}, {shards} shards: {took}")
    one_way = 32 * size / (1e9 * link)
    there_and_back = {
        "four workers": {1: WORKERS * one_way, SHARDS: 2 * one_way},
        "one worker": {1: 2 * one_way, SHARDS: 2 * one_way},
        "one wide worker": {1: 2 * one_way, SHARDS: 2 * max(one_way / SHARDS, one_way * link / wide)},
    }
    result: dict[str, Any] = {"size": size, "cpus": len(os.sched_getaffinity(0)), "hosts": HOSTS}
    result |= {"link_gbit": link, "wide_link_gbit": wide, "socket_ms": round(1e3 * statistics.median(bare))}
    for case, alone in there_and_back.items():
        median = {shards: statistics.median(times[case, shards]) for shards in alone}
        result[case] = {
            "exchange_ms": round(1e3 * median[1]),
            "exchange_4_shards_ms": round(1e3 * median[SHARDS]),
            "shards_4_over_1": round(median[SHARDS] / median[1], 2),
            "link_ms": round(1e3 * alone[1]),
            "link_4_shards_ms": round(1e3 * alone[SHARDS]),
            "cores_busy": round(statistics.mean(busy[case, 1]), 2),
            "cores_busy_4_shards": round(statistics.mean(busy[case, SHARDS]), 2),
        }
    return result


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def wait_for_hosts() -> None:
    deadline = time.monotonic() + PATIENCE
    while (there := sum(node["Alive"] for node in ray.nodes())) < HOSTS:
        if time.monotonic() > deadline:
            raise SystemExit(f"only {there} of {HOSTS} Ray nodes have started within {PATIENCE:g} s.")
        time.sleep(0.1)


def ray_start(k: int, *options: str) -> list[str]:
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--node-ip-address", _hosts.address(k), *options]
    command += ["--object-store-memory", str(STORE), "--num-cpus=0", "--include-log-monitor=false"]
    return [*command, "--disable-usage-stats"]


def be_head(args: argparse.Namespace) -> None:
    """Host 0, where the measuring program runs as well."""
    options = ["--head", "--port", str(PORT), "--temp-dir", f"{_hosts.OWN_FOLDER}/ray", "--include-dashboard=false"]
    started = subprocess.run(ray_start(0, *options), capture_output=True, text=True, check=False)
    if started.returncode:
        raise SystemExit(f"Ray has not started: {' '.join(started.stderr.split())[-300:]}")
    up(0).touch()
    print(json.dumps(measure(args.size, args.link, args.wide, args.turns)))


def be_world(args: argparse.Namespace) -> int:
    """The process with which all hosts end."""
    _hosts.lay([args.link] * HOSTS)
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    head = _hosts.start(0, [sys.executable, *sys.argv, "--role", "head"], heard=True)
    for k in range(1, HOSTS):
        # Ray gives its helpers 15 s to come up, which is not enough for two cores and all hosts at once
        while head.poll() is None and sum(up(j).exists() for j in range(k)) < max(1, k - 1):
            time.sleep(0.1)
        command = ray_start(k, "--address", f"{_hosts.address(0)}:{PORT}")
        _hosts.start(k, ["sh", "-c", f'"$@" && touch {up(k)} && exec sleep infinity', "sh", *command])
    return 1 if head.wait() else 0


def up(k: int) -> Path:
    """Is there when Ray has started on host k."""
    return Path(_hosts.COMMON) / f"host{k}-is-up"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=25_000_000)
    parser.add_argument("--link", type=float, default=1.0, help="Gbit/s of every host")
    parser.add_argument("--wide", type=float, default=10.0, help="Gbit/s of the wide worker's host")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--role", choices=("world", "head"), help=argparse.SUPPRESS)  # of this process; else the caller
    args = parser.parse_args()
    if args.role == "world":
        return be_world(args)
    if args.role == "head":
        be_head(args)
        return 0
    try:
        return _hosts.apart([sys.executable, *sys.argv, "--role", "world"])
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())

"""Several hosts on this machine, each with a network, processes, a /dev/shm and a folder of its own.

Each has a link to one switch, of a rate of its own in both directions: the switch is a bridge in a network namespace, a
host another one, and a link a pair of interfaces with a token bucket (`tc … tbf`) at both ends. Processes are apart
because those of one pid namespace would find each other's memory, as on one machine.

All of it lives in a world that belongs to one process, and is gone when that ends, however it ends: the kernel kills
what is in its pid namespace, and takes down networks and mounts that nobody is in any more. Nothing of it is seen from
outside, and no other network from inside. A user who is not root is root in there, where the system lets users make
namespaces.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence

NEEDED = ("unshare", "setpriv", "ip", "tc")
OWN = ["--pid", "--mount", "--fork", "--kill-child", "--mount-proc"]
BUCKET = "burst 256kb latency 20ms"  # a few packets of 64 KiB, and what a small switch holds back
COMMON, OWN_FOLDER = "/run", "/run/host"  # folders, of all hosts and of each


def apart(command: Sequence[str]) -> int:
    """Run this in a world of its own, where hosts can be made, and return its exit code. The world ends with it.

    Raises SystemExit with one sentence where there can be no such world.
    """
    if missing := [name for name in NEEDED if shutil.which(name) is None]:
        lack = " and no ".join(missing)
        raise SystemExit(f"hosts cannot be emulated: there is no {lack}; install util-linux and iproute2 (on Linux).")
    world = ["unshare", "--net", *OWN, *([] if os.geteuid() == 0 else ["--map-root-user"]), "--"]
    tried = subprocess.run([*world, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        why = (tried.stderr.strip().splitlines() or ["no reason was given"])[-1]
        raise SystemExit(f"hosts cannot be emulated: namespaces cannot be made here ({why}); run it as root.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    ends_with_us = ["setpriv", "--pdeathsig", "KILL"]  # if we are killed; Ctrl-C is for us alone
    there = subprocess.Popen([*ends_with_us, *world, *command], stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        return there.wait()
    finally:
        there.kill()
        there.wait()


def lay(rates: Sequence[float]) -> None:
    """Make a switch, and a host for each of these rates in Gbit/s."""
    _do(f"mount -t tmpfs tmpfs {COMMON}")  # where the names of namespaces are files
    _do("ip netns add switch")
    _do("ip -n switch link add bridge type bridge")
    _do("ip -n switch link set bridge up")
    for k, rate in enumerate(rates):
        _do(f"ip netns add host{k}")
        _do(f"ip -n switch link add port{k} type veth peer name eth0 netns host{k}")
        _do(f"ip -n host{k} addr add {address(k)}/24 dev eth0")
        _do(f"ip -n host{k} link set lo up")
        _do(f"ip -n host{k} link set eth0 up")
        _do(f"ip -n switch link set port{k} master bridge up")
        set_rate(k, rate)


def set_rate(k: int, rate: float) -> None:
    """Of host k's link from now on, in both directions; may be said on any host."""
    for where in (f"-n host{k} qdisc replace dev eth0", f"-n switch qdisc replace dev port{k}"):
        _do(f"tc {where} root tbf rate {rate:g}gbit {BUCKET}")


def address(k: int) -> str:
    return f"10.77.0.{k + 1}"


def start(k: int, command: Sequence[str], *, heard: bool = False) -> subprocess.Popen[bytes]:
    """Run this on host k, as the process with which all others of the host end. heard: what it says is printed."""
    own = f'mount -t tmpfs tmpfs /dev/shm && mkdir -p {OWN_FOLDER} && mount -t tmpfs tmpfs {OWN_FOLDER} && exec "$@"'
    enter = ["ip", "netns", "exec", f"host{k}", "unshare", *OWN, "--", "sh", "-c", own, "sh"]
    out = None if heard else subprocess.DEVNULL
    environment = os.environ | {"TMPDIR": OWN_FOLDER, "RAY_TMPDIR": OWN_FOLDER}
    return subprocess.Popen([*enter, *command], stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment)


def _do(command: str) -> None:
    done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
    if done.returncode:
        why = " ".join(done.stderr.split())
        raise SystemExit(f"hosts cannot be emulated: `{command}` failed ({why}).")

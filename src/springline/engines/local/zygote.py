"""A process that has imported torch; the nursery of each run is forked from it, so that only the first start is slow.

There is one for each program that trains, and it ends with it.
"""

from __future__ import annotations

import atexit
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module

from springline.engines.real import wire

PR_SET_PDEATHSIG = 1
START = """
import json, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)  # some send it to everybody; the program says when to end
sys.path[:] = json.loads(sys.argv[1])
from springline.engines.local.zygote import serve
serve(int(sys.argv[2]))
"""


def die_with_parent(parent: int) -> None:
    """Be killed when the parent ends, even while stopped."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


class Zygote:
    """The program's end."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.sock, theirs = wire.pair()
        arguments = [json.dumps(sys.path), str(theirs.fileno())]
        self.process = subprocess.Popen(
            [sys.executable, "-c", START, *arguments],
            pass_fds=[theirs.fileno()],
            start_new_session=True,  # a Ctrl-C is the program's alone
            stdin=subprocess.DEVNULL,
        )
        theirs.close()

    def start(self, sock: socket.socket, memory: int) -> bool:
        """Have a nursery forked that holds this socket and this file, with our standard output and error."""
        return self.process.poll() is None and wire.send(self.sock, {"start": True}, [sock.fileno(), memory, 1, 2])

    def close(self) -> None:
        if self.owner == os.getpid():
            self.sock.close()
            try:
                self.process.wait(2)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


_zygote: Zygote | None = None


def fork_nursery(sock: socket.socket, memory: int) -> None:
    """Start a nursery, and whatever it has to be forked from first."""
    global _zygote
    if _zygote is None or _zygote.owner != os.getpid() or not _zygote.start(sock, memory):
        _zygote = Zygote()
        atexit.register(_zygote.close)
        _zygote.start(sock, memory)


def serve(fd: int) -> None:
    """The zygote's life: until the program is gone."""
    import torch

    from springline.engines.local import center, nursery, worker  # noqa: F401 (imported once, for all children)

    import_module("sympy")  # which torch asks for at the first backward pass
    torch.set_num_threads(1)  # so that no thread pool is there to be lost in a fork
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nurseries are not waited for
    boss = socket.socket(fileno=fd)
    while True:
        packet, fds = wire.receive_fds(boss)
        if packet is None:
            return
        if os.fork() == 0:
            boss.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            be(lambda fds=fds: nursery.nurse(*fds))  # type: ignore[misc]
        for taken in fds:
            os.close(taken)


def be(life: Callable[[], int]) -> None:
    """What a forked process does until its end."""
    code = 1
    try:
        code = life()
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

"""A process that has loaded the task once, and forks the center and the workers of a run from there.

A worker therefore starts, and starts again, in milliseconds, and all of them share the memory of the data. The nursery
itself computes nothing and starts no threads, so a fork of it is whole. Whatever it forks dies with it, and it with
the supervisor.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import signal
import socket
import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from springline.engines.job import Job
from springline.engines.local.zygote import be, die_with_parent, fork_nursery
from springline.engines.real import wire
from springline.errors import RunError, UsageError

inside = False  # whether this process is a nursery or was forked by one


class Nursery:
    """The supervisor's end. sock becomes readable when a child has been started or has ended."""

    def __init__(self, data: bytes, main: dict[str, Any] | None) -> None:
        self.sock, theirs = wire.pair()
        memory = os.memfd_create("springline-job")
        with os.fdopen(os.dup(memory), "wb") as file:
            pickle.dump({"path": sys.path, "folder": os.getcwd(), "environment": dict(os.environ), "main": main}, file)
            file.write(data)
        os.lseek(memory, 0, os.SEEK_SET)
        fork_nursery(theirs, memory)
        os.close(memory)
        theirs.close()

    def start(self, kind: str, spec: dict[str, Any], socks: list[socket.socket]) -> None:
        """Ask for a child; the sockets go with it."""
        if not wire.send(self.sock, {"start": kind, "spec": spec}, [s.fileno() for s in socks]):
            raise RunError("the process that starts the workers has died; run again, and see the messages above.")

    def close(self) -> None:
        """End it, and wait until it and everything it started is gone."""
        self.sock.shutdown(socket.SHUT_WR)
        while wire.receive(self.sock) is not None:
            pass
        self.sock.close()


def pickled(job: Any) -> tuple[bytes, dict[str, Any] | None]:
    """A job as bytes, with what its reader must know of this program if functions of its main file are in it.

    Raises UsageError naming the part that cannot travel.
    """
    try:
        data = pickle.dumps(job, protocol=5)
    except Exception as error:
        for name in ("model", "loss_fn", "metrics", "train", "test"):
            try:
                pickle.dumps(getattr(job.task, name))
            except Exception as why:
                raise _cannot(job.task.name, name, why) from None
        raise _cannot(job.task.name, "method or scenario", error) from None
    main = None
    if b"__main__" in data:
        from multiprocessing import spawn

        data_of_main = spawn.get_preparation_data("springline")
        main = {name: value for name, value in data_of_main.items() if name.startswith("init_main")}
    return data, main


def _cannot(task: str, part: str, why: Exception) -> UsageError:
    return UsageError(
        f"task {task!r}: its {part} cannot be sent to worker processes ({why}); define functions and classes at the "
        "top level of a module, not as a lambda or inside a function."
    )


def nurse(fd: int, memory: int, out: int, err: int) -> int:
    """The nursery's life."""
    global inside
    inside = True
    die_with_parent(os.getppid())
    os.dup2(out, 1)
    os.dup2(err, 2)
    boss = socket.socket(fileno=fd)
    try:
        job = _load(memory)
    except BaseException as error:
        why = (
            f"the task could not be loaded in a worker process ({type(error).__name__}: {error}); it must be "
            'importable there, and a script must call springline.train under `if __name__ == "__main__":`.'
        )
        wire.send(boss, {"failed": why})
        return 1
    if torch.device(job.device).type == "cuda" and _gpus_are_lost():
        why = (
            "the task's module uses the GPU while it is imported, or its data lie there, and no worker could use one "
            "after that; keep the data on the CPU (each batch is moved), and put what needs the GPU under "
            '`if __name__ == "__main__":`.'
        )
        wire.send(boss, {"failed": why})
        return 1
    late(job)
    wire.send(boss, {"ready": True})
    children: dict[int, int] = {}  # pidfd -> pid
    poll = select.poll()
    poll.register(boss, select.POLLIN)
    while True:
        for ready, _ in poll.poll():
            if ready in children:
                pid = children.pop(ready)
                poll.unregister(ready)
                os.close(ready)
                _, status = os.waitpid(pid, 0)
                wire.send(boss, {"ended": pid, "status": os.waitstatus_to_exitcode(status)})
                continue
            packet, fds = wire.receive_fds(boss)
            if packet is None:
                for pid in children.values():
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
                return 0
            pid = _fork(job, packet, fds, [boss.fileno(), *children])
            for taken in fds:
                os.close(taken)
            child = os.pidfd_open(pid)
            children[child] = pid
            poll.register(child, select.POLLIN)
            wire.send(boss, {"started": pid, "name": packet["spec"]["name"]})


def _gpus_are_lost() -> bool:
    """Whether no process that is forked from this one could use a GPU."""
    pid = os.fork()
    if pid == 0:
        os._exit(bool(torch.cuda._is_in_bad_fork()))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0


def late(job: Job) -> None:
    """Import what the job's first step would, or each of its workers would for itself, whenever it starts.

    Only where they compute on the CPU: nothing that is imported may touch a GPU before they are forked. None of it
    starts a thread, which a fork would lose; what `torch.compile` needs does, and is left to the workers.
    """
    if torch.device(job.device).type != "cpu":
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch's, about itself
        for name in job.method.optimiser.late:
            with contextlib.suppress(ImportError):  # then this version of torch has it elsewhere
                import_module(name)


def _load(memory: int) -> Any:
    with os.fdopen(memory, "rb") as file:
        program = pickle.load(file)  # from our own program, through memory
        sys.path[:] = program["path"]
        os.environ.clear()
        os.environ.update(program["environment"])
        os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")  # so that asking for GPUs does not take them
        os.chdir(program["folder"])
        if program["main"] is not None:
            from multiprocessing import spawn

            spawn.prepare(program["main"])
        return pickle.load(file)


def _fork(job: Any, packet: dict[str, Any], fds: list[int], close: list[int]) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        die_with_parent(parent)
        for fd in close:
            os.close(fd)
        socks = [socket.socket(fileno=fd) for fd in fds]
        be(lambda: _live(job, packet["start"], packet["spec"], socks))
    return pid


def _live(job: Any, kind: str, spec: dict[str, Any], socks: list[socket.socket]) -> int:
    from springline.engines.local import center, worker
    from springline.engines.local.plan import Plan

    place = Path(spec["place"])
    plan = Plan.load(place / "plan.json")
    lives: dict[str, Callable[[], int]] = {
        "center": lambda: center.main(plan, job.method.coupling, place, *socks),
        "worker": lambda: worker.main(plan, job, place, spec, *socks),
    }
    return lives[kind]()

"""The foreman: deals plans out to hands, passes their news on, and survives the death of any of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Sequence
from queue import SimpleQueue
from typing import IO, Any

import torch

from springline.engines.device import one_gpu
from springline.errors import UsageError
from springline.fleet.plan import Ended, Plan, Watch, attempt, carry_out, check, cores, is_finished
from springline.tasks import Task

STOP_WITHIN = 5.0  # seconds for a hand to end after it was asked to


def check_jobs(jobs: int | None) -> None:
    """Raises UsageError for fewer than one run at a time."""
    if jobs is not None and jobs < 1:
        raise UsageError(f"jobs={jobs} is less than 1; it is the number of runs made at the same time.")


def run_all(
    plans: Sequence[Plan], *, jobs: int | None = None, task: Task | None = None, watch: Watch = lambda *_: None
) -> list[Ended]:
    """Carry out all plans, `jobs` at a time (default: one per core), each process with the threads its plan names.

    Where all of them are for device cuda, each process has a GPU of its own, and the default is one per GPU.
    task: one's own; its runs, and all of them where a plan has a method or a scenario of one's own, are then made one
    after the other in this process, as what has no name cannot be sent to another.
    A run that fails does not stop the others. If this process is stopped, so are they; a second call goes on.
    """
    ended: dict[int, Ended] = {}
    for plan in plans:
        check(plan)
    for i, plan in enumerate(plans):
        if is_finished(plan):
            ended[i] = Ended(plan, None)
            watch(i, {"ended": None})
    left = [i for i in range(len(plans)) if i not in ended]
    if task is not None or not all(plan.told for plan in plans):
        for i in left:
            ended[i] = _here(plans[i], task or plans[i].config.task, i, watch)
    elif left:
        gpus = torch.cuda.device_count() if all(_wants_a_gpu(plans[i]) for i in left) else 0
        ended |= _Crew(plans, left, min(jobs or gpus or cores(), len(left)), gpus, watch).work()
    return [ended[i] for i in range(len(plans))]


def _wants_a_gpu(plan: Plan) -> bool:
    """Whether any one will do: none is named, and it is not Ray that deals them out."""
    return plan.config.device == "cuda" and plan.config.engine != "ray"


def _here(plan: Plan, task: Task | str, i: int, watch: Watch) -> Ended:
    watch(i, {"began": True})

    def progress(row: dict[str, Any]) -> None:
        watch(i, {"round": row["round"], "accuracy": row.get("test_accuracy")})

    ended = attempt(plan, lambda: carry_out(plan, task, progress))
    watch(i, {"ended": ended.error} | ({"unfinished": True} if ended.unfinished else {}))
    return ended


class _Crew:
    def __init__(self, plans: Sequence[Plan], waiting: list[int], hands: int, gpus: int, watch: Watch) -> None:
        self.plans, self.waiting, self.watch = plans, deque(waiting), watch
        self.gpus = [one_gpu(k, gpus) for k in range(hands)]  # a hand each
        self.news: SimpleQueue[tuple[_Hand, dict[str, Any] | None]] = SimpleQueue()
        self.at: dict[_Hand, int] = {}  # the plan that each hand is at

    def work(self) -> dict[int, Ended]:
        ended: dict[int, Ended] = {}
        try:
            for gpu in self.gpus:
                self.give(_Hand(self.news, gpu))
            while self.at:
                hand, news = self.news.get()
                if hand not in self.at:
                    continue
                i = self.at[hand]
                if news is None:  # it died
                    news = {"ended": hand.last_words(), "unfinished": True}
                self.watch(i, news)
                if "ended" in news:
                    del self.at[hand]
                    ended[i] = Ended(self.plans[i], news["ended"], "unfinished" in news)
                    if not hand.alive():
                        hand.stop()
                        hand = _Hand(self.news, hand.gpu)
                    self.give(hand)
        finally:
            for hand in self.at:
                hand.ask_to_end()  # all of them first: each may have a checkpoint to write
            for hand in self.at:
                hand.stop()
        return ended

    def give(self, hand: _Hand) -> None:
        """The next plan, or the day off."""
        if not self.waiting:
            hand.stop()
            return
        i = self.waiting.popleft()
        self.at[hand] = i
        hand.give(self.plans[i])


class _Hand:
    """One process, started when it gets its first plan. gpu: what its environment says of the one that it is to use."""

    def __init__(self, news: SimpleQueue[tuple[_Hand, dict[str, Any] | None]], gpu: dict[str, str]) -> None:
        self.news, self.gpu = news, gpu
        self.words: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed by stop)
        self.process: subprocess.Popen[str] | None = None

    def give(self, plan: Plan) -> None:
        if self.process is None:
            threads = str(plan.config.threads or 1)
            self.process = subprocess.Popen(
                [sys.executable, "-m", "springline.fleet.hand"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.words,
                encoding="utf-8",
                env=os.environ | {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads} | self.gpu,
                start_new_session=True,  # Ctrl-C reaches the foreman alone, who stops the others in order
            )
            self.listener = threading.Thread(target=self._listen, args=(self.process,), daemon=True)
            self.listener.start()
        assert self.process.stdin is not None
        order = {"config": plan.config.model_dump(), "folder": str(plan.folder)}
        try:
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:  # it died between two plans; `_listen` tells
            pass

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.news.put((self, json.loads(line)))
        process.wait()
        self.news.put((self, None))

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def last_words(self) -> str:
        """Why the process ended."""
        assert self.process is not None
        self.words.seek(0)
        lines = self.words.read().decode(errors="replace").strip().splitlines()
        code = self.process.wait()
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        return f"its process {how}" + (f" ({lines[-1].strip()})" if lines else "") + "; run the same command again."

    def ask_to_end(self) -> None:
        if self.process is not None:
            self.process.terminate()

    def stop(self) -> None:
        if self.process is not None:
            self.ask_to_end()
            try:
                self.process.wait(STOP_WITHIN)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.listener.join()
            for pipe in (self.process.stdin, self.process.stdout):
                if pipe is not None:
                    pipe.close()
        self.words.close()

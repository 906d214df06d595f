"""Several trainings at once on one GPU, each in a process of its own, without Ray.

All processes of a pool start together. For each network all of them warm up; then the first one measures alone while
the others wait, then the first two together, and so on. They are told to by lines on their standard input, and answer
by lines on their standard output:

    train NETWORK    ready
    go SECONDS       STEPS ELAPSED
    stop             stopped
"""

import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import torch

from ban_ray.training import train
from ban_ray.training.execution import ExecutionOptions
from tests.benchmarks.gpu_variants import ALIASES, GpuBench, clean, load, synchronise

START_S, WARM_S, QUIT_S = 90.0, 90.0, 10.0
WARM_UP_STEPS = 30
EPOCHS = 100_000
MARK = "packing:"
MPS_CONTROL = "nvidia-cuda-mps-control"
MPS_FOLDERS = ("/usr/local/nvidia/bin", "/usr/bin", "/usr/local/cuda/bin")


class Stopped(Exception):
    """The parent has asked for the end of a training."""


def child(device: torch.device) -> None:
    """What each process of a pool runs until its standard input ends."""
    torch.set_num_threads(1)
    data = load(None, device)
    _answer("started")
    for line in sys.stdin:
        order, _, name = line.strip().partition(" ")
        if order != "train":
            continue
        bench = GpuBench(ALIASES.get(name, name), data, device, 0.0)
        clean(device)
        try:
            train(
                bench.generation(EPOCHS),
                bench.teacher,
                data,
                device,
                options=ExecutionOptions(),
                before_step=_Stopwatch(device),
            )
        except Stopped:
            _answer("stopped")


class _Stopwatch:
    """Called before each step: counts them, and waits for orders between two measurements."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._steps, self._target_s, self._began = 0, 0.0, 0.0
        self._measuring = False
        self._warm_up = WARM_UP_STEPS if device.type == "cuda" else 2

    def __call__(self) -> None:
        if not self._measuring:
            if self._steps < self._warm_up:
                self._steps += 1
                return
            synchronise(self._device)
            _answer("ready")
            self._wait()
            return
        self._steps += 1
        if time.perf_counter() - self._began >= self._target_s:
            synchronise(self._device)
            _answer(f"{self._steps} {time.perf_counter() - self._began}")
            self._wait()

    def _wait(self) -> None:
        order, _, seconds = sys.stdin.readline().strip().partition(" ")
        if order != "go":
            raise Stopped
        self._measuring, self._steps, self._target_s = True, 0, float(seconds)
        self._began = time.perf_counter()


def _answer(text: str) -> None:
    print(MARK, text, flush=True)


class _Child:
    """A process of the pool as its parent sees it; nothing here waits without a limit."""

    def __init__(self, device: str, environment: dict[str, str], errors: IO[str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.gpu", "-", "--device", device, "--packed-child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment,
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(MARK):
                self._lines.put(line.removeprefix(MARK).strip())
        self._lines.put(None)

    def tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def answer(self, timeout: float) -> str:
        try:
            line = self._lines.get(timeout=max(0.1, timeout))
        except queue.Empty as error:
            raise TimeoutError(f"a process did not answer within {timeout:.0f} s") from error
        if line is None:
            raise RuntimeError("a process ended early")
        return line

    def close(self) -> None:
        """It ends by itself once it reads that there are no more orders."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()

    def end(self, timeout: float) -> None:
        """Wait for its end, and kill it if it takes longer."""
        try:
            self._process.wait(max(0.1, timeout))
        except subprocess.TimeoutExpired:
            self._process.kill()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(QUIT_S)


def pack(
    networks: Sequence[str],
    counts: Sequence[int],
    seconds: float,
    device: str,
    environment: dict[str, str],
    report: Callable[[str, int, list[tuple[int, float]]], None],
) -> None:
    """Measure each network in 1, 2, ... processes at once.

    Args:
        environment: of the processes, beside this one's.
        report: called with the network, the number of processes, and each one's steps and seconds.
    """
    with tempfile.TemporaryFile("w+") as errors:
        children: list[_Child] = []
        try:
            children.extend(_Child(device, {**os.environ, **environment}, errors) for _ in range(max(counts)))
            _answers(children, START_S)
            for name in networks:
                _tell(children, f"train {name}")
                _answers(children, WARM_S)
                for count in counts:
                    _tell(children[:count], f"go {seconds}")
                    answers = [line.split() for line in _answers(children[:count], 10 * seconds + WARM_S)]
                    report(name, count, [(int(steps), float(elapsed)) for steps, elapsed in answers])
                _tell(children, "stop")
                _answers(children, WARM_S)
        except (TimeoutError, RuntimeError, OSError) as error:
            errors.seek(0)
            lines = errors.read().strip().splitlines()
            raise RuntimeError(f"{error}: {lines[-1] if lines else 'it printed no error'}") from error
        finally:
            for each in children:
                each.close()
            limit = time.monotonic() + QUIT_S
            for each in children:
                each.end(limit - time.monotonic())


def _tell(children: Sequence[_Child], line: str) -> None:
    for each in children:
        each.tell(line)


def _answers(children: Sequence[_Child], timeout: float) -> list[str]:
    """An answer of each, all within the time."""
    limit = time.monotonic() + timeout
    return [each.answer(limit - time.monotonic()) for each in children]


def find_mps() -> str | None:
    """The path of the control program of NVIDIA's Multi-Process Service; None if it is not installed."""
    return shutil.which(MPS_CONTROL, path=os.pathsep.join([os.environ.get("PATH", ""), *MPS_FOLDERS]))


@contextmanager
def mps(control: str) -> Iterator[dict[str, str]]:
    """A daemon of the Multi-Process Service with folders of its own; the variables that its clients need."""
    with tempfile.TemporaryDirectory(prefix="mps", ignore_cleanup_errors=True) as folder:
        pipes, logs = Path(folder) / "pipe", Path(folder) / "log"
        pipes.mkdir()
        logs.mkdir()
        variables = {"CUDA_MPS_PIPE_DIRECTORY": str(pipes), "CUDA_MPS_LOG_DIRECTORY": str(logs)}
        environment = {**os.environ, **variables}
        # Its daemon keeps what it inherits open, so that nothing may read from it to the end.
        subprocess.run(
            [control, "-d"],
            env=environment,
            timeout=QUIT_S,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield variables
        finally:
            try:
                subprocess.run(
                    [control],
                    input="quit\n",
                    env=environment,
                    timeout=QUIT_S,
                    check=False,
                    text=True,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            except subprocess.TimeoutExpired:
                print(f"{control} does not answer to quit and is killed", flush=True)
                with suppress(OSError, ValueError):
                    os.kill(int((pipes / f"{MPS_CONTROL}.pid").read_text()), signal.SIGKILL)
            for log in sorted(logs.glob("*.log")):
                lines = log.read_text(errors="replace").strip().splitlines()
                print(f"{log.name}: {lines[-1] if lines else 'empty'}", flush=True)

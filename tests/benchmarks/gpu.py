"""Training throughput on a GPU: the bare computation, ours in its variants, loops of others, several processes.

    python -m tests.benchmarks.gpu OUT [--minutes 5] [--data DIR] [--device cuda|cpu] [--only NAME,NAME]
        [--networks NAME,NAME]

A student with one teacher (objective `ban+l`), batch 128, bf16 autocast, channels last, of images as CIFAR-100's: from
the Parquet files of DIR, or noise. OUT/gpu.jsonl has a line for each figure as soon as it is known, OUT/gpu.md all of
them as a table. Variants for which no time is left, or that fail, are named in one line.

- bare graph: teacher forward, student forward and backward and update on one fixed batch, as one CUDA graph. By turns
  with ours; a ratio for each round.
- bare eager, bare compiled graph: the same launched one by one, and compiled by `torch.compile` before it is captured.
- ours: `ban_ray.training.train`, all its epochs but the first; also without graphs, deterministic, compiled.
- tutorial: `DataLoader` of PIL transforms in 8 processes, `loss.item()` in each step, torch's SGD.
- timm, timm compiled: timm's loader, prefetcher, optimiser and distillation.
- kept outputs: a student that keeps its teacher's outputs, and a further one that finds them.
- memory: ours with and without `recompute`.
- packing, packing with MPS: 1, 2, 4 and 8 trainings at once, see `tests/benchmarks/gpu_packing.py`.

The first step of a compiled variant, which compiles, is told apart; ours comes first, and the bare one finds what is
alike in the compiler's cache on disk, which is new in each run.
"""

import argparse
import json
import os
import platform
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import torch

from ban_ray.training.execution import ExecutionOptions
from tests.benchmarks import gpu_packing, gpu_peers
from tests.benchmarks.gpu_variants import ALIASES, CPU_BATCH, GPU_BATCH, GpuBench, Timing, clean, load

NETWORKS = {
    "cuda": ("wide-resnet-28-1", "densenet-bc-40-12", "wide-resnet-28-10", "densenet-bc-90-60", "vit-tiny"),
    "cpu": ("densenet-bc-10-4",),
}
COMPILED = ("wide-resnet-28-1", "densenet-bc-40-12", "vit-tiny")
"""Others take minutes to compile."""
PACKED = ("wide-resnet-28-1", "densenet-bc-40-12")
SECONDS = {"cuda": 3.0, "cpu": 0.4}
PACKING_SECONDS = {"cuda": 2.0, "cpu": 0.4}
COUNTS = {"cuda": (1, 2, 4, 8), "cpu": (1, 2)}
ROUNDS = 3
LONG = ("densenet-bc-90-60",)
MIB = 2**20


@dataclass
class Report:
    """Figures, written and printed one by one."""

    folder: Path
    rows: list[dict[str, object]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def add(self, network: str, variant: str, timing: Timing, **more: object) -> None:
        row: dict[str, object] = {
            "network": network,
            "variant": variant,
            "ms_per_step": round(1000 * timing.seconds_per_step, 4),
            "images_per_second": round(timing.images_per_second, 1),
        }
        if timing.memory is not None:
            row["memory_bytes"] = timing.memory
        if timing.reserved is not None:
            row["reserved_bytes"] = timing.reserved
        self.write({**row, **timing.notes, **more})

    def write(self, row: dict[str, object]) -> None:
        self.rows.append(row)
        self._append(row)
        cells = (str(value) if name in _FIRST else f"{name} {value}" for name, value in row.items())
        print(" | ".join(cells), flush=True)

    def remark(self, text: str) -> None:
        """What was not measured, and why."""
        self.remarks.append(text)
        self._append({"remark": text})
        print(text, flush=True)

    def _append(self, row: dict[str, object]) -> None:
        with (self.folder / "gpu.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")

    def table(self, head: Sequence[str]) -> None:
        """Write OUT/gpu.md; rows of single rounds are left to gpu.jsonl."""
        lines = [
            *head,
            "",
            "| network | variant | ms/step | images/s | memory, MiB | more |",
            "|---|---|--:|--:|--:|---|",
        ]
        for row in self.rows:
            if "round" in row or "ms_per_step" not in row:
                continue
            memory = row.get("memory_bytes")
            more = ", ".join(f"{name} {value}" for name, value in row.items() if name not in _COLUMNS)
            lines.append(
                f"| {row['network']} | {row['variant']} | {row['ms_per_step']:.3f} | {row['images_per_second']:.0f} | "
                f"{memory // MIB if isinstance(memory, int) else ''} | {more} |"
            )
        if self.remarks:
            lines += ["", *(f"- {text}" for text in self.remarks)]
        (self.folder / "gpu.md").write_text("\n".join(lines) + "\n")


_FIRST = ("network", "variant")
_COLUMNS = (*_FIRST, "ms_per_step", "images_per_second", "memory_bytes", "reserved_bytes")


@dataclass(frozen=True)
class Item:
    """Something to measure.

    Attributes:
        variants: that it writes rows of.
        expected_s: how long it is likely to take.
    """

    network: str
    variants: tuple[str, ...]
    expected_s: float
    run: Callable[[], None]


class Plan:
    """What there is to measure, in order of importance."""

    def __init__(self, report: Report, data: Path | None, device: torch.device) -> None:
        self._report, self._device, self._kind = report, device, device.type
        self._data = load(data, device)
        self._benches: dict[str, GpuBench] = {}

    def items(self, names: Sequence[str]) -> list[Item]:
        first, others = names[0], names[1:]
        plan = [*self._speed(first), *self._compiled(first), *self._peers(first), *self._timm_compiled(first)]
        plan += self._packing([name for name in names if name in PACKED] or names[:1])
        for name in others:
            plan += self._speed(name)
        for name in others:
            plan += self._compiled(name)
        for name in others:
            plan += self._peers(name)
        plan += [self._kept(name) for name in names]
        plan += [item for name in names if name.startswith("densenet") for item in self._memory(name)]
        for name in others:
            plan += self._timm_compiled(name)
        return plan

    def _bench(self, name: str) -> GpuBench:
        """Of one network at a time, so that only its teacher takes memory."""
        if name not in self._benches:
            self._benches.clear()
            self._benches[name] = GpuBench(ALIASES.get(name, name), self._data, self._device, SECONDS[self._kind])
        return self._benches[name]

    def _item(self, name: str, variant: str, expected_s: float, run: Callable[[GpuBench], Timing]) -> Item:
        def measure() -> None:
            self._report.add(name, variant, run(self._bench(name)))

        factor = 2 if name in LONG else 1
        return Item(name, (variant,), factor * (expected_s if self._kind == "cuda" else expected_s / 3), measure)

    def _speed(self, name: str) -> list[Item]:
        on_gpu = self._kind == "cuda"
        bare = "bare graph" if on_gpu else "bare eager"

        def by_turns() -> None:
            timings: list[tuple[Timing, Timing, float]] = []

            def told(number: int, bare_timing: Timing, ours: Timing, ratio: float) -> None:
                timings.append((bare_timing, ours, ratio))
                self._report.add(name, bare, bare_timing, round=number)
                self._report.add(name, "ours", ours, round=number, ratio=round(ratio, 4))

            self._bench(name).in_turns(ROUNDS, on_gpu, told)
            batch = timings[0][0].batch
            ratios = [ratio for _, _, ratio in timings]
            for variant, group in (
                (bare, [first for first, _, _ in timings]),
                ("ours", [second for _, second, _ in timings]),
            ):
                middle = Timing(statistics.median(timing.seconds_per_step for timing in group), batch)
                more = {"ratios": [round(ratio, 3) for ratio in ratios]} if variant == "ours" else {}
                self._report.add(name, variant, middle, rounds=ROUNDS, **more)

        plan = [Item(name, (bare, "ours"), (2 if name in LONG else 1) * (12 if on_gpu else 5), by_turns)]
        if on_gpu:
            plan.append(self._item(name, "bare eager", 4, lambda bench: bench.bare()))
            plan.append(
                self._item(
                    name, "ours --no-cuda-graph", 5, lambda bench: bench.ours(ExecutionOptions(cuda_graph=False))
                )
            )
        plan.append(
            self._item(name, "ours --deterministic", 5, lambda bench: bench.ours(ExecutionOptions(deterministic=True)))
        )
        return plan

    def _compiled(self, name: str) -> list[Item]:
        if name not in COMPILED and self._kind == "cuda":
            return []
        graph = self._kind == "cuda"
        return [
            self._item(name, "ours --compile", 50, lambda bench: bench.ours_compiled()),
            self._item(name, "bare compiled graph", 25, lambda bench: bench.bare(graph=graph, compiled=True)),
        ]

    def _peers(self, name: str) -> list[Item]:
        return [
            self._item(name, "tutorial", 10, gpu_peers.tutorial),
            self._item(name, "timm", 12, lambda bench: gpu_peers.timm(bench, False)),
        ]

    def _timm_compiled(self, name: str) -> list[Item]:
        if name not in COMPILED:
            return []
        return [self._item(name, "timm compiled", 45, lambda bench: gpu_peers.timm(bench, True))]

    def _kept(self, name: str) -> Item:
        def measure() -> None:
            self._bench(name).kept_outputs(lambda variant, timing: self._report.add(name, variant, timing))

        return Item(name, ("kept outputs",), 10 if self._kind == "cuda" else 3, measure)

    def _memory(self, name: str) -> list[Item]:
        def with_recompute(recompute: bool) -> Callable[[GpuBench], Timing]:
            return lambda bench: bench.ours(ExecutionOptions(recompute=recompute), bench.seconds / 4)

        return [
            self._item(name, "memory", 5, with_recompute(False)),
            self._item(name, "memory, recompute", 5, with_recompute(True)),
        ]

    def _packing(self, names: Sequence[str]) -> list[Item]:
        def measure(variant: str) -> Callable[[], None]:
            def run() -> None:
                self._benches.clear()
                clean(self._device)
                control = gpu_packing.find_mps() if variant == "packing with MPS" else None
                if variant == "packing with MPS" and control is None:
                    raise gpu_peers.LeftOut(f"{gpu_packing.MPS_CONTROL} is not here")
                alone: dict[str, float] = {}

                def told(network: str, count: int, figures: list[tuple[int, float]]) -> None:
                    batch = GPU_BATCH if self._kind == "cuda" else CPU_BATCH
                    speeds = [steps * batch / elapsed for steps, elapsed in figures]
                    alone.setdefault(network, sum(speeds))
                    self._report.write(
                        {
                            "network": network,
                            "variant": f"{variant}, {count}",
                            "ms_per_step": round(1000 * batch / sum(speeds), 4),
                            "images_per_second": round(sum(speeds), 1),
                            "times_one": round(sum(speeds) / alone[network], 3),
                            "each": [round(speed) for speed in speeds],
                        }
                    )

                service: AbstractContextManager[dict[str, str]] = (
                    gpu_packing.mps(control) if control else nullcontext({})
                )
                with service as environment:
                    seconds, counts = PACKING_SECONDS[self._kind], COUNTS[self._kind]
                    gpu_packing.pack(names, counts, seconds, self._kind, environment, told)

            return run

        plan = [Item("several", ("packing",), 60 if self._kind == "cuda" else 20, measure("packing"))]
        if self._kind == "cuda":
            plan.append(Item("several", ("packing with MPS",), 60, measure("packing with MPS")))
        return plan


def versions(device: torch.device) -> dict[str, object]:
    """The card and the software; nothing is changed."""
    found: dict[str, object] = {"python": platform.python_version(), "torch": torch.__version__}
    if device.type == "cuda":
        found |= {
            "card": torch.cuda.get_device_name(),
            "CUDA": torch.version.cuda,
            "cuDNN": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
            "cores": os.cpu_count(),
        }
        if program := shutil.which("nvidia-smi", path=os.pathsep.join([os.environ["PATH"], *gpu_packing.MPS_FOLDERS])):
            try:
                asked = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
                done = subprocess.run(asked, capture_output=True, text=True, timeout=20, check=False)
                found["driver"] = done.stdout.strip()
            except subprocess.TimeoutExpired:
                found["driver"] = "nvidia-smi does not answer"
    return found


def main() -> None:
    began = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--only", metavar="NAME,NAME", type=lambda text: text.split(","))
    parser.add_argument("--networks", metavar="NAME,NAME", type=lambda text: text.split(","))
    parser.add_argument("--packed-child", action="store_true", help=argparse.SUPPRESS)
    choice = parser.parse_args()
    device = torch.device(choice.device)
    if choice.packed_child:
        gpu_packing.child(device)
        return
    choice.out.mkdir(parents=True, exist_ok=True)
    report = Report(choice.out)
    command = shlex.join([sys.executable, "-m", "tests.benchmarks.gpu", *sys.argv[1:]])
    about = {"command": command, **versions(device)}
    report.write(dict(about))
    head = [f"{name}: {value}  " for name, value in about.items()]
    names = choice.networks or NETWORKS[device.type]
    plan = Plan(report, choice.data, device).items(names)
    if choice.only:
        known = {variant for item in plan for variant in item.variants}
        if unknown := set(choice.only) - known:
            parser.error(f"--only {','.join(sorted(unknown))}: here are {', '.join(sorted(known))}")
        plan = [item for item in plan if set(item.variants) & set(choice.only)]
    elif device.type == "cpu":
        # Compilation takes longer than all others together.
        plan = [item for item in plan if not item.variants[0].endswith(("--compile", "compiled graph"))]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as cache:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
        for item in plan:
            label = f"{item.network}, {' and '.join(item.variants)}"
            left = 60 * choice.minutes - (time.monotonic() - began)
            if item.expected_s > left:
                report.remark(f"{label}: left out, {left:.0f} s are left and about {item.expected_s:.0f} s needed")
                continue
            started = time.monotonic()
            try:
                item.run()
            except gpu_peers.LeftOut as reason:
                report.remark(f"{label}: left out, {reason}")
            except Exception as error:  # noqa: BLE001
                # One variant's failure is no reason to lose the others.
                text = " ".join(str(error).split())[:300]
                report.remark(f"{label}: failed, {type(error).__name__}: {text}")
            print(f"# {label}: {time.monotonic() - started:.1f} s", flush=True)
            report.table(head)
    report.table(head)


if __name__ == "__main__":
    main()

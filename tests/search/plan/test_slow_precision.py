"""The warning where bf16 is slower than fp32: with both times, on processors that compute it in software alone."""

from dataclasses import replace
from pathlib import Path

import pytest

from ban_ray.cli.console import Console
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.resolve import resolve
from ban_ray.search.plan import plan as plans
from ban_ray.search.plan import printing, slow_precision
from ban_ray.search.plan.slow_precision import has_native_bf16
from ban_ray.search.plan.step_benchmark import CPU_THREAD, StepConfig, StepMeasurement

STEP = StepMeasurement(1.0, 0, 0, CPU_THREAD, 2, 2**30)


def printed(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    precision: str = "bf16",
    native: bool = False,
    bf16_s: float = 1.23,
    device: str = CPU_THREAD,
) -> str:
    def measured(config: StepConfig) -> StepMeasurement:
        return replace(STEP, seconds=bf16_s if config.precision == "bf16" else 0.2, device=device)

    monkeypatch.setattr(slow_precision, "measure_step_cached", measured)
    monkeypatch.setattr(slow_precision, "has_native_bf16", lambda: native)
    options = SearchOptions(space="chain", network="densenet-bc-10-4", seeds=(0,), generations=1)
    spec = resolve(options.model_copy(update={"precision": precision}))
    printing.print_slow_precision(plans.make_plan(spec, None), None, Console(width=400))
    return capsys.readouterr().out


def test_both_times_are_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(monkeypatch, capsys)
    assert "densenet-bc-10-4 takes 1.2 s in bf16 and 0.2 s in fp32" in text
    assert "--precision fp32" in text


@pytest.mark.parametrize(
    "case",
    [{"precision": "fp32"}, {"native": True}, {"bf16_s": 0.1}, {"device": "NVIDIA H100"}],
    ids=["fp32", "native", "faster", "gpu"],
)
def test_there_is_nothing_to_tell(
    case: dict[str, object], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert printed(monkeypatch, capsys, **case) == ""  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "native"),
    [
        ("model name\t: A\nflags\t\t: fpu avx2 avx512f avx512_bf16\n", True),
        ("model name\t: A\nflags\t\t: fpu avx2 avx512f\n", False),
        ("Features\t: fp asimd bf16\n", True),
        ("nothing of the kind\n", False),
    ],
)
def test_a_processor_says_what_it_has(tmp_path: Path, text: str, native: bool) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    assert has_native_bf16(tmp_path / "cpuinfo") is native
    assert not has_native_bf16(tmp_path / "none")

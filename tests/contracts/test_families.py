"""The contract of families of networks: every registered one, and one that a file adds, keeps it."""

import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ban_ray.errors import UserError
from ban_ray.networks import families, registry
from ban_ray.networks.architecture import FAMILIES
from ban_ray.networks.building import build
from ban_ray.networks.inspection import count_parameters
from ban_ray.networks.registry import parse
from tests.helpers.networks import NAMES

ADDED = "plain-cnn-3"
ADDED_FILE = '''
"""A convolution, a global average pool and a linear layer."""

from dataclasses import dataclass

from ban_ray.errors import UserError
from ban_ray.networks.architecture import Architecture, register
from ban_ray.networks.names import WHOLE


@register
@dataclass(frozen=True)
class PlainCNN(Architecture):
    FORM = "plain-cnn-WIDTH"
    PATTERN = rf"plain-cnn-{WHOLE}"

    width: int

    def __post_init__(self) -> None:
        if self.width < 1:
            raise UserError(f"network {self.name}: width {self.width} is too small; at least 1 is needed")

    @property
    def name(self) -> str:
        return f"plain-cnn-{self.width}"

    def parameters(self, num_classes: int, in_channels: int) -> int:
        return (9 * in_channels + 1) * self.width + (self.width + 1) * num_classes

    def build(self, num_classes: int, in_channels: int):
        from torch import nn

        pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        return nn.Sequential(nn.Conv2d(in_channels, self.width, 3), pool, nn.Linear(self.width, num_classes))
'''


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=[*NAMES, ADDED])
def name(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A small network of each family, and of one that a file adds."""
    if request.param == ADDED:
        (tmp_path / "plain_cnn.py").write_text(ADDED_FILE)
        monkeypatch.setattr(families, "__path__", [*families.__path__, str(tmp_path)])
        importlib.invalidate_caches()
        before = list(FAMILIES)
        registry.load_families()
        yield request.param
        FAMILIES[:] = before
        del sys.modules[f"{families.__name__}.plain_cnn"]
    else:
        if request.param.startswith("timm:"):
            pytest.importorskip("timm", reason="timm is not installed (the extra `timm`)")
        yield request.param


def example_input(name: str) -> Tensor:
    """Two images of 32 x 32 with 3 channels, or five steps of two texts."""
    return torch.randint(0, 7, (5, 2)) if parse(name).reads == "text" else torch.randn(2, 3, 32, 32)


def state(network: nn.Module) -> list[Tensor]:
    return list(network.state_dict().values())


def seeded(name: str, seed: int, *, recompute: bool = False) -> nn.Module:
    torch.manual_seed(seed)
    return build(name, 7, 3, recompute=recompute)


def test_every_family_is_tested_here() -> None:
    assert {type(parse(name)) for name in NAMES} == set(FAMILIES)
    assert len({family.FORM for family in FAMILIES}) == len(FAMILIES)


def test_its_name_is_normal_and_matches_no_other_family(name: str) -> None:
    architecture = parse(name)
    assert architecture.name == name
    assert parse(architecture.name) == architecture
    assert hash(parse(architecture.name)) == hash(architecture)
    matching = [family for family in FAMILIES if re.fullmatch(family.PATTERN, name)]
    assert matching == [type(architecture)]


@pytest.mark.parametrize(("num_classes", "in_channels"), [(2, 1), (10, 3), (101, 5)])
def test_its_closed_form_is_the_modules_count(name: str, num_classes: int, in_channels: int) -> None:
    assert parse(name).parameters(num_classes, in_channels) == count_parameters(parse(name), num_classes, in_channels)


def test_its_module_makes_logits(name: str) -> None:
    logits = seeded(name, 0)(samples := example_input(name))
    assert logits.shape == (samples.shape[0] * (samples.shape[1] if samples.ndim == 2 else 1), 7)
    assert torch.isfinite(logits).all()


def test_its_initialisation_is_a_function_of_the_seed(name: str) -> None:
    first, second, other = state(seeded(name, 3)), state(seeded(name, 3)), state(seeded(name, 4))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))


def test_it_recomputes_the_same_bits_or_says_that_it_cannot(name: str) -> None:
    if not parse(name).recomputable:
        with pytest.raises(UserError, match="has no dense units to recompute"):
            build(name, 7, 3, recompute=True)
        return
    samples = example_input(name)
    gradients = []
    for recompute in (False, True):
        network = seeded(name, 0, recompute=recompute)
        network(samples).square().sum().backward()
        gradients.append([parameter.grad for parameter in network.parameters() if parameter.grad is not None])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


def test_it_fits_tasks_whose_samples_it_reads(name: str) -> None:
    reads = parse(name).reads
    for samples, task in (("images", "digits"), ("text", "ptb")):
        if reads in (samples, None):
            registry.check_fits(parse(name), task)
        else:
            with pytest.raises(UserError, match=rf"network {name} reads {reads}, which task {task} does not have; "):
                registry.check_fits(parse(name), task)


@pytest.mark.parametrize("change", ["{} ", "{}\n", "-{}", "zeros"])
def test_bad_names_are_refused_in_one_sentence(name: str, change: str) -> None:
    bad = re.sub(r"\d+", "0", name) if change == "zeros" else change.format(name)
    if bad == name:
        pytest.skip("a name without numbers")
    with pytest.raises(UserError) as caught:
        build(bad, 7, 3)
    assert "\n" not in str(caught.value)


def test_arguments_are_taken_or_refused_in_one_sentence(name: str) -> None:
    if parse(name).external:
        with pytest.raises(UserError, match="may not hold num_classes"):
            parse(name, {"num_classes": 2})
    else:
        with pytest.raises(UserError, match=rf'network {name} takes no arguments and was given \{{"width": 2\}}'):
            parse(name, {"width": 2})


def test_parsing_and_counting_import_neither_torch_nor_numpy() -> None:
    code = (
        "import sys; from ban_ray.networks.registry import parse\n"
        f"for name in {NAMES!r}:\n"
        "    if not (architecture := parse(name)).external: architecture.parameters(100, 3)\n"
        "print(sorted({'torch', 'torchvision', 'numpy', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

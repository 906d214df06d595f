"""Networks of the user's own."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from ban_ray.errors import UserError
from ban_ray.networks.building import build
from ban_ray.networks.cost import multiply_accumulates
from ban_ray.networks.registry import parse

Write = Callable[[str], str]
_numbers = itertools.count()


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Put source into an importable module and return the module's name."""

    def put(source: str) -> str:
        name = f"own_network_{next(_numbers)}"
        (tmp_path / f"{name}.py").write_text("import torch\nfrom torch import nn\n" + source)
        monkeypatch.syspath_prepend(tmp_path)
        return name

    return put


LINEAR = (
    "def linear(num_classes, in_channels, side=8, scale=None):\n"
    "    layer = nn.Linear(in_channels * side * side, num_classes)\n"
    "    if scale is not None:\n"
    "        nn.init.constant_(layer.weight, scale)\n"
    "    return nn.Sequential(nn.Flatten(), layer)\n"
)


def last_weight(module: nn.Module) -> torch.Tensor:
    weight: torch.Tensor = module.state_dict()["1.weight"]
    return weight


def test_it_is_built_with_its_arguments_and_keeps_its_initialisation(write: Write) -> None:
    name = f"{write(LINEAR)}:linear"
    arguments = {"side": 4, "scale": 0.25}
    module = build(name, 7, 2, arguments)
    assert module(torch.ones(3, 2, 4, 4)).shape == (3, 7)
    assert torch.equal(last_weight(module), torch.full((7, 32), 0.25))
    assert module.state_dict()["1.bias"].any()
    assert parse(name, arguments).parameters(7, 2) == 33 * 7
    assert multiply_accumulates(name, 7, 2, (4, 4, 2), arguments) == 32 * 7


def test_the_same_seed_gives_the_same_bits(write: Write) -> None:
    name = f"{write(LINEAR)}:linear"
    weights = []
    for _ in range(2):
        torch.manual_seed(1)
        weights.append(last_weight(build(name, 7)))
        torch.randn(3)
        parse(name).parameters(7, 3)
    assert torch.equal(*weights)


def test_counting_imports_the_module_off_the_meta_device(write: Write) -> None:
    name = write(
        "MEAN = torch.tensor([0.5])\ndef make(num_classes, in_channels):\n    return nn.Linear(3, num_classes)\n"
    )
    assert parse(f"{name}:make").parameters(2, 3) == 8
    assert __import__(name).MEAN.item() == 0.5


@pytest.mark.parametrize("where", ["build", "forward"])
def test_a_network_that_reads_values_is_counted_on_the_cpu(write: Write, where: str) -> None:
    name = write(
        "class Reads(nn.Module):\n"
        "    def __init__(self, classes):\n"
        "        super().__init__()\n"
        "        self.rates = torch.linspace(0, 1, 3)\n"
        f"        self.read = self.rates.tolist() if {where == 'build'} else None\n"
        "        self.last = nn.Linear(12, classes)\n"
        "    def forward(self, x):\n"
        f"        x = x * self.rates[-1].item() if {where == 'forward'} else x\n"
        "        return self.last(x.flatten(1))\n"
        "def make(num_classes, in_channels):\n"
        "    return Reads(num_classes)\n"
    )
    before = torch.get_rng_state()
    assert parse(f"{name}:make").parameters(5, 3) == 65
    assert multiply_accumulates(f"{name}:make", 5, 3, (2, 2, 3)) == 60
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("source", "function", "arguments", "sentence"),
    [
        (LINEAR, "linaer", {}, r"has no function linaer; defined there are linear$"),
        ("linear = 3\n", "linear", {}, "has no function linear; defined there are none"),
        (LINEAR, "linear", {"depth": 3}, r'arguments \{"depth": 3\}: .* unexpected keyword argument .depth.'),
        (
            "def make():\n    pass\n",
            "make",
            {},
            r"cannot be called with num_classes=10, in_channels=3 and the arguments \{\}",
        ),
        (
            "def make(**_):\n    raise ValueError('width 3\\nis odd')\n",
            "make",
            {"width": 3},
            r'"width": 3\}: width 3 is odd',
        ),
        (
            "def make(**_):\n    return lambda x: x\n",
            "make",
            {},
            "returned a value of type function; a torch.nn.Module is needed",
        ),
        (
            "def make(**_):\n    return nn.LazyLinear(3)\n",
            "make",
            {},
            "the size of parameter weight is left to the first batch",
        ),
        ("import no_such_package\n", "make", {}, r"cannot be imported \(No module named 'no_such_package'\)"),
        ("def make(:\n", "make", {}, "cannot be imported"),
        ("width = wdith\n", "make", {}, r"cannot be imported \(NameError: name 'wdith' is not defined"),
        ("def make(**_):\n    return {}['a']\n", "make", {}, "cannot be called .*: KeyError: 'a'$"),
        ("def make(**_):\n    open('/no/such/file')\n", "make", {}, "cannot be called .*: FileNotFoundError: "),
        ("def make(**_):\n    assert False, 'odd'\n", "make", {}, "cannot be called .*: AssertionError: odd$"),
    ],
)
def test_what_cannot_be_built(
    write: Write, source: str, function: str, arguments: dict[str, object], sentence: str
) -> None:
    name = f"{write(source)}:{function}"
    with pytest.raises(UserError, match=sentence) as caught:
        build(name, 10, 3, arguments)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_torchs_own_errors_are_told_when_it_is_counted(write: Write) -> None:
    name = write("def make(num_classes, in_channels, width=1):\n    return nn.Linear(width, num_classes)\n")
    for count in (lambda p: p.parameters(3, 1), lambda p: multiply_accumulates(p.name, 3, 1, (2, 2, 1), p.arguments)):
        with pytest.raises(UserError, match=rf"network {name}:make .*: RuntimeError: .*negative"):
            count(parse(f"{name}:make", {"width": -1}))


def test_a_module_that_is_not_there() -> None:
    with pytest.raises(UserError, match=r"module no_such_package\.nets cannot be imported"):
        build("no_such_package.nets:make", 10)


@pytest.mark.parametrize(
    ("returned", "sentence"),
    [
        ("x.flatten(1)", r"makes a tensor of \(1, 12\) from one image, where logits of \(1, 5\) are needed"),
        ("(x, x)", r"makes a tuple from one image, where logits of \(1, 5\) are needed"),
        ("x.view(7)", "cannot classify images of 3 x 2 x 2: "),
        ("self.first(x)", "cannot classify images of 3 x 2 x 2: AttributeError: .*first"),
        ("[][1]", "cannot classify images of 3 x 2 x 2: IndexError: "),
    ],
)
def test_a_forward_pass_that_makes_no_logits(write: Write, returned: str, sentence: str) -> None:
    name = write(
        "class Net(nn.Module):\n"
        "    def forward(self, x):\n"
        f"        return {returned}\n"
        "def make(num_classes, in_channels):\n"
        "    return Net()\n"
    )
    with pytest.raises(UserError, match=sentence):
        multiply_accumulates(f"{name}:make", 5, 3, (2, 2, 3))


def test_a_class_is_a_function_too() -> None:
    class_path = f"{__name__}:TinyNetwork"
    assert parse(class_path).parameters(4, 3) == 16
    assert isinstance(build(class_path, 4), TinyNetwork)


class TinyNetwork(nn.Module):
    """A linear layer on the channels' means."""

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.last = nn.Linear(in_channels, num_classes)

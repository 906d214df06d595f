"""Weights that networks start from: what fits, the head that is made anew, and files that are no weights."""

import io
import pickle
import random

import pytest
import torch
from safetensors.torch import save
from torch import Tensor, nn

from ban_ray.errors import UserError
from ban_ray.networks.building import build
from ban_ray.networks.head import head_names, head_parameters
from ban_ray.networks.pretrained import digest_of, new_tensors, start_from, to_file, weights_of
from ban_ray.networks.registry import parse

NETWORKS = ("densenet-bc-10-4", "wide-resnet-10-1", "pre-resnet-11", "torchvision:squeezenet1_1", "torchvision:vgg11")


def made(name: str, classes: int, channels: int = 3, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build(name, classes, channels)


@pytest.mark.parametrize("name", NETWORKS[:4])
@pytest.mark.parametrize("classes", [7, 12])
def test_the_body_is_the_files_and_a_head_of_other_classes_is_as_it_was_made(name: str, classes: int) -> None:
    source, network = made(name, 12, seed=1), made(name, classes, seed=2)
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    weights = weights_of(to_file(source.state_dict()), "it")
    head = head_names(network, classes)
    assert head
    undecided = new_tensors(parse(name), classes, 3, weights, "it")
    start_from(network, classes, weights, "it", name)
    for key, tensor in network.state_dict().items():
        is_new = key in head and classes != 12
        assert (key in undecided) == is_new
        assert torch.equal(tensor, before[key] if is_new else source.state_dict()[key]), key


def test_the_head_is_the_last_layer_with_an_output_for_each_class() -> None:
    with torch.device("meta"):
        assert head_names(build("torchvision:vgg11", 10), 10) == {"classifier.6.weight", "classifier.6.bias"}
        assert head_names(build("torchvision:squeezenet1_1", 9), 9) == {"classifier.1.weight", "classifier.1.bias"}
    own = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 3), nn.ReLU(), nn.Softmax(1))
    assert head_names(own, 3) == {"2.weight", "2.bias"}
    assert [tuple(each.shape) for each in head_parameters(own, 3)] == [(3, 3), (3,)]
    assert head_names(own, 5) == frozenset()
    assert head_names(nn.Linear(2, 5), 5) == {"weight", "bias"}


class OwnHead(nn.Module):
    """Its last matrix is no layer of torch's."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.body, self.matrix = nn.Linear(4, 6), nn.Parameter(torch.randn(classes, 6))


def test_a_head_that_is_no_layer_differs_in_the_classes_alone() -> None:
    torch.manual_seed(0)
    source, network = OwnHead(8), OwnHead(5)
    mine = network.matrix.detach().clone()
    start_from(network, 5, source.state_dict(), "it", "own")
    assert torch.equal(network.matrix, mine)
    assert torch.equal(network.body.weight, source.body.weight)
    with pytest.raises(UserError, match=r"of another shape matrix, \(8, 5\) there and \(5, 6\) here$"):
        start_from(network, 5, {**source.state_dict(), "matrix": torch.zeros(8, 5)}, "it", "own")


def test_what_was_trained_without_labels_has_no_head() -> None:
    weights = {key: each for key, each in made("wide-resnet-10-1", 5).state_dict().items() if "classifier" not in key}
    network = made("wide-resnet-10-1", 10, seed=4)
    head = network.get_parameter("classifier.weight")
    before = head.detach().clone()
    start_from(network, 10, weights, "it", "wide-resnet-10-1")
    assert torch.equal(head, before)


def refused(weights: dict[str, Tensor]) -> str:
    network = made("wide-resnet-10-1", 10)
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    with pytest.raises(UserError) as caught:
        start_from(network, 10, weights, "mine.safetensors", "wide-resnet-10-1")
    assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items()), "nothing is written"
    text = str(caught.value)
    head = "whose classifier.bias, classifier.weight may be for another number of classes"
    assert text.startswith(f"mine.safetensors does not fit wide-resnet-10-1, {head}: "), text
    assert "\n" not in text
    assert len(text) < 1000
    return text


def test_every_kind_of_mismatch_is_told_with_names_and_shapes() -> None:
    weights = dict(made("wide-resnet-10-1", 10).state_dict())
    assert refused({key: each for key, each in weights.items() if key != "stem.weight"}).endswith(
        "it lacks stem.weight"
    )
    more = {**weights, **{f"extra{number}": torch.ones(2) for number in range(5)}}
    assert refused(more).endswith("it holds what the network has not: extra0, extra1, extra2 and 2 more")
    assert refused({**weights, "stem.weight": torch.ones(16, 1, 3, 3)}).endswith(
        "of another shape stem.weight, (16, 1, 3, 3) there and (16, 3, 3, 3) here"
    )
    assert "classifier.weight, (12, 63) there" in refused({**weights, "classifier.weight": torch.ones(12, 63)})
    assert refused({**weights, "stem.weight": weights["stem.weight"].int()}).endswith("numbers stem.weight")
    assert "it lacks body" in refused(dict(made("densenet-bc-10-4", 10).state_dict()))


def test_half_precision_is_widened() -> None:
    source, network = made("wide-resnet-10-1", 10, seed=1), made("wide-resnet-10-1", 10)
    halved = {key: each.half() if each.is_floating_point() else each for key, each in source.state_dict().items()}
    start_from(network, 10, weights_of(to_file(halved), "it"), "it", "wide-resnet-10-1")
    assert next(network.parameters()).dtype == torch.float32
    torch.testing.assert_close(network.state_dict(), source.state_dict(), rtol=1e-3, atol=1e-3)


def test_a_file_is_a_function_of_its_tensors() -> None:
    state = made("wide-resnet-10-1", 10).state_dict()
    tied = {**state, "again": state["stem.weight"]}
    assert digest_of(to_file(tied)) == digest_of(to_file(dict(reversed(tied.items()))))
    assert weights_of(to_file(tied), "it").keys() == tied.keys()


class Harmful:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return pytest.fail, ("a pickle was loaded",)


def as_torch_writes(contents: object, **options: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save(contents, buffer, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        as_torch_writes({"a": torch.ones(1), "b": Harmful()}),
        as_torch_writes({"a": torch.ones(1), "b": Harmful()}, _use_new_zipfile_serialization=False),
        *(pickle.dumps(Harmful(), protocol=protocol) for protocol in range(2, 6)),
    ],
    ids=range(6),
)
def test_a_pickle_is_never_loaded(data: bytes) -> None:
    with pytest.raises(UserError, match=r"it is a pickle, .* never read; convert it first by `safetensors"):
        weights_of(data, "it")


def test_a_header_that_begins_as_a_pickle_does_is_read() -> None:
    """Its length is what the first bytes say: 0x80 or "PK"."""
    tensor = torch.ones(1)
    for start in (b"\x80", b"PK"):
        files = (save({"a": tensor}, {"pad": "x" * padding}) for padding in range(0, 20000, 8))
        data = next(data for data in files if data.startswith(start))
        assert weights_of(data, "it")["a"] == 1


def test_a_truncated_file_is_one_sentence_at_every_length() -> None:
    data = to_file({"a": torch.randn(300, 7), "b": torch.arange(5), "c": torch.zeros(0, 3)})
    header = 8 + int.from_bytes(data[:8], "little")
    chance = random.Random(0)
    lengths = {*range(header + 3), *(chance.randrange(len(data)) for _ in range(300)), len(data) - 1}
    for length in sorted(lengths):
        with pytest.raises(UserError, match="it is no whole safetensors file") as caught:
            weights_of(data[:length], "it")
        assert "\n" not in str(caught.value)
    for _ in range(500):
        broken = bytearray(data)
        broken[chance.randrange(header)] = chance.randrange(256)
        try:
            weights_of(bytes(broken), "it")
        except UserError as error:
            assert "\n" not in str(error)
    assert weights_of(data, "it").keys() == {"a", "b", "c"}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite(value: float) -> None:
    data = to_file({"a": torch.ones(2), "b": torch.tensor([1.0, value], dtype=torch.bfloat16)})
    with pytest.raises(UserError, match=r"it holds numbers that are not finite, in b$"):
        weights_of(data, "it")

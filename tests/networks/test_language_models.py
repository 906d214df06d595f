"""The language models: counts, construction, states, tied matrices."""

import math

import pytest
import torch
from torch import Tensor, nn

from ban_ray.errors import UserError
from ban_ray.networks.building import build
from ban_ray.networks.cost import multiply_accumulates
from ban_ray.networks.inspection import count_parameters
from ban_ray.networks.modules.character_cnn import CharacterLanguageModel, Highway
from ban_ray.networks.modules.recurrent import LSTMLanguageModel, reset_state
from ban_ray.networks.registry import check_fits, parse

VOCABULARY, CHARACTERS = 10_000, 51


@pytest.mark.parametrize(
    ("name", "millions", "ours"), [("lstm-2-1500", 51.03, 51_034_000), ("cnn-lstm", 19.37, 19_373_165)]
)
def test_the_papers_counts(name: str, millions: float, ours: int) -> None:
    """At Penn Treebank's vocabulary; Kim et al. print 19 M and 51 symbols."""
    made = parse(name).parameters(VOCABULARY, CHARACTERS)
    assert made == ours
    assert made == pytest.approx(1e6 * millions, rel=0.005)


@pytest.mark.parametrize("name", ["lstm-2-1500", "cnn-lstm", "cnn-lstm-300", "lstm-1-7-d0.25", "cnn-lstm-24-d0"])
@pytest.mark.parametrize("size", [(VOCABULARY, CHARACTERS), (13, 9)])
def test_counts_are_the_modules(name: str, size: tuple[int, int]) -> None:
    assert parse(name).parameters(*size) == count_parameters(parse(name), *size)


def test_kims_small_model() -> None:
    """Widths 1 to 6 with 25 maps for each, one highway, two layers of 300 (Kim et al. 2016, Table 2): 5 M."""
    assert parse("cnn-lstm-300").parameters(VOCABULARY, CHARACTERS) == pytest.approx(5e6, rel=0.1)
    small = build("cnn-lstm-300", 20, 10)
    assert isinstance(small, CharacterLanguageModel)
    assert [layer.out_channels for layer in small.words.convolutions] == [25, 50, 75, 100, 125, 150]
    assert len(small.highways) == 1


@pytest.mark.parametrize(
    ("name", "normal"),
    [("lstm-02-0100", "lstm-2-100"), ("lstm-2-100-d0.65", "lstm-2-100"), ("lstm-2-100-d0.20", "lstm-2-100-d0.2")],
)
def test_one_spelling(name: str, normal: str) -> None:
    assert parse(name).name == normal
    assert parse("cnn-lstm-d0.5").name == "cnn-lstm"
    assert parse("cnn-lstm-048-d0").name == "cnn-lstm-48-d0"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("lstm-0-100", "at least 1 layer and 1 unit"),
        ("lstm-2-0", "at least 1 layer and 1 unit"),
        ("lstm-2-100-d1", "dropout 1 is out of range"),
        ("cnn-lstm-50", "50 units are no multiple of 12"),
        ("lstm-100", "unknown network 'lstm-100'"),
        ("cnn-lstm-0", "unknown network 'cnn-lstm-0'"),
    ],
)
def test_what_is_no_language_model(name: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        parse(name)


@pytest.mark.parametrize(
    ("name", "task", "sentence"),
    [
        ("lstm-1-8", "digits", "network lstm-1-8 reads text, which task digits does not have"),
        (
            "densenet-bc-16-8",
            "ptb",
            "network densenet-bc-16-8 reads images, which task ptb does not have; cnn-lstm.* allowed",
        ),
    ],
)
def test_a_network_for_other_data(name: str, task: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        check_fits(parse(name), task)
    check_fits(parse("my.package:build"), task)


def words(steps: int, batch: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 13, (steps, batch), generator=torch.Generator().manual_seed(seed))


def spelled(name: str) -> nn.Module:
    network = build(name, 13, 9)
    if isinstance(network, CharacterLanguageModel):
        network.words.set_vocabulary(torch.randint(0, 9, (13, 5)))
    return network


@pytest.mark.parametrize("name", ["lstm-2-12-d0.3", "cnn-lstm-12-d0.3"])
def test_a_text_in_pieces_is_the_text(name: str) -> None:
    """Until it is sentence to forget, a network goes on where it ended; rows are step by step."""
    network, text = spelled(name).eval(), words(11, 3)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(8)
        whole = network(text)
        assert whole.shape == (33, 13)
        reset_state(network)
        pieces = torch.cat([network(piece) for piece in torch.split(text, 4)])
        torch.testing.assert_close(pieces, whole)
        assert not torch.allclose(network(text), whole), "a second reading goes on from the first"
        reset_state(network)
        torch.testing.assert_close(network(text), whole)
        reset_state(network)
        torch.testing.assert_close(network(text[:, 1:2]), whole.view(11, 3, 13)[:, 1])


@pytest.mark.parametrize("name", ["lstm-2-12-d0", "cnn-lstm-12-d0"])
def test_no_gradient_flows_into_the_batch_before(name: str) -> None:
    network = spelled(name)
    slopes = []
    for with_graph in (True, False):
        reset_state(network)
        with torch.set_grad_enabled(with_graph):
            network(words(3, 2))
        loss = network(words(3, 2, seed=1)).square().sum()
        slopes.append(torch.autograd.grad(loss, list(network.parameters())))
    torch.testing.assert_close(*slopes)
    reset_state(network)
    afresh = network(words(3, 2, seed=1)).square().sum()
    assert not torch.equal(afresh, loss), "what was read before counts"


def test_the_matrix_is_one() -> None:
    """One matrix in memory, in the state dict, and after loading."""
    network = build("lstm-2-12", 13, 9)
    assert isinstance(network, LSTMLanguageModel)
    weights = network.state_dict()
    assert [tuple(tensor.shape) for tensor in weights.values()].count((13, 12)) == 1
    assert sum(tensor.numel() for tensor in weights.values()) == parse("lstm-2-12").parameters(13, 9)
    loaded = build("lstm-2-12", 13, 9)
    assert isinstance(loaded, LSTMLanguageModel)
    loaded.load_state_dict(weights)
    text = words(3, 2)
    torch.testing.assert_close(loaded.eval()(text), network.eval()(text))
    reset_state(loaded)
    with torch.no_grad():
        loaded.embedding.weight.mul_(2)
        first = loaded.stack.layers[0]
        assert isinstance(first, nn.LSTM)
        first.get_parameter("weight_ih_l0").div_(2)
        reset_state(network)
        doubled = loaded(text) - loaded.output.bias
        torch.testing.assert_close(doubled, 2 * (network(text) - network.output.bias), msg="the output has the same")


def test_the_spelling_is_part_of_the_weights() -> None:
    """So that a member is whole, whatever the longest word."""
    network = spelled("cnn-lstm-12").eval()
    loaded = build("cnn-lstm-12", 13, 9).eval()
    loaded.load_state_dict(network.state_dict())
    torch.testing.assert_close(loaded(words(3, 2)), network(words(3, 2)))
    other = build("cnn-lstm-12", 14, 9)
    with pytest.raises(RuntimeError, match="size mismatch"):
        other.load_state_dict(network.state_dict())


def test_initialisation() -> None:
    """Uniform, +-0.04 and +-0.05 (Zaremba et al. 2014; Kim et al. 2016), gates of highways at -2, padding at 0."""
    for name, bound in (("lstm-2-60", 0.04), ("cnn-lstm-60", 0.05)):
        network = build(name, 300, 30)
        for path, parameter in network.named_parameters():
            values = parameter.detach() + (2 if path.endswith("gate.bias") else 0)
            assert values.abs().max() <= bound + 1e-6, path
            if parameter.numel() > 1000:
                assert values.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05), path
    assert isinstance(network, CharacterLanguageModel)
    assert not network.words.characters.weight[0].any()


@pytest.mark.parametrize(
    ("name", "places"), [("lstm-2-12-d0.3", [0.3, 0.3, 0.3]), ("cnn-lstm-12-d0.3", [0.0, 0.3, 0.3])]
)
def test_places_of_dropout(name: str, places: list[float]) -> None:
    """On each layer's input and before the output; Kim et al.'s has none between highway and LSTM."""
    network = build(name, 13, 9)
    assert [layer.p for layer in network.modules() if isinstance(layer, nn.Dropout)] == places
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(0.1)
        torch.manual_seed(0)
        first = network(words(1, 40))
    assert len(first.unique(dim=0)) > 1, "rows that differ by dropout alone"


def test_a_highway_carries_what_its_gate_leaves() -> None:
    layer = Highway(3)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        layer.gate.bias.fill_(-100.0)
        x = torch.randn(4, 3)
        torch.testing.assert_close(layer(x), x)
        layer.gate.bias.fill_(100.0)
        layer.transform.bias.copy_(torch.tensor([1.0, -1.0, 2.0]))
        torch.testing.assert_close(layer(x), torch.tensor([1.0, 0.0, 2.0]).expand(4, 3))


def test_multiply_accumulates_of_a_token() -> None:
    """Four gates, two matrices each, and the output; every convolution at each place of a word of 21 symbols."""
    assert multiply_accumulates("lstm-2-1500", VOCABULARY, CHARACTERS, ()) == 2 * 8 * 1500**2 + 1500 * VOCABULARY
    convolutions = sum(15 * w * 25 * w * (21 - w + 1) for w in range(1, 7))
    lstm = 4 * 300 * (525 + 300) + 8 * 300**2
    assert (
        multiply_accumulates("cnn-lstm-300", VOCABULARY, CHARACTERS, ())
        == convolutions + 2 * 525**2 + lstm + 300 * VOCABULARY
    )

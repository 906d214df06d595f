"""Names: one spelling for one architecture, one sentence for a bad one."""

import re
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ban_ray.errors import UserError
from ban_ray.networks.architecture import Architecture
from ban_ray.networks.families.custom import CustomNetwork
from ban_ray.networks.families.densenet import DenseNetBC
from ban_ray.networks.families.match_resnet import MatchWideResNet
from ban_ray.networks.families.torchvision import TorchvisionNetwork
from ban_ray.networks.registry import parse
from tests.helpers.networks import TINY, architectures


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("densenet-bc-090-060", "densenet-bc-90-60"),
        ("densenet-bc-90-60-c0.5", "densenet-bc-90-60"),
        ("densenet-bc-90-60-c.50", "densenet-bc-90-60"),
        ("densenet-bc-90-60-c1.0", "densenet-bc-90-60-c1"),
        ("densenet-bc-90-60-c0.250", "densenet-bc-90-60-c0.25"),
        ("wide-resnet-028-10", "wide-resnet-28-10"),
        ("pre-resnet-01001", "pre-resnet-1001"),
        ("match-wide-resnet-4-0.50", "match-wide-resnet-4-0.5"),
        ("match-wide-resnet-4-1.0", "match-wide-resnet-4-1"),
        ("match-wide-resnet-4-10", "match-wide-resnet-4-10"),
        ("match-densenet-014-0.750-01.5", "match-densenet-14-0.75-1.5"),
        ("match-pre-resnet-14-1@densenet-bc-90-60", "match-pre-resnet-14-1"),
        ("match-pre-resnet-14-1@densenet-bc-90-60-c0.50", "match-pre-resnet-14-1"),
        ("match-pre-resnet-2-1@densenet-bc-016-8-c.80", "match-pre-resnet-2-1@densenet-bc-16-8-c0.8"),
        ("torchvision:ResNet18", "torchvision:resnet18"),
        ("package.module:function", "package.module:function"),
    ],
)
def test_spellings(spelling: str, name: str) -> None:
    assert parse(spelling).name == name
    assert parse(spelling) == parse(name)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(architectures)
def test_round_trip(architecture: Architecture) -> None:
    read = parse(architecture.name)
    assert read == architecture
    assert hash(read) == hash(architecture)
    assert read.name == architecture.name


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.one_of(
        st.text(max_size=12),
        st.from_regex(
            r"(densenet-bc|wide-resnet|pre-resnet|match-[a-z]{3,5}-resnet|match-densenet)(-[0-9.]{1,3}){1,4}"
        ),
        st.builds("{}@{}".format, st.sampled_from(TINY), st.sampled_from(TINY)),
        st.builds(
            lambda name, cut, new: name[:cut] + new + name[cut:],
            st.sampled_from(TINY),
            st.integers(0, 20),
            st.text("0.-1", max_size=3),
        ),
    )
)
def test_any_text_is_a_network_or_one_sentence(text: str) -> None:
    try:
        architecture = parse(text)
    except UserError as error:
        assert "\n" not in str(error)
        return
    assert parse(architecture.name) == architecture
    assert parse(architecture.name).name == architecture.name


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "unknown network ''; allowed are densenet-bc-DEPTH"),
        ("resnet18", "unknown network 'resnet18'; allowed are densenet-bc-DEPTH"),
        ("densenet-bc-90", "unknown network"),
        ("densenet-bc-90-60 ", "unknown network"),
        ("densenet-bc-99999-60", "whole numbers up to 9999"),
        ("densenet-bc--90-60", "unknown network"),
        ("densenet-bc-٩٠-60", "unknown network"),
        ("match-wide-resnet-4-1e3", "decimals such as 0.5"),
        ("match-wide-resnet-4-nan", "unknown network"),
        ("match-wide-resnet-4-1@wide-resnet-28-10", "unknown network"),
        ("densenet-bc-9-60", "depth 9 is too small; at least 10"),
        ("densenet-bc-90-0", "growth 0 is too small; at least 1"),
        ("densenet-bc-90-60-c0", "compression 0 is not allowed; it must be above 0 and at most 1"),
        ("densenet-bc-90-60-c1.5", "compression 1.5 is not allowed; it must be above 0 and at most 1"),
        ("densenet-bc-10-1-c0.1", "compression 0.1 leaves a stage without channels"),
        ("wide-resnet-27-10", "depth 27 is not 4 plus a multiple of 6; allowed nearby are 22 and 28"),
        ("wide-resnet-4-1", "depth 4 is not 4 plus a multiple of 6; allowed nearby are 10 and 16"),
        ("wide-resnet-28-0", "width 0 is too small; at least 1"),
        ("pre-resnet-1000", "depth 1000 is not 2 plus a multiple of 9; allowed nearby are 992 and 1001"),
        ("match-wide-resnet-0-1", "0 units a stage are too few; at least 1"),
        ("match-wide-resnet-1-0", "ratio 0 of 480 channels leaves none"),
        ("match-wide-resnet-1-0.05@densenet-bc-16-8", "ratio 0.05 of 16 channels leaves none"),
        ("match-pre-resnet-1-0.2@densenet-bc-16-8", "ratio 0.2 of 16 channels leaves none"),
        ("match-densenet-0-1-2", "0 units a stage are too few; at least 1"),
        ("match-densenet-4-0-2", "RIN 0 of 120 channels leaves none"),
        ("match-densenet-4-2-1", "growths of its stages would be 60, "),
        ("match-densenet-999-1-2", "growths of its stages would be 0, 0, 0; each must be at least 1"),
        ("match-wide-resnet-1-1@densenet-bc-9-8", "depth 9 is too small"),
        (":", "unknown network ':'; with a colon, package.module:function, timm:MODEL, torchvision:MODEL are allowed"),
        ("pack age:f", "with a colon"),
        ("package:f:g", "with a colon"),
        (".relative:f", "with a colon"),
        ("torchvision:", "with a colon"),
        ("timm:", "with a colon"),
        ("timm:resnet18.", "with a colon"),
    ],
)
def test_bad_names(name: str, sentence: str) -> None:
    with pytest.raises(UserError, match=re.escape(sentence)) as caught:
        parse(name)
    assert "\n" not in str(caught.value)


def test_ratios_are_exact() -> None:
    # In binary floating point 0.29 * 100 is below 29 and 0.57 * 300 below 171.
    assert MatchWideResNet(1, (Decimal("0.29"),), DenseNetBC(16, 25, Decimal(1))).hidden[0] == 29
    assert DenseNetBC(10, 100, Decimal("0.57")).widths[1] == 171


def test_only_builders_outside_the_package_take_arguments() -> None:
    with pytest.raises(UserError, match=r'densenet-bc-16-8 takes no arguments and was given \{"width": 3\}'):
        parse("densenet-bc-16-8", {"width": 3})
    own = parse("package.module:function", {"width": 3})
    assert isinstance(own, CustomNetwork)
    assert own.arguments == {"width": 3}
    assert own != parse("package.module:function", {"width": 4})
    assert isinstance(parse("torchvision:resnet18", {"width_per_group": 32}), TorchvisionNetwork)
    with pytest.raises(UserError, match="may not hold num_classes"):
        parse("package.module:function", {"num_classes": 3})

"""Small networks of every family, and the networks of the papers."""

from collections.abc import Callable
from decimal import Decimal

from hypothesis import reject
from hypothesis import strategies as st

from ban_ray.errors import UserError
from ban_ray.networks.architecture import Architecture
from ban_ray.networks.families.densenet import DenseNetBC
from ban_ray.networks.families.match_densenet import MatchDenseNet
from ban_ray.networks.families.match_resnet import MatchPreResNet, MatchWideResNet
from ban_ray.networks.families.pre_resnet import PreResNet
from ban_ray.networks.families.wide_resnet import WideResNet

TINY = (
    "densenet-bc-16-4",
    "densenet-bc-10-6-c0.75",
    "wide-resnet-10-1",
    "wide-resnet-16-2",
    "pre-resnet-20",
    "match-densenet-2-0.5-1@densenet-bc-16-8",
    "match-densenet-3-1-2@densenet-bc-16-8-c0.8",
    "match-densenet-1-1.5-2@densenet-bc-16-8",
    "match-wide-resnet-1-0.25@densenet-bc-16-8",
    "match-wide-resnet-2-1@densenet-bc-16-8",
    "match-pre-resnet-2-0.5@densenet-bc-16-8",
)
NAMES = (
    *TINY,
    *("lstm-2-12", "cnn-lstm-12-d0.3"),
    *("timm:test_resnet", "torchvision:shufflenet_v2_x0_5", "tests.golden.own_network:build"),
)
"""At least one of each registered family."""
DENSE = tuple(name for name in TINY if "dense" in name.split("@")[0])

# Name, parameters in millions and multiply-accumulates of one 32x32 image in thousand millions, at 100 classes.
PAPERS = (
    ("densenet-bc-112-33", "7.494", "2.646"),
    ("densenet-bc-90-60", "16.241", "5.938"),
    ("densenet-bc-80-80", "22.499", "8.390"),
    ("densenet-bc-80-120", "50.480", "18.875"),
    ("pre-resnet-1001", "10.351", "1.491"),
    ("wide-resnet-28-10", "36.537", "5.243"),
    ("wide-resnet-28-20", "145.931", "20.920"),
    ("match-wide-resnet-1-1", "21.069", "5.555"),
    ("match-wide-resnet-2-1", "43.189", "12.457"),
    ("match-wide-resnet-4-0.5", "24.408", "7.093"),
    ("match-wide-resnet-4-1", "87.431", "26.261"),
    ("match-pre-resnet-14-0.5", "5.731", "1.699"),
    ("match-pre-resnet-14-1", "20.410", "6.207"),
    ("match-densenet-7-1-2", "21.346", "8.241"),
    ("match-densenet-14-0.5-1", "5.101", "1.729"),
    ("match-densenet-14-0.75-1.5", "10.162", "3.561"),
    ("match-densenet-14-1-3", "40.270", "13.909"),
    ("match-densenet-28-1-2", "13.741", "4.786"),
    ("match-densenet-42-1-2", "12.955", "4.402"),
    ("match-densenet-56-1-2", "12.597", "4.210"),
)

_RATIOS = st.decimals("0.05", "3", places=2)
_DENSENETS = st.builds(DenseNetBC, st.integers(10, 30), st.integers(1, 24), st.decimals("0.5", "1", places=2))


def _allowed(make: Callable[..., Architecture], *parts: st.SearchStrategy[object]) -> st.SearchStrategy[Architecture]:
    """Architectures of one family; combinations that it refuses are drawn again."""

    @st.composite
    def draw_allowed(draw: st.DrawFn) -> Architecture:
        try:
            return make(*draw(st.tuples(*parts)))
        except UserError:
            reject()

    return draw_allowed()


architectures: st.SearchStrategy[Architecture] = st.one_of(
    _DENSENETS,
    st.builds(lambda units, width: WideResNet(4 + 6 * units, width), st.integers(1, 4), st.integers(1, 6)),
    st.builds(lambda units: PreResNet(2 + 9 * units), st.integers(1, 4)),
    _allowed(MatchDenseNet, st.integers(1, 5), st.tuples(_RATIOS, _RATIOS), _DENSENETS),
    _allowed(MatchDenseNet, st.integers(1, 5), st.tuples(st.just(Decimal(1)), _RATIOS), _DENSENETS),
    _allowed(MatchWideResNet, st.integers(1, 4), st.tuples(_RATIOS), _DENSENETS),
    _allowed(MatchPreResNet, st.integers(1, 4), st.tuples(_RATIOS), _DENSENETS),
)
"""Any small network of ours."""

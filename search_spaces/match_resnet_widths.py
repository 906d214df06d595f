"""ResNets of sampled family, units and width ratio, born again from one DenseNet.

The workshop paper tries Match-ResNets of one DenseNet-90-60 at ratios 0.5 and 1 (Table 2, `match_resnet`); here the
ratio runs from 0.25 to 2 for students of one teacher. The numbers of units differ by family, as in the paper (1, 2 and
4 of the wide kind, 14 of the pre-activation kind), so they are two conditional parameters.

Which objective: `ban+l`, and the teacher's first convolution and last linear layer copied and frozen, both as in
`match_resnet`; the teacher is trained once and found in the population by every further chain.

    python -m ban_ray.search --space match_resnet_widths
    python -m ban_ray.search --space match_resnet_widths --minimise error,multiply-accumulates --samples 30

Scale `laptop`: noisy digits (not the papers' setting), one seed, 12 configurations by TPE, one teacher
densenet-bc-16-8 (generation 0 of `densenet_grid`'s chain of the same seed) and 12 students. There is no scale `paper`:
nobody published such a search.
"""

from ban_ray.specs import (
    TEACHER,
    Chain,
    Choice,
    FloatRange,
    IntRange,
    SearchSpace,
    SpaceContext,
    TablePosition,
    noisy_digits_sampled,
    sequence,
)
from ban_ray.specs.parameters import Configuration, Parameters

TEACHER_NETWORK = "densenet-bc-16-8"
WIDE, PRE = "match-wide-resnet", "match-pre-resnet"
PARAMETERS: Parameters = {
    "family": Choice((WIDE, PRE)),
    "wide_units": IntRange(1, 4, when={"family": (WIDE,)}),
    "pre_units": IntRange(2, 6, 2, when={"family": (PRE,)}),
    "width_ratio": FloatRange(0.25, 2, 0.05),
}


def chain(configuration: Configuration, context: SpaceContext, seed: int) -> Chain:
    """The teacher and its students."""
    family, ratio = configuration["family"], configuration["width_ratio"]
    units = configuration["wide_units" if family == WIDE else "pre_units"]
    student = f"{family}-{units}-{ratio:g}@{TEACHER_NETWORK}"
    return context.born_again(TEACHER_NETWORK, seed, students=student, shared_layers="frozen")


def place(configuration: Configuration, chain: Chain) -> TablePosition:
    return TablePosition(chain.network, sequence(chain, TEACHER).columns, ensembles=False)


SPACE = SearchSpace(
    name="match_resnet_widths",
    title="Match-ResNets of one DenseNet teacher sampled over family, units and width ratio",
    chain=chain,
    place=place,
    against=TEACHER,
    scales={"laptop": noisy_digits_sampled("ban+l", PARAMETERS, samples=12)},
)

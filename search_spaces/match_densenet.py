"""DenseNets of other shapes born again from one DenseNet-90-60: workshop Table 2, lower part (ICML 2018 Table 4).

The table: CIFAR-100 test errors of seven Match-DenseNets taught by one DenseNet-BC-90-60 of error 17.69. Their
label-only baselines are not printed.

Which objective: the workshop paper's students learn from labels and teacher (equation 2), so this space runs
`ban+l`; ICML's tables only say "BAN": `--objective ban` runs that reading.

    python -m ban_ray.search --space match_densenet
    python -m ban_ray.search --space match_densenet --scale paper --data DIR --storage DIR --address auto

Scale `paper`: 8 distinct generations of 200 epochs (the teacher is `match_resnet`'s), about 50 GPU-hours at a
sustained 20 TFLOP/s. Never run by this project. Scale `laptop`: noisy digits (not the papers' setting); the teacher
is generation 0 of `densenet_grid`'s densenet-bc-16-8 chain of the same seed, taken from the population if it is
published.

14-1-3 has exactly half of the printed 80.5 M parameters by the rules that give the other six.
"""

from ban_ray.specs import (
    TEACHER,
    Chain,
    PaperRow,
    SearchSpace,
    SpaceContext,
    TablePosition,
    noisy_digits,
    papers,
    sequence,
)
from ban_ray.specs.space import Configuration

PAPER = (
    PaperRow("match-densenet-7-1-2", 21.2, None, (16.95,)),
    PaperRow("match-densenet-14-0.5-1", 5.1, None, (19.83,)),
    PaperRow("match-densenet-14-0.75-1.5", 10.1, None, (17.30,)),
    PaperRow("match-densenet-14-1-3", 80.5, None, (18.89,)),
    PaperRow("match-densenet-28-1-2", 13.7, None, (16.43,)),
    PaperRow("match-densenet-42-1-2", 12.9, None, (16.64,)),
    PaperRow("match-densenet-56-1-2", 12.6, None, (16.64,)),
)
TEACHERS = {"laptop": "densenet-bc-16-8", "paper": "densenet-bc-90-60"}


def chain(configuration: Configuration, context: SpaceContext, seed: int) -> Chain:
    """The teacher and its students."""
    return context.born_again(TEACHERS[context.scale], seed, students=str(configuration["network"]))


def place(configuration: Configuration, chain: Chain) -> TablePosition:
    return TablePosition(str(configuration["network"]), sequence(chain, TEACHER).columns, ensembles=False)


SPACE = SearchSpace(
    name="match_densenet",
    title="Match-DenseNets taught by one DenseNet (workshop Table 2, ICML Table 4)",
    source="Furlanello et al. 2017, workshop Table 2",
    paper=PAPER,
    chain=chain,
    place=place,
    against=TEACHER,
    scales={
        "laptop": noisy_digits(
            "ban+l",
            [{"network": f"match-densenet-{shape}@densenet-bc-16-8"} for shape in ("1-1-2", "2-0.5-1", "4-1-2")],
        ),
        "paper": papers("cifar100", "ban+l", [{"network": row.network} for row in PAPER]),
    },
)

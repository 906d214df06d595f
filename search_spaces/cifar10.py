"""Born-again networks on CIFAR-10: ICML 2018 Table 1.

The table: CIFAR-10 test errors of four Wide-ResNets and four DenseNet-BCs as teachers and as students of their own
shape.

Which objective: the table says only "BAN"; ICML's BAN is the teacher's distribution alone, so this space runs `ban`.

    python -m ban_ray.search --space cifar10
    python -m ban_ray.search --space cifar10 --scale paper --data DIR --storage DIR --address auto

Scale `paper`: 16 distinct generations of 200 epochs, about 85 GPU-hours at a sustained 20 TFLOP/s. Never run by this
project. Scale `laptop`: noisy digits (not the papers' setting).
"""

from ban_ray.specs import Chain, PaperRow, SearchSpace, SpaceContext, noisy_digits, papers
from ban_ray.specs.space import Configuration

PAPER = (
    PaperRow("wide-resnet-28-1", None, 6.69, (6.64,)),
    PaperRow("wide-resnet-28-2", None, 5.06, (4.86,)),
    PaperRow("wide-resnet-28-5", None, 4.13, (4.03,)),
    PaperRow("wide-resnet-28-10", None, 3.77, (3.86,)),
    PaperRow("densenet-bc-112-33", 6.3, 3.84, (3.61,)),
    PaperRow("densenet-bc-90-60", 16.1, 3.81, (3.50,)),
    PaperRow("densenet-bc-80-80", 22.4, 3.48, (3.49,)),
    PaperRow("densenet-bc-80-120", 50.4, 3.37, (3.54,)),
)


def chain(configuration: Configuration, context: SpaceContext, seed: int) -> Chain:
    """A teacher and students of its own shape."""
    return context.born_again(str(configuration["network"]), seed)


SPACE = SearchSpace(
    name="cifar10",
    title="Wide-ResNets and DenseNets born again on CIFAR-10 (ICML Table 1)",
    source="Furlanello et al. 2018, Table 1",
    paper=PAPER,
    chain=chain,
    scales={
        "laptop": noisy_digits(
            "ban", [{"network": network} for network in ("wide-resnet-10-1", "wide-resnet-16-1", "densenet-bc-16-8")]
        ),
        "paper": papers("cifar10", "ban", [{"network": row.network} for row in PAPER]),
    },
)

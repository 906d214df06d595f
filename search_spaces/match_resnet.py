"""ResNets born again from one DenseNet-90-60: workshop Table 2, upper part (ICML 2018 Table 5).

The table: CIFAR-100 test errors of Match-ResNets trained on labels alone ("baseline") and taught by one DenseNet-
BC-90-60 of error 17.69 ("BAN"), beside three reference networks on labels. The students copy the teacher's first
convolution and last linear layer and keep them frozen (ICML's text); nothing says that the baselines have frozen
layers, so they are trained in full. Controls at laptop scale: a label-only student with the layers frozen, and a
student that does not share them.

Which objective: the workshop paper's students learn from labels and teacher (equation 2), so this space runs
`ban+l`; ICML's tables only say "BAN": `--objective ban` runs that reading.

    python -m ban_ray.search --space match_resnet
    python -m ban_ray.search --space match_resnet --scale paper --data DIR --storage DIR --address auto

Scale `paper`: 16 distinct generations of 200 epochs, about 140 GPU-hours at a sustained 20 TFLOP/s. Never run by
this project. Scale `laptop`: noisy digits (not the papers' setting); the teacher is generation 0 of
`densenet_grid`'s densenet-bc-16-8 chain of the same seed, taken from the population if it is published.

Match-Pre-ResNet's printed counts are not recovered by any natural rule (-21.5 % and +15.3 %).
"""

from ban_ray.specs import (
    BASELINE,
    TEACHER,
    Chain,
    Objective,
    PaperRow,
    SearchSpace,
    SpaceContext,
    TablePosition,
    label_only,
    noisy_digits,
    papers,
)
from ban_ray.specs.space import Configuration

PAPER = (
    PaperRow("pre-resnet-1001", 10.2, 22.71),
    PaperRow("match-pre-resnet-14-0.5", 7.3, 20.28, (18.80,)),
    PaperRow("match-pre-resnet-14-1", 17.7, 18.84, (17.39,)),
    PaperRow("wide-resnet-28-10", 36.0, 18.63),
    PaperRow("wide-resnet-28-20", 146.0, 17.64),
    PaperRow("match-wide-resnet-1-1", 20.9, 20.40, (19.12,)),
    PaperRow("match-wide-resnet-2-1", 43.1, 18.83, (17.42,)),
    PaperRow("match-wide-resnet-4-0.5", 24.3, 19.63, (17.13,)),
    PaperRow("match-wide-resnet-4-1", 87.3, 18.77, (17.18,)),
)
TEACHERS = {"laptop": "densenet-bc-16-8", "paper": "densenet-bc-90-60"}

# How a configuration's students are trained: "labels" is the table's baseline column.
TAUGHT, LABELS, FROZEN_LABELS, UNSHARED = "teacher", "labels", "labels, layers frozen", "teacher, nothing shared"
COLUMNS = {FROZEN_LABELS: "labels, frozen", UNSHARED: "BAN-1, unshared"}


def chain(configuration: Configuration, context: SpaceContext, seed: int) -> Chain:
    """A label-only network, or the teacher and its students."""
    network, training = str(configuration["network"]), configuration["training"]
    if training == LABELS:
        return label_only(context.task, network, context.recipe, seed=seed)
    return context.born_again(
        TEACHERS[context.scale],
        seed,
        students=network,
        objective=Objective(name="label") if training == FROZEN_LABELS else None,
        shared_layers="none" if training == UNSHARED else "frozen",
    )


def place(configuration: Configuration, chain: Chain) -> TablePosition:
    network, training = str(configuration["network"]), str(configuration["training"])
    if training == LABELS:
        return TablePosition(network, (BASELINE,), ensembles=False)
    name = COLUMNS.get(training, "BAN-1")
    further = [f"{name} ({k})" for k in range(2, len(chain.generations))]
    return TablePosition(network, (TEACHER, name, *further)[: len(chain.generations)], ensembles=False)


def _rows(network: str, *trainings: str) -> list[Configuration]:
    return [{"network": network, "training": training} for training in trainings]


SPACE = SearchSpace(
    name="match_resnet",
    title="Match-ResNets taught by one DenseNet (workshop Table 2, ICML Table 5)",
    source="Furlanello et al. 2017, workshop Table 2",
    paper=PAPER,
    chain=chain,
    place=place,
    scales={
        "laptop": noisy_digits(
            "ban+l",
            (
                *_rows("match-pre-resnet-2-1@densenet-bc-16-8", LABELS, TAUGHT),
                *_rows("match-wide-resnet-1-0.5@densenet-bc-16-8", LABELS, TAUGHT),
                *_rows("match-wide-resnet-1-1@densenet-bc-16-8", LABELS, TAUGHT, FROZEN_LABELS, UNSHARED),
            ),
        ),
        "paper": papers(
            "cifar100",
            "ban+l",
            [
                configuration
                for row in PAPER
                for configuration in _rows(row.network, LABELS, *([TAUGHT] if row.generations else []))
            ],
        ),
    },
)

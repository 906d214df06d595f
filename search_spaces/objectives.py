"""Objectives that use more or less of what the teacher says: ICML 2018 Table 2, left.

The table: CIFAR-100 test errors of four DenseNet-BCs, each the teacher of students of its own shape by four
objectives. BAN: the teacher's distribution alone. BAN+L: with the labels. CWTM: labels weighted by the teacher's
confidence. DKPP: the teacher with its non-argmax entries permuted.

Controls at laptop scale, none of them in the paper: temperature 4, label smoothing 0.1, labels with the loss
doubled (BAN+L's gradient scale), labels for the chain's total number of epochs, and two independent label-only
networks.

    python -m ban_ray.search --space objectives
    python -m ban_ray.search --space objectives --scale paper --data DIR --storage DIR --address auto

Scale `paper`: 20 distinct generations of 200 epochs, about 190 GPU-hours at a sustained 20 TFLOP/s. Never run by
this project. Scale `laptop`: noisy digits (not the papers' setting), where 180 steps make teachers so unsure that BAN
alone loses; `--epochs 60 --batch-size 32` takes longer and shows it gaining.
"""

from ban_ray.specs import (
    ALL_EPOCHS,
    DOUBLED,
    SMOOTHED,
    TEACHER,
    Chain,
    Objective,
    PaperRow,
    SearchSpace,
    SpaceContext,
    TablePosition,
    control,
    independent,
    noisy_digits,
    papers,
)
from ban_ray.specs.space import Configuration

# Columns of `generations`: BAN, BAN+L, CWTM, DKPP.
PAPER = (
    PaperRow("densenet-bc-112-33", 6.3, 18.25, (16.95, 17.68, 17.84, 17.84)),
    PaperRow("densenet-bc-90-60", 16.1, 17.69, (16.69, 16.93, 17.42, 17.43)),
    PaperRow("densenet-bc-80-80", 22.4, 17.16, (16.36, 16.50, 17.16, 16.84)),
    PaperRow("densenet-bc-80-120", 50.4, 16.87, (16.00, 16.41, 17.12, 16.34)),
)
STUDENTS = ("ban", "ban+l", "cwtm", "dkpp")
TEMPERATURE = "ban:temperature=4"
CONTROLS = (SMOOTHED, DOUBLED, ALL_EPOCHS, *independent(2))


def chain(configuration: Configuration, context: SpaceContext, seed: int) -> Chain:
    """A teacher and its students by the configuration's objective, or one label-only control."""
    network, learns = str(configuration["network"]), str(configuration["objective"])
    if learns in CONTROLS:
        return control(learns, network, context, seed)
    return context.born_again(network, seed, objective=Objective.parse(learns))


def place(configuration: Configuration, chain: Chain) -> TablePosition:
    learns = str(configuration["objective"])
    if len(chain.generations) == 1 and not learns.startswith(STUDENTS):
        return TablePosition(chain.network, (learns,), ensembles=False)
    further = [f"{learns} {k}" for k in range(2, len(chain.generations))]
    return TablePosition(chain.network, (TEACHER, learns, *further)[: len(chain.generations)], ensembles=False)


SPACE = SearchSpace(
    name="objectives",
    title="Objectives: BAN, BAN+L, CWTM, DKPP and controls (ICML Table 2, left)",
    source="Furlanello et al. 2018, Table 2 (left)",
    paper=PAPER,
    chain=chain,
    place=place,
    against=TEACHER,
    chooses=frozenset({"objective"}),
    scales={
        "laptop": noisy_digits(
            "ban",
            [{"network": "densenet-bc-16-8", "objective": learns} for learns in (*STUDENTS, TEMPERATURE, *CONTROLS)],
        ),
        "paper": papers(
            "cifar100", "ban", [{"network": row.network, "objective": learns} for row in PAPER for learns in STUDENTS]
        ),
    },
)

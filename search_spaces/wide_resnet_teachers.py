"""Wide-ResNet teachers, students of two kinds: ICML 2018 Table 3.

The table: CIFAR-100 test errors of four Wide-ResNets, of students of their own shape, and of DenseNet-90-60 students.

Which objective: the table says only "BAN"; ICML's BAN is the teacher's distribution alone, so this space runs `ban`.

    python -m ban_ray.search --space wide_resnet_teachers
    python -m ban_ray.search --space wide_resnet_teachers --scale paper --data DIR --storage DIR --address auto

Scale `paper`: 12 distinct generations of 200 epochs, about 35 GPU-hours at a sustained 20 TFLOP/s. Never run by this
project. Scale `laptop`: noisy digits (not the papers' setting).
"""

from ban_ray.specs import TEACHER, Chain, PaperRow, SearchSpace, SpaceContext, TablePosition, noisy_digits, papers
from ban_ray.specs.space import Configuration

# Columns of `generations`: the same network as a student, DenseNet-90-60 as a student.
PAPER = (
    PaperRow("wide-resnet-28-1", None, 30.05, (29.43, 24.93)),
    PaperRow("wide-resnet-28-2", None, 25.32, (24.38, 18.49)),
    PaperRow("wide-resnet-28-5", None, 20.88, (20.93, 17.52)),
    PaperRow("wide-resnet-28-10", None, 19.08, (18.25, 16.79)),
)
SAME = "same network"


def chain(configuration: Configuration, context: SpaceContext, seed: int) -> Chain:
    """A Wide-ResNet and its students."""
    teacher, student = str(configuration["teacher"]), str(configuration["student"])
    return context.born_again(teacher, seed, students=None if student == SAME else student)


def place(configuration: Configuration, chain: Chain) -> TablePosition:
    student = str(configuration["student"])
    columns = [student if k == 1 else f"{student} {k}" for k in range(1, len(chain.generations))]
    return TablePosition(str(configuration["teacher"]), (TEACHER, *columns), ensembles=False)


def _configurations(teachers: tuple[str, ...], dense: str) -> tuple[Configuration, ...]:
    return tuple({"teacher": teacher, "student": student} for teacher in teachers for student in (SAME, dense))


SPACE = SearchSpace(
    name="wide_resnet_teachers",
    title="Students of Wide-ResNets: the same network and a DenseNet (ICML Table 3)",
    source="Furlanello et al. 2018, Table 3",
    paper=PAPER,
    chain=chain,
    place=place,
    against=TEACHER,
    scales={
        "laptop": noisy_digits("ban", _configurations(("wide-resnet-10-1", "wide-resnet-16-1"), "densenet-bc-16-8")),
        "paper": papers("cifar100", "ban", _configurations(tuple(row.network for row in PAPER), "densenet-bc-90-60")),
    },
)

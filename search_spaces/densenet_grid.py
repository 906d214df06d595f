"""Born-again DenseNets over depth and growth: workshop Table 1 (Furlanello et al. 2017).

The table: CIFAR-100 test errors of four DenseNet-BCs, their sequences BAN-1 .. BAN-3 and the ensembles Ens*2 and
Ens*3. ICML 2018 Table 2 (right) prints the same figures, with 17.16 instead of 17.30 as 80-80's baseline.

Which objective: the workshop caption says "trained from the label loss and cross-entropy with respect to the model
at its left" and gives equations 2 and 3, so this space runs `ban+l`. ICML's caption of the same figures says
cross-entropy with the model at the left alone: `--objective ban` runs that reading.

    python -m ban_ray.search --space densenet_grid
    python -m ban_ray.search --space densenet_grid --scale paper --data DIR --storage DIR --address auto

Scale `paper`: 15 generations of 200 epochs, about 130 GPU-hours at a sustained 20 TFLOP/s. Never run by this project.
Scale `laptop`: the embedded digits with 30 % of the training labels replaced at random. That is not the papers'
setting: with clean labels the gain on digits is at the edge of noise.

112-33 has 7.494 M parameters by the construction that reproduces the other three rows; the table prints 6.3.
"""

from ban_ray.specs import Chain, PaperRow, SearchSpace, SpaceContext, noisy_digits, papers
from ban_ray.specs.space import Configuration

PAPER = (
    PaperRow("densenet-bc-112-33", 6.3, 18.25, (17.61, 17.22, 16.59), {2: 15.77, 3: 15.68}),
    PaperRow("densenet-bc-90-60", 16.1, 17.69, (16.62, 16.44, 16.72), {2: 15.39, 3: 15.74}),
    PaperRow("densenet-bc-80-80", 22.4, 17.30, (16.26, 16.30, 15.50), {2: 15.46, 3: 15.14}, "ICML: baseline 17.16"),
    PaperRow("densenet-bc-80-120", 50.4, 16.87, (16.13, 16.13, None), {2: 15.13, 3: 14.90}, "Ens*3 with the teacher"),
)


def name(configuration: Configuration) -> str:
    return f"densenet-bc-{configuration['depth']}-{configuration['growth']}"


def chain(configuration: Configuration, context: SpaceContext, seed: int) -> Chain:
    """A baseline and its born-again sequence; the papers stopped 80-120 after BAN-2."""
    network = name(configuration)
    paper_stop = 2 if context.scale == "paper" and network == "densenet-bc-80-120" else None
    return context.born_again(network, seed, at_most=paper_stop)


SPACE = SearchSpace(
    name="densenet_grid",
    title="Born-again DenseNet-BC over depth x growth (workshop Table 1)",
    source="Furlanello et al. 2017, workshop Table 1",
    paper=PAPER,
    chain=chain,
    takes_teacher=True,
    scales={
        "laptop": noisy_digits(
            "ban+l", [{"depth": depth, "growth": growth} for depth in (16, 22) for growth in (8, 12)], generations=3
        ),
        "paper": papers(
            "cifar100",
            "ban+l",
            [{"depth": depth, "growth": growth} for depth, growth in ((112, 33), (90, 60), (80, 80), (80, 120))],
            generations=3,
        ),
    },
)

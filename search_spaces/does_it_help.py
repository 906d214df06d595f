"""The gain of self-distillation for one network on one data set: both of the papers' objectives, and controls.

    python -m ban_ray.search --space does_it_help --network densenet-bc-16-8
    python -m ban_ray.search --space does_it_help --network my_module:build --task folder --data DIR --image-size 32

BAN+L and BAN chains from one baseline, beside what else the same work could have bought: labels with the loss doubled
(BAN+L's gradient scale), smoothed labels, labels for the chain's total number of epochs, and three independent
label-only networks: with the baseline an ensemble of what a chain of three generations costs. The report compares each
generation and each ensemble with them, over seeds and images.

The network is a paper's name, `timm:NAME`, `torchvision:NAME`, or `module:function` of your own. Scale `laptop`: 45
epochs in batches of 64 with the papers' schedule and three seeds. On the embedded digits 30 % of the training labels
are replaced (not the papers' setting) unless `--task` or `--label-noise` is given.
"""

from ban_ray.specs import (
    ALL_EPOCHS,
    DOUBLED,
    SMOOTHED,
    Chain,
    Objective,
    SearchSpace,
    SpaceContext,
    TablePosition,
    control,
    independent,
    noisy_digits,
    sequence,
)
from ban_ray.specs.space import BASELINE, Configuration

STUDENTS = ("ban+l", "ban")


def chain(configuration: Configuration, context: SpaceContext, seed: int) -> Chain:
    """A chain by the configuration's objective, or one label-only control."""
    assert context.network is not None
    learns, network = str(configuration["objective"]), context.network
    if learns not in STUDENTS:
        return control(
            learns,
            network.name,
            context,
            seed,
            network_arguments=network.arguments,
            network_version=network.version,
        )
    return context.born_again(network, seed, objective=Objective.parse(learns))


def place(configuration: Configuration, chain: Chain) -> TablePosition:
    """A row for each way to learn."""
    columns = sequence(chain).columns
    return TablePosition(str(configuration["objective"]), columns, ensembles=len(columns) > 1, network=chain.network)


SPACE = SearchSpace(
    name="does_it_help",
    title="One network of your own or of the papers on your data: BAN, BAN+L and label-only controls",
    chain=chain,
    place=place,
    takes_network=True,
    chooses=frozenset({"objective"}),
    against=BASELINE,
    scales={
        "laptop": noisy_digits(
            "ban+l",
            [{"objective": learns} for learns in (*STUDENTS, DOUBLED, SMOOTHED, ALL_EPOCHS, *independent(3))],
            generations=2,
        ),
    },
)

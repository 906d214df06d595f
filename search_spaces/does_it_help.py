"""The gain of self-distillation for one network on one data set, and what the same work would have bought otherwise.

    python -m ban_ray.search --space does_it_help --network densenet-bc-16-8
    python -m ban_ray.search --space does_it_help --network my_module:build --task folder --data DIR --image-size 32
    python -m ban_ray.search --space does_it_help --network densenet-bc-16-8 --budget 12x

Chains of students by BAN+L, BAN, the mean of labels and teacher (`mix`) and the teacher's classes (`hard`), all from
one baseline, beside every control of `ban_ray.specs.controls`, which says what each costs and who asks for it. It ends
in one verdict: what to train, what self-distillation adds beyond tuning and averaging, and what is open.

Configurations run in the order of the list, what decides most for its cost first, one seed after another; `--budget Nx`
leaves out what does not fit into N trainings a seed. With the default of two generations everything is 30 trainings a
seed. After two seeds, a configuration that is distinguishably worse on held-out data than one that costs no more runs
on no further seed.

The network is a paper's name, `timm:NAME`, `torchvision:NAME`, or `module:function` of your own. Scale `laptop`: 45
epochs in batches of 64 with the papers' schedule and three seeds. On the embedded digits 30 % of the training labels
are replaced (not the papers' setting) unless `--task` or `--label-noise` is given.
"""

from ban_ray.specs import (
    ALL_EPOCHS,
    ALL_EPOCHS_STOPPED,
    BASELINE_ALONE,
    BETA,
    DOUBLED,
    EARLY_STOPPED,
    EMA,
    ENSEMBLE_DISTILLED,
    SELF_EMA,
    SMOOTHED,
    SWA,
    TUNED_RECIPES,
    TUNED_SMOOTHING,
    VIRTUAL,
    Chain,
    Objective,
    SearchSpace,
    SpaceContext,
    TablePosition,
    control,
    independent,
    is_affordable,
    noisy_digits,
    sequence,
)
from ban_ray.specs.space import BASELINE, Configuration

STUDENTS = ("ban+l", "ban", "mix", "hard")
INDEPENDENT = independent(len(TUNED_RECIPES))

LIST = (
    *(BASELINE_ALONE, EMA, EARLY_STOPPED, "ban+l", *TUNED_RECIPES, *INDEPENDENT[:2], SMOOTHED, SWA, "ban"),
    *(VIRTUAL, SELF_EMA, BETA, DOUBLED, *TUNED_SMOOTHING[1:], *INDEPENDENT[2:], ENSEMBLE_DISTILLED, "mix", "hard"),
    *(ALL_EPOCHS_STOPPED, ALL_EPOCHS),
)
"""In the order in which a budget buys them."""


def chain(configuration: Configuration, context: SpaceContext, seed: int) -> Chain:
    """A chain by the configuration's objective, or one control."""
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
    learns, columns = str(configuration["objective"]), sequence(chain).columns
    if learns == ENSEMBLE_DISTILLED:
        columns = (BASELINE, *(f"network {number}" for number in range(2, len(columns))), "distilled")
    return TablePosition(learns, columns, ensembles=learns in STUDENTS and len(columns) > 1, network=chain.network)


SPACE = SearchSpace(
    name="does_it_help",
    title="One network of your own or of the papers on your data: self-distillation and what competes with it",
    chain=chain,
    place=place,
    is_applicable=lambda configuration, context: is_affordable(str(configuration["objective"]), context),
    drops_beaten=True,
    takes_network=True,
    chooses=frozenset({"objective"}),
    against=BASELINE,
    scales={"laptop": noisy_digits("ban+l", [{"objective": learns} for learns in LIST], generations=2)},
)

"""One network born again by a sampled objective, temperature, weights, learning rate and weight decay.

ICML 2018 Table 2 (`objectives`) compares objectives at the papers' recipe, temperature 1 and weights of 1; here these
are searched together, for one fixed network. The baseline learns from labels with the configuration's own learning rate
and weight decay, so a configuration pays for its teacher too.

Which objective: a parameter. Temperature and the teacher's weight exist where the objective reads the teacher's
distribution, the labels' weight where it reads labels beside it.

    python -m ban_ray.search --space recipe_search
    python -m ban_ray.search --space recipe_search --samples 40 --target ensemble

Scale `laptop`: noisy digits (not the papers' setting), densenet-bc-16-8, one seed, 12 configurations by TPE, each a
baseline and up to 2 students. There is no scale `paper`: nobody published such a search.
"""

from ban_ray.specs import (
    Chain,
    Choice,
    FloatRange,
    Objective,
    SearchSpace,
    SpaceContext,
    TablePosition,
    noisy_digits_sampled,
    sequence,
)
from ban_ray.specs.parameters import Configuration, Parameters

NETWORK = "densenet-bc-16-8"
READS_TEACHER = {"objective": ("ban", "ban+l")}
PARAMETERS: Parameters = {
    "objective": Choice(("ban", "ban+l", "cwtm", "dkpp")),
    "temperature": FloatRange(1, 8, log=True, when=READS_TEACHER),
    "teacher_weight": FloatRange(0.25, 4, log=True, when=READS_TEACHER),
    "label_weight": FloatRange(0.25, 4, log=True, when={"objective": ("ban+l",)}),
    "learning_rate": FloatRange(0.01, 0.5, log=True),
    "weight_decay": FloatRange(1e-5, 1e-2, log=True),
}
WEIGHTS = ("temperature", "teacher_weight", "label_weight")
RECIPE = ("learning_rate", "weight_decay")


def chain(configuration: Configuration, context: SpaceContext, seed: int) -> Chain:
    """A baseline and students by the configuration's objective, all with its recipe."""
    given = {name: configuration[name] for name in WEIGHTS if name in configuration}
    return context.born_again(
        NETWORK,
        seed,
        recipe=context.recipe.model_copy(update={name: configuration[name] for name in RECIPE}),
        objective=Objective.model_validate({"name": configuration["objective"], **given}),
    )


def place(configuration: Configuration, chain: Chain) -> TablePosition:
    given = " ".join(
        f"{name.replace('_', ' ')} {configuration[name]:.2g}" for name in (*WEIGHTS, *RECIPE) if name in configuration
    )
    return TablePosition(f"{configuration['objective']} {given}", sequence(chain).columns, network=NETWORK)


SPACE = SearchSpace(
    name="recipe_search",
    title="One network's objective, temperature, weights, learning rate and weight decay, sampled",
    chain=chain,
    takes_teacher=True,
    place=place,
    chooses=frozenset({"objective", *RECIPE}),
    scales={"laptop": noisy_digits_sampled("ban", PARAMETERS, samples=12, generations=2)},
)

"""The best born-again DenseNet-BC of limited size: depth, growth and compression are sampled, not listed.

No table of the papers: `densenet_grid` holds their four networks. The papers keep compression at 0.5; here it is
searched from 0.3 to 0.7, and networks above 75 k parameters (a little above the largest of `densenet_grid` at this
scale) are skipped; `--max-parameters` sets another limit.

Which objective: `ban+l`, as in `densenet_grid`, so that chains with compression 0.5 are the same chains as there and
are taken from the population.

    python -m ban_ray.search --space densenet_search
    python -m ban_ray.search --space densenet_search --minimise error,parameters --samples 24

Scale `laptop`: noisy digits (not the papers' setting), one seed, 12 configurations by TPE, each of up to 4 generations.
There is no scale `paper`: nobody published such a search.
"""

from ban_ray.specs import Chain, FloatRange, IntRange, SearchSpace, SpaceContext, noisy_digits_sampled
from ban_ray.specs.parameters import Configuration, Parameters

PARAMETERS: Parameters = {
    # One more unit in each stage takes six layers.
    "depth": IntRange(10, 34, 6),
    "growth": IntRange(4, 16, 2),
    "compression": FloatRange(0.3, 0.7, 0.1),
}


def chain(configuration: Configuration, context: SpaceContext, seed: int) -> Chain:
    """A baseline and its born-again sequence."""
    depth, growth, compression = (configuration[name] for name in PARAMETERS)
    # 0.5 is what a name without a compression means, and what the papers used.
    suffix = f"-c{compression:g}" if compression != 0.5 else ""
    return context.born_again(f"densenet-bc-{depth}-{growth}{suffix}", seed)


SPACE = SearchSpace(
    name="densenet_search",
    title="Born-again DenseNet-BC sampled over depth, growth and compression below a size",
    chain=chain,
    takes_teacher=True,
    scales={"laptop": noisy_digits_sampled("ban+l", PARAMETERS, samples=12, generations=3, max_parameters=75_000)},
)

"""The space of the simulator: 16 depths, 31 growths, 9 compressions, 4,464 configurations; nothing is trained."""

from ban_ray.specs import Chain, FloatRange, IntRange, Objective, Recipe, Scale, SearchSpace, SpaceContext, born_again
from ban_ray.specs.parameters import Configuration, Parameters

PARAMETERS: Parameters = {
    "depth": IntRange(10, 100, 6),
    "growth": IntRange(4, 64, 2),
    "compression": FloatRange(0.3, 0.7, 0.05),
}


def network(configuration: Configuration) -> str:
    compression = configuration["compression"]
    suffix = "" if compression == 0.5 else f"-c{compression:g}"
    return f"densenet-bc-{configuration['depth']}-{configuration['growth']}{suffix}"


def chain(configuration: Configuration, setting: SpaceContext, seed: int) -> Chain:
    return born_again(
        setting.task,
        network(configuration),
        setting.recipe,
        setting.objective,
        seed=seed,
        generations=setting.generations_for(),
    )


SPACE = SearchSpace(
    name="simulated",
    title="Simulated learning curves",
    chain=chain,
    scales={
        "laptop": Scale(
            task="digits",
            recipe=Recipe(epochs=20, batch_size=64),
            objective=Objective(name="ban+l"),
            generations=3,
            seeds=(0,),
            parameters=PARAMETERS,
            samples=24,
        )
    },
)

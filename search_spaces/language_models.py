"""Language models born again: ICML 2018 Table 6.

The table: perplexities on Penn Treebank of a CNN-LSTM (Kim et al. 2016, large) and an LSTM, and of students of their
own kind that learn from labels and teacher together: the only objective that helped there, so this space runs `ban+l`.

    python -m ban_ray.search --space language_models
    python -m ban_ray.search --space language_models --data DIR --tokens char
    python -m ban_ray.search --space chain --network lstm-2-200 --task text --data DIR
    python -m ban_ray.search --space language_models --scale paper --task ptb --data DIR --storage DIR --address auto

With `--data` and without `--task` the task is `text`: train.txt, valid.txt and test.txt. The validation text is never
trained on, and drives the learning rate.

ICML says one LSTM layer of 1500 units, which tied would be 33.0 M parameters where 52 M are printed; two are 51.03 M.

Scale `paper`: 4 generations of 40 epochs, about 2 GPU-hours at a sustained 5 TFLOP/s. Never run by this project. Scale
`laptop`: the language reference that ships with Python, 80 thousand words, and one LSTM of 0.22 M parameters.
"""

from ban_ray.specs import (
    LAPTOP_LSTM,
    LSTM,
    Chain,
    Objective,
    PaperRow,
    Recipe,
    Scale,
    SearchSpace,
    SpaceContext,
    papers_recipe,
)
from ban_ray.specs.space import Configuration

PAPER = (
    PaperRow("cnn-lstm", 19, 80.05, (76.97,), note="validation 83.69, BAN-1 80.27"),
    PaperRow("lstm-2-1500", 52, 71.87, (68.56,), note="validation 75.11, BAN-1 71.19; named a single layer"),
)


def chain(configuration: Configuration, context: SpaceContext, seed: int) -> Chain:
    """A teacher and students of its own shape; at scale `paper` by the recipe of the network's own paper."""
    network, recipe = str(configuration["network"]), context.recipe
    if context.scale == "paper":
        recipe = Recipe.model_validate({**papers_recipe(network).model_dump(), **context.recipe_changes})
    return context.born_again(network, seed, recipe=recipe)


SPACE = SearchSpace(
    name="language_models",
    title="Language models born again on text (ICML Table 6)",
    source="Furlanello et al. 2018, Table 6",
    paper=PAPER,
    chain=chain,
    data_task="text",
    scales={
        "laptop": Scale(
            task="python_docs",
            recipe=LAPTOP_LSTM,
            objective=Objective(name="ban+l"),
            generations=2,
            seeds=(0, 1, 2),
            configurations=({"network": "lstm-1-96-d0.3"},),
        ),
        "paper": Scale(
            task="ptb",
            recipe=LSTM,
            objective=Objective(name="ban+l"),
            generations=1,
            seeds=(0,),
            protocol="paper",
            configurations=tuple({"network": row.network} for row in PAPER),
        ),
    },
)

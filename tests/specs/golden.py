"""A dozen generations whose keys are fixed in golden_keys.json.

A key that changes means that every population out there is trained again. Where the training code's meaning did
change, raise SEMANTICS_VERSION and write the file anew: ``python -m tests.specs.golden``.
"""

import json
from pathlib import Path

from ban_ray.specs import SEMANTICS_VERSION, Generation, Objective, Recipe, Task

FILE = Path(__file__).with_name("golden_keys.json")
COMMENT = (
    "Keys of fixed generations. A change of any of them makes published members unfindable; if the training code's "
    "meaning changed, raise SEMANTICS_VERSION and run: python -m tests.specs.golden"
)

DIGITS = Task(name="digits", fingerprint="0" * 64)
CIFAR = Task(name="cifar100", fingerprint="ab" * 32, protocol="paper")
LABEL = Objective(name="label")
SMALL = Recipe(epochs=30, batch_size=32)

GENERATIONS: dict[str, Generation] = {
    "paper baseline": Generation(task=CIFAR, network="densenet-bc-90-60", recipe=Recipe(), objective=LABEL, seed=0),
    "small baseline": Generation(task=DIGITS, network="densenet-bc-16-8", recipe=SMALL, objective=LABEL, seed=1),
    "label noise": Generation(
        task=DIGITS.model_copy(update={"label_noise": 0.3}),
        network="densenet-bc-16-8",
        recipe=SMALL,
        objective=LABEL,
        seed=1,
    ),
    "split seed": Generation(
        task=DIGITS.model_copy(update={"split_seed": 7}),
        network="densenet-bc-16-8",
        recipe=SMALL,
        objective=LABEL,
        seed=1,
    ),
    "ban": Generation(
        task=DIGITS,
        network="densenet-bc-16-8",
        recipe=SMALL,
        objective=Objective(name="ban"),
        seed=2,
        teachers=("1" * 64,),
    ),
    "ban with temperature": Generation(
        task=DIGITS,
        network="wide-resnet-10-2",
        recipe=SMALL,
        objective=Objective(name="ban", temperature=4),
        seed=2,
        teachers=("1" * 64,),
    ),
    "ban+l of two teachers": Generation(
        task=DIGITS,
        network="densenet-bc-16-8",
        recipe=SMALL,
        objective=Objective(name="ban+l", label_weight=0.5, label_smoothing=0.1),
        seed=2,
        teachers=("1" * 64, "2" * 64),
    ),
    "cwtm": Generation(
        task=CIFAR,
        network="densenet-bc-80-80",
        recipe=Recipe(),
        objective=Objective(name="cwtm"),
        seed=3,
        teachers=("c" * 64,),
    ),
    "dkpp": Generation(
        task=CIFAR,
        network="densenet-bc-80-80",
        recipe=Recipe(),
        objective=Objective(name="dkpp"),
        seed=3,
        teachers=("c" * 64,),
    ),
    "workers and precision": Generation(
        task=CIFAR,
        network="densenet-bc-112-33",
        recipe=Recipe(workers=4, precision="bf16"),
        objective=LABEL,
        seed=0,
    ),
    "every field of the recipe": Generation(
        task=DIGITS,
        network="densenet-bc-16-8",
        recipe=Recipe(
            epochs=10,
            batch_size=16,
            learning_rate=0.05,
            learning_rate_drops=(0.5, 0.75),
            learning_rate_factor=0.1,
            momentum=0,
            weight_decay=0.0001,
            precision="tf32",
            workers=2,
        ),
        objective=LABEL,
        seed=2**40,
        augmentation_seed=5,
    ),
    "the user's own network": Generation(
        task=DIGITS,
        network="my.package:build",
        network_arguments={"width": 2, "nested": {"b": [1, 2.5, None], "a": "é"}},
        network_version="2",
        recipe=SMALL,
        objective=LABEL,
        seed=0,
    ),
}


def document() -> dict[str, object]:
    return {
        "comment": COMMENT,
        "semantics_version": SEMANTICS_VERSION,
        "generations": {
            name: {"key": generation.key, "generation": json.loads(generation.to_json())}
            for name, generation in GENERATIONS.items()
        },
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(document(), indent=2, ensure_ascii=False) + "\n")

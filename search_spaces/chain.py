"""One chain, no search: does self-distillation help this network on this data, and for how many generations?

    python -m ban_ray.search --space chain --network densenet-bc-16-8
    python -m ban_ray.search --space chain --network my_module:build --task folder --data DIR --image-size 32
    python -m ban_ray.search --space chain --network torchvision:resnet18 --task cifar10 --data DIR --epochs 100
    python -m ban_ray.search --space chain --network timm:resnet18 --pretrained default --recipe fine-tune
    python -m ban_ray.search --space chain --network lstm-2-200 --task text --data DIR --tokens char

The network is a paper's name, `timm:NAME`, `torchvision:NAME`, or `module:function` of your own, called as
`function(num_classes=..., in_channels=..., **arguments)`. Scale `laptop`: 45 epochs in batches of 64 with the papers'
schedule, or for text what `language_models` trains with; three seeds, since one says nothing about the next. On the
embedded digits 30 % of the training labels are replaced (not the papers' setting) unless `--task` or `--label-noise`
is given.
"""

from ban_ray.specs import Chain, SearchSpace, SpaceContext, noisy_digits
from ban_ray.specs.space import Configuration


def chain(configuration: Configuration, context: SpaceContext, seed: int) -> Chain:
    """A baseline and its born-again generations."""
    assert context.network is not None
    return context.born_again(context.network, seed)


SPACE = SearchSpace(
    name="chain",
    title="One chain of a network of your own or of the papers, on your data",
    chain=chain,
    takes_network=True,
    takes_teacher=True,
    scales={"laptop": noisy_digits("ban+l", ({},), generations=2)},
)

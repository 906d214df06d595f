"""The augmentations of a recipe, in their order; imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from ban_ray.augmentations.base import AUGMENTATIONS, Augmentation, MixingAugmentation

DEFAULT, NONE, CROP, FLIP = "default", "none", "crop", "flip"
"""Words for the crop and the mirroring that the task's own augmentation consists of."""


@dataclass(frozen=True)
class Pipeline:
    """Crop and mirroring, then further augmentations; of several that mix labels each batch gets one.

    Attributes:
        crop: whether images are reflection-padded and cropped; None for what the task does.
        flip: whether half of the images are mirrored; None for what the task does.
    """

    crop: bool | None = None
    flip: bool | None = None
    further: tuple[Augmentation, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Pipeline:
        """Read a list such as ``default``, ``none``, ``crop+flip+trivial+erase`` or ``resized-crop+mixup:alpha=0.2``.

        Commas may stand for the plus signs.

        Raises:
            ValueError: an unknown name or argument, a value out of range, a name twice, or a wrong order.
        """
        words = [word.strip() for word in text.replace(",", "+").split("+")]
        names = [word.partition(":")[0] for word in words]
        known = (DEFAULT, NONE, CROP, FLIP, *AUGMENTATIONS)
        for name in names:
            if name not in known:
                raise ValueError(f"augmentation {name!r} is unknown; allowed are {', '.join(known)}")
            if names.count(name) > 1:
                raise ValueError(f"augmentation {text!r} has {name} twice")
        own = [word for word in words if word in (DEFAULT, NONE, CROP, FLIP)]
        if own != words[: len(own)] or (DEFAULT in own and len(own) > 1) or (NONE in own and len(words) > 1):
            raise ValueError(
                f"augmentation {text!r}: {DEFAULT}, or {CROP} and {FLIP}, come first, and {NONE} stands alone"
            )
        further = tuple(Augmentation.parse(word) for word in words[len(own) :])
        if [each.stage for each in further] != sorted(each.stage for each in further):
            ordered = "+".join(str(each) for each in sorted(further, key=lambda each: each.stage))
            raise ValueError(f"augmentation {text!r} is not in the order in which it is done: {ordered}")
        if own == [DEFAULT]:
            return cls(further=further)
        return cls(CROP in own, FLIP in own, further)

    def __str__(self) -> str:
        own = [DEFAULT] if self.crop is None else [name for name in (CROP, FLIP) if getattr(self, name)]
        return "+".join([*own, *map(str, self.further)]) or NONE

    @property
    def has_countable_views(self) -> bool:
        """Whether samples have few different inputs, as many as the task says."""
        return self.crop is None and not self.further

    @property
    def mixing(self) -> tuple[MixingAugmentation, ...]:
        return tuple(each for each in self.further if isinstance(each, MixingAugmentation))

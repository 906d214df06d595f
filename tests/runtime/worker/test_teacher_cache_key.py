"""The digest that names the kept outputs of a teacher."""

import pytest
import torch

from ban_ray.runtime.worker import teacher_cache
from ban_ray.runtime.worker.admission import Admission
from tests.conftest import MakeGeneration


def test_outputs_of_algorithms_that_may_differ_are_kept_apart(
    make_generation: MakeGeneration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a GPU alone: a CPU has the same bits whatever is asked."""
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "a card")
    generation = make_generation("ban", teachers=("1" * 64,))
    admission = Admission(action="train", teacher_digests={"1" * 64: "2" * 64})
    keys = {
        (kind, deterministic): teacher_cache._cache_key(
            generation, admission, torch.device(kind), deterministic=deterministic
        )
        for kind in ("cpu", "cuda")
        for deterministic in (False, True)
    }
    assert keys["cuda", True] != keys["cuda", False]
    assert keys["cpu", True] == keys["cpu", False]

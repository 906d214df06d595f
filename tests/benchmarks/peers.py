"""One generation as KD_Lib and torchdistill train it, with what `tests/benchmarks/variants.py` trains.

    python -m tests.benchmarks.peers kd-lib|torchdistill DIR NETWORK STEPS

prints the images per second of one student's training with its teacher online, fp32, one thread, after a warm-up of two
steps. It is run by the Python of an environment that has the peer beside what `ban_ray` needs:

    python3 -m venv KD && KD/bin/pip install -e . && KD/bin/pip install --no-deps KD-Lib
    KD/bin/pip install matplotlib tensorboard
    python3 -m venv TD && TD/bin/pip install -e . && TD/bin/pip install --no-deps torchdistill

KD_Lib's BANN computes more than the algorithm asks for: its teacher is the student's own module, in training mode, and
the loss is propagated through it too. torchdistill's teacher is another network in eval mode without gradients, as ours
is. Both peers are given what their examples use: a DataLoader in this process over PIL images, `torch.optim.SGD`, a
network in NCHW memory order.
"""

import sys
import tempfile
import time
import types
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from tests.benchmarks.pictures import Pictures
from tests.benchmarks.variants import BATCH, CPU, load, network


class Clock:
    """An optimiser's steps, the time of the first `warm` of them not counted."""

    def __init__(self, optimiser: torch.optim.Optimizer, warm: int) -> None:
        self.began = 0.0
        self._done, self._warm = 0, warm
        optimiser.register_step_post_hook(self._stepped)

    def _stepped(self, *_: Any) -> None:
        self._done += 1
        if self._done == self._warm:
            self.began = time.perf_counter()


WARM = 2
LOGITS = {"path": ".", "io": "output"}


def loader(folder: Path, steps: int) -> "DataLoader[Any]":
    return DataLoader(Pictures(load(folder), (steps + WARM) * BATCH), BATCH, shuffle=True, drop_last=True)


def sgd(student: torch.nn.Module) -> torch.optim.SGD:
    return torch.optim.SGD(student.parameters(), 0.1, 0.9, nesterov=True, weight_decay=5e-4)


def kd_lib(batches: "DataLoader[Any]", name: str) -> float:
    """Seconds of the second generation's epoch in BANN (the first learns from labels, with the teacher running too)."""
    # Its text half asks for a release of transformers from 2021.
    text: Any = types.ModuleType("KD_Lib.KD.text")
    text.BERT2LSTM = text.get_essentials = None
    sys.modules["KD_Lib.KD.text"] = text
    from KD_Lib.KD import BANN  # type: ignore[import-not-found]

    student = network(name, False)
    optimiser = sgd(student)
    clock = Clock(optimiser, WARM)
    nothing: list[Any] = []
    single = BANN(student, batches, nothing, optimiser, num_gen=1, temp=1.0)
    single.gen = 1
    ended: list[float] = []
    # What it does after the epoch's steps is not timed.
    single._evaluate_model = lambda *_, **__: (ended.append(time.perf_counter()), 0.0)  # type: ignore[func-returns-value]
    with tempfile.TemporaryDirectory() as folder:
        single.train_student(epochs=1, save_model=False, save_model_pth=f"{folder}/{{}}.pth")
    return ended[0] - clock.began


def torchdistill(batches: "DataLoader[Any]", name: str) -> float:
    """Seconds of an epoch of its DistillationBox with the loss of Hinton et al., as its example scripts drive it."""
    from torch.utils.data import RandomSampler
    from torchdistill.core.distillation import DistillationBox  # type: ignore[import-not-found]

    pictures: Dataset[Any] = batches.dataset
    logits = {f"{role}_module_{what}": value for role in ("student", "teacher") for what, value in LOGITS.items()}
    kd = {"key": "KDLoss", "kwargs": {**logits, "temperature": 1.0, "alpha": 0.5}}
    student, teacher = network(name, False), network(name, False).eval()
    box = DistillationBox(
        teacher,
        student,
        {"train": pictures},
        {
            "num_epochs": 1,
            "train_data_loader": {
                "dataset_id": "train",
                "sampler": {"class_or_func": RandomSampler, "kwargs": {}},
                "kwargs": {"batch_size": BATCH, "drop_last": True, "num_workers": 0},
            },
            "teacher": {"requires_grad": False, "forward_proc": "forward_batch_only"},
            "student": {"forward_proc": "forward_batch_only"},
            "optimizer": {
                "key": "SGD",
                "kwargs": {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 5e-4},
            },
            "criterion": {"key": "WeightedSumLoss", "kwargs": {"sub_terms": {"kd": {"criterion": kd, "weight": 2.0}}}},
        },
        CPU,
        None,
        False,
        1,
    )
    clock = Clock(box.optimizer, WARM)
    box.pre_epoch_process(epoch=0)
    for images, labels, more in box.train_data_loader:
        box.pre_forward_process()
        loss = box.forward_process(images, labels, more)
        box.post_forward_process(loss=loss)
    ended = time.perf_counter()
    box.post_epoch_process()
    return ended - clock.began


def main() -> None:
    peer, folder, name, steps = sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    torch.set_num_threads(1)
    seconds = {"kd-lib": kd_lib, "torchdistill": torchdistill}[peer](loader(folder, steps), name)
    print(f"{peer} {steps * BATCH / seconds}")


if __name__ == "__main__":
    main()

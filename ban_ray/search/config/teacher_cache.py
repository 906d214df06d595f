"""``--teacher-cache``: how much of a teacher's outputs is kept."""

from pydantic import ByteSize, TypeAdapter, ValidationError

from ban_ray.errors import UserError
from ban_ray.specs import Task
from ban_ray.tasks.dataset import DataSet, Sizes
from ban_ray.tasks.dataset import views as views_of
from ban_ray.training.teacher_cache.shared_memory import bytes_needed


def parse_teacher_cache(text: str | None, task: Task, dataset: DataSet, sizes: Sizes) -> int:
    """Bytes for each teacher on each node; 0 where its outputs are computed online.

    Raises:
        UserError: it is no size, does not hold the outputs of one epoch, or the task's samples have no views.
    """
    if text is None:
        return 0
    try:
        limit = int(TypeAdapter(ByteSize).validate_python(text))
    except ValidationError as error:
        raise UserError(f"--teacher-cache {text!r} is no size; 500MB, 2GiB and the like are allowed") from error
    views = views_of(task, dataset, sizes)
    if not views:
        raise UserError(f"--teacher-cache {text!r} is of no use: a token's output depends on all tokens before it")
    classes = dataset.num_classes
    least, most = (bytes_needed(views, rows, classes) for rows in (sizes.train, views))
    if limit < least:
        raise UserError(
            f"--teacher-cache {text!r} does not hold the outputs of one epoch: at least {_text(least)} are needed "
            f"here, and {_text(most)} hold all {views:,} views of {sizes.train:,} images"
        )
    return limit


def _text(size: int) -> str:
    """Never less than the size."""
    return f"{-(-size // 10**6)}MB"

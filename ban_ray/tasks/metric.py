"""The metric of a task."""

from ban_ray.evaluation.metrics import BITS, ERROR, PERPLEXITY, Metric
from ban_ray.specs import Task
from ban_ray.tasks.catalog import TASK_TYPES


def metric_of(task: Task) -> Metric:
    """Error for images, perplexity for words, bits for characters.

    A task whose name is not known here is one of images.
    """
    if task.name not in TASK_TYPES or not TASK_TYPES[task.name].text:
        return ERROR
    return BITS if task.tokens == "char" else PERPLEXITY

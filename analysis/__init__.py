"""The gain of born-again generations and its uncertainty: frames, intervals, ensembles, tables, plots, a report.

>>> import analysis
>>> study = analysis.load("ban_runs")
>>> study.members.groupby(["network", "objective", "generation"])["test_error"].mean()

`python -m analysis.report STORAGE` writes the page. Nothing here imports Ray or torch.
"""

from os import PathLike, fspath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.data.study import Study
    from ban_ray.population import Storage

__all__ = ["load"]


def load(storage: "str | PathLike[str] | Storage") -> "Study":
    """The population and the searches of a storage, read and never written.

    Args:
        storage: the folder that `--storage` named, or an opened storage.

    Raises:
        UserError: there is no such folder, or it holds neither a population nor a search.
    """
    from ban_ray.errors import UserError
    from ban_ray.population.layout import MEMBERS, SEARCHES
    from ban_ray.storage.opening import find_storage

    if isinstance(storage, str | PathLike):
        storage = find_storage(fspath(storage))
        if not storage.exists(MEMBERS) and not storage.exists(SEARCHES):
            raise UserError(f"{storage.url!r} holds neither a population nor a search; give what --storage named")
    # pandas costs a second that neither a wrong name nor `from analysis.statistics import sentence` should pay.
    from analysis.data.study import Study

    return Study(storage)

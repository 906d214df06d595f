"""The gain of born-again generations and its uncertainty: frames, intervals, ensembles, tables, plots, a report.

>>> import analysis
>>> study = analysis.load("ban_runs")
>>> study.members.groupby(["network", "objective", "generation"])["test_error"].mean()

`python -m analysis.report STORAGE` writes the page. Nothing here imports Ray or torch.
"""

from os import PathLike
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
    # pandas costs a second that `from analysis.statistics import sentence` should not pay.
    from analysis.data.study import Study

    return Study.open(storage)

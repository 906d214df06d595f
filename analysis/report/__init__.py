"""The report, one HTML page: an answer in words and numbers, then tables, figures, provenance and how to cite."""

from os import PathLike
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.data.study import Study
    from ban_ray.population import Storage

__all__ = ["write_report"]


def write_report(storage: "str | PathLike[str] | Storage | Study", search: str | None = None) -> str:
    """Write the page of a search, or of the whole population, into the storage.

    Args:
        storage: the folder that `--storage` named, an opened storage, or a study of it, which is not read again.
        search: a search's name; the page is then about its chains alone.

    Returns:
        Its path: ``<storage>/searches/<name>/report/index.html`` or ``<storage>/report/index.html``.

    Raises:
        UserError: there is no such storage or search.
        OSError: the page cannot be written.
    """
    # pandas and Matplotlib load when a page is made, not when this room is imported.
    from analysis import load
    from analysis.data.study import Study
    from analysis.report.page import write

    return write(storage if isinstance(storage, Study) else load(storage), search)[0]

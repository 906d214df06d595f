"""Files that no record names: what a publication left that did not reach its end."""

from ban_ray.errors import DamagedMember
from ban_ray.population.layout import member_folder
from ban_ray.population.member import RECORD
from ban_ray.population.population import Population

GRACE_S = 86_400.0
"""Age in seconds below which files without a record may be a publication under way."""


def orphans_of(population: Population, key: str, before: float) -> list[tuple[str, str]]:
    """Paths below a key's folder, or the folder itself, that nothing needs, and why.

    Args:
        before: seconds since 1970; younger files are passed over.
    """
    place = member_folder(key)
    entries = population.storage.entries(place)
    if not any(entry.name == RECORD for entry in entries):
        if entries and all(entry.modified is not None and entry.modified < before for entry in entries):
            return [(place, "holds files and no record")]
        return []
    try:
        member = population.get(key)
    except DamagedMember:
        # Which files belong to it cannot be known.
        return []
    if member is None:
        return []
    named = {RECORD, *(file.name for file in member.files)}
    return [
        (f"{place}/{entry.name}", "is not named by the member's record")
        for entry in entries
        if entry.name not in named and entry.modified is not None and entry.modified < before
    ]

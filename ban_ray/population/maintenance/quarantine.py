"""The folder of damaged members, which are moved there, never deleted, and trained again on demand."""

import errno
from itertools import count

from ban_ray.population.layout import QUARANTINE, member_folder
from ban_ray.population.maintenance.verify import check
from ban_ray.population.population import Population

_EXISTS = (errno.EEXIST, errno.ENOTEMPTY)


def quarantine(population: Population, key: str) -> str | None:
    """Move a damaged member to ``damaged/<key>-<n>``, with a file ``why.txt``.

    Returns:
        Where it is now; None where it is not damaged, or has been moved or trained again meanwhile.
    """
    storage = population.storage
    _, findings = check(population, key)
    damage = [finding.sentence for finding in findings if finding.what == "damaged"]
    if not damage:
        return None
    for number in count(1):
        target = f"{QUARANTINE}/{key}-{number}"
        try:
            storage.move(member_folder(key), target)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno not in _EXISTS:
                raise
            continue
        storage.write(f"{target}/why.txt", "".join(f"{sentence}\n" for sentence in damage).encode())
        return target
    raise AssertionError("count has no end")

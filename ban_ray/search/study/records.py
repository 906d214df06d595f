"""A search's own folder: what it is, which chains belong to it, and the lock on its name."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ban_ray.errors import UserError
from ban_ray.population import Storage
from ban_ray.search.config.spec import PlannedChain, SearchSpec
from ban_ray.specs import Recipe, canonical_json, digest
from ban_ray.specs.parameters import Configuration, Parameters, contains, parameters_as_json

FORMAT_VERSION = 1
_NAME_CHARACTERS = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


def search_identity(spec: SearchSpec) -> dict[str, object]:
    """What changes the values of a search; more generations or seeds only add to it."""
    setting = spec.context
    taught = {} if spec.teacher.kind == "parent" else {"teacher": vars(spec.teacher)}
    return {
        **taught,
        "space": spec.space.name,
        "scale": setting.scale,
        "task": setting.task.model_dump(),
        "recipe": _recipe_identity(setting.recipe),
        "objective": setting.objective.model_dump(),
        **({"code": list(spec.code)} if spec.code else {}),
        "network": None if setting.network is None else vars(setting.network),
        "configurations": [dict(configuration) for configuration in spec.scale.configurations],
        **({"parameters": parameters_as_json(spec.scale.parameters)} if spec.scale.parameters else {}),
    }


def _recipe_identity(recipe: Recipe) -> dict[str, object]:
    """Without fields that are younger than some searches, where they are at their default."""
    newer_fields = {"teacher_outputs"} - recipe.model_dump(exclude_defaults=True).keys()
    return recipe.model_dump(exclude=newer_fields)


def check_name(name: str | None) -> None:
    """Whether a search may be called that; None leaves the choice to `settle`.

    Raises:
        UserError: it cannot be a folder's name.
    """
    if name is not None and (not name or not set(name) <= _NAME_CHARACTERS or name.startswith(".") or len(name) > 100):
        raise UserError(f"--name {name!r}: up to 100 letters, digits, '.', '_' and '-' are allowed, the first not '.'")


def resolve_name(storage: Storage, spec: SearchSpec, name: str | None) -> str:
    """The search's name: the one given, or the space's with a suffix where that is another search's.

    Raises:
        UserError: the given name holds a search with other settings.
    """
    identity = search_identity(spec)
    candidate = name or spec.space.name
    recorded = _recorded_identity(storage, candidate)
    if recorded is None or digest(recorded) == digest(identity):
        return candidate
    if name is None:
        return _name_with_hash(spec)
    different = sorted(field for field in identity if digest(recorded.get(field)) != digest(identity[field]))
    raise UserError(f"--name {name!r} is taken by a search with another {' and '.join(different)}; choose another name")


def _recorded_identity(storage: Storage, name: str) -> dict[str, object] | None:
    try:
        plan = json.loads(storage.read(f"searches/{name}/search.json"))
    except FileNotFoundError:
        return None
    except ValueError:
        plan = None
    identity = plan.get("identity", {}) if isinstance(plan, dict) else None
    if not isinstance(identity, dict):
        raise UserError(f"searches/{name}/search.json in {storage.url} is damaged; choose another --name")
    return identity


def write_search(storage: Storage, spec: SearchSpec, name: str) -> None:
    """Write down what the search is, unless it is written already."""
    space = spec.space
    plan = {
        "format_version": FORMAT_VERSION,
        "space": space.name,
        "scale": spec.context.scale,
        "title": space.title,
        "source": space.source,
        "identity": search_identity(spec),
        "paper": [
            {
                "network": row.network,
                "parameters_millions": row.parameters_millions,
                "baseline": row.baseline,
                "generations": row.generations,
                "ensembles": row.ensembles,
                "note": row.note,
            }
            for row in space.paper
        ],
    }
    storage.create(f"searches/{name}/search.json", canonical_json(plan))


def write_chain(storage: Storage, planned: PlannedChain, name: str) -> None:
    """Write one chain of a search down, unless it is there."""
    chain = chain_record(planned)
    storage.create(f"searches/{name}/chains/{digest(chain)}.json", canonical_json(chain))


def recorded_configurations(storage: Storage, parameters: Parameters) -> list[Configuration]:
    """The configurations of all searches of a storage that the parameters take; files that cannot be read are passed
    over."""
    recorded: dict[str, Configuration] = {}
    for name in storage.list("searches"):
        for file in storage.list(f"searches/{name}/chains"):
            try:
                configuration = json.loads(storage.read(f"searches/{name}/chains/{file}"))["configuration"]
                if contains(parameters, configuration):
                    recorded[digest(configuration)] = configuration
            except (ValueError, KeyError, TypeError, AttributeError, OSError):
                continue
    return list(recorded.values())


def chain_record(planned: PlannedChain) -> dict[str, object]:
    """What the analysis reads of one chain."""
    return {
        "configuration": dict(planned.configuration),
        "seed": planned.seed,
        "keys": list(planned.chain.keys),
        "network": planned.chain.network,
        "label": str(planned.chain.generations[-1].objective),
        "row": planned.position.row,
        "columns": list(planned.position.columns),
    }


@contextmanager
def locked_name(storage: Storage, folder: Path, spec: SearchSpec, name: str | None) -> Iterator[str]:
    """Settle the search's name and hold it against other commands.

    Raises:
        UserError: the name cannot be used, or another process runs this search.
    """
    identity_digest = digest(search_identity(spec))
    resolved = resolve_name(storage, spec, name)
    folder.mkdir(parents=True, exist_ok=True)
    # The holder of a name may be another search that has not written itself down yet.
    for candidate in dict.fromkeys((resolved, resolved if name else _name_with_hash(spec))):
        # Beside the lock, which a second process that tries it empties.
        holder = folder / f".{candidate}.holder"
        try:
            with FileLock(folder / f".{candidate}.lock", timeout=0):
                holder.write_text(identity_digest)
                yield candidate
                return
        except Timeout as error:
            if name is None and holder.exists() and holder.read_text() != identity_digest:
                continue
            raise UserError(
                f"search {candidate!r} is being run by another process; wait for it, or choose another --name"
            ) from error
    raise UserError(f"every name for this search is in use in {folder}; choose a --name")


def _name_with_hash(spec: SearchSpec) -> str:
    return f"{spec.space.name}-{digest(search_identity(spec))[:8]}"

"""The records of a search in its own folder: its identity, its chains, and the lock on its name."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from pydantic import ValidationError

from ban_ray.cli.params import option_of
from ban_ray.cli.toml import write_options
from ban_ray.errors import UserError
from ban_ray.population import Population, Storage
from ban_ray.population.layout import SEARCHES, chain_folder, options_file, search_file
from ban_ray.population.search_records import ChainRecord, SearchRecord, TeacherRecord
from ban_ray.search.config.options import OUTPUT, SearchOptions
from ban_ray.search.config.spec import PlannedChain, SearchSpec
from ban_ray.search.config.strategy import ERROR_TARGET
from ban_ray.specs import Network, digest
from ban_ray.specs.parameters import Configuration, Parameters, contains, parameters_as_json
from ban_ray.storage.opening import absolute

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
_MAX_VALUE_LENGTH = 40
"""Characters up to which a value is quoted if two searches differ in it."""


def search_identity(spec: SearchSpec) -> dict[str, object]:
    """The settings that determine the results of a search; more generations or seeds only add to them."""
    context = spec.context
    policy = spec.teacher_decisions.policy
    teacher = {} if policy.text == "parent" else {"teacher": policy.recorded()}
    return {
        **teacher,
        "space": spec.space.name,
        "scale": context.scale,
        "task": context.task.recorded(),
        "recipe": context.recipe.recorded(),
        "objective": context.objective.recorded(),
        **({"code": list(spec.space_code_versions)} if spec.space_code_versions else {}),
        "network": None if context.network is None else context.network.recorded(),
        "configurations": [dict(configuration) for configuration in spec.scale.configurations],
        **({"parameters": parameters_as_json(spec.scale.parameters)} if spec.scale.parameters else {}),
    }


def check_name(name: str | None) -> None:
    """Refuse a name that cannot be the name of a folder; None is allowed.

    Raises:
        UserError: the name is too long or has other characters.
    """
    if name is not None and not _NAME.fullmatch(name):
        raise UserError(f"--name {name!r}: up to 100 letters, digits, '.', '_' and '-' are allowed, the first not '.'")


def resolve_name(storage: Storage, spec: SearchSpec, name: str | None) -> str:
    """The search's name: the given one, else the space's, with a suffix if another search has that.

    Raises:
        UserError: a search with other settings has the given name.
    """
    identity = search_identity(spec)
    candidate = name or spec.space.name
    recorded = _recorded_identity(storage, candidate)
    if recorded is None or digest(recorded) == digest(identity):
        return candidate
    if name is None:
        return _name_with_hash(spec)
    different = "; ".join(_differences(recorded, identity))
    raise UserError(f"--name {name!r} is taken by a search that differs in {different}; choose another name")


def study_name(spec: SearchSpec, name: str) -> str:
    """The Optuna study's name: one study holds the values of these generations, seeds and targets."""
    strategy = spec.strategy
    parts = [name, f"{spec.num_born_again_generations} generations", f"seeds {','.join(map(str, spec.seeds))}"]
    if strategy.target_names != (ERROR_TARGET,) or strategy.select_by != "last":
        parts.append(f"{','.join(strategy.target_names)} of {strategy.select_by}")
    return ", ".join(parts)


def _differences(recorded: Mapping[str, object], current: Mapping[str, object], prefix: str = "") -> list[str]:
    """The fields in which two identities differ, with both values where they are short."""
    differences: list[str] = []
    for field in sorted({*recorded, *current}):
        old, new = recorded.get(field), current.get(field)
        if (field in recorded) == (field in current) and digest(old) == digest(new):
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            differences.extend(_differences(old, new, f"{prefix}{field} "))
            continue
        there, here = _short_text(old), _short_text(new)
        values = f" ({there} there, {here} here)" if max(len(there), len(here)) <= _MAX_VALUE_LENGTH else ""
        differences.append(f"{prefix}{field}{values}")
    return differences


def _short_text(value: object) -> str:
    """A value of an identity in words."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {setting}" for name, setting in value.items() if setting not in (None, ""))
    return "none" if value is None else str(value)


def _recorded_identity(storage: Storage, name: str) -> dict[str, object] | None:
    try:
        plan = json.loads(storage.read(search_file(name)))
    except FileNotFoundError:
        return None
    except ValueError:
        plan = None
    identity = plan.get("identity", {}) if isinstance(plan, dict) else None
    if not isinstance(identity, dict):
        raise UserError(f"{search_file(name)} in {storage.url} is damaged; choose another --name")
    return identity


def write_search(storage: Storage, spec: SearchSpec, name: str) -> None:
    """Write the record of a search, if it has none yet, and its options, which may have changed."""
    space, context = spec.space, spec.context
    record = SearchRecord(
        format_version=1,
        space=space.name,
        scale=context.scale,
        title=space.title,
        source=space.source,
        identity=search_identity(spec),
        paper=space.paper,
        fields=spec.overrides.in_words,
    )
    storage.create(search_file(name), record.to_bytes())
    options = _options_as_toml(storage, spec.options, context.network, context.task.normalise)
    storage.write(options_file(name), options.encode())


def _options_as_toml(
    storage: Storage, options: SearchOptions, network: Network | None = None, normalise: Any = None
) -> str:
    """The options that were given, except those on output; paths are absolute.

    Args:
        network: that of the search, whose initial weights the storage has by their digest.
        normalise: the task's, as these weights need it.
    """
    fields = type(options).model_fields
    values = {
        name: getattr(options, name)
        for name, field in fields.items()
        if (option := option_of(field)) is not None and option.group != OUTPUT and name in options.model_fields_set
    }
    values = {name: value for name, value in values.items() if value not in (None, fields[name].default, {})}
    paths = ["data", "working_dir", *(["space"] if options.space.endswith(".py") else [])]
    values |= {name: absolute(values[name]) for name in paths if name in values}
    if network is not None and network.initial_weights is not None:
        values["pretrained"] = network.initial_weights
        if normalise is not None:
            values["settings"] = {**options.settings, "task.normalise": normalise}
    return write_options({**values, "storage": storage.url}, type(options))


def write_chain(storage: Storage, planned: PlannedChain, name: str) -> None:
    """Write the record of a chain, if it has none yet."""
    record = chain_record(planned).to_bytes()
    storage.create(f"{chain_folder(name)}/{hashlib.sha256(record).hexdigest()}.json", record)


def search_seed(spec: SearchSpec) -> int:
    """The seed of what a search draws at random, a function of its settings."""
    return int(digest(search_identity(spec))[:15], 16)


def load_decisions(spec: SearchSpec, population: Population, name: str) -> None:
    """Let a search's configurations begin, with the teachers that it has recorded for those that have begun.

    Raises:
        UserError: a record is damaged, or no member may teach.
    """
    storage, folder, records = population.storage, chain_folder(name), []
    for file in storage.list(folder):
        try:
            records.append(ChainRecord.model_validate_json(storage.read(f"{folder}/{file}")))
        except ValidationError as error:
            raise UserError(f"{folder}/{file} in {storage.url} is damaged; choose another --name") from error
    data, seed = spec.dataset, search_seed(spec)
    spec.teacher_decisions.load(population, spec.context.task, data.num_classes, search_seed=seed, records=records)


def recorded_configurations(storage: Storage, parameters: Parameters) -> list[Configuration]:
    """Configurations with these parameters in all searches of a storage; unreadable files are skipped."""
    recorded: dict[str, Configuration] = {}
    for name in storage.list(SEARCHES):
        for file in storage.list(chain_folder(name)):
            try:
                configuration = json.loads(storage.read(f"{chain_folder(name)}/{file}"))["configuration"]
                if contains(parameters, configuration):
                    recorded[digest(configuration)] = configuration
            except (ValueError, KeyError, TypeError, AttributeError, OSError):
                continue
    return list(recorded.values())


def chain_record(planned: PlannedChain) -> ChainRecord:
    """The record of a chain, which the analysis reads."""
    chosen = planned.teachers
    return ChainRecord(
        configuration=dict(planned.configuration),
        seed=planned.seed,
        keys=planned.chain.keys,
        network=planned.chain.network,
        label=str(planned.chain.generations[-1].objective),
        row=planned.position.row,
        columns=planned.position.columns,
        teachers=None if chosen is None else TeacherRecord(keys=chosen.keys, how=chosen.description),
    )


@contextmanager
def locked_name(storage: Storage, folder: Path, spec: SearchSpec, name: str | None) -> Iterator[str]:
    """Resolve the search's name and lock it against other commands.

    Raises:
        UserError: the name cannot be used, or another process runs this search.
    """
    identity_digest = digest(search_identity(spec))
    resolved = resolve_name(storage, spec, name)
    folder.mkdir(parents=True, exist_ok=True)
    # Another search that has not written its identity yet may hold the name.
    for candidate in dict.fromkeys((resolved, resolved if name else _name_with_hash(spec))):
        # In a file of its own, since a second process that tries the lock empties its file.
        owner = folder / f".{candidate}.holder"
        try:
            with FileLock(folder / f".{candidate}.lock", timeout=0):
                owner.write_text(identity_digest)
                yield candidate
                return
        except Timeout as error:
            if name is None and owner.exists() and owner.read_text() != identity_digest:
                continue
            raise UserError(
                f"search {candidate!r} is being run by another process; wait for it, or choose another --name"
            ) from error
    raise UserError(f"every name for this search is in use in {folder}; choose a --name")


def _name_with_hash(spec: SearchSpec) -> str:
    return f"{spec.space.name}-{digest(search_identity(spec))[:8]}"

"""The version of a network of the user's own: a digest of the builder's code and of the files that it reads.

The digest is of the user's modules that importing the builder's module imports, by import statements anywhere in them,
without comments, docstrings and layout; of the files that these modules declare, each as
``NETWORK_FILES = ["weights.safetensors"]`` relative to its own folder; and of the files that the arguments name. None
of the code is run.
"""

import ast
import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

from ban_ray.errors import UserError
from ban_ray.networks.architecture import Architecture
from ban_ray.networks.custom_modules import Module, own_modules
from ban_ray.networks.families.custom import CustomNetwork
from ban_ray.specs import digest

DECLARATION = "NETWORK_FILES"
PREFIX = "source:"
"""The beginning of the versions that are computed."""

_DIGITS = 16
_loaded_code: dict[str, str] = {}
"""By module, the digest of the code that this process has loaded: a worker builds the networks of many chains."""


def source_version(network: CustomNetwork) -> str:
    """``source:`` and the first hexadecimal digits of the digest.

    Raises:
        UserError: there is no such module, or a declared file cannot be read.
    """
    modules = own_modules(network.module)
    if network.module not in modules:
        raise UserError(
            f"network {network.name}: module {network.module} cannot be imported (No module named {network.module!r}); "
            "it must be on Python's path here and on every worker"
        )
    files = {
        f"{module.name}/{file}": _digest_of(module.path.parent / file, network)
        for module in modules.values()
        for file in _declared(module, network)
    }
    named = {text: _digest_of(Path(text), network) for text in _texts(network.arguments) if _is_file(text)}
    code = {name: _digest_of_code(module) for name, module in modules.items()}
    return PREFIX + digest({"code": code, "files": files, "named": named})[:_DIGITS]


def chosen_version(architecture: Architecture, typed: str | None) -> str:
    """The version of a network: ``--network-version`` where it was given, else that of the builder's code.

    Raises:
        UserError: the network is one of this package, the builder cannot be read, or the given version is computed from
            other code.
    """
    if typed and not architecture.external:
        raise UserError(
            f"--network-version {typed!r} has no effect: {architecture.name} is built by ban_ray, which has versions "
            "of its own"
        )
    if not isinstance(architecture, CustomNetwork):
        return typed or ""
    if typed is None:
        return source_version(architecture)
    require_version(architecture, typed)
    return typed


def require_version(architecture: Architecture, version: str) -> None:
    """Raises UserError: a computed version belongs to other code than a network's, or the files that it reads, here.

    Versions that the user wrote are not checked.
    """
    if not isinstance(architecture, CustomNetwork) or not version.startswith(PREFIX):
        return
    if version != (current := source_version(architecture)):
        raise UserError(
            f"network {architecture.name}: its code, or a file that it reads, is {current} here and was {version} "
            "where the search began or the member was trained"
        )
    for module in own_modules(architecture.module).values():
        code = _digest_of_code(module)
        if module.name not in sys.modules:
            # It is about to be loaded as it is now.
            _loaded_code[module.name] = code
        elif _loaded_code.setdefault(module.name, code) != code:
            raise UserError(
                f"network {architecture.name}: {module.path} was edited after this process had loaded it; the same "
                "command again trains it as it is now"
            )


def _declared(module: Module, network: CustomNetwork) -> list[str]:
    """The files that a module declares; raises UserError where they are not a plain list of strings."""
    declared: list[str] = []
    for node in ast.walk(module.tree) if module.tree else ():
        if not isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if not any(isinstance(target, ast.Name) and target.id == DECLARATION for target in targets):
            continue
        try:
            files = None if node.value is None else ast.literal_eval(node.value)
        except (ValueError, TypeError, MemoryError, RecursionError):
            files = None
        if not isinstance(files, list | tuple) or not all(isinstance(file, str) for file in files):
            raise UserError(
                f"network {network.name}: {DECLARATION} of module {module.name} is no plain list of texts; paths "
                f'beside the module are needed, as in {DECLARATION} = ["weights.safetensors"]'
            )
        declared += files
    return declared


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except OSError:
        # A name that no file system takes.
        return False


def _digest_of(path: Path, network: CustomNetwork) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UserError(f"network {network.name}: its file {str(path)!r} cannot be read: {reason}") from error


def _digest_of_code(module: Module) -> str:
    try:
        data = module.data if module.tree is None else repr(_plain(module.tree)).encode()
    except (ValueError, RecursionError):
        # A number or an expression too long to be written: then every byte counts.
        data = module.data
    return hashlib.sha256(data).hexdigest()


def _plain(node: object) -> object:
    """A syntax tree as nested tuples of ASCII texts, alike in every Python that reads the source alike."""
    if isinstance(node, ast.AST):
        fields = ((name, _plain(value)) for name, value in ast.iter_fields(node) if name != "kind")
        # Later Pythons give nodes further fields, which are empty in what earlier ones can read.
        return type(node).__name__, *(field for field in fields if field[1] not in (None, ()))
    if isinstance(node, list):
        return tuple(_plain(item) for item in node if not _is_text(item))
    return None if node is None else ascii(node)


def _is_text(node: object) -> bool:
    """Whether a statement is a text that nothing reads, such as a docstring."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)

"""Modules of the user's own that a module imports, read without being run."""

import ast
import importlib
import importlib.util
import pkgutil
import sys
import sysconfig
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path

_INSTALLED = ("site-packages", "dist-packages")
_OURS = __name__.partition(".")[0]


@dataclass(frozen=True)
class Module:
    """A module's file; `tree` is None if it is no Python source that can be parsed."""

    name: str
    path: Path
    data: bytes
    tree: ast.Module | None


def own_modules(name: str) -> dict[str, Module]:
    """A module and the user's own ones that importing it imports, by name; empty if there is no such module.

    The user's own modules are those of its top-level package, and all others except the standard library's, installed
    ones and those of this package. A package is imported with each of its modules. Modules that are imported by a
    computed name are not known.
    """
    # Files may be younger than what the finders remember of their folders.
    importlib.invalidate_caches()
    specs: dict[str, ModuleSpec | None] = {}
    modules: dict[str, Module] = {}
    pending, seen = [name], {name}
    while pending:
        current = pending.pop()
        spec = _spec(current, specs)
        if spec is None or not (current == name or _is_own(spec, name)):
            continue
        imported = {current.rpartition(".")[0]}
        if spec.has_location and spec.origin is not None and (module := _read(current, Path(spec.origin))) is not None:
            modules[current] = module
            package = current if spec.submodule_search_locations is not None else current.rpartition(".")[0]
            imported |= set(_imports(module.tree, package)) if module.tree else set()
        elif current == name and spec.submodule_search_locations is None:
            # Built into Python: there is nothing to read.
            modules[current] = Module(current, Path(), b"", None)
        pending += imported - seen - {""}
        seen |= imported
    return dict(sorted(modules.items()))


def _read(name: str, path: Path) -> Module | None:
    try:
        data = path.read_bytes()
    except OSError:
        return None
    try:
        with warnings.catch_warnings():
            # Importing the module shows its warnings, and its errors of syntax.
            warnings.simplefilter("ignore")
            tree = ast.parse(data) if path.suffix == ".py" else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        tree = None
    return Module(name, path, data, tree)


def _spec(name: str, specs: dict[str, ModuleSpec | None]) -> ModuleSpec | None:
    """The location of a module, found without importing its packages."""
    if name not in specs:
        package = name.rpartition(".")[0]
        within = _spec(package, specs) if package else None
        if not package:
            finders = (getattr(finder, "find_spec", None) for finder in sys.meta_path)
            specs[name] = next((spec for find in finders if find and (spec := find(name, None)) is not None), None)
        else:
            specs[name] = _spec_within(name, (within and within.submodule_search_locations) or ())
    return specs[name]


def _spec_within(name: str, folders: Iterable[str]) -> ModuleSpec | None:
    """The location of a module of a package; Python's own finder would have to import packages without ``__init__``."""
    portions: list[str] = []
    for folder in folders:
        importer = pkgutil.get_importer(folder)
        spec = importer.find_spec(name) if importer is not None else None
        if spec is not None and spec.loader is not None:
            return spec
        portions += (spec and spec.submodule_search_locations) or ()
    if not portions:
        return None
    namespace = ModuleSpec(name, None, is_package=True)
    namespace.submodule_search_locations = portions
    return namespace


def _is_own(spec: ModuleSpec, builder: str) -> bool:
    top = spec.name.partition(".")[0]
    if top in (_OURS, builder.partition(".")[0]):
        return top != _OURS
    locations = [spec.origin] if spec.has_location and spec.origin else list(spec.submodule_search_locations or ())
    return bool(locations) and not any(_is_installed(spec, Path(path)) for path in locations)


def _is_installed(spec: ModuleSpec, path: Path) -> bool:
    """Whether a module is the standard library's, or lies in a folder that packages are installed into."""
    if any(path.is_relative_to(sysconfig.get_path(kind)) for kind in ("stdlib", "platstdlib")):
        return True
    levels = spec.name.count(".") + (path.name == "__init__.py")
    root = path.parents[min(levels, len(path.parents) - 1)]
    return any(part in _INSTALLED for part in path.parts) or any(root.glob("*.dist-info"))


def _imports(tree: ast.Module, package: str) -> Iterator[str]:
    """Names of the modules that a module in `package` may import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            try:
                base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            except ImportError:
                continue
            yield base
            # What is imported may be a module of the package.
            yield from (f"{base}.{alias.name}" for alias in node.names)

"""Teacher policies, one file each: every module of this package is imported and registers its policy.

A policy says who teaches the first generation of a chain. To add one, write a module with a subclass of `TeacherPolicy`
and register it; ``--teacher`` and ``--search teacher=`` then take it, and `tests/contracts/test_teaching.py` checks it.
"""

import importlib
import pkgutil

from ban_ray.population.teaching.base import (
    POLICIES,
    SelectedTeachers,
    TeacherPolicy,
    forms,
    parse_policy,
    register,
)
from ban_ray.population.teaching.candidates import Candidates

__all__ = [
    "POLICIES",
    "Candidates",
    "SelectedTeachers",
    "TeacherPolicy",
    "forms",
    "import_all",
    "parse_policy",
    "register",
]


def import_all() -> None:
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        importlib.import_module(module.name)


import_all()

"""The provenance of the figures, and how to cite."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from math import isnan

from pydantic import JsonValue

from analysis.data.chain_groups import ChainGroup
from analysis.data.frames import device_seconds
from analysis.data.searches import Search
from analysis.data.study import Study
from ban_ray.population import Member
from ban_ray.specs import papers_recipe

MOST_VALUES = 4
MOST_CHARACTERS = 400
FIRST = ("task", "recipe")
"""Of a search's identity."""

BIBTEX = """\
@inproceedings{furlanello2017born,
  title     = {Born Again Neural Networks},
  author    = {Furlanello, Tommaso and Lipton, Zachary C. and Itti, Laurent and Anandkumar, Anima},
  booktitle = {Metalearning Workshop at NIPS 2017},
  year      = {2017}
}

@InProceedings{pmlr-v80-furlanello18a,
  title     = {Born Again Neural Networks},
  author    = {Furlanello, Tommaso and Lipton, Zachary and Tschannen, Michael and Itti, Laurent and Anandkumar, Anima},
  booktitle = {Proceedings of the 35th International Conference on Machine Learning},
  pages     = {1607--1616},
  year      = {2018},
  editor    = {Dy, Jennifer and Krause, Andreas},
  volume    = {80},
  series    = {Proceedings of Machine Learning Research},
  month     = {10--15 Jul},
  publisher = {PMLR},
  url       = {https://proceedings.mlr.press/v80/furlanello18a.html}
}"""

RECORDED = {
    "command": "Commands",
    "versions": "Versions",
    "hardware": "Hardware",
    "threads": "Threads",
}


def facts(study: Study, groups: Sequence[ChainGroup], search: Search | None) -> tuple[tuple[str, str], ...]:
    """Name and text of what is known about how the members came to be."""
    members = list({member.key: member for group in groups for member in group.members}.values())
    known = [("Storage", study.storage.url)]
    if search is not None:
        known += [
            ("Search", f"{search.name}; space {search.about.space}; scale {search.about.scale or 'not recorded'}")
        ]
        if search.about.identity:
            identity = search.about.identity
            fields = sorted(identity.items(), key=lambda item: (item[0] not in FIRST, item[0]))
            known.append(("Identity", "; ".join(f"{name}: {_short(value)}" for name, value in fields)))
        chains = sum(chain.complete for group in groups for chain in group.chains)
        known.append(("Chains", f"{len(search.chains)} recorded, {chains} complete"))
    known.append(("Members", f"{len(members):,} shown of {len(study.records):,} in the population"))
    if members:
        known.append(("Semantics version", _values(member.semantics_version for member in members)))
        known.append(("Recipes", _values(_recipe(member) for member in members)))
    spent = [cost for member in members if not isnan(cost := device_seconds(member))]
    if spent:
        known.append(("Training", f"{sum(spent):,.0f} device-seconds over {len(spent):,} members"))
    finished = sorted(str(text) for member in members if (text := member.provenance.get("finished_at")))
    if finished:
        known.append(("Finished", finished[0] if len(finished) == 1 else f"{finished[0]} to {finished[-1]}"))
    for field, name in RECORDED.items():
        recorded = [member.provenance[field] for member in members if member.provenance.get(field) is not None]
        if recorded:
            known.append((name, _values(recorded)))
    return tuple(known)


def _recipe(member: Member) -> str:
    recipe, papers = member.generation.recipe, papers_recipe(member.generation.network).model_dump()
    own = recipe.model_dump()
    changed = ", ".join(f"{name} {_short(value)}" for name, value in own.items() if value != papers[name])
    return f"{changed} (other fields as in the papers)" if changed else "as in the papers"


def _values(recorded: Iterable[JsonValue]) -> str:
    """The distinct values, the most frequent first."""
    counts = Counter(map(_short, recorded))
    ordered = sorted(counts, key=lambda text: (-counts[text], text))
    more = len(ordered) - MOST_VALUES
    return "; ".join(ordered[:MOST_VALUES]) + (f"; and {more} more" if more > 0 else "")


def _short(value: JsonValue) -> str:
    if isinstance(value, dict):
        text = ", ".join(f"{name} {_short(item)}" for name, item in sorted(value.items()))
    elif isinstance(value, list):
        text = " ".join(map(_short, value))
    else:
        text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…"

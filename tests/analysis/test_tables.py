"""The forms of tables: a golden one, and what every form must not lose."""

import io

import pandas as pd
import pytest

from analysis.data.study import Study
from analysis.plots.classes import class_gains
from analysis.plots.registry import FigureData
from analysis.statistics import ensembles
from analysis.statistics.comparisons import comparisons
from analysis.statistics.generation_metrics import by_class, class_titles
from analysis.statistics.scored_predictions import ScoredPredictions
from analysis.tables.comparisons import comparison_table
from analysis.tables.measures import class_table
from analysis.tables.sequences import sequence_table
from analysis.tables.table import Table
from ban_ray.population import Population
from ban_ray.specs import PaperRow
from tests.helpers.fabricated_population import DIGITS, Fabricator

TABLE = Table(
    name="golden",
    caption="Test error in %: 100 % of a_b",
    headings=("Network", "Error, %"),
    rows=(("a|b_c & <d>", "1.00 ± 0.50"), ("e", "/")),
    data=pd.DataFrame({"network": ["a", "e"], "error": [1.0, None]}),
    notes=("† says # and $.",),
)
MARKDOWN = r"""**Test error in %: 100 % of a\_b**

| Network | Error, % |
|---|---|
| a\|b\_c & &lt;d> | 1.00 ± 0.50 |
| e | / |

† says # and $.
"""
LATEX = r"""\begin{table}
\centering
\caption{Test error in \%: 100 \% of a\_b}
\begin{tabular}{ll}
\hline
Network & Error, \% \\
\hline
a$|$b\_c \& $<$d$>$ & 1.00 $\pm$ 0.50 \\
e & / \\
\hline
\end{tabular}
\par\small $\dagger$ says \# and \$.
\end{table}
"""
PAPER = (
    PaperRow("densenet-bc-16-8", 6.3, 18.25, (17.61, 17.22, 16.59), {2: 15.77, 3: 15.68}, "a note"),
    PaperRow("densenet-bc-80-120", 50.4, 16.87, (16.13, 16.13, None), {2: 15.13, 3: 14.90}),
)


def test_the_golden_table() -> None:
    assert TABLE.markdown() == MARKDOWN
    assert TABLE.latex() == LATEX
    assert TABLE.csv() == "network,error\na,1.0\ne,\n"


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["<b>|", "a$b_c", "two\nlines", *"3456789"], ["<b>|", "a$b_c", "two lines", *"3456789"]),
        (["zero", "one"], ["zero", "one", *"23456789"]),
        ([], [*"0123456789"]),
        ([*"012345678", 9], [*"0123456789"]),
        ("0123456789x", [*"0123456789"]),
    ],
)
def test_classes_have_their_names(population: Population, names: object, shown: list[str]) -> None:
    for seed in (0, 1):
        Fabricator(population).chain(seed, 2, provenance={"class_names": names})
    (group,) = Study(population.storage).groups()
    classes = by_class(group, ScoredPredictions(Study(population.storage), group.metric)).sort_values("label")
    assert class_titles(classes) == shown
    table = class_table(group, classes)
    assert sorted(row[0] for row in table.rows) == sorted(shown)
    assert ("class" in table.data) == (shown[0] != "0")
    (axes,) = class_gains(FigureData(group, [group], classes=classes)).axes
    assert sorted(label.get_text() for label in axes.get_yticklabels()) == sorted(shown)


def test_rows_fit_their_headings() -> None:
    with pytest.raises(ValueError, match="3 cells under 2 headings"):
        Table("x", "", ("a", "b"), (("1", "2", "3"),), pd.DataFrame())


def test_our_rows_stand_beside_the_papers_and_say_what_differs(fabricator: Fabricator, study: Study) -> None:
    chains = [fabricator.chain(seed, 3) for seed in range(2)]
    groups = study.groups()
    found = ensembles.of_group(study, groups[0])
    table = sequence_table(groups, found, PAPER, "workshop paper, Table 1")
    assert table.headings == (
        *("Network", "Objective", "Whose", "Parameters", "Baseline"),
        *("BAN-1", "BAN-2", "BAN-3", "Ens*2", "Ens*3"),
    )
    ours, theirs, other = table.rows
    assert ours[:4] == ("densenet-bc-16-8", "ban", "ours, 2 seeds", "0.020 M")
    assert theirs == (
        *("densenet-bc-16-8", "as printed", "paper", "6.3 M"),
        *("18.25", "17.61", "17.22", "16.59", "15.77", "15.68"),
    )
    assert other[-4:] == ("16.13", "/", "15.13", "14.90†")
    notes = " ".join(table.notes)
    assert "not the papers' setting" in notes and "workshop paper, Table 1" in notes
    assert "epochs 4 (theirs: 200)" in notes and "task digits (theirs: CIFAR)" in notes
    assert "densenet-bc-16-8 (paper): a note" in notes
    data = pd.read_csv(io.StringIO(table.csv()))
    mean = sum(chain[3].metrics.test_error for chain in chains) / 2
    assert data.loc[0, "BAN-3"] == pytest.approx(mean)
    assert data.loc[0, "label_noise"] == 0.3
    assert ours[7].startswith(f"{mean:.2f} ± ")


def test_a_setting_like_the_papers_has_no_warning(fabricator: Fabricator, study: Study) -> None:
    fabricator.chain(0, 1, task=DIGITS.model_copy(update={"name": "cifar100", "label_noise": 0.0}))
    table = sequence_table(study.groups(), (), PAPER)
    assert "not the papers' setting" not in " ".join(table.notes)
    assert "theirs: CIFAR" not in " ".join(table.notes)


def test_every_form_of_a_noisy_table_says_so(fabricator: Fabricator, study: Study) -> None:
    for seed in range(2):
        fabricator.chain(seed, 1)
    table = comparison_table(comparisons(study, study.groups()))
    assert "not the papers' setting" in table.markdown()
    assert "not the papers' setting" in table.latex()
    assert "label_noise" in table.csv().splitlines()[0]
    assert "BAN-1 against baseline (primary)" in table.markdown()
    assert "With 2 seeds" in table.markdown()


def test_missing_seeds_are_counted(fabricator: Fabricator, study: Study) -> None:
    fabricator.chain(0, 2)
    fabricator.chain(1, 2)
    fabricator.chain(2, 1)
    table = sequence_table(study.groups())
    assert table.rows[0][2] == "ours, 3 seeds"
    assert table.rows[0][6].endswith(" (2)") and not table.rows[0][5].endswith(")")

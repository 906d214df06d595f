"""The page: sensible for every population, self-contained, escaped; bad input is one sentence."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from analysis.report import write_report
from analysis.report.__main__ import main
from ban_ray.errors import UserError
from ban_ray.population import Storage
from tests.helpers.fabricated_population import DIGITS, Fabricator

HOSTILE = "<script>alert(1)</script>\"'&{{ 7*7 }}"


class Page(HTMLParser):
    """Tags, attributes and text of a page; void and unclosed tags must balance."""

    VOID = frozenset({"meta", "br", "hr", "img", "link", "input"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text.append(data)


def page_of(storage: Storage, search: str | None = None) -> tuple[str, str]:
    path = write_report(storage, search)
    html = Path(path).read_text()
    page = Page(html)
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "img", "iframe", "object", "base"}
    for _, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("href", "xlink:href", "src"):
                assert str(value).startswith("#")
    style = "".join(re.findall(r"<style.*?</style>", html, re.DOTALL)) + " ".join(
        str(attributes.get("style")) for _, attributes in page.tags
    )
    assert "@import" not in style and not re.search(r"url\((?!#)", style)
    return html, " ".join(" ".join(page.text).split())


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def test_an_empty_population(storage: Storage) -> None:
    storage.write("population/.keep", b"")
    _, text = page_of(storage)
    assert "The population is empty." in text
    assert "How to cite" in text


def test_one_member(fabricator: Fabricator, storage: Storage) -> None:
    member = fabricator.member(0)
    _, text = page_of(storage)
    assert "There is nothing to compare yet" in text
    assert f"{member.metrics.test_error:.2f}" in text
    assert "a population of 1 member " in text


def test_one_chain_speaks_of_these_networks_only(fabricator: Fabricator, storage: Storage) -> None:
    fabricator.chain(0, 2)
    _, text = page_of(storage)
    assert re.search(r"Answer BAN-2 against baseline: .* 1 seed, conditional on these networks", text)
    assert "One seed: the interval says" in text


def test_two_seeds(fabricator: Fabricator, storage: Storage) -> None:
    for seed in range(2):
        fabricator.chain(seed, 3)
    html, text = page_of(storage)
    assert re.search(r"Answer BAN-3 against baseline: .* points \[.*\], 2 seeds \(p [=<] \d", text)
    assert "With 2 seeds a nominal 95 % interval covers" in text
    assert html.count("<svg") == 7
    assert "288 training images an epoch; 60 held-out and 200 test images" in text
    assert "inproceedings{furlanello2017born" in text and "pmlr-v80-furlanello18a" in text


def test_label_noise_is_said_wherever_figures_are(fabricator: Fabricator, storage: Storage) -> None:
    for seed in range(2):
        fabricator.chain(seed, 1)
    html, _ = page_of(storage)
    assert 'class="warning"' in html
    captions = html.count("<figcaption>")
    assert (
        html.count("not the papers' setting".replace("'", "&#39;")) + html.count("not the papers' setting") >= captions
    )


def test_clean_labels_have_no_warning(fabricator: Fabricator, storage: Storage) -> None:
    fabricator.task = DIGITS.model_copy(update={"label_noise": 0.0, "protocol": "paper"})
    for seed in range(2):
        fabricator.chain(seed, 1)
    html, text = page_of(storage)
    assert "not the papers" not in text and 'class="warning"' not in html
    assert "clean labels; paper protocol" in text
    assert "0 held-out and 200 test images" in text


def search_of(fabricator: Fabricator, storage: Storage, name: str, **about: object) -> None:
    storage.write(f"searches/{name}/search.json", json.dumps({"format_version": 1, "space": "x", **about}).encode())
    for seed in range(2):
        keys = [member.key for member in fabricator.chain(seed, 2)]
        record = {"configuration": {"depth": 16}, "seed": seed, "keys": keys, "label": about.get("label", "")}
        storage.write(f"searches/{name}/chains/{seed}.json", json.dumps(record).encode())


def test_a_search_has_a_page_of_its_own(fabricator: Fabricator, storage: Storage) -> None:
    search_of(
        fabricator,
        storage,
        "grid",
        title="Depth and growth",
        source="workshop paper, Table 1",
        paper=[
            {
                "network": "densenet-bc-112-33",
                "parameters_millions": 6.3,
                "baseline": 18.25,
                "generations": [17.61, None],
                "ensembles": {"2": 15.77},
                "note": "",
            }
        ],
    )
    fabricator.chain(9, 2)
    assert write_report(storage, "grid") == f"{storage.url}/searches/grid/report/index.html"
    _, text = page_of(storage, "grid")
    assert "Born-again generations: grid Depth and growth" in text
    assert "2 seeds (p" in text and "18.25" in text and "workshop paper, Table 1" in text
    assert "6 shown of 9 in the population" in text


def test_a_search_without_a_member_yet(storage: Storage) -> None:
    storage.write("searches/new/search.json", b'{"format_version": 1, "space": "x"}')
    assert "This search has recorded no chain yet." in page_of(storage, "new")[1]
    record = {"seed": 0, "keys": ["f" * 64]}
    storage.write("searches/new/chains/0.json", json.dumps(record).encode())
    assert "No generation of this search has been published yet." in page_of(storage, "new")[1]


def test_hostile_text_is_text(fabricator: Fabricator, storage: Storage) -> None:
    search_of(
        fabricator,
        storage,
        "bad",
        title=HOSTILE,
        source=HOSTILE,
        label=HOSTILE,
        identity={HOSTILE: HOSTILE},
        paper=[{"network": HOSTILE, "parameters_millions": None, "baseline": None, "note": HOSTILE}],
    )
    fabricator.chain(5, 1, network=HOSTILE, parameters=1, provenance={"command": HOSTILE, "hardware": {HOSTILE: 1}})
    for search in ("bad", None):
        html, text = page_of(storage, search)
        assert "<script" not in html
        assert HOSTILE in text


def test_control_characters_of_records_reach_neither_page_nor_terminal(
    fabricator: Fabricator, storage: Storage, tmp_path: Path
) -> None:
    hostile = "\x1b[31m\x00\x9b\u202e\ufffeend"
    fabricator.chain(
        0, 1, network=f"a{hostile}", parameters=1, provenance={"command": hostile, "hardware": {hostile: 1}}
    )
    html, text = page_of(storage)
    assert "\N{REPLACEMENT CHARACTER}[31m" in text
    output = run(storage.url, "--tables", str(tmp_path / "tables")).output
    for written in (html, output, *(path.read_text() for path in (tmp_path / "tables").iterdir())):
        assert not set(hostile) & set(written) - set("[31mend")


def test_damaged_files_are_named(fabricator: Fabricator, storage: Storage) -> None:
    chains = [fabricator.chain(seed, 1) for seed in range(3)]
    torn = chains[2][1]
    storage.write(f"population/{torn.key}/{torn.predictions.name}", b"torn")
    _, text = page_of(storage)
    assert "Could not be read:" in text and torn.key in text
    assert ", 2 seeds (p" in text


def test_the_command_writes_the_page_and_the_tables(fabricator: Fabricator, storage: Storage, tmp_path: Path) -> None:
    for seed in range(2):
        fabricator.chain(seed, 2)
    found = run(storage.url, "--tables", str(tmp_path / "deep" / "tables"))
    assert found.exit_code == 0, found.output
    assert "not the papers' setting" in found.output
    assert "BAN-2 against baseline" in found.output
    assert f"Report: {storage.url}/report/index.html" in found.output
    files = {path.name for path in (tmp_path / "deep" / "tables").iterdir()}
    for name in ("sequences", "comparisons", "ensembles", "measures", "classes", "pairs", "greedy"):
        assert {f"{name}.md", f"{name}.tex", f"{name}.csv"} <= files


def test_open_shows_the_page(fabricator: Fabricator, storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    fabricator.member(0)
    shown: list[str] = []
    monkeypatch.setattr("webbrowser.open", shown.append)
    assert run(storage.url, "--open").exit_code == 0
    assert shown == [f"file://{storage.url}/report/index.html"]


@pytest.mark.parametrize("arguments", [["nowhere"], ["nowhere", "--search", "x"], ["."], [".", "--search", "../x"]])
def test_bad_input_is_one_sentence(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = run(*arguments)
    assert found.exit_code == 2
    assert found.stdout == "" and found.stderr.startswith("Error: ") and found.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_search_is_one_sentence(fabricator: Fabricator, storage: Storage) -> None:
    fabricator.member(0)
    search_of(fabricator, storage, "grid")
    found = run(storage.url, "--search", "gird")
    assert found.exit_code == 2
    assert "no search 'gird'" in found.stderr and "it has grid" in found.stderr
    with pytest.raises(UserError):
        write_report(storage, "gird")


def test_tables_where_no_folder_can_be(fabricator: Fabricator, storage: Storage, tmp_path: Path) -> None:
    fabricator.member(0)
    (tmp_path / "file").write_text("")
    found = run(storage.url, "--tables", str(tmp_path / "file"))
    assert found.exit_code == 2
    assert "File exists" in found.stderr and found.stderr.count("\n") == 1

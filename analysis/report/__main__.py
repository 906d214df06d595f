"""The command ``python -m analysis.report STORAGE``, which writes the page and prints the answer."""

import webbrowser
from pathlib import Path

import click

import analysis
from ban_ray.cli.entry import reports_errors, run


@reports_errors()
@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("storage")
@click.option("--search", metavar="NAME", help="Report on the chains of one search instead of the whole population.")
@click.option(
    "--tables",
    "folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Also write every table as Markdown, LaTeX and CSV into DIR.",
)
@click.option("--open", "show", is_flag=True, help="Open the page in the browser.")
def main(storage: str, search: str | None, folder: Path | None, show: bool) -> None:
    """Report what born-again generations gained in STORAGE, a folder or URL, as one self-contained HTML page.

    The page is written to STORAGE/report/index.html, with --search to STORAGE/searches/NAME/report/index.html.
    """
    study = analysis.load(storage)
    # Imported here so that --help and bad input answer at once.
    from analysis.report.page import without_controls, write

    page, content = write(study, search)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        for table in content.tables:
            for suffix, text in (("md", table.markdown()), ("tex", table.latex()), ("csv", table.csv())):
                (folder / f"{table.name}.{suffix}").write_text(without_controls(text), encoding="utf-8")
        click.echo(f"Tables: {folder}")
    for text in (
        *content.warnings,
        *content.verdict,
        content.answer.headline,
        *content.answer.remarks,
        *content.problems,
    ):
        click.echo(without_controls(text))
    click.echo(f"Report: {page}")
    if show:
        webbrowser.open(page if "://" in page else Path(page).as_uri())


if __name__ == "__main__":
    run(main, "analysis.report")

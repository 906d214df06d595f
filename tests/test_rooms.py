"""Images and text share every room but tasks, networks, and the places of outputs and metrics."""

import ast
from pathlib import Path

import pytest

from ban_ray.tasks.catalog import TASK_TYPES

REPOSITORY = Path(__file__).parent.parent
KNOWING = ("ban_ray/tasks/", "ban_ray/networks/", "ban_ray/evaluation/")
KINDS_OF_THINGS = {
    *("ImageData", "ImageDataset", "ImageSet", "RawImages", "RawText"),
    *("TextData", "TextDataset", "TextPart", "TokenOutputs"),
}
"""What only the rooms above may know by name."""


def shared_files() -> list[Path]:
    files = [file for room in ("ban_ray", "analysis") for file in sorted((REPOSITORY / room).rglob("*.py"))]
    return [file for file in files if not file.relative_to(REPOSITORY).as_posix().startswith(KNOWING)]


def names_of(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} | {
        node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)
    }


@pytest.mark.parametrize("file", shared_files(), ids=lambda file: file.relative_to(REPOSITORY).as_posix())
def test_no_branch_on_the_kind_of_task(file: Path) -> None:
    """No class of one kind by name, no comparison with a task's name, no look at what tells kinds apart."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    assert not names_of(tree) & KINDS_OF_THINGS
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            constants = {one.value for one in ast.walk(node) if isinstance(one, ast.Constant)}
            assert not constants & TASK_TYPES.keys(), ast.unparse(node)
        if isinstance(node, ast.Attribute) and node.attr == "text":
            assert "kind" not in ast.unparse(node.value).lower(), ast.unparse(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "startswith":
            starts = {one.value for one in ast.walk(node) if isinstance(one, ast.Constant)}
            assert not starts & {"cifar", *TASK_TYPES}, ast.unparse(node)


def test_the_rooms_that_know_do_know() -> None:
    """So that the test above looks for the right names."""
    text = "".join(
        (REPOSITORY / file).read_text() for file in ("ban_ray/tasks/dataset.py", "ban_ray/evaluation/predictions.py")
    )
    assert {"TextDataset", "TokenOutputs"} <= names_of(ast.parse(text))

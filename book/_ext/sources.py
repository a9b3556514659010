"""What the book is made of: its pages in reading order, their notebooks, and the project's address.

The extensions, the scripts beside them and the tests all ask here, so `_toc.yml` and `_config.yml` are read
in one place.
"""

from __future__ import annotations

from pathlib import Path

import jupytext
import nbformat
import yaml
from sphinx_external_toc.parsing import parse_toc_yaml

ROOT = Path(__file__).resolve().parents[2]


def pages(root: Path = ROOT) -> list[Path]:
    """The source files of the book's pages, in the order of `_toc.yml`.

    Raises:
        FileNotFoundError: If the table of contents names a page that is not there.
    """
    found = []
    for name in parse_toc_yaml(root / "_toc.yml"):
        source = next(
            (root / f"{name}{suffix}" for suffix in (".md", ".ipynb") if (root / f"{name}{suffix}").exists()), None
        )
        if source is None:
            raise FileNotFoundError(f"_toc.yml names {name}, but there is no {name}.md and no {name}.ipynb.")
        found.append(source)
    return found


def read_notebook(text: str, suffix: str = ".md") -> nbformat.NotebookNode | None:
    """A page as a notebook.

    Args:
        text: The page's source.
        suffix: `.md` (MyST Markdown) or `.ipynb`.

    Returns:
        The notebook without outputs, or None for a page that has no code (no `jupytext` header).
    """
    if suffix == ".ipynb":
        return nbformat.reads(text, as_version=4)
    header = text.split("\n---", 1)[0] if text.startswith("---\n") else ""
    if "jupytext:" not in header:
        return None
    return jupytext.reads(text, fmt={"extension": ".md", "format_name": "myst"})


def notebook_pages(root: Path = ROOT) -> list[Path]:
    """The MyST pages that are notebooks: those which have a `.ipynb` twin."""
    return [page for page in pages(root) if page.suffix == ".md" and read_notebook(page.read_text("utf8"))]


def repository(root: Path = ROOT) -> dict[str, str]:
    """The `repository` entry of `_config.yml`: `url`, `branch`, `path_to_book`."""
    return yaml.safe_load((root / "_config.yml").read_text("utf8"))["repository"]


def repository_link(repository: dict[str, str], path: str) -> str:
    """The address of a file of the repository; `.` is the repository itself."""
    return repository["url"] if path == "." else f"{repository['url']}/blob/{repository['branch']}/{path}"

"""The notebook twins of the pages, `book/NAME.ipynb`, for Colab, Binder and download (`make release`).

A twin holds the page's cells in order, without outputs. Its text is plain Markdown (`plain.py`), its first
cell installs the library where it is missing (on Colab), and where the page puts a measured number into a
sentence, the twin has the name under which a cell prints that number. The same page makes the same twin, byte
for byte.

Usage: `python book/_ext/twins.py` writes them all.
"""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from plain import Surroundings, plain
from pybtex.database import parse_file
from sources import ROOT, notebook_pages, pages, read_notebook, repository

INSTALL = """\
# On Colab, fetch the course's library; elsewhere it is installed already (see the README).
import sys

if "google.colab" in sys.modules:
    %pip install --quiet "git+{url}"
"""
GLUE_IMPORT = "from myst_nb import glue\n"
GLUE = '''

def glue(name, value, display=True):
    """Show a value under the name that the text uses for it (the book puts it into its sentences)."""
    from IPython.display import display as show

    show(value) if hasattr(value, "savefig") else print(f"{name}: {value}")
'''
_HEADING = re.compile(r"(?:^\((?P<label>[\w-]+)\)=[ \t]*\n+)?^#+ (?P<title>.+)$", re.MULTILINE)
_FIGURE = re.compile(r":name:[ \t]*(?P<label>[\w-]+)")


def citations(bibliography: Path) -> dict[str, str]:
    """How each work is named in a sentence: `Vaswani et al. (2017)`, by key."""
    found = {}
    for key, entry in parse_file(str(bibliography)).entries.items():
        names = [" ".join(person.prelast_names + person.last_names) for person in entry.persons["author"]]
        names = [name.strip("{}") for name in names]
        who = (
            names[0] if len(names) == 1 else f"{names[0]} and {names[1]}" if len(names) == 2 else f"{names[0]} et al."
        )
        found[key] = f"{who} ({entry.fields['year']})"
    return found


def titles(root: Path) -> dict[str, str]:
    """Titles by document name (of a page) and by label (of a section); a figure is called `the figure`."""
    found = {}
    for page in pages(root):
        text = page.read_text("utf8")
        found.update({match["label"]: "the figure" for match in _FIGURE.finditer(text)})
        headings = list(_HEADING.finditer(text))
        found.update({match["label"]: match["title"] for match in headings if match["label"]})
        if headings:
            found[page.stem] = headings[0]["title"]
    return found


def twin(page: Path, root: Path = ROOT) -> str:
    """The twin of a page.

    Args:
        page: A page that is a MyST notebook.
        root: The project's folder.

    Returns:
        The text of the `.ipynb` file.

    Raises:
        ValueError: If the page uses syntax that has no plain form; the message names the page.
    """
    source = read_notebook(page.read_text("utf8"))
    around = Surroundings(
        citations=citations(root / "book/references.bib"),
        titles=titles(root),
        twins={other.stem for other in notebook_pages(root)},
        repository=repository(root),
    )
    code = [cell for cell in source.cells if cell.cell_type == "code"]
    first = INSTALL.format(url=repository(root)["url"])
    if any(GLUE_IMPORT in cell.source for cell in code):
        first += GLUE
    cells = [new_code_cell(first.strip())]
    for cell in source.cells:
        if cell.cell_type == "code":
            cells.append(new_code_cell(cell.source.replace(GLUE_IMPORT, "").strip(), metadata=cell.metadata))
            continue
        try:
            text = plain(cell.source, around)
        except ValueError as error:
            raise ValueError(f"{page.name}: {error}") from error
        if text:
            cells.append(new_markdown_cell(text))
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def stale(root: Path = ROOT) -> list[str]:
    """The twins that are not what their pages would make now: missing, changed, or of a page that is gone."""
    wanted = {page.with_suffix(".ipynb"): page for page in notebook_pages(root)}
    there = set((root / "book").glob("*.ipynb"))
    different = {file for file in there & set(wanted) if file.read_text("utf8") != twin(wanted[file], root)}
    return sorted(file.name for file in (there ^ set(wanted)) | different)


def main() -> None:
    """Write every twin, remove those of pages that are gone."""
    wanted = {page.with_suffix(".ipynb"): page for page in notebook_pages()}
    for file, page in wanted.items():
        file.write_text(twin(page), "utf8")
    for file in set((ROOT / "book").glob("*.ipynb")) - set(wanted):
        file.unlink()
    print(f"{len(wanted)} notebook twins.")


if __name__ == "__main__":
    main()

"""The book's sources: configuration, pages, pictures, numbers, twins and drawings in step. Nothing is built here."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import twins
import yaml
from address import site
from diagrams import FOLDER, Diagram, diagrams_of, key
from sources import ROOT, notebook_pages, pages, read_notebook, repository

CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text("utf8"))
PAGES = {page.stem: page.read_text("utf8") for page in pages()}
NOTEBOOKS = [page.stem for page in notebook_pages()]
BLOCK = re.compile(r"^(`{3,}|:{3,})\{(?P<name>[\w:.-]+)\}[^\n]*\n(?P<body>.*?)^\1[ \t]*$", re.MULTILINE | re.DOTALL)


def blocks(text: str, *names: str) -> list[str]:
    """The bodies of a page's directives."""
    return [match["body"] for match in BLOCK.finditer(text) if match["name"] in names]


def test_configuration_is_what_the_promises_need() -> None:
    execute, sphinx = CONFIG["execute"], CONFIG["sphinx"]["config"]
    assert execute["execute_notebooks"] == "cache"
    assert execute["raise_on_error"] and not execute["allow_errors"]
    assert execute["stderr_output"] == "remove-warn"
    assert "sphinx_thebe" not in sphinx["extensions"], "its script comes from another host"
    assert not sphinx["mathjax_path"].startswith("http")
    for extension in CONFIG["sphinx"]["local_extensions"]:
        assert extension in sphinx["extensions"]
        assert (ROOT / f"book/_ext/{extension}.py").is_file()


def test_address_stands_in_one_place() -> None:
    owner, name = repository()["url"].split("/")[-2:]
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    assert listed.returncode == 0, listed.stderr
    holders = set()
    for line in listed.stdout.splitlines():
        file = ROOT / line
        # The twins are generated, and say it because Colab knows nothing else of the project.
        if file.suffix in (".md", ".py", ".yml", ".toml", ".css", ".txt", ".html", "") and file.is_file():
            text = file.read_text("utf8", errors="ignore")
            if f"{owner}/{name}" in text or f"{owner}.github.io" in text:
                holders.add(line)
    assert holders == {"_config.yml"}


def test_site_address() -> None:
    assert site("https://github.com/Some-One/course") == "https://some-one.github.io/course/"
    with pytest.raises(ValueError, match="OWNER/REPO"):
        site("https://github.com/course")


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_twin_is_in_step(name: str) -> None:
    page = ROOT / f"book/{name}.md"
    file = page.with_suffix(".ipynb")
    assert file.exists(), f"{file.name} is missing: make release"
    assert file.read_text("utf8") == twins.twin(page), f"{file.name} is not what {name}.md makes: make release"


def test_no_twin_without_page() -> None:
    assert {file.stem for file in (ROOT / "book").glob("*.ipynb")} == set(NOTEBOOKS)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_twin_reads_as_plain_markdown(name: str) -> None:
    for cell in read_notebook((ROOT / f"book/{name}.ipynb").read_text("utf8"), ".ipynb").cells:
        if cell.cell_type == "markdown":
            assert not re.search(r"\{[\w:]+\}`|^[`:]{3,}\{|^\([\w-]+\)=", cell.source, re.MULTILINE), cell.source
        else:
            assert not cell.outputs and cell.execution_count is None
            assert "myst_nb" not in cell.source


def test_diagrams_are_drawn() -> None:
    wanted = {key(source) for text in PAGES.values() for source in diagrams_of(text)}
    assert {file.stem for file in FOLDER.glob("*.svg")} == wanted, "make release"


def test_drawings_fetch_nothing() -> None:
    for file in FOLDER.glob("*.svg"):
        svg = file.read_text("utf8")
        assert not re.search(r"(href|src)=[\"']https?:|url\(\s*[\"']?https?:|@import|<script|<foreignObject", svg)
        assert "var(--diagram-" in svg


@pytest.mark.parametrize("name", PAGES)
def test_every_picture_is_described(name: str) -> None:
    for body in blocks(PAGES[name], "mermaid", "glue:figure", "figure", "image"):
        alt = re.search(r"^:alt:[ \t]*(.+)$", body, re.MULTILINE)
        assert alt and len(alt[1]) > 20, f"{name}: a picture without a description:\n{body[:200]}"
    assert not re.search(r"!\[\]\(", PAGES[name]), f"{name}: an image without a description"


def test_diagram_options_are_known_to_the_scanner() -> None:
    page = "```{mermaid}\n:alt: A becomes B.\n:caption: A *caption*.\n\nflowchart TB\n  A --> B\n```\n"
    assert diagrams_of(page) == ["flowchart TB\n  A --> B"]
    assert set(Diagram.option_spec) == {"alt", "caption", "name"}


@pytest.mark.parametrize("name", [name for name in NOTEBOOKS if re.match(r"\d\d-", name)])
def test_measured_numbers_are_glued(name: str) -> None:
    """Numbers with the unit of a measurement come from the run, not from the keyboard.

    Only units of what the chapters measure are looked for; recipes (`context length 256`) and the header's estimate
    of minutes are not measurements.
    """
    prose = BLOCK.sub("", PAGES[name].split("---", 2)[2])
    prose = re.sub(r"\$\$.*?\$\$|`[^`]*`|\$[^$]*\$", "", prose, flags=re.DOTALL)
    units = r"nats|bits per|tokens (?:a|per) second|tokens/s|ms\b|milliseconds|million parameters|MB/s|perplexity of"
    found = re.search(rf"[^.\n]*\b\d[\d.,]*\s+(?:{units})[^.\n]*", prose)
    assert not found, f"{name}: a measured number typed by hand: {found[0].strip()}"


@pytest.mark.parametrize("name", [name for name in NOTEBOOKS if re.match(r"\d\d-", name)])
def test_chapter_says_its_question_needs_and_minutes(name: str) -> None:
    header = next(iter(blocks(PAGES[name], "admonition")), "")
    assert ":class: page-header" in header
    for word in ("Question", "Needs", "Minutes"):
        assert f"**{word}:**" in header, f"{name}: the header lacks {word}"


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_pages_leave_their_surroundings_alone(name: str) -> None:
    source = "\n".join(cell.source for cell in read_notebook(PAGES[name]).cells if cell.cell_type == "code")
    for word in ("%matplotlib", "%config", "rcParams", "plt.style", "tqdm.auto", "tqdm.notebook", "ipywidgets"):
        assert word not in source, f"{name}: {word} (see book/_ext/kernels.py)"


def test_stale_twins_are_found(tmp_path: Path) -> None:
    book = tmp_path / "book"
    book.mkdir()
    (tmp_path / "_config.yml").write_text("repository: {url: https://github.com/a/b, branch: main}\n")
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: book/index\n")
    (book / "references.bib").write_text("")
    header = "---\njupytext:\n  text_representation: {extension: .md, format_name: myst}\n---\n"
    (book / "index.md").write_text(header + "# Title\n\n```{code-cell} python3\n1 + 1\n```\n")
    assert twins.stale(tmp_path) == ["index.ipynb"]
    (book / "index.ipynb").write_text(twins.twin(book / "index.md", tmp_path))
    assert twins.stale(tmp_path) == []
    (book / "gone.ipynb").write_text("{}")
    (book / "index.md").write_text(header + "# Title\n\n```{code-cell} python3\n1 + 2\n```\n")
    assert twins.stale(tmp_path) == ["gone.ipynb", "index.ipynb"]

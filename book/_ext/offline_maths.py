"""Serve MathJax from the book itself.

The package `sphinx-mathjax-offline` carries all of MathJax 3 (24 MB). Pages load one script and, for the
glyphs they use, fonts: only these are copied (1.7 MB), to where `mathjax_path` in `_config.yml` points.
"""

from __future__ import annotations

import shutil
from importlib.metadata import distribution
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

SCRIPT = "tex-chtml-full.js"
FONTS = "output/chtml/fonts/woff-v2"


def copy(app: Sphinx, exception: Exception | None) -> None:
    """Copy script and fonts into the built book (event `build-finished`)."""
    if exception or app.builder.format != "html":
        return
    # The folder's name has hyphens, so it cannot be found by an import.
    source = (
        Path(str(distribution("sphinx-mathjax-offline").locate_file("sphinx-mathjax-offline"))) / "static/mathjax"
    )
    target = Path(app.outdir) / "_static/vendor/mathjax"
    shutil.copytree(source / FONTS, target / FONTS, dirs_exist_ok=True)
    shutil.copy2(source / SCRIPT, target / SCRIPT)


def leave_out(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    """Load nothing on a page that has no formulas (event `html-page-context`).

    Sphinx does so too, but takes the formulas of all chapters for the first page's own.
    """
    if doctree is None or not any(doctree.findall(lambda node: isinstance(node, nodes.math | nodes.math_block))):
        scripts = context["script_files"]
        scripts[:] = [script for script in scripts if app.config.mathjax_path not in str(script.filename)]


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("build-finished", copy)
    # After sphinx.ext.mathjax has put its script on the page.
    app.connect("html-page-context", leave_out, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

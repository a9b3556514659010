"""Serve MathJax from the book itself.

The package `sphinx-mathjax-offline` carries all of MathJax 3 (24 MB). Pages load one script and, for the
glyphs they use, fonts: only these are copied (1.7 MB), to where `mathjax_path` in `_config.yml` points.
"""

from __future__ import annotations

import shutil
from importlib.metadata import distribution
from pathlib import Path

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


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("build-finished", copy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

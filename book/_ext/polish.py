"""Repairs to the built pages that cannot be made before: each is a fault of the theme, with what it
breaks."""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx

# The first page is book/index.html; the site's root leads there.
ENTRANCE = """\
<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="canonical" href="{address}{first}">
<meta http-equiv="refresh" content="0; url={first}">
</head>
<body><main><h1>{title}</h1><p><a href="{first}">Open the book</a></p></main></body>
</html>
"""


REPAIRS = (
    # The icons' script weighs more than the rest of a page. The fonts draw the same icons (icons.py).
    (re.compile(r'<script defer src="[^"]*/fontawesome\.js[^"]*"></script>'), ""),
    # The top of the sidebar (title, search) lies outside every landmark: a screen reader's list of places lacks it.
    (
        re.compile(r'(<div class="sidebar-primary-items__start sidebar-primary__section")>'),
        r'\1 role="navigation" aria-label="Book">',
    ),
    # A list of works holds list items; docutils gives them a role that ARIA has withdrawn.
    (re.compile(r' role="doc-biblioentry"'), ' role="listitem"'),
)


def polish(app: Sphinx, exception: Exception | None) -> None:
    """Repair the pages and remove what no reader loads (event `build-finished`)."""
    if exception or app.builder.format != "html":
        return
    out = Path(app.outdir)
    config = app.config
    text = ENTRANCE.format(
        language=config.language,
        title=config.html_title,
        address=config.html_baseurl,
        first=f"{config.root_doc}.html",
    )
    (out / "index.html").write_text(text, "utf8")
    for file in out.rglob("*.html"):
        before = file.read_text("utf8")
        after = before
        for pattern, replacement in REPAIRS:
            after = pattern.sub(replacement, after)
        if after != before:
            file.write_text(after, "utf8")
    # Source maps are for the theme's developers (7 MB).
    for file in out.glob("_static/**/*.map"):
        file.unlink()


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    # After every other extension has written its files.
    app.connect("build-finished", polish, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

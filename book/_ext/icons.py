"""Cut the theme's icon fonts down to the icons that the book shows.

The theme brings all of Font Awesome: a script of 1.5 MB that draws icons, and fonts of 275 kB that draw the
same ones without it. The book shows a few dozen. After the build the script is taken off the pages
(`polish.py`), and the fonts are cut to what the pages, scripts and style sheets of this very build name. A
page becomes half as heavy.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont
from sphinx.application import Sphinx

FONTS = "_static/vendor/fontawesome/webfonts"
STYLES = "_static/styles/pydata-sphinx-theme.css"
_NAME = re.compile(r"\bfa-([a-z0-9-]+)")
_RULE = re.compile(r'([^{}]+)\{[^{}]*content:\s*"\\(f[0-9a-f]{3})"')
_SOURCE = re.compile(r'url\(([^)]*/fa-[\w-]+)\.woff2\) format\("woff2"\),url\([^)]*\) format\("truetype"\)')
_PRIVATE = re.compile("[\ue000-\uf8ff]")


def needed(out: Path) -> set[int]:
    """The code points of the icons that a built book can show.

    Args:
        out: The folder of the built book.
    """
    texts = [file.read_text("utf8") for file in out.rglob("*.html")]
    texts += [file.read_text("utf8") for file in out.glob("_static/**/*.js") if file.name != "fontawesome.js"]
    names = {name for text in texts for name in _NAME.findall(text)}
    points = set()
    for file in out.glob("_static/**/*.css"):
        css = file.read_text("utf8")
        points.update(ord(character) for character in _PRIVATE.findall(css))
        for selector, point in _RULE.findall(css):
            icons = set(_NAME.findall(selector))
            if not icons or icons & names:
                points.add(int(point, 16))
    return points


def cut(app: Sphinx, exception: Exception | None) -> None:
    """Replace the fonts by smaller ones and point the style sheet to them (event `build-finished`)."""
    if exception or app.builder.format != "html":
        return
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells of every table it cuts
    out = Path(app.outdir)
    points = needed(out)
    for file in (out / FONTS).glob("*.ttf"):
        font = TTFont(file)
        cutter = subset.Subsetter()
        cutter.populate(unicodes=points)
        cutter.subset(font)
        font.flavor = "woff"
        font.save(file.with_suffix(".woff"))
        file.unlink()
        file.with_suffix(".woff2").unlink()
    styles = out / STYLES
    css = _SOURCE.sub(r'url(\1.woff) format("woff")', styles.read_text("utf8"))
    styles.write_text(css, "utf8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    # After the pages are written, and before polish.py repairs them.
    app.connect("build-finished", cut, priority=800)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

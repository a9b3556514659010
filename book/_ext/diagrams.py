"""The directive `{mermaid}`: diagrams drawn beforehand, so that a page needs no script for them.

`draw_diagrams.py` draws each diagram of the book to `book/_diagrams/<key>.svg`, where the key is a hash of
its source. The page carries that SVG itself; its colours are CSS variables, so that it follows the light and
the dark scheme. A diagram that was not drawn, or was changed after, is a warning.
"""

from __future__ import annotations

import re
from hashlib import sha256
from html import escape
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sources import ROOT
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

log = logging.getLogger(__name__)
FOLDER = ROOT / "book/_diagrams"
MERMAID = "12.3.0"
# Part of the key: a number to raise when draw_diagrams.py draws the same source differently.
DRAWING = f"mermaid {MERMAID}, settings 2"
_FENCE = re.compile(r"^```\{mermaid\}[ \t]*\n(?P<body>.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
_OPTION = re.compile(r":[a-z]+:.*")


def key(source: str) -> str:
    """The name of a diagram's drawing."""
    return sha256(f"{DRAWING}\n{source.strip()}".encode()).hexdigest()[:16]


def diagrams_of(text: str) -> list[str]:
    """The Mermaid sources of the diagrams on a page, without the directive's options."""
    found = []
    for match in _FENCE.finditer(text):
        lines = match["body"].splitlines()
        while lines and (not lines[0].strip() or _OPTION.fullmatch(lines[0].strip())):
            lines.pop(0)
        found.append("\n".join(lines).strip())
    return found


class Diagram(SphinxDirective):
    """A Mermaid diagram. Options: `alt` (what it shows, required), `caption`, `name` (a label to refer
    to)."""

    has_content = True
    option_spec: ClassVar = {
        "alt": directives.unchanged_required,
        "caption": directives.unchanged_required,
        "name": directives.unchanged,
    }

    def run(self) -> list[nodes.Node]:
        """The diagram as a figure (with a caption) or as a block."""
        source = "\n".join(self.content).strip()
        if "alt" not in self.options:
            raise self.error("A diagram needs :alt:, a sentence that says what it shows.")
        drawing = FOLDER / f"{key(source)}.svg"
        self.env.note_dependency(str(drawing))
        if not drawing.exists():
            log.warning("This diagram is not drawn, or was changed after: make release", location=self.get_location())
            return [nodes.literal_block(source, source)]
        alt = escape(self.options["alt"], quote=True)
        html = f'<div class="diagram" role="img" aria-label="{alt}">{drawing.read_text("utf8")}</div>'
        content = nodes.raw("", html, format="html")
        if "caption" not in self.options:
            return [content]
        figure = nodes.figure("", content)
        text, messages = self.state.inline_text(self.options["caption"], self.lineno)
        figure += nodes.caption(self.options["caption"], "", *text)
        self.set_source_info(figure)
        self.add_name(figure)
        return [figure, *messages]


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("mermaid", Diagram)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""MyST Markdown turned into plain Markdown, for notebooks that are read where no MyST is: Colab, Jupyter.

It covers the syntax that the book uses, and fails on the rest, so that a page cannot put raw markup before a
reader.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, field

from sources import repository_link

ADMONITIONS = ("note", "tip", "hint", "important", "warning", "caution", "seealso", "admonition", "dropdown")
_OPEN = re.compile(r"^(?P<fence>`{3,}|:{3,})\{(?P<name>[\w:.-]+)\}[ \t]*(?P<argument>.*)$")
_OPTION = re.compile(r"^:(?P<key>[\w-]+):[ \t]*(?P<value>.*)$")
_ROLE = re.compile(r"\{(?P<name>[\w:.-]+)\}(?P<ticks>`+)(?P<text>.+?)(?P=ticks)", re.DOTALL)
_TITLED = re.compile(r"^(?P<title>.*?)\s*<(?P<target>[^<>]+)>$", re.DOTALL)
_LABEL = re.compile(r"^\([\w-]+\)=[ \t]*\n", re.MULTILINE)
_EQUATION = re.compile(r"\$\$(?P<body>.+?)\$\$(?:[ \t]*\((?P<label>[\w:.-]+)\))?", re.DOTALL)


@dataclass
class Surroundings:
    """What a page's text refers to.

    Args:
        citations: How a work is named in a sentence, by its key in the bibliography: `Vaswani et al. (2017)`.
        titles: Titles of pages and sections, captions of figures, by document name or label.
        twins: The document names that have a notebook, to which links can lead.
        repository: The `repository` entry of `_config.yml`.
        equations: Numbers of the page's labelled equations; filled while its text is read from top to bottom.
    """

    citations: dict[str, str] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    twins: set[str] = field(default_factory=set)
    repository: dict[str, str] = field(default_factory=dict)
    equations: dict[str, int] = field(default_factory=dict)


def plain(text: str, around: Surroundings) -> str:
    """The text of one Markdown cell without MyST's own syntax.

    Raises:
        ValueError: If a directive or role occurs that has no plain form here.
    """
    text = _LABEL.sub("", text)
    lines = text.split("\n")
    out: list[str] = []
    position = 0
    prose: list[str] = []

    def flush() -> None:
        if prose:
            out.extend(_inline("\n".join(prose), around).split("\n"))
            prose.clear()

    while position < len(lines):
        match = _OPEN.match(lines[position])
        if not match:
            if re.match(r"^```", lines[position]):  # an ordinary code block is left as it is
                flush()
                end = _closing(lines, position, "```")
                out.extend(lines[position : end + 1])
                position = end + 1
                continue
            prose.append(lines[position])
            position += 1
            continue
        flush()
        end = _closing(lines, position, match["fence"])
        out.extend(_directive(match["name"], match["argument"], lines[position + 1 : end], around).split("\n"))
        position = end + 1
    flush()
    return re.sub(r"\n{3,}", "\n\n", "\n".join(out)).strip()


def _closing(lines: list[str], start: int, fence: str) -> int:
    for number in range(start + 1, len(lines)):
        if lines[number].strip() == fence:
            return number
    raise ValueError(f"The block that opens with {lines[start]!r} is never closed.")


def _directive(name: str, argument: str, body: list[str], around: Surroundings) -> str:
    """The plain form of one directive."""
    options = {}
    while body and (match := _OPTION.match(body[0])):
        options[match["key"]] = match["value"]
        body = body[1:]
    content = "\n".join(body).strip("\n")
    if name == "mermaid":
        caption = options.get("caption")
        diagram = f"```mermaid\n{content}\n```"
        return f"{diagram}\n\n*{_inline(caption, around)}*" if caption else diagram
    if name in ("glue:figure", "figure"):
        image = f"![{options.get('alt', '')}]({argument})\n\n" if name == "figure" else ""
        return f"{image}**Figure.** {plain(content, around)}"
    if name == "math":
        label = options.get("label")
        return _equation(content, label, around)
    if name in ADMONITIONS:
        title = _inline(argument, around) or name.capitalize().replace("Seealso", "See also")
        return textwrap.indent(f"**{title}**\n\n{plain(content, around)}", "> ", lambda line: True).replace(
            "> \n", ">\n"
        )
    if name in ("grid", "grid-item-card", "grid-item", "card", "tab-set", "tab-item", "div"):
        title = f"**{_inline(argument, around)}**\n\n" if name.endswith(("card", "tab-item")) and argument else ""
        return title + plain(content, around)
    if name in ("table", "list-table"):
        return f"**{_inline(argument, around)}**\n\n{plain(content, around)}"
    if name in ("tableofcontents", "nb-exec-table", "bibliography", "contents"):
        return ""
    raise ValueError(f"The directive {{{name}}} has no plain form in book/_ext/plain.py.")


def _inline(text: str, around: Surroundings) -> str:
    """The plain form of equations and roles, in text without blocks. Code in backticks stays."""
    text = _EQUATION.sub(lambda match: _equation(match["body"], match["label"], around), text)
    return _ROLE.sub(lambda match: _role(match["name"], " ".join(match["text"].split()), around), text)


def _equation(body: str, label: str | None, around: Surroundings) -> str:
    if not label:
        return f"$$\n{body.strip()}\n$$" if "\n" in body.strip("\n") else f"$${body}$$"
    number = around.equations.setdefault(label, len(around.equations) + 1)
    return f"$$\n{body.strip()} \\tag{{{number}}}\n$$"


def _role(name: str, text: str, around: Surroundings) -> str:
    """The plain form of one role."""
    titled = _TITLED.match(text)
    title, target = (titled["title"], titled["target"]) if titled else (None, text)
    if name in ("glue:text", "glue:", "glue:md", "glue"):
        return f"`{target.split('::')[-1].split(':')[0]}`"
    if name.startswith("cite"):
        keys = [key.strip() for key in target.split(",")]
        if missing := [key for key in keys if key not in around.citations]:
            raise ValueError(f"{missing[0]} is cited, but book/references.bib does not have it.")
        works = [around.citations[key] for key in keys]
        if name == "cite:t":
            return ", ".join(works)
        return "(" + "; ".join(re.sub(r" \((.*)\)$", r", \1", work) for work in works) + ")"
    if name == "doc":
        label = title or around.titles.get(target, target)
        return f"[{label}]({target}.ipynb)" if target in around.twins else f"*{label}*"
    if name in ("ref", "numref"):
        return title or f"*{around.titles.get(target, target)}*"
    if name == "eq":
        return f"({around.equations[target]})" if target in around.equations else target
    if name == "term":
        return title or target
    if name == "math":
        return f"${text}$"
    if name.removeprefix("py:") in ("class", "func", "meth", "mod", "data", "attr", "obj", "exc"):
        return f"`{title or (target.rpartition('.')[2] if target.startswith('~') else target)}`"
    if name == "repo":
        return f"[{title or target}]({repository_link(around.repository, target)})"
    if name in ("kbd", "code", "file", "download"):
        return f"`{title or target}`"
    if name in ("abbr", "sub", "sup"):
        return title or text
    raise ValueError(f"The role {{{name}}} has no plain form in book/_ext/plain.py.")

"""Draw the book's Mermaid diagrams (`make release`).

Only what is missing is drawn, for which Chromium must be installed (on Debian: `apt-get install chromium`),
and npm, which fetches Mermaid itself into `_build/`. The drawings are committed, so building the book needs
neither.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from diagrams import FOLDER, MERMAID, diagrams_of, key
from playwright.sync_api import sync_playwright
from sources import ROOT, pages

# Mermaid computes with colours, so they are real ones while it draws; each stands for a variable of course.css.
VARIABLES = {
    "#f1f1f1": "--diagram-node",
    "#111111": "--diagram-text",
    "#aaaaa1": "--diagram-border",
    "#bbbbb1": "--diagram-line",
    "#f2f2f2": "--diagram-group",
    "#aaaaa2": "--diagram-group-border",
    "#f3f3f3": "--diagram-label",
}
NODE, TEXT, BORDER, LINE, GROUP, GROUP_BORDER, LABEL = VARIABLES
THEME = {
    "background": "#ffffff",
    **dict.fromkeys(("primaryColor", "mainBkg", "actorBkg"), NODE),
    **dict.fromkeys(("primaryBorderColor", "nodeBorder", "actorBorder"), BORDER),
    **dict.fromkeys(("tertiaryColor", "clusterBkg", "labelBoxBkgColor"), GROUP),
    **dict.fromkeys(("clusterBorder", "labelBoxBorderColor", "noteBorderColor"), GROUP_BORDER),
    **dict.fromkeys(("secondaryColor", "edgeLabelBackground", "noteBkgColor"), LABEL),
    **dict.fromkeys(("lineColor", "defaultLinkColor", "arrowheadColor", "signalColor", "actorLineColor"), LINE),
    **dict.fromkeys(("primaryTextColor", "secondaryTextColor", "tertiaryTextColor", "textColor"), TEXT),
    **dict.fromkeys(("nodeTextColor", "titleColor", "actorTextColor", "signalTextColor"), TEXT),
    **dict.fromkeys(("noteTextColor", "labelTextColor", "loopTextColor"), TEXT),
}
SETTINGS = {
    "startOnLoad": False,
    "theme": "base",
    "themeVariables": THEME,
    "htmlLabels": False,
    "flowchart": {"htmlLabels": False, "useMaxWidth": True, "wrappingWidth": 320},
    "fontFamily": "sans-serif",
    "securityLevel": "strict",
    "deterministicIds": True,
}


def mermaid_script() -> Path:
    """Mermaid in one file, fetched by npm when it is not there."""
    folder = ROOT / "_build" / f"mermaid-{MERMAID}"
    script = folder / "mermaid.min.js"
    if not script.exists():
        if not shutil.which("npm"):
            sys.exit("Drawing a new diagram needs npm, which fetches Mermaid: apt-get install npm")
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["npm", "pack", f"mermaid@{MERMAID}", "--silent"], cwd=folder, check=True, stdout=subprocess.PIPE
        )
        package = folder / f"mermaid-{MERMAID}.tgz"
        with tarfile.open(package) as archive:
            content = archive.extractfile("package/dist/mermaid.min.js").read()
        package.unlink()
        partial = script.with_suffix(".part")
        partial.write_bytes(content)
        partial.replace(script)
    return script


def tidy(svg: str) -> str:
    """A drawing fit for the page: the site's variables for colours, nothing that is fetched from elsewhere."""
    for color, variable in VARIABLES.items():
        svg = re.sub(re.escape(color), f"var({variable}, {color})", svg, flags=re.IGNORECASE)
    svg = re.sub(r"@import[^;]*;|@font-face\s*\{[^}]*\}", "", svg)
    # The page names the drawing (role and aria-label on the element around it).
    svg = re.sub(r'<svg ([^>]*?)\s*role="[^"]*"', r'<svg \1 aria-hidden="true"', svg, count=1)
    svg = re.sub(r'\s*aria-roledescription="[^"]*"', "", svg)
    if foreign := re.findall(r'(?:href="|url\()\s*["\']?(https?:[^"\')]*)', svg):
        raise ValueError(f"The drawing would fetch {foreign[0]}.")
    return svg + "\n"


def draw(todo: dict[str, str]) -> dict[str, str]:
    """Draw diagrams in Chromium.

    Args:
        todo: Mermaid source by key.

    Returns:
        SVG by key.
    """
    chromium = shutil.which("chromium")
    if not chromium:
        sys.exit("Drawing a new diagram needs Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_content("<!doctype html><meta charset=utf-8><body></body>")
        page.add_script_tag(path=mermaid_script())
        page.evaluate("settings => mermaid.initialize(settings)", SETTINGS)
        drawn = {}
        for name, source in todo.items():
            svg = page.evaluate("([id, source]) => mermaid.render(id, source).then(r => r.svg)", [f"d{name}", source])
            drawn[name] = tidy(svg)
        browser.close()
    return drawn


def main() -> None:
    """Draw what is missing, remove what no page shows any more."""
    wanted = {key(source): source for page in pages() for source in diagrams_of(page.read_text("utf8"))}
    FOLDER.mkdir(exist_ok=True)
    there = {file.stem for file in FOLDER.glob("*.svg")}
    if todo := {name: source for name, source in wanted.items() if name not in there}:
        for name, svg in draw(todo).items():
            (FOLDER / f"{name}.svg").write_text(svg, "utf8")
    for name in there - set(wanted):
        (FOLDER / f"{name}.svg").unlink()
    print(f"{len(wanted)} diagrams, {len(todo)} drawn, {len(there - set(wanted))} removed.")


if __name__ == "__main__":
    main()

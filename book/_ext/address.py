"""Derive every public address of the site from `repository.url` in `_config.yml`.

GitHub Pages serves OWNER/REPO at https://OWNER.github.io/REPO/. Four settings need that address: the
canonical links (`html_baseurl`), the sitemap, the cards that social networks show, and the 404 page, which is
served at any depth and therefore needs absolute links.

The sitemap is written here, too: the extension that does it starts a process that outlives a killed build.

Pages link into the repository with the role `repo`: {repo}`title <path>`, or {repo}`path`.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlparse

from docutils import nodes
from sources import repository, repository_link
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util.docutils import ReferenceRole


def site(repository_url: str) -> str:
    """The address of the published book.

    Raises:
        ValueError: If the address is not of the form https://HOST/OWNER/REPO.
    """
    parts = urlparse(repository_url).path.strip("/").removesuffix(".git").split("/")
    if len(parts) != 2:
        raise ValueError(
            f"repository.url in _config.yml must be https://github.com/OWNER/REPO, not {repository_url!r}."
        )
    owner, name = parts
    return f"https://{owner.lower()}.github.io/{name}/"


def configure(app: Sphinx, config: Config) -> None:
    """Set the four values (event `config-inited`)."""
    address = site(repository()["url"])
    config.html_baseurl = address
    config.ogp_site_url = address
    config.notfound_urls_prefix = urlparse(address).path


def write_sitemap(app: Sphinx, exception: Exception | None) -> None:
    """List the addresses of all pages for search engines (event `build-finished`)."""
    if exception or app.builder.format != "html":
        return
    home = app.config.html_baseurl
    lines = [f"<url><loc>{home}{app.builder.get_target_uri(name)}</loc></url>" for name in sorted(app.env.found_docs)]
    head = '<?xml version="1.0" encoding="utf-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
    (Path(app.outdir) / "sitemap.xml").write_text("\n".join([head, *lines, "</urlset>\n"]), "utf8")


class Repository(ReferenceRole):
    """The role `repo`: a link to a file of the repository (`.` is the repository itself)."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """The link."""
        address = repository_link(repository(), self.target)
        return [nodes.reference(self.rawtext, self.title, internal=False, refuri=address)], []


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_role("repo", Repository())
    app.connect("config-inited", configure)
    app.connect("build-finished", write_sitemap)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

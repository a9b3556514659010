"""Run a page again when, and only when, something that its numbers depend on has changed.

jupyter-cache compares the code cells of a page and nothing else: change the library under the page, and the
old numbers stay. Here each page has a cache folder of its own, `_build/.jupyter_cache/<page>-<digest>`, and
the digest covers what the cells reach:

- the modules of `course_lib` that the page imports, those that these import, and so on, and the data files
  beside them;
- the installed versions of the other packages that all of this imports;
- for a page that uses the library, the versions of the packages that carry the corpora and weights;
- the minor version of Python.

So a change in `course_lib.grading` leaves the pretraining page alone, and a change in `course_lib.gpt` does
not. Imports are found by reading the source: what a page loads by `importlib` or in a subprocess is not seen.

A build that is killed between a cache's record and its notebook leaves a cache that would break the next
build. A page's cache is therefore read through before it is used, and thrown away if that fails. Caches that
no page uses any more are removed at the end of a build that got that far.
"""

from __future__ import annotations

import ast
import re
import shutil
import sys
from collections.abc import Iterable
from contextlib import suppress
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path

import grimp
from IPython.core.inputtransformer2 import TransformerManager
from jupyter_cache import get_cache
from sources import ROOT, read_notebook
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

log = logging.getLogger(__name__)


def imports_of(notebook: dict) -> set[str]:
    """The names that a notebook's code cells import: modules, and `module.name` for `from module import name`."""
    names = set()
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        # A cell that shows a syntax error on purpose imports nothing.
        with suppress(SyntaxError):
            for node in ast.walk(ast.parse(TransformerManager().transform_cell(cell["source"]))):
                if isinstance(node, ast.Import):
                    names.update(alias.name for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module:
                    names.add(node.module)
                    names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


class Digests:
    """Digests of what pages depend on, for one state of the library.

    Args:
        root: The folder that holds the library and `requirements-data.txt`.
        package: The library's import name.
    """

    def __init__(self, root: Path = ROOT, package: str = "course_lib") -> None:
        self.root = root
        self.package = package
        if str(root) not in sys.path:
            sys.path.insert(0, str(root))
        # No cache of grimp's own: it would be a second thing that can be out of date.
        self.graph = grimp.build_graph(package, include_external_packages=True, cache_dir=None)
        self.distributions = packages_distributions()

    def reached(self, names: Iterable[str]) -> set[str]:
        """All modules, of the library and (by their first name) of other packages, that importing `names` runs."""
        todo = {name if name.split(".")[0] == self.package else name.split(".")[0] for name in names}
        seen: set[str] = set()
        while todo:
            name = todo.pop()
            if name in seen:
                continue
            seen.add(name)
            if name in self.graph.modules:
                todo |= self.graph.find_modules_directly_imported_by(name)
            # `import a.b.c` also runs a and a.b.
            if "." in name:
                todo.add(name.rpartition(".")[0])
        return seen

    def files(self, modules: Iterable[str]) -> list[Path]:
        """The source files of the library's `modules`, and the data files that lie beside them."""
        found: set[Path] = set()
        for module in modules:
            path = self.root.joinpath(*module.split("."))
            if (path / "__init__.py").exists():
                found.add(path / "__init__.py")
                found.update(file for file in path.iterdir() if file.is_file() and file.suffix != ".py")
            elif path.with_suffix(".py").exists():
                found.add(path.with_suffix(".py"))
        return sorted(found)

    def versions(self, modules: Iterable[str]) -> list[str]:
        """`name==version` of the distributions behind the outer `modules`, and of the data packages."""
        names = {name for module in modules for name in self.distributions.get(module, [])}
        if self.package in modules:
            lines = (self.root / "requirements-data.txt").read_text("utf8").splitlines()
            names |= {match[0] for line in lines if (match := re.match(r"[\w.-]+", line))}
        names -= set(self.distributions.get(self.package, []))
        return sorted(f"{name.lower()}=={_version(name)}" for name in names)

    def of(self, notebook: dict) -> str:
        """The digest of a notebook: 16 hexadecimal digits."""
        modules = self.reached(imports_of(notebook))
        digest = sha256("\n".join(["python {}.{}".format(*sys.version_info), *self.versions(modules)]).encode())
        for file in self.files(modules):
            digest.update(f"\n{file.relative_to(self.root)} {sha256(file.read_bytes()).hexdigest()}".encode())
        return digest.hexdigest()[:16]


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "absent"


def is_whole(folder: Path) -> bool:
    """Whether every record of a jupyter-cache can be read back with its notebook."""
    try:
        cache = get_cache(str(folder))
        for record in cache.list_cache_records():
            cache.get_cache_bundle(record.pk)
    except Exception as error:  # whatever is wrong with it, the cure is to run the page again
        log.info("The execution cache %s is damaged and is made again: %s", folder.name, error)
        return False
    return True


def _base(app: Sphinx) -> Path:
    return Path(app.outdir).parent / ".jupyter_cache"


def _digest(app: Sphinx, docname: str, text: str) -> str | None:
    """The digest of a page, or None if it is not a notebook."""
    notebook = read_notebook(text, Path(app.env.doc2path(docname)).suffix)
    return app.library_digests.of(notebook) if notebook else None


def start(app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]) -> list[str]:
    """Name the pages whose surroundings changed since they were read (event `env-get-outdated`)."""
    app.library_digests = Digests()
    known: dict[str, str] = getattr(env, "exec_digests", {})
    env.exec_digests = {name: digest for name, digest in known.items() if name not in removed}
    return [
        name
        for name, digest in env.exec_digests.items()
        if _digest(app, name, Path(env.doc2path(name)).read_text("utf8")) != digest
    ]


def choose(app: Sphinx, docname: str, source: list[str]) -> None:
    """Point MyST-NB to the page's own cache before it reads the page (event `source-read`)."""
    digest = _digest(app, docname, source[0])
    if digest is None:
        app.env.exec_digests.pop(docname, None)
        return
    app.env.exec_digests[docname] = digest
    folder = _base(app) / f"{Path(docname).name}-{digest}"
    if folder.exists() and not is_whole(folder):
        shutil.rmtree(folder)
    app.env.mystnb_config = app.env.mystnb_config.copy(execution_cache_path=str(folder))


def sweep(app: Sphinx, exception: Exception | None) -> None:
    """Remove the caches that no page uses any more (event `build-finished`)."""
    if exception or not _base(app).exists():
        return
    used = {f"{Path(docname).name}-{digest}" for docname, digest in app.env.exec_digests.items()}
    for folder in _base(app).iterdir():
        if folder.name not in used:
            shutil.rmtree(folder) if folder.is_dir() else folder.unlink()


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("env-get-outdated", start)
    app.connect("source-read", choose)
    app.connect("build-finished", sweep)
    return {"parallel_read_safe": False, "parallel_write_safe": True}

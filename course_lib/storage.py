"""Where the course keeps what it makes: packed texts, trained models. Under every room.

What takes minutes to make is made once and kept under a key. The key is a hash of everything that the result
depends on, so a changed recipe, corpus or line of code makes it anew, and nothing stale is ever served.
"""

import ast
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_path

PACKAGE = Path(__file__).resolve().parent


def home() -> Path:
    """Return the folder under which everything is kept.

    The environment variable `COURSE_LIB_HOME` if it is set; `_build/` in a checkout of the course; else the
    user's cache folder (as in Colab, where only the library is installed).
    """
    if chosen := os.environ.get("COURSE_LIB_HOME"):
        return Path(chosen)
    checkout = PACKAGE.parent
    return checkout / "_build" if (checkout / "_config.yml").exists() else user_cache_path("course_lib")


def code_digest(rooms: Iterable[str]) -> str:
    """Return a hash of what the code of some rooms *does*: comments, docstrings and layout do not count.

    Args:
        rooms: names of packages or modules directly under `course_lib`, such as `"gpt"`.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for room in sorted(rooms):
        folder = PACKAGE / room
        for file in sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]:
            tree = ast.parse(file.read_text("utf-8"))
            for node in ast.walk(tree):
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node, False):
                    node.body = node.body[1:]
            digest.update(f"{file.relative_to(PACKAGE).as_posix()}\n{ast.dump(tree)}\n".encode())
    return digest.hexdigest()


def kept(name: str, key: Mapping, make: Callable[[Path], None]) -> Path:
    """Return a folder with a result that is made when it is missing, and only then.

    `make` works in a folder of its own beside the final place, which gets its name only when `make` has
    returned. If `make` is interrupted, its folder stays, and the next call hands it over again: work that
    writes checkpoints into it resumes from them. Two processes that want the same result wait for one another.

    Args:
        name: what it is, such as `"models/shakespeare"`; becomes the beginning of the folder's name.
        key: everything the result depends on; must be representable as JSON.
        make: fills the folder it is given.

    Returns:
        The complete folder.
    """
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    final = home() / f"{name}-{digest}"
    if final.exists():
        return final
    partial = final.with_name(final.name + ".partial")
    final.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(final.with_name(final.name + ".lock")):
        if not final.exists():  # another process may have finished it while this one waited
            partial.mkdir(exist_ok=True)
            make(partial)
            partial.rename(final)
    return final


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file so that `path` is, at every moment, the old one or the new one, never a half.

    Args:
        path: the final place; its parent folders are made.
        write: writes to the temporary path it is given, in the same folder. What a killed process left there is
            written over by the next.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)

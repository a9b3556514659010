"""The course as nbgrader sees it: its folder, its assignments, and nbgrader's own API on them."""

import re
import warnings
from pathlib import Path
from typing import Any

from nbgrader.apps import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from sqlalchemy.exc import SAWarning
from traitlets.config import PyFileConfigLoader

# nbgrader 0.9.6 was written for an older SQLAlchemy, which warns about the way it makes submissions.
warnings.filterwarnings("ignore", category=SAWarning, module="nbgrader")

CONFIG = "nbgrader_config.py"


class GradingError(Exception):
    """What the person at the terminal can mend; its message is one clear sentence."""


def assignments(root: Path) -> list[str]:
    """The names of the course's assignments: folders of `solutions/` that hold a notebook of the same name."""
    return sorted(path.stem for path in root.glob("solutions/*/*.ipynb") if path.stem == path.parent.name)


def require_assignment(root: Path, name: str) -> None:
    """Check that the course has this assignment.

    Raises:
        GradingError: If it has not, or if `root` is not the course's folder at all.
    """
    if not (root / CONFIG).exists():
        raise GradingError(f"There is no {CONFIG} here: run this from the course's own folder.")
    known = ", ".join(assignments(root)) or "none yet"
    if not name:
        raise GradingError(f"Say which assignment: make grade ASSIGNMENT=NAME. There is: {known}.")
    if name not in assignments(root):
        raise GradingError(f"There is no assignment called {name!r} in solutions/. There is: {known}.")


def open_course(root: Path, /, **directories: str) -> NbGraderAPI:
    """nbgrader's own API, configured by the course's `nbgrader_config.py`.

    Args:
        root: The course's folder.
        directories: Attributes of nbgrader's `CourseDirectory` that differ from the configuration, such as
            `root` (where relative folders and the gradebook are) or `release_directory`.
    """
    config = PyFileConfigLoader(CONFIG, path=str(root)).load_config()
    config.CourseDirectory.update({"root": str(root), **directories})
    return NbGraderAPI(coursedir=CourseDirectory(config=config), config=config)


def run(step: dict[str, Any]) -> str | None:
    """The reason why a step of nbgrader's API failed; None if it succeeded.

    Args:
        step: What a method of `NbGraderAPI` returned: `success`, and perhaps `log` and `error`.
    """
    if step["success"]:
        return None
    # nbgrader logs the traceback of what went wrong, and then raises an exception that says so.
    told = step.get("log", "") + "\n" + step["error"]
    errors = re.findall(r"^ *(?:\w+\.)*(\w*Error: .+)$", told, re.MULTILINE)
    return errors[-1].strip() if errors else step["error"].strip().splitlines()[-1]

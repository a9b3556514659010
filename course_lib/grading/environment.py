"""The first cell of every assignment: is everything here that it needs, and if not, what mends it?"""

import platform
import re
import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

DISTRIBUTION = "course_lib"


class EnvironmentProblem(RuntimeError):
    """Something that the assignment needs is missing. Jupyter shows its sentences, without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return str(self).splitlines()


def required_versions() -> dict[str, SpecifierSet]:
    """The versions that the installed `course_lib` asks for, by package."""
    requirements = [Requirement(line) for line in metadata.requires(DISTRIBUTION) or []]
    return {requirement.name: requirement.specifier for requirement in requirements}


def pinned_versions(folder: Path = Path(__file__).parents[2]) -> dict[str, Version]:
    """The exact versions that the course was checked with, by package; known in a clone of the course only.

    Args:
        folder: Where `requirements.txt` lies, if it is there at all.
    """
    path = folder / "requirements.txt"
    lines = path.read_text(encoding="utf-8") if path.exists() else ""
    return {name: Version(pin) for name, pin in re.findall(r"^([\w.-]+)==([\w.+]+)", lines, re.MULTILINE)}


def check_environment(*packages: str) -> None:
    """Check Python and the packages that an assignment uses, and print in one line that all is well.

    A version that differs from the one that the course was checked with is only mentioned.

    Args:
        packages: Names of distributions, such as "torch".

    Raises:
        EnvironmentProblem: If Python or a package is missing or too old. The message says what, and the one
            command that mends it.
    """
    problems: list[str] = []
    notes: list[str] = []
    wanted: list[str] = []
    python = SpecifierSet(metadata.metadata(DISTRIBUTION)["Requires-Python"] or "")
    if platform.python_version() not in python:
        raise EnvironmentProblem(
            f"This notebook runs on Python {platform.python_version()}, and the course needs {python}.\n"
            "Install such a Python, make a new environment with it, and choose it as the notebook's kernel."
        )
    required, pinned = required_versions(), pinned_versions()
    for package in packages:
        specifier = required.get(package, SpecifierSet())
        asked = f"{package}=={pinned[package]}" if package in pinned else f"{package}{specifier}"
        try:
            version = Version(metadata.version(package))
        except metadata.PackageNotFoundError:
            problems.append(f"The package {package} is not installed.")
            wanted.append(asked)
            continue
        if version not in specifier:
            problems.append(f"The package {package} is version {version}, and the course needs {specifier}.")
            wanted.append(asked)
        elif package in pinned and version.public != pinned[package].public:
            notes.append(
                f"{package} is version {version.public}, and the course was checked with {pinned[package]}: "
                "last digits may differ."
            )
    if problems:
        command = " ".join([f'"{sys.executable}" -m pip install', *(f'"{package}"' for package in wanted)])
        raise EnvironmentProblem(
            "\n".join([*problems, f"Mend it in a terminal, then restart the kernel:\n    {command}"])
        )
    print("\n".join(["Everything that this assignment needs is here.", *notes]))

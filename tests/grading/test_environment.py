"""The first cell of an assignment, on computers that lack something."""

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import nbformat
import pytest
import yaml

from course_lib.grading import EnvironmentProblem, check_environment, environment

ROOT = Path(__file__).parents[2]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Versions of packages, as if they were installed; what is not in it is missing."""
    versions: dict[str, str] = {}

    def version(name: str) -> str:
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(environment.metadata, "version", version)
    monkeypatch.setattr(environment, "pinned_versions", lambda: {"torch": environment.Version("2.13.0")})
    return versions


def test_all_is_well_here(capsys: pytest.CaptureFixture[str]) -> None:
    check_environment("torch", "numpy")
    assert capsys.readouterr().out == "Everything that this assignment needs is here.\n"


def test_a_missing_package_is_named_with_the_command_that_mends_it(installed: dict[str, str]) -> None:
    with pytest.raises(EnvironmentProblem) as caught:
        check_environment("torch")
    lines = caught.value._render_traceback_()
    assert lines[0] == "The package torch is not installed."
    assert lines[-1] == f'    "{sys.executable}" -m pip install "torch==2.13.0"'


def test_a_package_that_is_too_old_is_a_problem(installed: dict[str, str]) -> None:
    installed.update(torch="1.13.1", numpy="1.9")
    with pytest.raises(EnvironmentProblem, match=r"torch is version 1\.13\.1, and the course needs >=") as caught:
        check_environment("torch", "numpy")
    assert '"torch==2.13.0" "numpy>=' in str(caught.value), "one command mends both"


def test_another_version_than_the_pinned_one_is_only_mentioned(
    installed: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    installed["torch"] = "2.14.1+cpu"
    check_environment("torch")
    assert "torch is version 2.14.1, and the course was checked with 2.13.0" in capsys.readouterr().out
    installed["torch"] = "2.13.0+cpu"
    check_environment("torch")
    assert "checked with" not in capsys.readouterr().out


def test_a_wrong_python_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment.platform, "python_version", lambda: "3.9.2")
    with pytest.raises(EnvironmentProblem, match=r"runs on Python 3\.9\.2, and the course needs .*>=3\.11"):
        check_environment("torch")


def test_pins_are_those_of_the_course(tmp_path: Path) -> None:
    pins = environment.pinned_versions(ROOT)
    assert str(pins["torch"]) in (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert environment.pinned_versions(tmp_path) == {}


@pytest.mark.parametrize("path", sorted(ROOT.glob("exercises/*/*.ipynb")), ids=lambda path: path.stem)
def test_without_the_library_the_first_cell_says_how_to_get_it(path: Path) -> None:
    first = next(cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code")
    # Plain Python has no %pip; that line is for Colab only.
    source = "import sys; sys.modules['course_lib'] = None\n" + first.source.replace("%pip", "pass  #")
    result = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    address = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]["url"]
    assert "The course's library is not installed in the Python of this notebook." in result.stderr
    assert f'-m pip install "git+{address}"' in result.stderr
    assert f'%pip install --quiet "git+{address}"' in first.source

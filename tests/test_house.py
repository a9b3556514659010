"""The house stands as it is drawn: its floors, its top level, its quick door."""

import os
import re
import subprocess
import sys
from importlib.metadata import requires, version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")
TOP_LEVEL = {
    *("README.md", "Makefile", "LICENSE", "CONTRIBUTING.md", "CHANGELOG.md", ".gitignore"),
    *("requirements.txt", "requirements-data.txt", "pyproject.toml", "_config.yml", "_toc.yml", "nbgrader_config.py"),
    *("book", "course_lib", "exercises", "solutions", "tests", "benchmarks", "binder", ".ci", ".github"),
}


def tracked():
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return listing.stdout.splitlines()


def test_the_top_level_is_the_plan_and_no_more():
    assert {path.split("/")[0] for path in tracked()} == TOP_LEVEL


def test_the_floors_hold():
    result = subprocess.run([LINT_IMPORTS], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_a_room_that_reaches_upwards_is_found(tmp_path):
    """The contract of the floors is not an empty promise."""
    subprocess.run(["cp", "-r", ROOT / "course_lib", ROOT / "pyproject.toml", tmp_path], check=True)
    with (tmp_path / "course_lib" / "text" / "windows.py").open("a") as file:
        file.write("\nimport course_lib.train.trainer\n")
    result = subprocess.run(
        [LINT_IMPORTS, "--no-cache"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert result.returncode != 0 and "course_lib.text is not allowed to import course_lib.train" in result.stdout


@pytest.mark.parametrize("module", ["course_lib", "course_lib.grading", "course_lib.storage"])
def test_light_rooms_import_no_torch(module):
    code = (
        f"import sys, {module}; sys.exit(', '.join({{'torch', 'transformers', 'datasets'}} & set(sys.modules)) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_direct_dependency_is_pinned_exactly_and_installed():
    for file in ("requirements.txt", "requirements-data.txt"):
        for line in (ROOT / file).read_text().splitlines():
            line = line.split("#")[0].strip()
            if line:
                name, pin = line.split("==")
                assert version(name).split("+")[0] == pin, name  # torch 2.13.0+cpu is torch 2.13.0
    assert "torch==2.13.0" in (ROOT / "requirements.txt").read_text()


def test_the_package_asks_for_nothing_that_is_not_pinned():
    pinned = {line.split("==")[0] for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line}
    assert {re.split(r"[<>=~! ]", requirement)[0] for requirement in requires("course_lib")} <= pinned


def test_ci_calls_the_two_commands_of_the_readme():
    readme, ci = (ROOT / "README.md").read_text(), (ROOT / ".ci" / "run").read_text()
    for command in ("make book", "make test"):
        assert command in readme
        assert re.search(rf"^{command}$", ci, re.MULTILINE), f"{command} is not a line of .ci/run"
    for workflow in (ROOT / ".github" / "workflows").glob("*.yml"):
        runs = re.findall(r"^\s*(?:- )?run: (.+)$", workflow.read_text(), re.MULTILINE)
        assert runs and all(run.startswith(("make ", "sudo apt-get ")) for run in runs), (workflow.name, runs)


def test_no_placeholder_is_left_in_the_readme():
    assert not re.findall(r"^[A-Z]+$|TODO|FIXME", (ROOT / "README.md").read_text(), re.MULTILINE)


def test_every_make_target_of_the_readme_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in ("README.md", "CONTRIBUTING.md"):
        named = set(re.findall(r"`?make ([a-z-]+)", (ROOT / document).read_text()))
        assert named <= targets, (document, named - targets)


def test_no_machines_path_and_no_registry_host_is_written_anywhere():
    machine = [str(ROOT), str(Path.home()), sys.base_prefix]
    hosts = ["pypi" + ".org/simple", "files" + ".pythonhosted", "registry" + ".npmjs"]
    forbidden = re.compile("|".join(map(re.escape, machine + hosts)))
    for path in tracked():
        file = ROOT / path
        if file.suffix in {".svg", ".png", ".woff2"} or not file.is_file() or file == Path(__file__):
            continue
        found = forbidden.search(file.read_text("utf-8"))
        assert not found, f"{path}: {found.group()}"

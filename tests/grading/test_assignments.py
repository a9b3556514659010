"""Every assignment: what its notebook promises, its student's version, and how its tests judge planted answers."""

import ast
import json
import re
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from course_lib.grading.answers import filled, read_bank, tasks
from course_lib.grading.course import GradingError, assignments
from tests.grading.conftest import ROOT, Run

NAMES = assignments(ROOT)
WORDS = re.compile(r"^\*\*(\d+) points · (★+) · (\d+) minutes\*\*", re.MULTILINE)


def read(folder: str, name: str) -> NotebookNode:
    return nbformat.read(ROOT / folder / name / f"{name}.ipynb", as_version=4)


def graded(notebook: NotebookNode, **flags: bool) -> dict[str, NotebookNode]:
    """Cells that nbgrader knows, by id; only those whose nbgrader metadata has these flags."""
    return {
        cell.metadata.nbgrader.grade_id: cell
        for cell in notebook.cells
        if "nbgrader" in cell.metadata and all(cell.metadata.nbgrader[flag] == on for flag, on in flags.items())
    }


def names_in(source: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}


@pytest.mark.parametrize("name", NAMES)
def test_every_task_says_its_points_difficulty_and_minutes(name: str) -> None:
    notebook = read("solutions", name)
    stated: list[tuple[int, str, int]] = []
    points: list[float] = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("## Task "):
            words = WORDS.search(cell.source)
            assert words, f"{cell.source.splitlines()[0]} does not say its points, difficulty and minutes"
            stated.append((int(words[1]), words[2], int(words[3])))
            points.append(0)
        elif cell.metadata.get("nbgrader", {}).get("grade"):
            points[-1] += cell.metadata.nbgrader["points"]
    assert [task[0] for task in stated] == points
    table = re.findall(r"^\| \d · .+ \| (\d+) \| (★+) \| (\d+) \|$", notebook.cells[0].source, re.MULTILINE)
    assert [(int(p), stars, int(m)) for p, stars, m in table] == stated
    minutes = sum(task[2] for task in stated)
    assert 60 <= minutes <= 120
    assert f"| **{int(sum(points))}** | | **{minutes}** |" in notebook.cells[0].source
    assert 4 <= len(tasks(notebook)) <= 8
    assert sum(cell.cell_type == "markdown" for cell in graded(notebook, grade=True).values()) == 1


@pytest.mark.parametrize("name", NAMES)
def test_tasks_do_not_need_one_another(name: str) -> None:
    notebook = read("solutions", name)
    for task in tasks(notebook):
        for grade_id, cell in graded(notebook).items():
            if cell.cell_type == "code" and cell.metadata.nbgrader.locked and not cell.metadata.nbgrader.grade:
                continue
            if cell.cell_type == "code" and grade_id != task and not grade_id.startswith(f"{task}_test"):
                assert task not in names_in(cell.source), f"{grade_id} uses the answer to {task}"


@pytest.mark.parametrize("name", NAMES)
def test_checks_judge_values_only(name: str) -> None:
    forbidden = {"isinstance", "type", "id", "capsys", "redirect_stdout", "StringIO", "get_ipython", "inspect"}
    for grade_id, cell in graded(read("solutions", name), grade=True, solution=False).items():
        assert not forbidden & names_in(cell.source), f"{grade_id}: a check compares values (DESIGN)"
        assert "BEGIN HIDDEN TESTS" in cell.source, f"{grade_id} has no hidden tests"


@pytest.mark.parametrize("name", NAMES)
def test_student_version_gives_nothing_away(name: str) -> None:
    text = (ROOT / "exercises" / name / f"{name}.ipynb").read_text(encoding="utf-8")
    for secret in ("SOLUTION", "HIDDEN TESTS", "MARK SCHEME", "REPOSITORY_URL"):
        assert secret not in text
    notebook = read("exercises", name)
    assert all(not cell.outputs and cell.execution_count is None for cell in notebook.cells if "outputs" in cell)
    for grade_id, cell in graded(notebook, solution=True).items():
        stub = "raise NotImplementedError" if cell.cell_type == "code" else "YOUR ANSWER HERE"
        assert stub in cell.source, f"{grade_id} has no stub"
    ids = [cell.id for cell in read("solutions", name).cells]
    assert [cell.id for cell in notebook.cells] == ids
    assert len(set(ids)) == len(ids)


@pytest.mark.slow
def test_student_versions_are_in_step_with_the_solutions(run: Run) -> None:
    result = run("python", "-m", "course_lib.grading", "release", "--check")
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name", NAMES)
def test_bank_has_enough_answers(name: str) -> None:
    bank = read_bank(ROOT / "tests" / "answers" / name)
    assert bank.keys() == tasks(read("solutions", name)).keys()
    for task, answers in bank.items():
        assert sum(answer.kind == "wrong" for answer in answers) >= 5, task
        right = [answer.source for answer in answers if answer.kind == "right"]
        assert len(right) >= 2, task
        assert any(re.search("stderr|logging|warn|tqdm", source) for source in right), f"{task}: none is noisy"


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_nbgrader_judges_the_bank_rightly(name: str, run: Run) -> None:
    """The untouched release earns nothing, the solution everything; wrong answers lose, other right ones do not."""
    result = run("python", "-m", "course_lib.grading", "judge", name, "--json")
    assert result.returncode == 0, result.stderr
    verdicts = json.loads(result.stdout)
    bank = read_bank(ROOT / "tests" / "answers" / name)
    points = tasks(read("solutions", name))
    assert len(verdicts) == 2 * len(points) + sum(len(answers) for answers in bank.values())
    for verdict in verdicts:
        right = verdict["kind"] in ("solution", "right")
        assert verdict["points"] == points[verdict["task"]]
        if verdict["kind"] == "wrong":
            assert verdict["score"] < verdict["points"], verdict
        else:
            assert verdict["score"] == (verdict["points"] if right else 0), verdict


@pytest.mark.slow
def test_validate_tells_a_student_in_words_what_is_wrong(course: Path, run: Run) -> None:
    bank = read_bank(ROOT / "tests" / "answers" / "transformer")
    chosen = {
        "soft_capped_attention": ("the softmax runs over the queries", "sum to 1; row 0 sums to"),
        "rotate_interleaved": ("the half-split layout", "That is the half-split layout"),
        "count_cost": ("fewer scores because key-value heads are shared", "All n_head query"),
        "to_half_split": ("the way back", "This is the way back"),
    }
    answers = {
        task: next(answer.source for answer in bank[task] if answer.title == title)
        for task, (title, _) in chosen.items()
    }
    nbformat.write(filled(read("exercises", "transformer"), answers), course / "transformer.ipynb")
    result = run("nbgrader", "validate", "transformer.ipynb", folder=course)
    assert "VALIDATION FAILED ON" in result.stdout
    errors = [" ".join(part.split("=====")[0].split()) for part in result.stdout.split("The error was:")[1:]]
    for _, words in chosen.values():
        assert any(words in error for error in errors), f"{words!r} is not among {errors}"
    assert sum("Put your answer in place of this line." in error for error in errors) == 4, "tasks not begun"


@pytest.mark.slow
def test_validate_finds_nothing_wrong_with_right_answers(course: Path, run: Run) -> None:
    solution = read("solutions", "transformer")
    answers = {grade_id: cell.source for grade_id, cell in graded(solution, solution=True).items()}
    nbformat.write(filled(read("exercises", "transformer"), answers), course / "transformer.ipynb")
    result = run("nbgrader", "validate", "transformer.ipynb", folder=course)
    assert "Success! Your notebook passes all the tests." in result.stdout, result.stdout


def test_a_bank_with_an_unknown_header_is_refused(tmp_path: Path) -> None:
    (tmp_path / "task.py").write_text("# %% wrong: a\nx = 1\n# %% rihgt: b\nx = 2\n", encoding="utf-8")
    with pytest.raises(GradingError, match=r"task\.py has a cell whose header is not"):
        read_bank(tmp_path)

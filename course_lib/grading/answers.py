"""The answers bank: planted wrong and other right answers, judged by nbgrader's own autograder.

`tests/answers/NAME/TASK.py` holds answers to one task of an assignment, in cells of the percent format:

    # %% wrong: the mask is applied after the softmax
    def attention(query, key, value, mask): ...

    # %% right: with einsum
    def attention(query, key, value, mask): ...

A cell replaces the student's whole solution cell. What stands before the first header belongs to no answer.
Every wrong answer must lose points on its task, every other right one must keep them all.
"""

import json
import re
import tempfile
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from course_lib.grading.course import GradingError, require_assignment
from course_lib.grading.grade import enter_assignment, grade_one
from course_lib.grading.release import student_version

HEADER = re.compile(r"^# %% (wrong|right): (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Answer:
    """An answer of the bank: its task, whether it is "wrong" or "right", what is special about it, its code."""

    task: str
    kind: str
    title: str
    source: str


@dataclass(frozen=True)
class Verdict:
    """What nbgrader gave for an answer, and whether that is as it should be."""

    task: str
    kind: str
    title: str
    score: float
    points: float

    @property
    def just(self) -> bool:
        """A wrong answer loses points, a right one keeps them all, and the untouched release earns none."""
        if self.kind == "release":
            return self.score == 0
        return (self.score < self.points) == (self.kind == "wrong")


def read_bank(folder: Path) -> dict[str, list[Answer]]:
    """The answers of every task of an assignment, by task.

    Args:
        folder: `tests/answers/NAME`.

    Raises:
        GradingError: If a file has a cell whose header is neither `# %% wrong: …` nor `# %% right: …`.
    """
    bank: dict[str, list[Answer]] = {}
    for path in sorted(folder.glob("*.py")):
        text = path.read_text(encoding="utf-8")
        parts = HEADER.split(text)
        if len(re.findall(r"^# %%", text, re.MULTILINE)) != (len(parts) - 1) // 3:
            raise GradingError(f"{path.name} has a cell whose header is not `# %% wrong: …` or `# %% right: …`.")
        bank[path.stem] = [
            Answer(path.stem, kind, title.strip(), source.strip())
            for kind, title, source in zip(parts[1::3], parts[2::3], parts[3::3], strict=True)
        ]
    return bank


def tasks(notebook: NotebookNode) -> dict[str, float]:
    """The autograded tasks of an assignment and their points.

    A task is a solution cell; its test cells are those whose id is its own followed by `_test` and anything.
    """
    cells = {cell.metadata.nbgrader["grade_id"]: cell for cell in notebook.cells if "nbgrader" in cell.metadata}
    solutions = [
        name for name, cell in cells.items() if cell.metadata.nbgrader["solution"] and cell.cell_type == "code"
    ]
    return {
        task: sum(
            float(cell.metadata.nbgrader["points"])
            for name, cell in cells.items()
            if name.startswith(f"{task}_test") and cell.metadata.nbgrader["grade"]
        )
        for task in solutions
    }


def filled(release: NotebookNode, answers: dict[str, str]) -> NotebookNode:
    """A copy of the student's version with the given sources in its solution cells, by task."""
    notebook = nbformat.from_dict(json.loads(json.dumps(release)))
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name in answers:
            cell.source = answers[name]
    return notebook


def judge(root: Path, name: str) -> list[Verdict]:
    """Grade the bank of an assignment, its solution and its untouched release with nbgrader's own autograder.

    As tasks do not depend on one another, a submission carries one answer for each: the first wrong one of
    every task, the second, and so on; a task that has no more is left untouched.

    Args:
        root: The course's folder.
        name: The assignment.

    Returns:
        A verdict for every answer, and for the release and the solution on every task.

    Raises:
        GradingError: If the bank has no file for a task, or a file for none, or a submission is not graded.
    """
    require_assignment(root, name)
    release = nbformat.reads(student_version(root, name)[f"{name}.ipynb"].decode(), as_version=4)
    solution = nbformat.read(root / "solutions" / name / f"{name}.ipynb", as_version=4)
    points = tasks(solution)
    bank = read_bank(root / "tests" / "answers" / name)
    if bank.keys() != points.keys():
        raise GradingError(
            f"tests/answers/{name} has answers for {sorted(bank)}, and the autograded tasks are {sorted(points)}."
        )
    submissions: dict[str, list[Answer]] = {
        "release": [Answer(task, "release", "the untouched release", "") for task in points],
        "solution": [
            Answer(cell.metadata.nbgrader["grade_id"], "solution", "the solution", cell.source)
            for cell in solution.cells
            if cell.metadata.get("nbgrader", {}).get("grade_id") in points
        ],
    }
    for kind in ("wrong", "right"):
        columns = zip_longest(*([answer for answer in bank[task] if answer.kind == kind] for task in points))
        for number, column in enumerate(columns, start=1):
            submissions[f"{kind}-{number}"] = [answer for answer in column if answer is not None]
    verdicts = []
    with tempfile.TemporaryDirectory() as folder:
        for student, answers in submissions.items():
            path = Path(folder, "submitted", student, name, f"{name}.ipynb")
            path.parent.mkdir(parents=True)
            sources = {answer.task: answer.source for answer in answers if answer.source}
            nbformat.write(filled(release, sources), path)
        course = enter_assignment(root, name, root=folder, source_directory=str(root / "solutions"))
        for student, answers in submissions.items():
            grade = grade_one(course, name, student)
            if grade.note:
                raise GradingError(f"The submission {student} was not graded: {grade.note}")
            for answer in answers:
                score = sum(n for cell, n in grade.scores.items() if cell.startswith(f"{answer.task}_test"))
                verdicts.append(Verdict(answer.task, answer.kind, answer.title, score, points[answer.task]))
    return verdicts

"""Grading what lies in `submitted/`: autograde, feedback as HTML, grades as CSV, one submission at a time."""

import csv
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps import NbGraderAPI

from course_lib.grading.course import GradingError, open_course, require_assignment, run


@dataclass
class Grade:
    """What one student earned.

    Attributes:
        student: The student's id, which is the name of the folder in `submitted/`.
        scores: Points by grade cell, in the order of the notebook.
        max_score: Points of the whole assignment.
        waits: Whether a written answer still waits for a person.
        note: Why the submission could not be graded; empty if it was.
    """

    student: str
    scores: dict[str, float] = field(default_factory=dict)
    max_score: float = 0.0
    waits: bool = False
    note: str = ""

    @property
    def score(self) -> float:
        return sum(self.scores.values())


def students(root: Path, name: str) -> list[str]:
    """The students who handed in an assignment.

    Raises:
        GradingError: If nobody did.
    """
    where = f"submitted/STUDENT/{name}/{name}.ipynb"
    if not (root / "submitted").is_dir():
        raise GradingError(f"There is no folder submitted/ here: put each student's notebook at {where}.")
    found = sorted(path.parent.name for path in root.glob(f"submitted/*/{name}") if path.is_dir())
    if not found:
        raise GradingError(f"Nobody has handed in {name}: each student's notebook belongs at {where}.")
    return found


def unreadable(path: Path) -> str:
    """Why a submitted notebook cannot be graded, in a sentence; empty if it can be read."""
    if not path.is_file():
        others = sorted(other.name for other in path.parent.glob("*.ipynb"))
        return f"There is no {path.name} in this submission" + (f", only {', '.join(others)}." if others else ".")
    try:
        nbformat.read(path, as_version=4)
    except Exception as error:
        # Strangers' files fail in more ways than nbformat has exceptions for; each is this student's alone.
        return f"{path.name} cannot be read as a notebook: {str(error).splitlines()[0][:200]}"
    return ""


def enter_assignment(root: Path, name: str, /, **directories: str) -> NbGraderAPI:
    """The course, with the assignment as it is now in its gradebook; `exercises/` is left alone.

    Raises:
        GradingError: If the gradebook does not accept the assignment.
    """
    with tempfile.TemporaryDirectory() as folder:
        course = open_course(root, release_directory=folder, **directories)
        reason = run(course.generate_assignment(name))
    if reason is not None:
        raise GradingError(f"nbgrader could not enter {name} into the gradebook: {reason}")
    return course


def grade_one(course: NbGraderAPI, name: str, student: str) -> Grade:
    """Autograde one submission and read what it earned from the gradebook; a failure counts zero."""
    submitted = course.coursedir.format_path(course.coursedir.submitted_directory, student, name)
    note = unreadable(Path(submitted, f"{name}.ipynb"))
    if not note:
        reason = run(course.autograde(name, student))
        note = f"nbgrader could not grade it; a person must look at it: {reason}" if reason else ""
    with Gradebook(course.coursedir.db_url, course.coursedir.course_id) as gradebook:
        notebook = gradebook.find_notebook(name, name)
        grade = Grade(student, {cell.name: 0.0 for cell in notebook.grade_cells}, notebook.max_score, note=note)
        try:
            submission = gradebook.find_submission_notebook(name, name, student)
        except MissingEntry:
            return grade
        for entry in submission.grades:
            if note:
                # As nbgrader does for a missing notebook; otherwise points of an earlier version would stay.
                entry.auto_score, entry.needs_manual_grade = 0, False
            grade.scores[entry.name] = entry.score or 0.0
        gradebook.db.commit()
        grade.waits = any(entry.needs_manual_grade for entry in submission.grades)
    return grade


def write_grades(path: Path, name: str, grades: list[Grade]) -> None:
    """Write grades as CSV: a row per student, a column per task, and a note where something went wrong."""
    tasks = list(grades[0].scores)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".tmp")
    with draft.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["assignment", "student", "score", "max_score", "waits_for_a_person", "note", *tasks])
        for grade in grades:
            waits = "yes" if grade.waits else "no"
            scores = [grade.scores[task] for task in tasks]
            rows.writerow([name, grade.student, grade.score, grade.max_score, waits, grade.note, *scores])
    os.replace(draft, path)


def grade(root: Path, name: str) -> Iterator[Grade]:
    """Grade every submission of an assignment anew, with nbgrader's own autograder.

    One that fails counts zero, with a note, and stops no other. Feedback goes to
    `feedback/STUDENT/NAME/NAME.html`, the grades of all to `grades/NAME.csv` when the last one is done.

    Args:
        root: The course's folder.
        name: The assignment.

    Yields:
        Each student's grade, as soon as it is known.

    Raises:
        GradingError: If there is no such assignment, or nobody handed it in.
    """
    require_assignment(root, name)
    handed_in = students(root, name)
    course = enter_assignment(root, name)
    grades: list[Grade] = []
    for student in handed_in:
        result = grade_one(course, name, student)
        # Nobody should read the feedback to an earlier version.
        shutil.rmtree(root / "feedback" / student / name, ignore_errors=True)
        if not result.note:
            reason = run(course.generate_feedback(name, student))
            result.note = f"nbgrader could not write the feedback: {reason}" if reason else ""
        grades.append(result)
        yield result
    write_grades(root / "grades" / f"{name}.csv", name, grades)

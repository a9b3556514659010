"""Grading from end to end, as an instructor does it: submissions in, grades and feedback out."""

import csv
import re
import sys
from pathlib import Path

import nbformat
import pytest

from course_lib.grading.__main__ import main
from course_lib.grading.answers import filled, read_bank
from tests.grading.conftest import ROOT, Run


def submit(course: Path, student: str, text: str, file: str = "transformer.ipynb") -> None:
    path = course / "submitted" / student / "transformer" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.mark.slow
def test_submissions_become_grades_and_feedback(course: Path, run: Run) -> None:
    release = nbformat.read(course / "exercises/transformer/transformer.ipynb", as_version=4)
    bank = read_bank(ROOT / "tests" / "answers" / "transformer")
    mixed = {task: next(a.source for a in bank[task] if a.kind == "right") for task in bank}
    mixed["sink_window_mask"] = next(a.source for a in bank["sink_window_mask"] if "visible example" in a.title)
    mixed["in_your_own_words"] = "A third of the cache is read in each step."
    good = nbformat.writes(filled(release, mixed))
    submit(course, "ada", good)
    submit(course, "broken", '{"cells": [')
    submit(course, "renamed, in haste", good, "transformer (1).ipynb")
    # A student copies a test cell, to play with it.
    copied = filled(release, mixed)
    copy = next(cell for cell in copied.cells if cell.id == "nucleus-test").copy()
    copy.id = "a-copy"
    copied.cells.append(copy)
    submit(course, "zoë", nbformat.writes(copied))

    result = run("python", "-m", "course_lib.grading", "grade", "transformer", folder=course)
    assert result.returncode == 0, result.stderr
    assert "ada: 19 of 24; a written answer waits for a person" in result.stdout
    assert "2 could not be graded and count zero" in result.stderr

    with (course / "grades/transformer.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["ada", "broken", "renamed, in haste", "zoë"]
    assert {student: float(row["score"]) for student, row in rows.items()} == {
        "ada": 19,
        "broken": 0,
        "renamed, in haste": 0,
        "zoë": 19,
    }
    assert all(float(row["max_score"]) == 24 for row in rows.values())
    assert float(rows["ada"]["sink_window_mask_test"]) == 0
    assert float(rows["ada"]["count_cost_test"]) == 4
    assert [row["waits_for_a_person"] for row in rows.values()] == ["yes", "no", "no", "yes"]
    assert rows["ada"]["note"] == rows["zoë"]["note"] == ""
    assert rows["broken"]["note"].startswith("transformer.ipynb cannot be read as a notebook")
    assert rows["renamed, in haste"]["note"] == (
        "There is no transformer.ipynb in this submission, only transformer (1).ipynb."
    )

    feedback = (course / "feedback/ada/transformer/transformer.html").read_text(encoding="utf-8")
    assert "Score: 19.0 / 24.0" in feedback
    assert "has the shape (6, 6), and (1, 1) is right" in " ".join(feedback.split()), (
        "the feedback says what is wrong"
    )
    assert "HIDDEN TESTS" not in feedback, "nor the tests that found it"
    assert "Mark scheme" not in feedback
    assert not (course / "feedback/broken").exists()
    assert "Mark scheme" in (course / "autograded/ada/transformer/transformer.ipynb").read_text(encoding="utf-8")

    # nbgrader's own commands read the same configuration: they make the same release, and grade alike.
    made = run("nbgrader", "generate_assignment", "transformer", "--force", folder=course)
    assert made.returncode == 0, made.stderr
    again = (course / "exercises/transformer/transformer.ipynb").read_bytes()
    assert again == (ROOT / "exercises/transformer/transformer.ipynb").read_bytes()
    regraded = run("nbgrader", "autograde", "transformer", "--student=ada", "--force", folder=course)
    assert regraded.returncode == 0, regraded.stderr
    exported = run("nbgrader", "export", "--to=all.csv", folder=course)
    assert exported.returncode == 0, exported.stderr
    assert re.search(r"^transformer,.*,ada,.*,19\.0,24\.0$", (course / "all.csv").read_text(), re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["grade", "transformer"], "There is no folder submitted/ here"),
        (["grade", "poetry"], r"There is no assignment called 'poetry' in solutions/\. There is: .*transformer"),
        (["grade", ""], "Say which assignment: make grade ASSIGNMENT=NAME"),
        (["judge", "poetry"], "There is no assignment called 'poetry'"),
    ],
)
def test_mistakes_are_answered_in_a_sentence(
    course: Path,
    arguments: list[str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(course)
    monkeypatch.setattr(sys, "argv", ["grading", *arguments])
    assert main() == 1
    assert re.match(words, capsys.readouterr().err)


def test_no_submission_for_this_assignment_is_said(
    course: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (course / "submitted" / "ada" / "poetry").mkdir(parents=True)
    monkeypatch.chdir(course)
    monkeypatch.setattr(sys, "argv", ["grading", "grade", "transformer"])
    assert main() == 1
    assert capsys.readouterr().err == (
        "Nobody has handed in transformer: each student's notebook belongs at "
        "submitted/STUDENT/transformer/transformer.ipynb.\n"
    )


def test_another_folder_than_the_course_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["grading", "grade", "transformer"])
    assert main() == 1
    assert "run this from the course's own folder" in capsys.readouterr().err

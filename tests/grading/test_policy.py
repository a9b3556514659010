"""Outputs of a test cell become points by nbgrader's own rules, without their traps."""

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook, new_output
from nbgrader.utils import determine_grade

from course_lib.grading.policy import ScorePolicy

WARNING = new_output("stream", name="stderr", text="UserWarning: slow\n")
FAILURE = new_output("error", ename="CheckFailed", evalue="Not yet", traceback=["Not yet"])


def score(text: str) -> NotebookNode:
    return new_output("execute_result", data={"text/plain": text}, execution_count=1)


def graded(source: str, *outputs: NotebookNode, points: float = 4, executed: bool = True) -> tuple[float, str]:
    """Points that nbgrader gives for an executed test cell after the policy, and the text of its outputs."""
    cell = new_code_cell(
        source, outputs=[output.copy() for output in outputs], execution_count=1 if executed else None
    )
    cell.metadata["nbgrader"] = {"grade": True, "solution": False, "grade_id": "task_test", "points": points}
    notebook, _ = ScorePolicy().preprocess(new_notebook(cells=[cell]), {})
    (cell,) = notebook.cells
    text = " ".join(output.get("text", "") + output.get("evalue", "") for output in cell.outputs)
    return determine_grade(cell)[0], text


def test_a_warning_costs_nothing_and_is_kept_for_the_feedback() -> None:
    assert graded("expect(f(1) == 1, 'no')", WARNING) == (4, "UserWarning: slow\n")
    assert graded("assert f(1) == 1") == (4, "")


def test_a_failed_check_costs_the_points_with_or_without_a_warning() -> None:
    assert graded("assert f(1) == 1", WARNING, FAILURE)[0] == 0
    assert graded("score", FAILURE)[0] == 0


@pytest.mark.parametrize(("text", "points"), [("0", 0), ("2.5", 2.5), ("4", 4), ("np.float64(2)", 0)])
def test_partial_credit_is_the_number_that_came_back(text: str, points: float) -> None:
    assert graded("score = 1\nscore", WARNING, score(text))[0] == points


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "4.5", "tensor(2.)", "True", "''", ""])
def test_an_impossible_score_counts_zero_with_the_reason(text: str) -> None:
    points, words = graded("score", score(text))
    assert points == 0
    assert words.startswith("The score of this test is")


def test_a_score_that_does_not_come_back_counts_zero() -> None:
    assert graded("score = 3\nscore") == (0, "This test gives partial credit, but no score came back.")


def test_a_test_that_was_not_executed_counts_zero() -> None:
    assert graded("assert True", executed=False) == (0, "This test was not executed.")


def test_other_cells_are_left_alone() -> None:
    cells = [
        new_code_cell("f(1)", outputs=[WARNING.copy()]),
        new_code_cell("def f(x): ...", outputs=[WARNING.copy()]),
    ]
    cells[1].metadata["nbgrader"] = {"grade": False, "solution": True, "grade_id": "task"}
    notebook, _ = ScorePolicy().preprocess(new_notebook(cells=cells), {})
    assert [cell.outputs[0].name for cell in notebook.cells] == ["stderr", "stderr"]

"""How the outputs of a test cell become points: nbgrader's rules, without their traps.

Stock nbgrader takes every point from a right answer that prints a warning, and gives every point for a partial
score that is negative, not a number, or not there. `ScorePolicy` is an ordinary nbgrader preprocessor that puts
this right between the execution of a notebook and the saving of its scores (see `nbgrader_config.py`).
"""

import ast
import math

from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader import utils
from nbgrader.preprocessors import DeduplicateIds, NbGraderPreprocessor
from traitlets import Unicode


def ends_with_value(source: str) -> bool:
    """Whether a test cell gives partial credit: it ends with an expression that is not just a call."""
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return False
    return bool(body) and isinstance(body[-1], ast.Expr) and not isinstance(body[-1].value, ast.Call)


def refuse_score(cell: NotebookNode) -> str | None:
    """Why the result of an executed test cell cannot be counted; None if it can.

    Args:
        cell: A code cell with its outputs and, in its nbgrader metadata, its points.

    Returns:
        A sentence, or None for a cell that failed (an honest zero), passed, or earned a part of its points.
    """
    if any(output.output_type == "error" for output in cell.outputs):
        return None
    if cell.execution_count is None:
        return "This test was not executed."
    results = [output for output in cell.outputs if output.output_type == "execute_result"]
    if not results:
        missing = ends_with_value(cell.source)
        return "This test gives partial credit, but no score came back." if missing else None
    text = results[0].get("data", {}).get("text/plain", "")
    points = float(cell.metadata.nbgrader["points"])
    try:
        score = float(text)
    except ValueError:
        return f"The score of this test is {text[:80]!r}, which is not a number."
    if math.isnan(score) or not 0 <= score <= points:
        return f"The score of this test is {score:g}, which is not between 0 and {points:g}."
    return None


class ScorePolicy(NbGraderPreprocessor):
    """Between execution and scoring: what stderr says costs nothing, and an impossible score counts zero."""

    def preprocess_cell(
        self, cell: NotebookNode, resources: ResourcesDict, cell_index: int
    ) -> tuple[NotebookNode, ResourcesDict]:
        if cell.cell_type != "code" or not utils.is_grade(cell) or utils.is_solution(cell):
            return cell, resources
        for output in cell.outputs:
            if output.output_type == "stream" and output.name == "stderr":
                # nbgrader counts stderr of a test cell as a failure; the text itself is kept for the feedback.
                output.name = "stdout"
        reason = refuse_score(cell)
        if reason is not None:
            self.log.warning("Cell %s counts zero: %s", cell.metadata.nbgrader["grade_id"], reason)
            cell.outputs = [new_output("error", ename="NoScore", evalue=reason, traceback=[reason])]
        return cell, resources


class ForgetCopies(DeduplicateIds):
    """A copied cell is no test and no answer any more: of several copies nbgrader counts the last.

    nbgrader leaves the others with empty metadata, over which its own later steps stumble.
    """

    def preprocess_cell(
        self, cell: NotebookNode, resources: ResourcesDict, cell_index: int
    ) -> tuple[NotebookNode, ResourcesDict]:
        cell, resources = super().preprocess_cell(cell, resources, cell_index)
        if cell.metadata.get("nbgrader") == {}:
            del cell.metadata["nbgrader"]
        return cell, resources


class FillRepository(NbGraderPreprocessor):
    """Puts the address of the course's repository into a released notebook, wherever it says REPOSITORY_URL."""

    url = Unicode("", help="Address of the repository, from _config.yml").tag(config=True)

    def preprocess_cell(
        self, cell: NotebookNode, resources: ResourcesDict, cell_index: int
    ) -> tuple[NotebookNode, ResourcesDict]:
        cell.source = cell.source.replace("REPOSITORY_URL", self.url)
        return cell, resources

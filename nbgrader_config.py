"""How nbgrader works in this course; every `nbgrader` command that is run from this folder reads it.

solutions/NAME/NAME.ipynb is the only source of an assignment, exercises/NAME/NAME.ipynb is made from it, and
submitted/STUDENT/NAME/NAME.ipynb is what comes back. `make grade ASSIGNMENT=NAME` does the rest.
"""

import os
import sys
from pathlib import Path

import yaml

c = get_config()  # noqa: F821  (nbgrader provides it)

c.CourseDirectory.course_id = "mini-gpt"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"

# The student's version: what stands in place of a solution, and the address for those who lack the library.
c.ClearSolutions.code_stub = {
    "python": '# YOUR CODE HERE\nraise NotImplementedError("Put your answer in place of this line.")'
}
c.ClearSolutions.text_stub = "YOUR ANSWER HERE"
# A mark scheme stands in a locked cell after the written answer: only graders get it back.
c.ClearMarkScheme.enforce_metadata = False
config_file = Path(__file__).with_name("_config.yml")
c.FillRepository.url = yaml.safe_load(config_file.read_text(encoding="utf-8"))["repository"]["url"]
c.GenerateAssignment.preprocessors = [
    "course_lib.grading.policy.FillRepository",
    "nbgrader.preprocessors.LockCells",
    "nbgrader.preprocessors.ClearSolutions",
    "nbgrader.preprocessors.ClearOutput",
    "nbgrader.preprocessors.CheckCellMetadata",
    "nbgrader.preprocessors.ComputeChecksums",
    "nbgrader.preprocessors.SaveCells",
    "nbgrader.preprocessors.ClearHiddenTests",
    "nbgrader.preprocessors.ClearMarkScheme",
    "nbgrader.preprocessors.ComputeChecksums",
    "nbgrader.preprocessors.CheckCellMetadata",
]

# Execution: a cell may take a minute; a test cell that a student deleted comes back, a copied one does not count.
c.Execute.timeout = 60
c.Execute.shutdown_kernel = "immediate"
c.Execute.extra_arguments = ["--log-level=ERROR"]  # a kernel warns of its sockets, on every start
c.OverwriteCells.add_missing_cells = True
c.Autograde.sanitize_preprocessors = [
    "nbgrader.preprocessors.ClearOutput",
    "course_lib.grading.policy.ForgetCopies",
    "nbgrader.preprocessors.OverwriteKernelspec",
    "nbgrader.preprocessors.OverwriteCells",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.Autograde.autograde_preprocessors = [
    "nbgrader.preprocessors.Execute",
    "course_lib.grading.policy.ScorePolicy",
    "nbgrader.preprocessors.IgnorePattern",
    "nbconvert.preprocessors.ClearMetadataPreprocessor",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]

# Feedback goes to the student: without the hidden tests and the mark schemes that grading put back.
c.GenerateFeedback.preprocessors = [
    "nbgrader.preprocessors.GetGrades",
    "nbgrader.preprocessors.ClearHiddenTests",
    "nbgrader.preprocessors.ClearMarkScheme",
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
]

# The kernels of a grading run inherit this. Jupyter reads this file too, and must not hand it on to the
# reader's own notebooks, which may reach the hub and show their progress.
if {"nbgrader", "grading"} & set(Path(sys.argv[0]).parts[-2:]):
    kernel_environment = {
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "TQDM_DISABLE": "1",
        "PYTHONWARNINGS": "ignore",
        "HF_HUB_OFFLINE": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    for name, value in kernel_environment.items():
        os.environ.setdefault(name, value)
    # nbgrader makes its database with the `alembic` that lies beside this Python.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])

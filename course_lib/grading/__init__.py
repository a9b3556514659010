"""What students and instructors need around the assignments; it imports none of the models.

For the student: `check_environment` (the first cell of every assignment) and `checks` (test cells that explain
in words). For the instructor: `python -m course_lib.grading` releases, grades and judges assignments with
nbgrader's own machinery, configured by `nbgrader_config.py`.
"""

from course_lib.grading.environment import EnvironmentProblem, check_environment

__all__ = ["EnvironmentProblem", "check_environment"]

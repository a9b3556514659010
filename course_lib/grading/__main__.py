"""`python -m course_lib.grading`: release, grade and judge assignments, from the course's own folder."""

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from course_lib.grading.answers import Verdict, judge
from course_lib.grading.course import GradingError, assignments
from course_lib.grading.grade import grade
from course_lib.grading.release import release


def release_command(root: Path, check: bool) -> int:
    """Make every assignment's student version; with `check`, only say which are not in step."""
    stale = False
    for name in assignments(root):
        for file in release(root, name, check):
            stale = True
            print(f"exercises/{name}/{file} {'is not in step with the solution' if check else 'is made anew'}")
    if check and stale:
        print("Make them again: make release", file=sys.stderr)
        return 1
    return 0


def grade_command(root: Path, name: str) -> int:
    """Grade what lies in `submitted/`, a line per student."""
    failures = 0
    for result in grade(root, name):
        waits = "; a written answer waits for a person" if result.waits else ""
        print(f"{result.student}: {result.score:g} of {result.max_score:g}{waits}", flush=True)
        if result.note:
            failures += 1
            print(f"    {result.note}", flush=True)
    print(f"Grades: grades/{name}.csv   Feedback: feedback/STUDENT/{name}/{name}.html")
    if failures:
        print(f"{failures} could not be graded and count zero: see the notes.", file=sys.stderr)
    return 0


def judge_command(root: Path, name: str, as_json: bool) -> int:
    """Judge the answers bank and report the verdicts that are not as they should be."""
    verdicts = judge(root, name)
    if as_json:
        print(json.dumps([dataclasses.asdict(verdict) for verdict in verdicts]))
        return 0

    def line(verdict: Verdict) -> str:
        return f"{verdict.task}, {verdict.kind} ({verdict.title}): {verdict.score:g} of {verdict.points:g}"

    unjust = [verdict for verdict in verdicts if not verdict.just]
    print(f"{len(verdicts) - len(unjust)} of {len(verdicts)} answers are judged as they should be.")
    for verdict in unjust:
        print(line(verdict))
    return 1 if unjust else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m course_lib.grading", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("release", help="make exercises/ from solutions/")
    command.add_argument("--check", action="store_true", help="write nothing; fail if something is not in step")
    command = commands.add_parser("grade", help="grade what lies in submitted/")
    command.add_argument("assignment")
    command = commands.add_parser("judge", help="judge an assignment's answers bank with its own tests")
    command.add_argument("assignment")
    command.add_argument("--json", action="store_true", help="print every verdict as JSON")
    arguments = parser.parse_args()
    root = Path.cwd()
    try:
        if arguments.command == "release":
            return release_command(root, arguments.check)
        if arguments.command == "grade":
            return grade_command(root, arguments.assignment)
        return judge_command(root, arguments.assignment, arguments.json)
    except GradingError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())

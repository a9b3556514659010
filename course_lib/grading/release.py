"""The student's version of an assignment, made from its solution by nbgrader's own `generate_assignment`."""

import os
import tempfile
from pathlib import Path

from course_lib.grading.course import GradingError, open_course, require_assignment, run


def student_version(root: Path, name: str) -> dict[str, bytes]:
    """Every file of the student's version of an assignment, by its name; nothing of it is written.

    The same solution always gives the same bytes: cell ids are the solution's, and no output, execution count
    or date is kept.

    Args:
        root: The course's folder.
        name: The assignment.

    Raises:
        GradingError: If nbgrader cannot make it; the message is nbgrader's.
    """
    require_assignment(root, name)
    with tempfile.TemporaryDirectory() as folder:
        # The gradebook that nbgrader fills on the way is thrown away with the folder.
        course = open_course(root, root=folder, source_directory=str(root / "solutions"))
        reason = run(course.generate_assignment(name))
        if reason is not None:
            raise GradingError(f"nbgrader could not make the student's version of {name}: {reason}")
        made = Path(folder, "exercises", name)
        return {str(path.relative_to(made)): path.read_bytes() for path in made.rglob("*") if path.is_file()}


def release(root: Path, name: str, check: bool = False) -> list[str]:
    """Bring `exercises/NAME/` in step with `solutions/NAME/`: each file is written whole or not at all.

    Args:
        root: The course's folder.
        name: The assignment.
        check: Write nothing.

    Returns:
        The files that were missing, superfluous, or not what the solution gives.
    """
    folder = root / "exercises" / name
    right = student_version(root, name)
    there = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".ipynb_checkpoints" not in path.parts
    }
    stale = sorted(file for file in right.keys() | there.keys() if right.get(file) != there.get(file))
    for file in [] if check else stale:
        path = folder / file
        if file not in right:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(path.name + ".tmp")
        draft.write_bytes(right[file])
        os.replace(draft, path)
    return stale

"""Checks for the test cells of the assignments: they compare by value and say in words what is wrong.

A test cell calls the student's function with fresh inputs and hands what comes back to these functions. They
look at values only (numbers, lists, arrays, tensors), never at the type of the student's object.
"""

import sys
import textwrap
from typing import Any

import numpy as np

# `nbgrader validate` cuts lines at 87 characters, four of them indentation.
LINE_WIDTH = 80


class CheckFailed(AssertionError):
    """A check of an assignment that did not hold. Jupyter shows its sentence, without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return textwrap.wrap(f"Not yet: {self}", LINE_WIDTH)


def say(words: str) -> None:
    """Print what is wrong in a test cell that gives partial credit; one that fails altogether uses `expect`.

    It goes to stderr, which is what `nbgrader validate` shows of such a cell. It costs no points by itself.

    Args:
        words: A sentence that says what is wrong, and names the likely misconception.
    """
    print(textwrap.fill(f"Not yet: {words}", LINE_WIDTH), file=sys.stderr)


def expect(condition: object, words: str) -> None:
    """Fail with `words` unless `condition` holds.

    Args:
        condition: Anything with a truth value.
        words: A sentence that says what is wrong, and names the likely misconception.

    Raises:
        CheckFailed: If the condition is false.
    """
    if not condition:
        raise CheckFailed(words)


def values(name: str, result: Any) -> np.ndarray:
    """The numbers that a student's function returned, as an array.

    Args:
        name: What returned it, for the message.
        result: A number, a nested list, an array or a tensor of any device and any `requires_grad`.

    Returns:
        A float64 array of the same shape (booleans become 0 and 1).

    Raises:
        CheckFailed: If there is nothing, or something that holds no numbers.
    """
    expect(result is not None, f"{name} returned None. Is the `return` missing?")
    if hasattr(result, "detach"):
        result = result.detach().cpu().double()
    try:
        return np.asarray(result, dtype=np.float64)
    except (TypeError, ValueError):
        raise CheckFailed(f"{name} returned something that is not an array of numbers.") from None


def expect_close(name: str, result: Any, right: Any, hint: str = "", tolerance: float = 1e-5) -> None:
    """Fail unless `result` has the shape and the numbers of `right`.

    Args:
        name: What returned the result, for the message.
        result: What the student's function returned; see `values`.
        right: The right numbers, of the same kind.
        hint: A sentence that names the likely misconception, put after the difference.
        tolerance: The largest absolute difference that is allowed.

    Raises:
        CheckFailed: With the shapes, or with the place where the difference is largest.
    """
    result, right = values(name, result), values("the check", right)
    expect(
        result.shape == right.shape,
        f"{name} has the shape {result.shape}, and {right.shape} is right. {hint}".rstrip(),
    )
    expect(not np.isnan(result).any(), f"{name} contains NaN. {hint}".rstrip())
    difference = np.abs(result - right)
    if difference.size and difference.max() > tolerance:
        place = np.unravel_index(difference.argmax(), difference.shape)
        where = f" at {[int(i) for i in place]}" if place else ""
        raise CheckFailed(f"{name}{where} is {result[place]:.6g}, and {right[place]:.6g} is right. {hint}".rstrip())

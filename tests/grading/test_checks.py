"""The checks that test cells use: they judge values, and say what is wrong in words."""

import numpy as np
import pytest
import torch

from course_lib.grading.checks import CheckFailed, expect, expect_close, say, values


def test_expect_fails_with_its_words_only() -> None:
    expect(True, "never")
    with pytest.raises(CheckFailed, match="Did you apply softmax") as caught:
        expect(False, "Rows must sum to 1. Did you apply softmax over the keys? " * 3)
    shown = caught.value._render_traceback_()
    assert shown[0].startswith("Not yet: Rows must sum to 1.")
    assert all(len(line) <= 80 for line in shown), "nbgrader validate would cut these lines"


@pytest.mark.parametrize(
    "result",
    [
        [[1.0, 2.0]],
        np.array([[1.0, 2.0]]),
        torch.tensor([[1.0, 2.0]]),
        torch.tensor([[1, 2]]),
        torch.tensor([[1.0, 2.0]], requires_grad=True),
        torch.tensor([[1.0, 2.0]], dtype=torch.bfloat16),
        (torch.tensor([1.0, 2.0]).numpy(),),
    ],
)
def test_any_kind_of_array_counts_by_its_values(result: object) -> None:
    expect_close("f", result, [[1.0, 2.0]])


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (None, r"f returned None\. Is the `return` missing\?"),
        ("text", r"f returned something that is not an array of numbers"),
        ([[1.0], [2.0]], r"f has the shape \(2, 1\), and \(1, 2\) is right\. A hint\."),
        ([[1.0, float("nan")]], r"f contains NaN\. A hint\."),
        ([[1.0, 2.5]], r"f at \[0, 1\] is 2\.5, and 2 is right\. A hint\."),
    ],
)
def test_a_difference_is_described(result: object, words: str) -> None:
    with pytest.raises(CheckFailed, match=words):
        expect_close("f", result, [[1.0, 2.0]], "A hint.")


def test_scalars_and_empty_arrays_compare() -> None:
    expect_close("f", 0.5, 0.5)
    expect_close("f", torch.zeros(0, 3), np.zeros((0, 3)))
    with pytest.raises(CheckFailed, match=r"f is 1, and 0\.5 is right"):
        expect_close("f", 1, 0.5)
    assert values("f", torch.tensor([True, False])).tolist() == [1.0, 0.0]


def test_partial_credit_speaks_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    say("the norms are missing")
    assert capsys.readouterr() == ("", "Not yet: the norms are missing\n")

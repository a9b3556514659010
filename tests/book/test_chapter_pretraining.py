"""What the chapter on pretraining writes by hand, held against the library and against brute force."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from sources import ROOT, read_notebook

from course_lib.gpt import GPT, GPTConfig
from course_lib.optim import adamw, warmup_cosine
from course_lib.text import RandomWindows, sequential_windows
from course_lib.train import TrainConfig, Trainer, evaluate

NOTEBOOK = read_notebook((ROOT / "book/06-pretraining.md").read_text("utf8"))


def namespace(*names: str) -> dict[str, Any]:
    """Run the page's imports and the cells that define some functions; each definition stands alone in what is run.

    Args:
        *names: of functions.
    """
    cells = [cell.source for cell in NOTEBOOK.cells if cell.cell_type == "code"]
    found: dict[str, Any] = {}
    imports = [line for line in cells[0].split("\n\n") if line.startswith(("import", "from"))]
    exec("\n".join(imports).replace("from myst_nb import glue", ""), found)
    for name in names:
        (cell,) = [cell for cell in cells if f"def {name}(" in cell]
        start = cell.index(f"def {name}(")
        start = cell.rfind("\n@", 0, start) + 1 if "\n@" in f"\n{cell[:start]}" else start
        body = cell[start:].split("\n\n\n")[0]
        exec(body, found)
    return found


@pytest.fixture
def model_and_batches() -> tuple[GPT, RandomWindows]:
    torch.manual_seed(3)
    config = GPTConfig.llama(vocab_size=40, context_length=12, n_layer=2, n_head=2, n_embd=16)
    return GPT(config), RandomWindows(np.random.default_rng(3).integers(0, 40, 500), 12, 4, seed=3)


@pytest.mark.parametrize(("learning_rate", "warmup"), [(1e-2, 1), (3e-3, 10), (1e-4, 4)])
def test_loop_by_hand_is_the_trainer(model_and_batches, learning_rate: float, warmup: int) -> None:
    model, batches = model_and_batches
    weights = {name: x.clone() for name, x in model.state_dict().items()}
    by_hand = namespace("train_by_hand")["train_by_hand"](model, batches, 30, learning_rate, warmup)
    model.load_state_dict(weights)
    history = Trainer(
        model,
        adamw(model, learning_rate, weight_decay=0.0),
        batches,
        TrainConfig(steps=30, precision="float32"),
        schedule=warmup_cosine(30, warmup),
    ).fit()
    torch.testing.assert_close(history.column("loss"), by_hand, rtol=1e-4, atol=1e-4)


def test_accumulated_gradient_is_autograd_of_the_whole_batch(model_and_batches) -> None:
    model, batches = model_and_batches
    batch = batches[0]
    expected = torch.cat([g.flatten() for g in torch.autograd.grad(model(**batch)[1], list(model.parameters()))])
    parts = [{name: x[i : i + 1] for name, x in batch.items()} for i in range(4)]
    torch.testing.assert_close(namespace("gradient")["gradient"](model, parts), expected, rtol=1e-4, atol=1e-6)


def counted(train: str, test: str, longest: int) -> list[float]:
    """The counting model by dictionaries, from its definition."""
    size = len(set(train)) + 1
    times = Counter(train[i : i + n] for n in range(1, longest + 2) for i in range(len(train) - n + 1))

    def probability(context: str, character: str) -> float:
        lower = probability(context[1:], character) if context else 1 / size
        followers = [times[context + c] for c in set(train)]
        total, kinds = sum(followers), sum(n > 0 for n in followers)
        return (times[context + character] + kinds * lower) / (total + kinds) if total else lower

    contexts = [math.log2(size)]
    for k in range(longest + 1):
        p = [probability(test[max(0, i - k) : i], c) for i, c in enumerate(test)]
        contexts.append(-sum(map(math.log2, p)) / len(test))
    return contexts


def test_counting_model_is_its_definition() -> None:
    train, test = "to be or not to be, that is the question", "or to be that question? not!"
    bits_by_counting = namespace("grams", "look_up", "bits_by_counting")["bits_by_counting"]
    torch.testing.assert_close(bits_by_counting(train, test, 3), counted(train, test, 3))


def test_losses_by_place_have_the_mean_that_evaluate_returns(model_and_batches) -> None:
    model, _ = model_and_batches
    tokens = np.random.default_rng(4).integers(0, 40, 12 * 7 + 1).astype(np.uint16)
    losses = namespace("window_losses")["window_losses"](model, tokens, 12)
    assert losses.shape == (7, 12)
    assert losses.mean().item() == pytest.approx(evaluate(model, sequential_windows(tokens, 12, 3)), rel=1e-5)


def test_found_and_longest_match_are_brute_force() -> None:
    page = namespace("found", "longest_match")
    page["training_text"] = "the cat sat on the mat, the cat ran"
    text, other = "a cat sat in the hat, the cat", "no such"
    for n in (2, 3, 6):
        expected = [[t[i : i + n] in page["training_text"] for i in range(len(t) - n + 1)] for t in (text, other)]
        assert page["found"](n, text, other) == expected
    pieces = {text[i:j] for i in range(len(text)) for j in range(i, len(text) + 1)}
    longest = max(len(piece) for piece in pieces if piece in page["training_text"])
    assert len(page["longest_match"](text, range(len(text)))) == longest

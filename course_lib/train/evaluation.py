"""How well a model predicts text that it was not trained on."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


@torch.no_grad()
def evaluate(model: nn.Module, batches: Iterable[dict[str, Tensor]]) -> float:
    """Return the mean loss over all targets of some batches, in nats a target, in float32.

    Args:
        model: called as in training, `model(**batch)`, gives `(logits, mean loss)`.
        batches: each with `targets`; −100 is not counted.

    Raises:
        ValueError: there is no target to predict.
    """
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    total, count = 0.0, 0
    for batch in batches:
        targets = int((batch["targets"] != -100).sum())
        if targets:
            total += model(**{name: x.to(device) for name, x in batch.items()})[1].item() * targets
            count += targets
    model.train(was_training)
    if not count:
        raise ValueError("There is nothing to evaluate on: no batch has a target.")
    return total / count


def nats_per_character(nats_per_token: float, tokens: int, characters: int) -> float:
    """Return a loss on a scale that does not depend on the tokenizer.

    Args:
        nats_per_token: mean loss.
        tokens: how many were predicted.
        characters: of the text they spell. Divide by ln 2 for bits per character.
    """
    return nats_per_token * tokens / characters

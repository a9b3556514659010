"""Learning-rate schedules: functions from the step's number to a factor on the learning rate."""

import math
from collections.abc import Callable

Schedule = Callable[[int], float]


def constant(step: int) -> float:
    """Return 1: the learning rate stays as it is."""
    return 1.0


def warmup_cosine(steps: int, warmup: int, floor: float = 0.0) -> Schedule:
    """Return a schedule that rises in a straight line, then falls along half a cosine (Loshchilov and Hutter 2017).

    Args:
        steps: length of the run.
        warmup: steps of the rise; the first step already moves.
        floor: the factor that the fall ends at.

    Returns:
        A function from step 0 … steps − 1 to the factor.

    Raises:
        ValueError: the warm-up is longer than the run.
    """
    if not 0 <= warmup <= steps:
        raise ValueError(f"A warm-up of {warmup} steps does not fit into a run of {steps}.")

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        progress = min(1.0, (step - warmup) / max(1, steps - 1 - warmup))
        return floor + (1 - floor) * (1 + math.cos(math.pi * progress)) / 2

    return factor

"""What a run noted of itself, as data and as a picture."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from course_lib.storage import write_atomically


@dataclass
class History:
    """One record a step.

    Attributes:
        records: each with `step` (counted from 1), `loss` (mean nats a target in the step's batches, before its
            update), `learning_rate_factor`, `gradient_norm` (before clipping), `targets` (predicted tokens so
            far), `seconds` (of training so far), and `validation_loss` where one was measured.
    """

    records: list[dict[str, Any]] = field(default_factory=list)

    def column(self, name: str) -> list[Any]:
        """Return one quantity over the steps that have it."""
        return [record[name] for record in self.records if name in record]

    def validation(self) -> list[tuple[int, float]]:
        """Return (step, validation loss) wherever it was measured."""
        return [(r["step"], r["validation_loss"]) for r in self.records if "validation_loss" in r]

    def save(self, path: str | Path) -> None:
        """Write the records as JSON."""
        write_atomically(Path(path), lambda temporary: temporary.write_text(json.dumps(self.records)))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote."""
        return cls(json.loads(Path(path).read_text("utf-8")))


def plot_history(history: History, axes: Axes | None = None) -> Axes:
    """Draw the loss of each step, its running mean, and the validation loss.

    Args:
        history: of a run.
        axes: where to draw; a new figure if not given.
    """
    if axes is None:
        _, axes = plt.subplots()
    steps, losses = history.column("step"), history.column("loss")
    smooth, mean = [], None
    for loss in losses:
        mean = loss if mean is None else 0.95 * mean + 0.05 * loss
        smooth.append(mean)
    (line,) = axes.plot(steps, smooth, label="training, running mean")
    axes.plot(steps, losses, color=line.get_color(), alpha=0.2, linewidth=0.8, label="training, each step")
    if history.validation():
        axes.plot(*zip(*history.validation(), strict=True), "o-", label="validation")
    axes.set(xlabel="step", ylabel="loss (nats per token)")
    axes.legend()
    return axes

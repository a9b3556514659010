"""The training loop. It knows nothing of GPT: any module that returns `(outputs, loss)` can be trained.

After minGPT's trainer (Karpathy 2020), with what a run on a laptop needs: resumption, and a chosen precision.
"""

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import Tensor, nn
from torch.optim import Optimizer
from tqdm import tqdm

from course_lib.optim.schedules import Schedule, constant
from course_lib.train.checkpoint import Checkpoints, fingerprint, random_state, set_random_state
from course_lib.train.evaluation import evaluate
from course_lib.train.history import History
from course_lib.train.precision import Precision, choose_precision, denormals_flushed


class Batches(Protocol):
    """Batches by number: `RandomWindows`, or a plain list that is long enough."""

    def __getitem__(self, number: int) -> Mapping[str, Tensor]: ...


@dataclass(frozen=True)
class TrainConfig:
    """How long and how to train.

    Attributes:
        steps: updates of the weights.
        accumulation: batches whose gradients are averaged into one update.
        clip: largest norm of the whole gradient; longer ones are shortened to it (Pascanu et al. 2013).
        evaluate_every: steps between evaluations; there is always one at the end.
        checkpoint_every: steps between checkpoints; there is always one at the end.
        precision: `"float32"`, `"bfloat16"`, or `"auto"`: whichever makes a step faster here.

    Raises:
        ValueError: a number below 1.
    """

    steps: int
    accumulation: int = 1
    clip: float = 1.0
    evaluate_every: int = 200
    checkpoint_every: int = 200
    precision: str = "auto"

    def __post_init__(self) -> None:
        for name in ("steps", "accumulation", "evaluate_every", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if self.precision not in ("auto", "float32", "bfloat16"):
            raise ValueError(f"precision must be auto, float32 or bfloat16, not {self.precision!r}.")


class Trainer:
    """Trains a module; stops and goes on without a trace.

    Everything that the next step depends on is in a checkpoint: weights, optimizers, random generators, the
    precision, and the step's number, from which follow the learning rate and the batch. So a run that is
    killed at any moment, and started again, ends with the same weights to the last bit.

    Args:
        model: `model(**batch)` returns `(outputs, loss)`, the loss a mean over targets.
        optimizers: move its parameters; the learning rates they are made with are the schedule's 1.
        batches: batch number i is `batches[i]`; each step takes the next `accumulation` of them. A batch's
            `targets` are counted for the speed.
        config: how long and how.
        schedule: from the step's number to a factor on the learning rates.
        validation: batches to evaluate on.
        folder: where checkpoints are kept; without, the run cannot be resumed.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizers: Sequence[Optimizer],
        batches: Batches,
        config: TrainConfig,
        *,
        schedule: Schedule = constant,
        validation: Iterable[Mapping[str, Tensor]] = (),
        folder: str | Path | None = None,
    ) -> None:
        self.model, self.optimizers, self.batches, self.config = model, list(optimizers), batches, config
        self.schedule, self.validation = schedule, list(validation)
        self.rates = [[group["lr"] for group in optimizer.param_groups] for optimizer in self.optimizers]
        self.device = next(model.parameters()).device
        settings = {"accumulation": config.accumulation, "clip": config.clip}
        mark = fingerprint(model, self.optimizers, settings)
        self.checkpoints = Checkpoints(folder, mark) if folder else None
        self.history = History()
        self.precision: Precision | None = None
        self.step = 0  # updates done

    def fit(self) -> History:
        """Train to the end, from the newest checkpoint if there is one.

        Returns:
            The history of the whole run, the part before an interruption included.

        Raises:
            FloatingPointError: the loss or a weight is no longer a number; the last checkpoint is from before that.
            ValueError: the newest checkpoint is from later than the last step.
        """
        with denormals_flushed():
            return self._fit()

    def _fit(self) -> History:
        self._resume()
        if self.precision is None:
            self._choose_precision()
        print(f"Training in {self.precision.name}: {self.precision.reason}.")
        self.model.train()
        targets, seconds = (
            self.history.records[-1][k] if self.history.records else 0 for k in ("targets", "seconds")
        )
        with tqdm(total=self.config.steps, initial=self.step, unit="step", desc="training") as bar:
            while self.step < self.config.steps:
                start = time.perf_counter()
                record = self._update()
                step_seconds = time.perf_counter() - start
                targets, seconds = targets + record.pop("targets"), seconds + step_seconds
                self.history.records.append({**record, "targets": targets, "seconds": seconds})
                last = self.step == self.config.steps
                if self.validation and (last or self.step % self.config.evaluate_every == 0):
                    self.history.records[-1]["validation_loss"] = evaluate(self.model, self.validation)
                if self.checkpoints and (last or self.step % self.config.checkpoint_every == 0):
                    self._save()
                bar.update()
                bar.set_postfix(loss=f"{record['loss']:.3f}", tokens_per_s=f"{targets / seconds:,.0f}", refresh=False)
        return self.history

    def _update(self) -> dict[str, float]:
        """Do one step: gradients of the next batches, clipped, and one move of every optimizer."""
        factor = self.schedule(self.step)
        for optimizer, rates in zip(self.optimizers, self.rates, strict=True):
            optimizer.zero_grad(set_to_none=True)
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * factor
        total, targets = 0.0, 0
        for i in range(self.config.accumulation):
            batch = self._batch(self.step * self.config.accumulation + i)
            with self.precision.autocast(self.device.type):
                loss = self.model(**batch)[1]
            (loss / self.config.accumulation).backward()
            total += loss.item() / self.config.accumulation
            targets += int((batch["targets"] != -100).sum()) if "targets" in batch else 0
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip).item()
        if not math.isfinite(total) or not math.isfinite(norm):
            raise FloatingPointError(
                f"At step {self.step + 1} the loss is {total} and the gradient's norm {norm}: a lower learning rate, "
                f"a longer warm-up or a smaller clip may keep the run stable. The weights are as they were before."
            )
        for optimizer in self.optimizers:
            optimizer.step()
        self.step += 1
        return {
            "step": self.step,
            "loss": total,
            "learning_rate_factor": factor,
            "gradient_norm": norm,
            "targets": targets,
        }

    def _save(self) -> None:
        if not all(parameter.isfinite().all() for parameter in self.model.parameters()):
            raise FloatingPointError(
                f"After step {self.step} a weight is no longer a number: a lower learning rate or a longer warm-up "
                f"may keep the run stable. The last checkpoint is from before that."
            )
        self.checkpoints.save(self.step, self._state())

    def _batch(self, number: int) -> dict[str, Tensor]:
        return {name: tensor.to(self.device) for name, tensor in self.batches[number].items()}

    def _choose_precision(self) -> None:
        if self.config.precision == "auto":
            self.precision = choose_precision(self.model, self._batch(0))
        else:
            self.precision = Precision(self.config.precision, "as the config says")

    def _state(self) -> dict:
        return {
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "random": random_state(),
            "precision": [self.precision.name, self.precision.reason],
            "history": self.history.records,
        }

    def _resume(self) -> None:
        state = self.checkpoints.load_latest() if self.checkpoints else None
        if state is None:
            return
        if state["step"] > self.config.steps:
            raise ValueError(
                f"The newest checkpoint in {self.checkpoints.folder} is after step {state['step']}, and the run is "
                f"to have {self.config.steps}: take more steps, or another folder."
            )
        self.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        set_random_state(state["random"])
        self.precision = Precision(*state["precision"])
        self.history.records = state["history"]
        self.step = state["step"]
        print(f"Resuming after step {self.step} of {self.config.steps}.")

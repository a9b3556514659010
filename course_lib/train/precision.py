"""float32 or bfloat16: chosen once, by timing a step, and said with the reason."""

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

REPETITIONS = 3


@dataclass(frozen=True)
class Precision:
    """The number format of a run's matrix products. Weights and optimizer stay in float32.

    Attributes:
        name: `"float32"` or `"bfloat16"`.
        reason: why, in words.
    """

    name: str
    reason: str

    def autocast(self, device_type: str) -> AbstractContextManager:
        """Return the context in which a forward pass runs in this precision."""
        return torch.autocast(device_type, torch.bfloat16, enabled=self.name == "bfloat16")


def choose_precision(model: nn.Module, batch: Mapping[str, Tensor]) -> Precision:
    """Time one forward and backward pass in float32 and in bfloat16 autocast, and take the faster.

    bfloat16 halves the bytes and, on processors with matrix units for it (AMX, tensor cores), multiplies the
    speed; on others it can be much slower. The passes alternate, and the fastest of each counts, so that other
    work on the machine disturbs the choice little. Weights, gradients and random generators are as before.

    Args:
        model: called as in training.
        batch: one of its batches, on its device.
    """
    device = next(model.parameters()).device
    seconds = {"float32": [], "bfloat16": []}
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        for repetition in range(1 + REPETITIONS):  # the first is for warming up
            for name, times in seconds.items():
                start = _now(device)
                with Precision(name, "").autocast(device.type):
                    loss = model(**batch)[1]
                torch.autograd.grad(loss, [p for p in model.parameters() if p.requires_grad], allow_unused=True)
                if repetition:
                    times.append(_now(device) - start)
    fp32, bf16 = (min(times) for times in seconds.values())
    name = "bfloat16" if bf16 < fp32 else "float32"
    return Precision(name, f"forward and backward take {bf16:.3f} s in bfloat16, {fp32:.3f} s in float32")


def _now(device: torch.device) -> float:
    """Return seconds of this process's own work on a CPU (others share it), of the clock on an accelerator."""
    if device.type == "cpu":
        return time.process_time()
    torch.get_device_module(device).synchronize()
    return time.perf_counter()

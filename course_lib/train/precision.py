"""float32 or bfloat16: chosen once, by timing a step, and said with the reason."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

REPETITIONS = 3
PRODUCT = 512  # side of the matrices that are tried first


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


@contextmanager
def denormals_flushed() -> Iterator[None]:
    """Treat numbers below 1e-38 as zero for a while: they teach nothing, and can make a CPU ten times slower."""
    flushed_before = (torch.tensor(1e-40) * 1.0).item() == 0.0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(flushed_before)


def choose_precision(model: nn.Module, batch: Mapping[str, Tensor]) -> Precision:
    """Time one forward and backward pass in float32 and in bfloat16 autocast, and take the faster.

    bfloat16 halves the bytes and, on processors with matrix units for it (AMX, tensor cores), multiplies the
    speed; on others it is many times slower, which one matrix product shows before a whole pass would. The
    passes alternate, and the fastest of each counts, so that other work on the machine disturbs the choice
    little. Weights, gradients and random generators are as before.

    Args:
        model: called as in training.
        batch: one of its batches, on its device.
    """
    device = next(model.parameters()).device

    def product(dtype: torch.dtype) -> Callable[[], object]:
        matrix = torch.ones(PRODUCT, PRODUCT, dtype=dtype, device=device)
        return lambda: matrix @ matrix

    def both_ways(precision: Precision) -> Callable[[], object]:
        def run() -> None:
            with precision.autocast(device.type):
                loss = model(**batch)[1]
            torch.autograd.grad(loss, [p for p in model.parameters() if p.requires_grad], allow_unused=True)

        return run

    fp32, bf16 = _fastest(product(torch.float32), product(torch.bfloat16), device)
    if bf16 > fp32:
        what = f"a product of {PRODUCT} × {PRODUCT} matrices takes"
    else:
        what = "forward and backward take"
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            fp32, bf16 = _fastest(*(both_ways(Precision(name, "")) for name in ("float32", "bfloat16")), device)
    name = "bfloat16" if bf16 < fp32 else "float32"
    return Precision(name, f"{what} {bf16 * 1000:.1f} ms in bfloat16, {fp32 * 1000:.1f} ms in float32")


def _fastest(first: Callable[[], object], second: Callable[[], object], device: torch.device) -> tuple[float, float]:
    """Return the least seconds of two calls that take turns; a first turn of each warms up and is not counted."""
    times: tuple[list[float], list[float]] = ([], [])
    for repetition in range(1 + REPETITIONS):
        for call, kept in zip((first, second), times, strict=True):
            start = _now(device)
            call()
            if repetition:
                kept.append(_now(device) - start)
    return min(times[0]), min(times[1])


def _now(device: torch.device) -> float:
    """Return seconds of this process's own work on a CPU (others share it), of the clock on an accelerator."""
    if device.type == "cpu":
        return time.process_time()
    torch.get_device_module(device).synchronize()
    return time.perf_counter()

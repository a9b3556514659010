"""Muon (Jordan et al. 2024): momentum whose update of each matrix is made orthogonal."""

from collections import defaultdict
from collections.abc import Callable

import torch
from torch import Tensor


def orthogonalize(matrices: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float) -> Tensor:
    """Push all singular values of some matrices towards 1 by a quintic Newton–Schulz iteration.

    Args:
        matrices: (N, rows, columns), each treated alone, in the precision they come in.
        coefficients: a, b, c of the step X ← a·X + (b·A + c·A²)·X with A = X·Xᵀ.
        steps: how many.
        eps: smallest norm that a matrix is divided by.

    Returns:
        (N, rows, columns), singular values between about 0.7 and 1.2.
    """
    a, b, c = coefficients
    tall = matrices.shape[1] > matrices.shape[2]
    X = matrices.mT if tall else matrices  # the smaller side first: A is then as small as it can be
    X = X / torch.linalg.matrix_norm(X, keepdim=True).clamp(min=eps)
    for _ in range(steps):
        A = X @ X.mT
        X = torch.baddbmm(X, torch.baddbmm(A, A, A, beta=b, alpha=c), X, beta=a)
    return X.mT if tall else X


class Muon(torch.optim.Muon):
    """PyTorch's Muon, with its iteration in a precision of choice, and matrices of one shape worked on together.

    PyTorch's own iterates in bfloat16 everywhere. On a processor without units for that, this takes several
    times as long as the model's whole step; there float32 is the right choice, and the result the same but for
    rounding. Arguments, state and checkpoints are `torch.optim.Muon`'s.

    Args:
        params: matrices.
        dtype: of the iteration.
        **options: of `torch.optim.Muon`.
    """

    def __init__(self, params, *, dtype: torch.dtype = torch.bfloat16, **options) -> None:
        super().__init__(params, **options)
        self.dtype = dtype

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """Move every matrix once."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            matrices, gradients, momenta = [], [], []
            self._init_group(group, matrices, gradients, momenta)
            if not matrices:
                continue
            torch._foreach_lerp_(momenta, gradients, 1 - group["momentum"])
            updates = momenta
            if group["nesterov"]:
                updates = torch._foreach_lerp(gradients, momenta, group["momentum"])
            torch._foreach_mul_(matrices, 1 - group["lr"] * group["weight_decay"])
            of_shape = defaultdict(list)
            for i, matrix in enumerate(matrices):
                of_shape[matrix.shape].append(i)
            for shape, members in of_shape.items():
                stack = torch.stack([updates[i] for i in members]).to(self.dtype)
                stack = orthogonalize(stack, group["ns_coefficients"], group["ns_steps"], group["eps"])
                rate = torch.optim._muon._adjust_lr(group["lr"], group["adjust_lr_fn"], shape)
                directions = stack.to(matrices[members[0]].dtype).unbind()
                torch._foreach_add_([matrices[i] for i in members], list(directions), alpha=-rate)
        return loss

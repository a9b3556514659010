"""Optimizers for a whole model: which parameters each moves, and which of them decay."""

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from course_lib.optim.muon import Muon


def adamw(
    model: nn.Module,
    learning_rate: float,
    *,
    weight_decay: float = 0.1,
    betas: tuple[float, float] = (0.9, 0.95),
) -> list[Optimizer]:
    """Return AdamW for all parameters (Loshchilov and Hutter 2019); vectors (biases, gains) do not decay.

    PyTorch's fused kernel is used: on a CPU it is several times as fast as the plain loop.

    Args:
        model: whose parameters are trained.
        learning_rate: step size.
        weight_decay: share of a weight that a step of rate 1 takes away.
        betas: how slowly the two running means forget.
    """
    return [_adamw(_trainable(model), learning_rate, weight_decay, betas)]


def muon_with_adamw(
    model: nn.Module,
    learning_rate: float,
    *,
    adamw_learning_rate: float,
    weight_decay: float = 0.1,
    betas: tuple[float, float] = (0.9, 0.95),
) -> list[Optimizer]:
    """Return Muon for the matrices inside the model, and AdamW for everything else.

    Muon (Jordan et al. 2024) makes each update of a matrix orthogonal, so that all its directions learn at the
    same speed. It is meant for matrices that map activations to activations: embeddings, the output head,
    biases and gains stay with AdamW.

    Args:
        model: whose parameters are trained.
        learning_rate: Muon's step size.
        adamw_learning_rate: AdamW's.
        weight_decay: of the matrices under Muon; what AdamW has here does not decay.
        betas: AdamW's.
    """
    outer = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, nn.Embedding) or module is getattr(model, "head", None)
        for parameter in module.parameters()
    }
    parameters = _trainable(model)
    matrices = [p for p in parameters if p.dim() == 2 and id(p) not in outer]
    others = [p for p in parameters if p.dim() != 2 or id(p) in outer]
    on_cpu = all(p.device.type == "cpu" for p in matrices)  # bfloat16 is fast on some processors, and awful on others
    muon = Muon(
        matrices, lr=learning_rate, weight_decay=weight_decay, dtype=torch.float32 if on_cpu else torch.bfloat16
    )
    return [muon, _adamw(others, adamw_learning_rate, 0.0, betas)]


def _trainable(model: nn.Module) -> list[Tensor]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def _adamw(parameters: list[Tensor], learning_rate: float, weight_decay: float, betas: tuple[float, float]) -> AdamW:
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    fused = all(p.device.type in ("cpu", "cuda", "mps") for p in parameters) and bool(parameters)
    return AdamW([group for group in groups if group["params"]], lr=learning_rate, betas=betas, fused=fused)

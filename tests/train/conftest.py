import pytest
import torch
from torch import nn

from course_lib.optim import adamw, warmup_cosine
from course_lib.train import TrainConfig, Trainer


class Noisy(nn.Module):
    """No GPT at all: a regression whose dropout draws from PyTorch's generator at every step."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Dropout(0.2), nn.Linear(16, 1))

    def forward(self, inputs, targets):
        outputs = self.layers(inputs)
        return outputs, (outputs - targets).square().mean()


class Batches:
    """Batch i, made from i: an endless list."""

    def __getitem__(self, number):
        generator = torch.Generator().manual_seed(number)
        inputs = torch.randn(8, 4, generator=generator)
        return {"inputs": inputs, "targets": inputs.sum(1, keepdim=True).sin()}


@pytest.fixture
def make_trainer():
    def make(folder=None, seed=0, **config):
        torch.manual_seed(seed)
        model = Noisy()
        config = TrainConfig(**{"steps": 40, "checkpoint_every": 7, "precision": "float32", **config})
        return Trainer(
            model,
            adamw(model, 1e-2),
            Batches(),
            config,
            schedule=warmup_cosine(config.steps, min(5, config.steps)),
            validation=[Batches()[10_000]],
            folder=folder,
        )

    return make

import pytest
import torch


@pytest.fixture(autouse=True)
def repeatable():
    torch.manual_seed(0)

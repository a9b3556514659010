"""Optimizers and schedules against PyTorch's own and against their formulas."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course_lib.gpt import GPT, GPTConfig
from course_lib.optim import Muon, adamw, muon_with_adamw, warmup_cosine
from course_lib.optim.muon import orthogonalize

SHAPES = [(6, 4), (4, 4), (4, 9), (6, 4)]


def run(optimizer_class, **options):
    torch.manual_seed(0)
    matrices = [nn.Parameter(torch.randn(shape)) for shape in SHAPES]
    optimizer = optimizer_class(matrices, **options)
    for _ in range(5):
        for matrix in matrices:
            matrix.grad = torch.randn_like(matrix)
        optimizer.step()
    return matrices, optimizer


@given(
    st.floats(1e-3, 0.1),
    st.floats(0, 0.5),
    st.floats(0, 0.99),
    st.booleans(),
    st.sampled_from([None, "match_rms_adamw"]),
)
@settings(deadline=None, max_examples=15)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_muon_is_pytorchs_but_for_rounding(dtype, rate, decay, momentum, nesterov, adjust):
    options = {"lr": rate, "weight_decay": decay, "momentum": momentum, "nesterov": nesterov, "adjust_lr_fn": adjust}
    ours, our_optimizer = run(Muon, dtype=dtype, **options)
    theirs, their_optimizer = run(torch.optim.Muon, **options)
    for a, b in zip(ours, theirs, strict=True):  # an entry moves by up to about the rate a step, bf16 rounds to 1 %
        torch.testing.assert_close(a, b, atol=5 * 0.04 * rate, rtol=0)
    their_optimizer.load_state_dict(our_optimizer.state_dict())  # one state, one checkpoint format


@pytest.mark.parametrize("shape", [(5, 5), (3, 8), (8, 3)])
def test_orthogonalizing_keeps_directions_and_evens_out_their_lengths(shape):
    torch.manual_seed(0)
    matrix = torch.randn(shape, dtype=torch.float64)
    U, _, Vh = torch.linalg.svd(matrix, full_matrices=False)
    out = orthogonalize(matrix[None], (3.4445, -4.775, 2.0315), 5, 1e-7)[0]
    inner = U.T @ out @ Vh.T
    torch.testing.assert_close(inner, torch.diag(inner.diag()), atol=1e-9, rtol=0)
    assert inner.diag().min() > 0.6 and inner.diag().max() < 1.3


def model():
    torch.manual_seed(0)
    return GPT(GPTConfig.gpt2(vocab_size=13, context_length=8, n_layer=2, n_head=2, n_embd=8))


def names_of(model, group):
    names = {id(p): name for name, p in model.named_parameters()}
    return {names[id(p)] for p in group["params"]}


def test_muon_moves_the_inner_matrices_and_adamw_all_else_each_once():
    gpt = model()
    muon, other = muon_with_adamw(gpt, 0.02, adamw_learning_rate=1e-3)
    inner = set().union(*(names_of(gpt, group) for group in muon.param_groups))
    outer = set().union(*(names_of(gpt, group) for group in other.param_groups))
    assert inner == {n for n, p in gpt.named_parameters() if n.startswith("blocks.") and p.dim() == 2}
    assert inner | outer == {n for n, _ in gpt.named_parameters()} and not inner & outer


def test_an_untied_head_stays_with_adamw():
    gpt = GPT(GPTConfig.llama(vocab_size=13, context_length=8, n_layer=1, n_head=2, n_embd=8, tie_embeddings=False))
    muon, _ = muon_with_adamw(gpt, 0.02, adamw_learning_rate=1e-3)
    assert not {"head.weight", "embedding.weight"} & names_of(gpt, muon.param_groups[0])


def test_adamw_decays_matrices_only_and_equals_the_plain_loop():
    """Against the update rule written out (Loshchilov and Hutter 2019, algorithm 2)."""
    gpt, rate, decay, (b1, b2), eps = model().double(), 0.01, 0.3, (0.9, 0.95), 1e-8
    (optimizer,) = adamw(gpt, rate, weight_decay=decay)
    expected = {n: (p.detach().clone(), torch.zeros_like(p), torch.zeros_like(p)) for n, p in gpt.named_parameters()}
    for step in range(1, 4):
        optimizer.zero_grad()
        gpt(torch.arange(8)[None], targets=torch.arange(1, 9)[None])[1].backward()
        for name, p in gpt.named_parameters():
            weight, m, v = expected[name]
            m = b1 * m + (1 - b1) * p.grad
            v = b2 * v + (1 - b2) * p.grad**2
            weight = weight * (1 - rate * decay * (p.dim() == 2))
            weight = weight - rate * (m / (1 - b1**step)) / ((v / (1 - b2**step)).sqrt() + eps)
            expected[name] = (weight, m, v)
        optimizer.step()
    for name, p in gpt.named_parameters():
        torch.testing.assert_close(p.detach(), expected[name][0], atol=1e-12, rtol=1e-10)


def test_frozen_parameters_are_left_alone():
    gpt = model()
    gpt.embedding.weight.requires_grad_(False)
    (optimizer,) = adamw(gpt, 0.01)
    assert "embedding.weight" not in set().union(*(names_of(gpt, group) for group in optimizer.param_groups))


@given(st.integers(1, 500), st.floats(0, 1), st.floats(0, 0.5))
def test_the_schedule_rises_in_a_line_and_falls_along_a_cosine(steps, share, floor):
    warmup = int(steps * share)
    factors = [warmup_cosine(steps, warmup, floor)(step) for step in range(steps)]
    rise, fall = factors[:warmup], factors[warmup:]
    assert rise == pytest.approx([(i + 1) / warmup for i in range(warmup)])
    assert all(a >= b for a, b in itertools.pairwise(fall))
    if len(fall) > 1:
        assert (fall[0], fall[-1]) == (1, pytest.approx(floor))
        middle = floor + (1 - floor) * (1 + math.cos(math.pi * (len(fall) // 2) / (len(fall) - 1))) / 2
        assert fall[len(fall) // 2] == pytest.approx(middle)


def test_a_warm_up_longer_than_the_run_is_refused():
    with pytest.raises(ValueError, match="A warm-up of 11 steps does not fit into a run of 10"):
        warmup_cosine(10, 11)

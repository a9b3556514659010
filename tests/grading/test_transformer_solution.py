"""The solution of assignment transformer against stock implementations of the same ideas."""

import math
from collections.abc import Callable
from typing import Any

import nbformat
import pytest
import torch

from tests.grading.conftest import ROOT

pytestmark = pytest.mark.slow
MODELS = [
    dict(vocab_size=1000, n_layer=2, n_head=4, n_kv_head=4, n_embd=64, n_inner=200, tied=False, length=1),
    dict(vocab_size=320, n_layer=3, n_head=8, n_kv_head=1, n_embd=48, n_inner=100, tied=True, length=7),
    dict(vocab_size=49152, n_layer=30, n_head=9, n_kv_head=3, n_embd=576, n_inner=1536, tied=True, length=20),
]


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def solution() -> dict[str, Callable[..., Any]]:
    """The functions of the solution, by name."""
    namespace: dict[str, Any] = {"math": math, "torch": torch}
    for cell in nbformat.read(ROOT / "solutions/transformer/transformer.ipynb", as_version=4).cells:
        if cell.cell_type == "code" and cell.metadata.nbgrader.solution:
            exec(cell.source, namespace)
    return namespace


@pytest.mark.parametrize("model", MODELS)
def test_counts_are_those_of_a_real_llama(solution: dict[str, Callable[..., Any]], model: dict[str, Any]) -> None:
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM

    llama = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=model["vocab_size"],
            num_hidden_layers=model["n_layer"],
            num_attention_heads=model["n_head"],
            num_key_value_heads=model["n_kv_head"],
            hidden_size=model["n_embd"],
            intermediate_size=model["n_inner"],
            tie_word_embeddings=model["tied"],
            attn_implementation="eager",
        )
    )
    cache = DynamicCache()
    with torch.no_grad():
        llama(torch.zeros(1, model["length"], dtype=torch.long), past_key_values=cache)
        stored = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
        with FlopCounterMode(display=False) as flops:
            llama(torch.zeros(1, 1, dtype=torch.long), past_key_values=cache)
    assert solution["count_cost"](**model, bytes_per_number=4) == {
        "attention": sum(p.numel() for p in llama.model.layers[0].self_attn.parameters()),
        "parameters": sum(p.numel() for p in llama.parameters()),
        "flops": flops.get_total_flops(),
        "cache_bytes": stored,
    }


def test_interleaved_rotation_is_gptj_s(solution: dict[str, Callable[..., Any]]) -> None:
    from transformers.models.gptj.modeling_gptj import apply_rotary_pos_emb, create_sinusoidal_positions

    x, positions = torch.randn(2, 3, 5, 8), torch.randint(0, 40, (2, 5))
    sin, cos = create_sinusoidal_positions(64, 8)[positions].chunk(2, dim=-1)  # (B, T, D/2) each
    stock = apply_rotary_pos_emb(x.transpose(1, 2), sin, cos).transpose(1, 2)
    torch.testing.assert_close(solution["rotate_interleaved"](x, positions, 10000.0), stock, atol=1e-4, rtol=0)


def test_reordered_projections_give_the_same_scores_in_the_library_s_layout(
    solution: dict[str, Callable[..., Any]],
) -> None:
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

    n_head, width, n_embd, length = 3, 8, 10, 6
    query_weight, key_weight = torch.randn(2, n_head * width, n_embd, dtype=torch.float64).unbind()
    x, positions = torch.randn(1, length, n_embd, dtype=torch.float64), torch.arange(length)[None]

    def heads(weight: torch.Tensor) -> torch.Tensor:
        return (x @ weight.T).unflatten(-1, (n_head, width)).transpose(1, 2)  # (B, H, T, D)

    query = solution["rotate_interleaved"](heads(query_weight), positions, 10000.0)
    key = solution["rotate_interleaved"](heads(key_weight), positions, 10000.0)
    angles = positions[..., None] * 10000.0 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    angles = torch.cat([angles, angles], dim=-1)
    half_query, half_key = apply_rotary_pos_emb(
        heads(solution["to_half_split"](query_weight, n_head)),
        heads(solution["to_half_split"](key_weight, n_head)),
        angles.cos(),
        angles.sin(),
    )
    torch.testing.assert_close(half_query @ half_key.mT, query @ key.mT)


def test_soft_capped_attention_is_gemma_s(solution: dict[str, Callable[..., Any]]) -> None:
    from types import SimpleNamespace

    from transformers.models.gemma2.modeling_gemma2 import eager_attention_forward

    query, key, value = torch.randn(3, 2, 4, 5, 8, dtype=torch.float64).unbind()
    mask = torch.rand(2, 5, 5) < 0.5
    mask[..., 0] = True
    additive = torch.zeros(mask.shape, dtype=torch.float64).masked_fill(~mask, -torch.inf)[:, None]
    module = SimpleNamespace(head_dim=8, num_key_value_groups=1, training=False)
    stock, _ = eager_attention_forward(module, query, key, value, additive, scaling=8**-0.5, softcap=3.0)
    ours = solution["soft_capped_attention"](query, key, value, mask, 3.0)
    # Stock code takes the softmax in single precision.
    torch.testing.assert_close(ours, stock.transpose(1, 2), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("temperature", "top_p", "minimum"), [(1.0, 0.6, 1), (0.5, 0.9, 4), (2.0, 0.2, 3)])
def test_nucleus_is_that_of_transformers(
    solution: dict[str, Callable[..., Any]], temperature: float, top_p: float, minimum: int
) -> None:
    from transformers import TemperatureLogitsWarper, TopPLogitsWarper

    logits = torch.randn(6, 20, dtype=torch.float64)
    stock = TopPLogitsWarper(top_p, min_tokens_to_keep=minimum)(
        None, TemperatureLogitsWarper(temperature)(None, logits)
    )
    torch.testing.assert_close(solution["nucleus"](logits, temperature, top_p, minimum), stock.softmax(-1))

"""Chapter 4's first versions by hand, as they stand on the page, against the library on random inputs."""

import ast
import math

import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from sources import ROOT, read_notebook
from torch.testing import assert_close

from course_lib.gpt import GPT, GPTConfig, Sampling, generate
from course_lib.gpt import model as parts


def functions_by_hand() -> dict:
    """Run those cells of the page that define nothing but functions `…_by_hand`, and return these."""
    namespace: dict = {"math": math, "torch": torch, "nn": nn, "F": F}
    for cell in read_notebook((ROOT / "book/04-transformer.md").read_text("utf8")).cells:
        if cell.cell_type == "code" and "_by_hand(" in cell.source:
            statements = ast.parse(cell.source).body
            if all(isinstance(it, ast.FunctionDef) and it.name.endswith("_by_hand") for it in statements):
                exec(compile(cell.source, "04-transformer.md", "exec"), namespace)
    return {name: it for name, it in namespace.items() if name.endswith("_by_hand")}


HAND = functions_by_hand()
SIZES = {"vocab_size": 61, "context_length": 32, "n_layer": 3, "n_head": 6, "n_embd": 48}
CONFIGS = {
    "gpt2": GPTConfig.gpt2(**SIZES, activation="gelu"),
    "llama": GPTConfig.llama(**SIZES),
    "grouped": GPTConfig.llama(**SIZES, n_kv_head=2, rope_theta=500.0, norm_eps=1e-3),
    "untied": GPTConfig.gpt2(**SIZES, activation="gelu", n_kv_head=1, tie_embeddings=False),
}


@pytest.fixture(autouse=True)
def repeatable():
    torch.manual_seed(0)


def test_every_function_by_hand_is_held_here():
    assert set(HAND) == {
        *("attention_by_hand", "multi_head_by_hand", "rotate_by_hand", "layer_norm_by_hand", "rms_norm_by_hand"),
        *("gelu_by_hand", "silu_by_hand", "mlp_by_hand", "norm_by_hand", "gpt_by_hand", "generate_by_hand"),
    }


@given(T=st.integers(1, 12), D=st.sampled_from([1, 8, 33]), seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=40)
def test_attention(T, D, seed):
    queries, keys, values = torch.randn(3, T, D, generator=torch.Generator().manual_seed(seed))
    out, weights = HAND["attention_by_hand"](queries, keys, values)
    assert_close(out, parts.attend(*(x[None, None] for x in (queries, keys, values)), None)[0, 0])
    assert_close(weights, parts.attention_weights(queries, keys, parts.causal_mask(T, T)))


@pytest.mark.parametrize("name", CONFIGS)
def test_heads(name):
    config = CONFIGS[name]
    attention, x = parts.Attention(config, layer=0), torch.randn(9, config.n_embd)
    assert_close(HAND["multi_head_by_hand"](x, attention), attention(x[None], None, None, None)[0])
    cos, sin = (table[:9] for table in parts.rotary_table(config))
    turned = HAND["multi_head_by_hand"](x, attention, lambda it: HAND["rotate_by_hand"](it, config.rope_theta))
    assert_close(turned, attention(x[None], (cos, sin), None, None)[0])


@pytest.mark.parametrize("name", ["llama", "grouped"])
def test_rotation(name):
    config = CONFIGS[name]
    x = torch.randn(config.context_length, config.head_dim)
    assert_close(HAND["rotate_by_hand"](x, config.rope_theta), parts.rotate(x, *parts.rotary_table(config)))


@pytest.mark.parametrize("eps", [1e-6, 1e-2])
def test_normalization(eps):
    x, gain, bias = 3 * torch.randn(2, 5, 16) + 1, torch.randn(16), torch.randn(16)
    assert_close(HAND["layer_norm_by_hand"](x, gain, bias, eps), F.layer_norm(x, (16,), gain, bias, eps))
    assert_close(HAND["rms_norm_by_hand"](x, gain, eps), F.rms_norm(x, (16,), gain, eps))
    for norm in (nn.LayerNorm(16, eps=eps), nn.RMSNorm(16, eps=eps)):
        for parameter in norm.parameters():
            nn.init.normal_(parameter)
        assert_close(HAND["norm_by_hand"](x, norm), norm(x))


def test_activations():
    z = 4 * torch.randn(200)
    assert_close(HAND["gelu_by_hand"](z), F.gelu(z))
    assert_close(HAND["silu_by_hand"](z), F.silu(z))


@pytest.mark.parametrize("name", CONFIGS)
def test_mlp_and_whole_model(name):
    model = GPT(CONFIGS[name])
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.2)
    x, tokens = torch.randn(7, 48), torch.randint(61, (20,))
    assert_close(HAND["mlp_by_hand"](x, model.blocks[0].mlp), model.blocks[0].mlp(x))
    assert_close(HAND["gpt_by_hand"](model, tokens), model(tokens[None])[0][0], atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_generation(seed):
    model = GPT(CONFIGS["llama"])
    ours = HAND["generate_by_hand"](model, [3, 1, 4], 25, torch.Generator().manual_seed(seed))
    assert ours == generate(model, [[3, 1, 4]], 25, Sampling(), seed=seed)[0]

"""The model's parts, each against an independent computation."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.gpt import GPT, GPTConfig, KVCache
from course_lib.gpt import model as parts

SMALL = {"vocab_size": 31, "context_length": 24, "n_layer": 2, "n_head": 4, "n_embd": 32}
VARIANTS = {
    "gpt2": GPTConfig.gpt2(**SMALL),
    "llama": GPTConfig.llama(**SMALL),
    "grouped": GPTConfig.llama(**SMALL, n_kv_head=2),
    "qk_norm": GPTConfig.llama(**SMALL, qk_norm=True, n_kv_head=1),
    "mixture": GPTConfig(
        **SMALL, position="rope", norm="rmsnorm", activation="gelu", bias=False, tie_embeddings=False
    ),
}


@pytest.fixture(params=VARIANTS)
def model(request):
    return GPT(VARIANTS[request.param]).eval()


@given(
    B=st.integers(1, 3),
    heads=st.sampled_from([(1, 1), (4, 4), (4, 2), (6, 1)]),
    T=st.integers(1, 12),
    D=st.sampled_from([2, 8]),
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
    seed=st.integers(0, 1000),
)
@settings(deadline=None, max_examples=60)
def test_attention_is_a_causal_weighted_mean_of_values(B, heads, T, D, dtype, seed):
    """Brute force, one query at a time, in float64; bf16 goes the textbook's way, fp32 the kernel's."""
    H, K = heads
    generator = torch.Generator().manual_seed(seed)
    q = torch.randn(B, H, T, D, generator=generator).to(dtype)
    k, v = (torch.randn(B, K, T, D, generator=generator).to(dtype) for _ in range(2))
    out = parts.attend(q, k, v, None)
    assert out.dtype == dtype
    for b, h, t in itertools.product(range(B), range(H), range(T)):
        keys, values = (x[b, h // (H // K), : t + 1].double() for x in (k, v))
        weights = ((keys @ q[b, h, t].double()) / math.sqrt(D)).softmax(0)
        torch.testing.assert_close(
            out[b, h, t].double(), weights @ values, atol=1e-5 if dtype == torch.float32 else 4e-2, rtol=0
        )


def test_both_ways_of_attention_agree_beyond_the_limit():
    T = parts.TEXTBOOK_LIMIT + 3
    q, k, v = (torch.randn(1, 2, T, 16, dtype=torch.bfloat16) for _ in range(3))
    textbook = parts.attention_weights(q, k, parts.causal_mask(T, T)) @ v
    torch.testing.assert_close(parts.attend(q, k, v, None), textbook, atol=3e-2, rtol=0)


def test_rotation_makes_scores_depend_on_distance_alone():
    config = VARIANTS["llama"]
    cos, sin = parts.rotary_table(config)
    q, k = torch.randn(2, 1, 1, 1, config.head_dim)

    def score(i, j):
        rotated = [parts.rotate(x, cos[p : p + 1], sin[p : p + 1]) for x, p in ((q, i), (k, j))]
        return (rotated[0] * rotated[1]).sum()

    torch.testing.assert_close(score(3, 1), score(13, 11))
    torch.testing.assert_close(score(7, 7), (q * k).sum())
    assert not torch.isclose(score(3, 1), score(3, 2))


def test_no_token_sees_the_future(model):
    tokens = torch.randint(0, 31, (2, 24))
    changed = tokens.clone()
    changed[:, 15:] = (changed[:, 15:] + 1) % 31
    before, after = model(tokens)[0], model(changed)[0]
    assert torch.equal(before[:, :15], after[:, :15])
    assert not torch.equal(before[:, 15:], after[:, 15:])


@pytest.mark.parametrize("pieces", [[24], [1] * 24, [5, 1, 1, 10, 7], [23, 1]])
def test_the_cache_changes_nothing(model, pieces):
    tokens = torch.randint(0, 31, (2, 24))
    cache = KVCache(model.config, 2, 24, model.head.weight)
    with torch.no_grad():
        cached = torch.cat([model(part, cache=cache)[0] for part in tokens.split(pieces, dim=1)], dim=1)
        torch.testing.assert_close(cached, model(tokens)[0], atol=1e-5, rtol=0)
    assert cache.length == 24


@pytest.mark.parametrize("steps", [[10], [7, 1, 1, 1]])
def test_padding_on_the_left_changes_nothing(model, steps):
    prompts = [torch.randint(0, 31, (n,)) for n in (10, 4, 1)]
    tokens = torch.stack([F.pad(p, (10 - len(p), 0), value=9) for p in prompts])
    mask = torch.stack([F.pad(torch.ones(len(p), dtype=torch.bool), (10 - len(p), 0)) for p in prompts])
    cache = KVCache(model.config, 3, 12, model.head.weight)
    with torch.no_grad():
        parts_ = zip(tokens.split(steps, dim=1), mask.split(steps, dim=1), strict=True)
        together = torch.cat([model(t, attention_mask=m, cache=cache)[0] for t, m in parts_], dim=1)
        for row, prompt in enumerate(prompts):
            alone = model(prompt[None])[0][0]
            torch.testing.assert_close(together[row, -len(prompt) :], alone, atol=1e-5, rtol=0)
    assert together.isfinite().all()


def test_the_loss_is_the_mean_over_targets_that_count(model):
    tokens, targets = torch.randint(0, 31, (2, 2, 6))
    targets[0, :3] = -100
    logits, loss = model(tokens, targets=targets)
    picked = logits.log_softmax(-1).gather(-1, targets.clamp(min=0)[..., None]).squeeze(-1)
    torch.testing.assert_close(loss, -picked[targets != -100].mean())


def test_a_new_model_knows_nothing(model):
    tokens = torch.randint(0, 31, (8, 24))
    assert model(tokens, targets=tokens.roll(-1, 1))[1].item() == pytest.approx(math.log(31), abs=0.1)


def test_layers_that_write_to_the_stream_start_smaller():
    model = GPT(GPTConfig.gpt2(vocab_size=31, context_length=8, n_layer=8, n_head=2, n_embd=64))
    for name, parameter in model.named_parameters():
        if parameter.dim() == 2:
            to_stream = name.endswith(("attention.out.weight", "mlp.down.weight"))
            assert parameter.std().item() == pytest.approx(0.02 / (16**0.5 if to_stream else 1), rel=0.1), name


def test_gradients_pass_gradcheck():
    model = GPT(GPTConfig.llama(vocab_size=5, context_length=4, n_layer=1, n_head=2, n_embd=4, n_kv_head=1)).double()
    tokens = torch.tensor([[1, 2, 3, 4]])
    names, weights = zip(
        *((n, p.detach().clone().requires_grad_()) for n, p in model.named_parameters()), strict=True
    )

    def loss(*values):
        state = dict(zip(names, values, strict=True))
        state["head.weight"] = state["embedding.weight"]
        return torch.func.functional_call(model, state, (tokens, tokens.roll(-1, 1)))[1]

    assert torch.autograd.gradcheck(loss, weights)


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_bf16_autocast_agrees_with_fp32(kind):
    model = GPT(VARIANTS[kind])
    tokens = torch.randint(0, 31, (4, 24))
    with torch.autocast("cpu", torch.bfloat16):
        low = model(tokens, targets=tokens)[1]
    assert low.dtype == torch.float32
    torch.testing.assert_close(low, model(tokens, targets=tokens)[1], atol=1e-2, rtol=0)


def test_too_many_tokens_are_refused(model):
    with pytest.raises(ValueError, match="25 tokens do not fit into a context of 24"):
        model(torch.zeros(1, 25, dtype=torch.int64))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"n_head": 3}, r"n_embd \(32\) must be a multiple of n_head \(3\)"),
        ({"n_kv_head": 3}, r"n_head \(4\) must be a multiple of n_kv_head \(3\)"),
        ({"n_layer": 0}, "n_layer must be at least 1, not 0"),
        ({"n_head": 32, "position": "rope"}, "must be even"),
        ({"activation": "relu"}, "activation must be one of gelu, gelu_tanh, swiglu, not 'relu'"),
    ],
)
def test_a_config_that_cannot_be_is_refused(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        GPTConfig.gpt2(**{**SMALL, **change})

"""Decoding, against stock transformers' own logits processors, `generate`, and brute force."""

import copy
import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from course_lib.gpt import GPT, GPTConfig, Sampling, beam_search, generate, generate_text, generation, stream
from course_lib.text import Tokenizer
from tests.gpt.stock import stock_model, twin_of


@pytest.fixture(scope="module", params=["gpt2", "llama-grouped"])
def pair(request, tmp_path_factory):
    stock = stock_model(request.param)
    return twin_of(stock, tmp_path_factory.mktemp("twin")), stock


logits_strategy = st.lists(
    st.lists(st.floats(-10, 10, width=32), min_size=7, max_size=7, unique=True), min_size=1, max_size=3
).map(torch.tensor)


@given(logits_strategy, st.floats(0.1, 3), st.integers(1, 9), st.floats(0.05, 0.99), st.floats(0.01, 0.99))
@settings(deadline=None, max_examples=150)
def test_each_filter_is_the_stock_one(logits, t, k, p, penalty):
    tokens = torch.randint(0, 7, (len(logits), 4))
    seen = torch.zeros_like(logits, dtype=torch.bool).scatter_(1, tokens, True)
    close = {"rtol": 1e-5, "atol": 1e-6}
    torch.testing.assert_close(generation.temperature(logits, t), TemperatureLogitsWarper(t)(tokens, logits), **close)
    torch.testing.assert_close(generation.top_k(logits, k), TopKLogitsWarper(k)(tokens, logits), **close)
    torch.testing.assert_close(
        generation.repetition_penalty(logits, seen, 1 + penalty),
        RepetitionPenaltyLogitsProcessor(1 + penalty)(tokens, logits),
        **close,
    )
    # A sum of probabilities that hits p to the last bit may fall on either side: compare where it does not.
    ordered = logits.softmax(-1).sort(descending=True).values.cumsum(-1)
    if ((ordered - p).abs() > 1e-5).all():
        torch.testing.assert_close(generation.top_p(logits, p), TopPLogitsWarper(p)(tokens, logits), **close)
    if ((logits.softmax(-1) / logits.softmax(-1).amax(-1, keepdim=True) - p).abs() > 1e-5).all():
        torch.testing.assert_close(generation.min_p(logits, p), MinPLogitsWarper(p)(tokens, logits), **close)


def test_a_nucleus_that_is_reached_exactly_is_closed():
    kept = generation.top_p(torch.tensor([[0.5, 0.25, 0.25]]).log(), 0.5)
    assert kept.isfinite().tolist() == [[True, False, False]]


def test_the_draw_follows_the_filtered_distribution():
    logits = torch.tensor([[2.0, 1.0, 0.5, -1.0]])
    sampling = Sampling(temperature=0.7, top_k=3)
    generator = torch.Generator().manual_seed(0)
    draws = torch.bincount(sampling.choose(logits.expand(40_000, -1), None, generator), minlength=4) / 40_000
    expected = torch.softmax(torch.tensor([2.0, 1.0, 0.5, -math.inf]) / 0.7, 0)
    assert draws[3] == 0
    # four standard errors of a share estimated from 40,000 draws
    assert ((draws - expected).abs() <= 4 * (expected * (1 - expected) / 40_000).sqrt()).all()


def test_greedy_is_stock_generate_token_for_token(pair):
    ours, stock = pair
    prompts = torch.randint(0, 97, (4, 9))
    theirs = stock.generate(prompts, max_new_tokens=50, do_sample=False)[:, 9:].tolist()
    assert generate(ours, prompts.tolist(), 50) == theirs


def test_repetition_penalty_is_stock_generates(pair):
    ours, stock = pair
    prompts = torch.randint(0, 97, (2, 9))
    theirs = stock.generate(prompts, max_new_tokens=40, do_sample=False, repetition_penalty=1.7)[:, 9:].tolist()
    assert generate(ours, prompts.tolist(), 40, Sampling(temperature=0, repetition_penalty=1.7)) == theirs


@pytest.mark.parametrize("sampling", [Sampling(temperature=0), Sampling(0.8, top_k=20, repetition_penalty=1.2)])
def test_cached_and_uncached_agree_even_when_the_context_rolls_over(pair, sampling):
    ours, _ = pair
    prompts = [torch.randint(0, 97, (n,)).tolist() for n in (9, 3, 20)]
    slow, fast = (generate(ours, prompts, 150, sampling, seed=3, cached=c) for c in (False, True))
    assert slow == fast
    assert all(len(row) == 150 for row in fast)


def test_a_batch_of_different_lengths_is_what_each_row_is_alone(pair):
    ours, _ = pair
    prompts = [torch.randint(0, 97, (n,)).tolist() for n in (12, 1, 5, 5)]
    assert generate(ours, prompts, 30) == [generate(ours, [prompt], 30)[0] for prompt in prompts]


def test_padding_is_not_counted_as_seen(pair):
    """Token 0 fills the shorter rows up; a penalty on it there would change what they say."""
    ours, _ = pair
    prompts, sampling = [[5] * 12, [7], [9, 3]], Sampling(temperature=0, repetition_penalty=50.0)
    assert generate(ours, prompts, 30, sampling) == [generate(ours, [p], 30, sampling)[0] for p in prompts]


def test_a_padded_batch_in_bfloat16_stays_finite(pair):
    ours, _ = pair
    low = copy.deepcopy(ours).to(torch.bfloat16)
    tokens, mask = generation.pad_left([[1] * 9, [2]])
    assert low(tokens, attention_mask=mask)[0].isfinite().all()
    assert generate(low, [[1] * 9, [2]], 3)


def test_a_seed_reproduces_and_another_does_not(pair):
    ours, _ = pair
    prompts = [[1, 2, 3], [4, 5]]
    first, again, other = (generate(ours, prompts, 30, Sampling(), seed=s) for s in (7, 7, 8))
    assert first == again != other
    torch.manual_seed(5)
    one = generate(ours, prompts, 30, Sampling())
    torch.manual_seed(5)
    assert generate(ours, prompts, 30, Sampling()) == one


def test_stop_tokens_end_a_row_and_not_its_neighbours(pair):
    ours, _ = pair
    prompts = [[1, 2, 3], [4, 5]]
    free = generate(ours, prompts, 30)
    stop = free[0][10]
    stopped = generate(ours, prompts, 30, stop_tokens=[stop])
    for whole, cut in zip(free, stopped, strict=True):
        assert cut == (whole[: whole.index(stop)] if stop in whole else whole)


def test_stream_yields_what_generate_returns(pair):
    ours, _ = pair
    free = generate(ours, [[1, 2]], 20, Sampling(), seed=1)[0]
    assert list(stream(ours, [1, 2], 20, Sampling(), seed=1)) == free
    assert list(stream(ours, [1, 2], 20, Sampling(), seed=1, stop_tokens=[free[5]])) == free[: free.index(free[5])]


@pytest.mark.parametrize("length_penalty", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("stops", [(), (3, 11)])
def test_beam_search_is_stock_generates(pair, length_penalty, stops):
    ours, stock = pair
    for seed in range(4):
        prompt = torch.randint(0, 97, (1, 6), generator=torch.Generator().manual_seed(seed))
        theirs = stock.generate(
            prompt,
            max_new_tokens=12,
            num_beams=4,
            do_sample=False,
            length_penalty=length_penalty,
            eos_token_id=list(stops) or None,
            pad_token_id=96,
            return_dict_in_generate=True,
            output_scores=True,
        )
        best, score = beam_search(ours, prompt[0].tolist(), 12, 4, length_penalty=length_penalty, stop_tokens=stops)[
            0
        ]
        expected = theirs.sequences[0, 6:].tolist()
        end = next((i + 1 for i, token in enumerate(expected) if token in stops), len(expected))
        assert best == expected[:end]
        assert score == pytest.approx(theirs.sequences_scores[0].item(), abs=1e-4)


def test_a_beam_as_wide_as_the_tree_finds_the_likeliest_sequence():
    torch.manual_seed(4)
    model = GPT(GPTConfig.llama(vocab_size=5, context_length=8, n_layer=1, n_head=2, n_embd=16))
    for parameter in model.parameters():
        parameter.data.mul_(8)
    prompt = [2, 1]

    def log_probability(continuation):
        tokens = torch.tensor([prompt + list(continuation)])
        table = model(tokens)[0].log_softmax(-1)[0]
        return sum(table[len(prompt) - 1 + i, token].item() for i, token in enumerate(continuation))

    ranked = sorted(itertools.product(range(5), repeat=3), key=log_probability, reverse=True)
    found = beam_search(model, prompt, 3, 125)
    assert [tuple(tokens) for tokens, _ in found[:10]] == ranked[:10]
    assert found[0][1] == pytest.approx(log_probability(ranked[0]) / 3, abs=1e-4)


@pytest.mark.parametrize("vocab_size", [1, 2, 3])
def test_a_beam_ends_where_every_continuation_ends(vocab_size):
    model = GPT(GPTConfig.gpt2(vocab_size=vocab_size, context_length=8, n_layer=1, n_head=1, n_embd=4))
    found = beam_search(model, [0], 4, 3, stop_tokens=range(vocab_size))
    assert found and all(len(tokens) == 1 for tokens, _ in found)
    assert beam_search(model, [0], 4, 3)


def test_text_in_text_out():
    tokenizer = Tokenizer.train_bpe(["to be or not to be, 词元 🙂 " * 20], 300)
    model = GPT(GPTConfig.gpt2(vocab_size=tokenizer.vocab_size, context_length=16, n_layer=1, n_head=1, n_embd=8))
    text = generate_text(model, tokenizer, "to be " * 30, 40, Sampling(), seed=0)
    assert isinstance(text, str) and text == generate_text(model, tokenizer, "to be " * 30, 40, Sampling(), seed=0)
    assert generate_text(model, tokenizer, "", 5, Sampling(), seed=0)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda m: generate(m, [[1], []], 3), "needs at least one token"),
        (lambda m: generate(m, [], 3), "There is no prompt"),
        (lambda m: generate(m, [1, 2, 3], 3), r"list of token ids, such as \[17, 4, 256\], not 1"),
        (lambda m: generate(m, [[1, 97]], 3), "Token 97 is not in the model's vocabulary of 97"),
        (lambda m: beam_search(m, [], 5, 2), "needs at least one token"),
        (lambda m: beam_search(m, [1], 5, 0), "beams must be at least 1"),
        (lambda m: Sampling(temperature=1e-42), "temperature must be 0"),
        (lambda m: Sampling(top_k=1.5), "top_k must be a whole number"),
        (lambda m: generate(m, [[1] * 65], 3), "65 tokens and the model's context 64"),
        (
            lambda m: beam_search(m, [1] * 60, 5, 2),
            "60 tokens and 5 new ones do not fit into a context of 64",
        ),
        (lambda m: Sampling(temperature=-1), "temperature must be 0"),
        (lambda m: Sampling(top_p=0), "top_p must be above 0"),
    ],
)
def test_mistakes_end_in_a_sentence(pair, call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call(pair[0])

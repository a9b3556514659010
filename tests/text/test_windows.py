"""Packing and windows, against brute force."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from course_lib.text import RandomWindows, Tokenizer, pack, sequential_windows

TOKENIZER = Tokenizer.train_characters(["abcdefgh \n"])


@given(st.lists(st.tuples(st.sampled_from([None, 0, 1, 2]), st.text("abcdefgh \n", max_size=9)), max_size=8))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_packing_is_the_texts_in_order_with_a_fence_around_each_document(tmp_path, rows):
    packed = pack(({"piece": piece, "text": text} for piece, text in rows), TOKENIZER, tmp_path / "a.npy")
    expected = []
    for i, (piece, text) in enumerate(rows):
        if i == 0 or not piece:
            expected.append(TOKENIZER.end_of_text)
        expected += TOKENIZER.encode(text)
    assert packed.tolist() == [*expected, TOKENIZER.end_of_text]
    assert isinstance(packed, np.memmap) and packed.dtype == np.uint16
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]


def test_a_large_vocabulary_is_packed_in_32_bits(tmp_path):
    class Large:
        vocab_size, end_of_text = 100_000, 99_999

        def encode(self, text):
            return [70_000] * len(text)

    assert pack([{"text": "ab"}], Large(), tmp_path / "a.npy").tolist() == [99_999, 70_000, 70_000, 99_999]


def test_rows_without_text_are_refused(tmp_path):
    with pytest.raises(ValueError, match="Only texts can be packed, and these rows have tokens, tags"):
        pack([{"tokens": ["a"], "tags": ["O"]}], TOKENIZER, tmp_path / "a.npy")


def test_packing_that_fails_leaves_the_old_file(tmp_path):
    pack([{"title": "a", "text": "abc"}], TOKENIZER, tmp_path / "a.npy")

    def rows():
        yield {"title": "b", "text": "gh"}
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        pack(rows(), TOKENIZER, tmp_path / "a.npy")
    assert TOKENIZER.decode(np.load(tmp_path / "a.npy")) == "abc"


@given(st.integers(2, 60), st.integers(1, 9), st.integers(1, 5))
def test_sequential_windows_predict_each_token_but_the_first_once(n, context, batch):
    tokens = np.arange(n, dtype=np.uint16)
    batches = sequential_windows(tokens, context, batch)
    inputs, targets = (torch.cat([b[k] for b in batches]).flatten() for k in ("tokens", "targets"))
    counts = targets != -100
    assert targets[counts].tolist() == list(range(1, n))
    assert inputs[counts].tolist() == list(range(n - 1))
    assert all(b["tokens"].shape == b["targets"].shape and len(b["tokens"]) <= batch for b in batches)


@given(st.integers(6, 30), st.integers(0, 5), st.integers(0, 10_000))
def test_random_windows_are_shifted_slices_and_repeat(n, seed, number):
    tokens = np.arange(n, dtype=np.uint16)
    windows = RandomWindows(tokens, 5, 3, seed)
    batch = windows[number]
    assert batch["tokens"].shape == batch["targets"].shape == (3, 5) and batch["tokens"].dtype == torch.int64
    assert torch.equal(batch["targets"], batch["tokens"] + 1)
    assert batch["tokens"].min() >= 0 and batch["targets"].max() < n
    assert torch.equal(windows[number]["tokens"], batch["tokens"])


def test_every_window_is_drawn_equally_often_and_seeds_differ():
    tokens = np.arange(12, dtype=np.uint16)
    windows = RandomWindows(tokens, 5, 50, seed=1)
    starts = torch.cat([windows[i]["tokens"][:, 0] for i in range(200)])
    counts = torch.bincount(starts)
    assert len(counts) == 12 - 5, "the first token to the last that leaves room for its targets"
    assert ((counts / 10_000 - 1 / 7).abs() < 4 * (1 / 7 * 6 / 7 / 10_000) ** 0.5).all()
    assert not torch.equal(windows[0]["tokens"], RandomWindows(tokens, 5, 50, seed=2)[0]["tokens"])


def test_a_text_shorter_than_one_window_is_one_sentence():
    with pytest.raises(ValueError, match="The text has 5 tokens, and one window needs 6"):
        RandomWindows(np.arange(5), 5, 2)
    with pytest.raises(ValueError, match="The text has 1 tokens"):
        sequential_windows(np.arange(1), 5, 2)

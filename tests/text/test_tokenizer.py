"""Tokenizers: any text comes back, JSON round-trips, stock transformers opens them."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from course_lib.text import Tokenizer

VERSE = "To be, or not to be: that is the question:\nWhether 'tis nobler in the mind to suffer\n" * 30


@pytest.fixture(scope="module", params=["characters", "bpe"])
def tokenizer(request):
    return Tokenizer.train_characters([VERSE]) if request.param == "characters" else Tokenizer.train_bpe([VERSE], 320)


@given(st.text(st.characters(codec="utf-8")))
@settings(deadline=None)
def test_bpe_writes_any_text(text):
    tokenizer = Tokenizer.train_bpe([VERSE], 320)
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert "".join(tokenizer.decode_stream(ids)) == text
    assert all(0 <= i < tokenizer.vocab_size for i in ids)


@given(st.text(st.sampled_from(sorted(set(VERSE)))))
@settings(deadline=None)
def test_characters_come_back_one_token_each(text):
    tokenizer = Tokenizer.train_characters([VERSE])
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert len(tokenizer.encode(text)) == len(text)
    assert tokenizer.tokens(text) == list(text)


def test_unseen_characters_become_a_mark():
    tokenizer = Tokenizer.train_characters([VERSE])
    assert tokenizer.decode(tokenizer.encode("to 词")) == "to �"
    assert tokenizer.vocab_size == len(set(VERSE)) + 2


def test_end_of_text_in_a_text_is_only_letters(tokenizer):
    ids = tokenizer.encode("be<|endoftext|>be")
    assert tokenizer.end_of_text not in ids
    assert tokenizer.decode([*tokenizer.encode("be"), tokenizer.end_of_text, *tokenizer.encode("to")]) == "beto"


def test_saved_and_loaded_it_is_the_same(tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    json.loads((tmp_path / "tokenizer.json").read_text())
    again = Tokenizer.load(tmp_path)
    for text in (VERSE, "<|endoftext|> be", "question"):
        assert again.encode(text) == tokenizer.encode(text)
    assert (again.end_of_text, again.vocab_size) == (tokenizer.end_of_text, tokenizer.vocab_size)


def test_stock_transformers_opens_it(tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    stock = AutoTokenizer.from_pretrained(tmp_path)
    assert stock(VERSE)["input_ids"] == tokenizer.encode(VERSE)
    assert stock.decode(tokenizer.encode(VERSE)) == VERSE
    assert stock.eos_token_id == tokenizer.end_of_text


def test_bpe_merges_what_is_frequent():
    tokenizer = Tokenizer.train_bpe(["aab " * 100], 259)
    assert {"aa", "aab"} <= set(tokenizer.backend.get_vocab())  # the two merges there is room for


@pytest.mark.parametrize(
    ("act", "error", "sentence"),
    [
        (lambda folder: Tokenizer.train_bpe([VERSE], 256), ValueError, "256 is too small"),
        (lambda folder: Tokenizer.train_characters([""]), ValueError, "no text"),
        (lambda folder: Tokenizer.load(folder), FileNotFoundError, "no tokenizer.json"),
    ],
)
def test_mistakes_end_in_a_sentence(act, error, sentence, tmp_path):
    with pytest.raises(error, match=sentence):
        act(tmp_path)


def test_tokens_that_transformers_wrote_with_their_settings_are_understood(tmp_path):
    tokenizer = Tokenizer.train_characters([VERSE])
    tokenizer.save(tmp_path)
    settings = {"eos_token": {"content": "<|endoftext|>", "lstrip": False, "__type": "AddedToken"}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    assert Tokenizer.load(tmp_path).end_of_text == tokenizer.end_of_text
    (tmp_path / "tokenizer_config.json").write_text("{")
    with pytest.raises(ValueError, match=r"tokenizer_config\.json is damaged"):
        Tokenizer.load(tmp_path)


def test_a_damaged_file_is_refused_by_name(tmp_path):
    (tmp_path / "tokenizer.json").write_text('{"version": ')
    with pytest.raises(ValueError, match=r"tokenizer\.json is not a tokenizer file"):
        Tokenizer.load(tmp_path)

"""The recipe of chapter 6, in small: made once, resumed, kept until something it depends on changes."""

import dataclasses

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from course_lib.gpt import generate
from course_lib.train import Recipe, pretrain, pretraining

SMALL = Recipe(vocab_size=300, context_length=16, n_layer=1, n_head=2, n_embd=16, batch_size=2, steps=4, warmup=1)


@pytest.fixture
def small_corpus(monkeypatch):
    rows = {
        split: [{"title": "a", "text": "To be or not to be.\n" * 30}] for split in ("train", "validation", "test")
    }

    class Rows(list):
        def __getitem__(self, key):
            return [row[key] for row in self] if isinstance(key, str) else super().__getitem__(key)

    monkeypatch.setattr(pretraining, "load_corpus", lambda name: {split: Rows(r) for split, r in rows.items()})


def test_it_is_made_once_and_opens_in_stock_transformers(course_home, small_corpus):
    first = pretrain(SMALL)
    again = pretrain(SMALL)
    assert again.folder == first.folder and again.history == first.history
    assert len(first.history.records) == 4 and first.history.validation()
    assert not (first.folder / "checkpoints").exists()
    stock = AutoModelForCausalLM.from_pretrained(first.folder)
    tokens = torch.tensor([first.tokenizer.encode("To be or")])
    torch.testing.assert_close(stock(tokens).logits, first.model(tokens)[0], atol=1e-4, rtol=0)
    stock_ids = AutoTokenizer.from_pretrained(first.folder)("To be or")["input_ids"]
    assert stock_ids == first.tokenizer.encode("To be or")
    assert generate(first.model, [stock_ids], 5) == generate(again.model, [stock_ids], 5)


def test_another_recipe_or_other_code_makes_another_model(course_home, small_corpus, monkeypatch):
    first = pretrain(SMALL)
    assert pretrain(dataclasses.replace(SMALL, seed=1)).folder != first.folder
    monkeypatch.setattr(pretraining.storage, "code_digest", lambda rooms: "changed")
    assert pretrain(SMALL).folder != first.folder


def test_an_interrupted_training_goes_on(course_home, small_corpus, monkeypatch):
    expected = pretrain(SMALL)
    state = expected.model.state_dict()
    expected.folder.rename(course_home / "elsewhere")
    save = pretraining.History.save

    def interrupted(self, path):
        raise KeyboardInterrupt

    monkeypatch.setattr(pretraining.History, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pretrain(SMALL)
    assert not expected.folder.exists()
    monkeypatch.setattr(pretraining.History, "save", save)
    again = pretrain(SMALL)
    assert again.folder == expected.folder
    assert all(torch.equal(state[name], tensor) for name, tensor in again.model.state_dict().items())

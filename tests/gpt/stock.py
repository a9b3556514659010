"""Small random models of stock `transformers`, the oracle of this room, and their twins in the course's `GPT`."""

import json

import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from course_lib.gpt import GPT

SIZES = {
    "vocab_size": 97,
    "tie_word_embeddings": True,
    "bos_token_id": None,
    "eos_token_id": None,
    "pad_token_id": 0,
}
MODERN = {
    **SIZES,
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 6,
    "max_position_embeddings": 64,
    "head_dim": 8,
}
OLD = {**SIZES, "n_embd": 48, "n_layer": 3, "n_head": 6, "n_positions": 64}

STOCK = {
    "gpt2": lambda: GPT2LMHeadModel(GPT2Config(**OLD)),
    "gpt2-erf": lambda: GPT2LMHeadModel(GPT2Config(**OLD, activation_function="gelu")),
    "gpt2-untied": lambda: GPT2LMHeadModel(GPT2Config(**{**OLD, "tie_word_embeddings": False})),
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**MODERN)),
    "llama-untied": lambda: LlamaForCausalLM(LlamaConfig(**{**MODERN, "tie_word_embeddings": False})),
    "llama-grouped": lambda: LlamaForCausalLM(LlamaConfig(**{**MODERN, "num_key_value_heads": 2})),
    "llama-theta": lambda: LlamaForCausalLM(
        LlamaConfig(**MODERN, rope_parameters={"rope_type": "default", "rope_theta": 100_000.0})
    ),
    "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**{**MODERN, "num_key_value_heads": 3})),
}


def stock_model(name):
    """A stock model with random weights, biases and gains too, wide enough that its logits differ clearly."""
    torch.manual_seed(1)
    model = STOCK[name]().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


def twin_of(model, folder):
    """The same weights in the course's GPT, by way of the folder that the stock model saves."""
    model.save_pretrained(folder)
    assert json.loads((folder / "config.json").read_text())["model_type"]
    return GPT.from_pretrained(folder)

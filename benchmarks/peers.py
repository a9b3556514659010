"""The peers: stock transformers' GPT-2 and Llama, and nanoGPT where its `model.py` is given."""

import contextlib
import importlib.util
import io
import os
import sys
from types import ModuleType

import torch
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from course_lib.gpt import GPTConfig


def stock_gpt2(config: GPTConfig) -> GPT2LMHeadModel:
    """Return GPT-2 of the same shape, at its defaults but for dropout, which the course's GPT has none of."""
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=config.vocab_size,
            n_positions=config.context_length,
            n_embd=config.n_embd,
            n_layer=config.n_layer,
            n_head=config.n_head,
            **dict.fromkeys(("embd_pdrop", "attn_pdrop", "resid_pdrop"), 0.0),
        )
    )


def stock_llama(config: GPTConfig) -> LlamaForCausalLM:
    """Return Llama of the same shape, at its defaults."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=config.vocab_size,
            max_position_embeddings=config.context_length,
            hidden_size=config.n_embd,
            intermediate_size=config.n_inner,
            num_hidden_layers=config.n_layer,
            num_attention_heads=config.n_head,
            num_key_value_heads=config.n_kv_head,
            tie_word_embeddings=config.tie_embeddings,
        )
    )


def nanogpt() -> ModuleType | None:
    """Return nanoGPT's module if the environment variable NANOGPT names its `model.py`."""
    path = os.environ.get("NANOGPT")
    if not path:
        return None
    if not os.path.isfile(path):
        sys.exit(f"NANOGPT={path} is not a file: it must be the path of nanoGPT's model.py.")
    spec = importlib.util.spec_from_file_location("nanogpt", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["nanogpt"] = module
    spec.loader.exec_module(module)
    return module


def nanogpt_model(module: ModuleType, config: GPTConfig) -> tuple[nn.Module, torch.optim.Optimizer]:
    """Return nanoGPT of the same shape, with the optimizer that its training script makes on a CPU."""
    with contextlib.redirect_stdout(io.StringIO()):  # its constructors print
        model = module.GPT(
            module.GPTConfig(
                vocab_size=config.vocab_size,
                block_size=config.context_length,
                n_layer=config.n_layer,
                n_head=config.n_head,
                n_embd=config.n_embd,
                dropout=0.0,
                bias=config.bias,
            )
        )
        return model, model.configure_optimizers(0.1, 1e-3, (0.9, 0.95), "cpu")

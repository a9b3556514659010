"""The GPT of this course, whole: read it from the top.

One model is both the GPT-2 family (learned positions, LayerNorm, GELU: Radford et al. 2019) and the modern
family (RoPE, RMSNorm, SwiGLU, grouped-query attention, QK-norm: Touvron et al. 2023, Llama). `GPTConfig` says
which. Every chapter trains, fine-tunes, compresses or serves this class; chapter 4 builds it piece by piece.

Letters of shapes: B batch, T tokens of this pass, S tokens attended to (T and those cached before), C width
n_embd, H query heads, K key-and-value heads, D head width, V vocabulary.
"""

import math
from pathlib import Path
from typing import Self

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from course_lib.gpt.cache import KVCache
from course_lib.gpt.config import GPTConfig

TEXTBOOK_LIMIT = 256  # tokens up to which explicit attention in bf16 beats the fused kernel on a CPU (benchmarks/)


def make_norm(config: GPTConfig, width: int) -> nn.Module:
    """Return the normalisation layer that the config names."""
    if config.norm == "rmsnorm":
        return nn.RMSNorm(width, eps=config.norm_eps)
    return nn.LayerNorm(width, eps=config.norm_eps, bias=config.bias)


def rotary_table(config: GPTConfig) -> tuple[Tensor, Tensor]:
    """Return cos and sin of every position's rotation angles, each (context_length, D).

    Pair i of a head turns by position · theta^(−2i/D) (Su et al. 2021, eq. 15). Dimension i is paired with
    dimension i + D/2, as Llama does it.
    """
    frequencies = config.rope_theta ** (-torch.arange(0, config.head_dim, 2).float() / config.head_dim)  # (D/2,)
    angles = torch.outer(torch.arange(config.context_length).float(), frequencies)  # (context_length, D/2)
    angles = torch.cat((angles, angles), dim=-1)  # (context_length, D)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate the pairs of dimensions of each query or key by its position's angles.

    Args:
        x: (B, H, T, D).
        cos: (T, D), or (B, 1, T, D) where rows are at different positions.
        sin: likewise.
    """
    first, second = x.chunk(2, dim=-1)
    return x * cos.to(x.dtype) + torch.cat((-second, first), dim=-1) * sin.to(x.dtype)


def attention_weights(queries: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
    """Return how much each query attends to each key, rows that sum to 1 (Vaswani et al. 2017, eq. 1).

    Args:
        queries: (B, H, T, D).
        keys: (B, H, S, D).
        mask: broadcastable to (B, H, T, S), True where a query may look.

    Returns:
        (B, H, T, S).
    """
    scores = (queries * queries.shape[-1] ** -0.5) @ keys.transpose(-2, -1)  # (B, H, T, S)
    forbidden = torch.zeros(mask.shape, dtype=scores.dtype, device=mask.device).masked_fill(~mask, -math.inf)
    return torch.softmax(scores + forbidden, dim=-1)


def attend(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    """Return each query's weighted mean of the values.

    Two ways give the same numbers: the formula as it stands in textbooks, and PyTorch's fused kernel. On a CPU
    in bf16 the textbook is the faster one for short sequences, and the kernel for everything else.

    Args:
        queries: (B, H, T, D).
        keys: (B, K, S, D); each serves H / K query heads.
        values: (B, K, S, D).
        mask: broadcastable to (B, H, T, S), True where a query may look; None is causal: each query sees
            itself and the keys before it (the queries are the last T of the S).

    Returns:
        (B, H, T, D).
    """
    T, S = queries.shape[2], keys.shape[2]
    grouped = queries.shape[1] != keys.shape[1]
    if mask is None and T not in (1, S):
        mask = causal_mask(T, S, queries.device)
    if queries.dtype == torch.bfloat16 and queries.device.type == "cpu" and 1 < T == S <= TEXTBOOK_LIMIT:
        if grouped:
            keys, values = (x.repeat_interleave(queries.shape[1] // x.shape[1], dim=1) for x in (keys, values))
        if mask is None:
            mask = causal_mask(T, S, queries.device)
        with torch.autocast("cpu", enabled=False):  # stay in bf16: autocast would lift the softmax to fp32
            return attention_weights(queries, keys, mask) @ values
    return F.scaled_dot_product_attention(
        queries, keys, values, attn_mask=mask, is_causal=mask is None and T > 1, enable_gqa=grouped
    )


def causal_mask(T: int, S: int, device: torch.device | None = None) -> Tensor:
    """Return (T, S) bool: the query at place t of the last T tokens may look at the first S − T + t + 1 keys."""
    return torch.ones(T, S, dtype=torch.bool, device=device).tril(S - T)


class Attention(nn.Module):
    """Causal self-attention with H query heads and K heads of keys and values."""

    def __init__(self, config: GPTConfig, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.head_dim = config.head_dim
        self.widths = [heads * config.head_dim for heads in (config.n_head, config.n_kv_head, config.n_kv_head)]
        self.qkv = nn.Linear(config.n_embd, sum(self.widths), bias=config.bias)
        self.out = nn.Linear(config.n_embd, config.n_embd, bias=config.bias)
        if config.qk_norm:
            self.query_norm = nn.RMSNorm(config.head_dim, eps=config.norm_eps)
            self.key_norm = nn.RMSNorm(config.head_dim, eps=config.norm_eps)
        else:
            self.query_norm = self.key_norm = None

    def project(self, x: Tensor, rotary: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries (B, H, T, D), keys and values (B, K, T, D) of x (B, T, C), normalised and rotated."""
        B, T, _ = x.shape
        # Split on the last dimension, before the heads: the gradient then has the matrix product's own layout.
        queries, keys, values = (
            part.view(B, T, -1, self.head_dim).transpose(1, 2) for part in self.qkv(x).split(self.widths, dim=-1)
        )
        if self.query_norm is not None:
            queries, keys = self.query_norm(queries), self.key_norm(keys)
        if rotary is not None:
            queries, keys = rotate(queries, *rotary), rotate(keys, *rotary)
        return queries, keys, values

    def forward(
        self, x: Tensor, rotary: tuple[Tensor, Tensor] | None, mask: Tensor | None, cache: KVCache | None
    ) -> Tensor:
        """Map x (B, T, C) to (B, T, C)."""
        queries, keys, values = self.project(x, rotary)
        if cache is not None:
            keys, values = cache.append(self.layer, keys, values)
        y = attend(queries, keys, values, mask)  # (B, H, T, D)
        return self.out(y.transpose(1, 2).reshape(x.shape))


class MLP(nn.Module):
    """Two linear layers with a GELU between, or SwiGLU: silu(gate) · up, then down."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.activation = config.activation
        self.up = nn.Linear(config.n_embd, config.n_inner * (2 if config.activation == "swiglu" else 1), config.bias)
        self.down = nn.Linear(config.n_inner, config.n_embd, config.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, T, C) to (B, T, C)."""
        h = self.up(x)
        if self.activation == "swiglu":
            gate, h = h.chunk(2, dim=-1)
            h = F.silu(gate) * h
        else:
            h = F.gelu(h, approximate="tanh" if self.activation == "gelu_tanh" else "none")
        return self.down(h)


class Block(nn.Module):
    """One layer: attention mixes tokens, the MLP works on each; both add to the residual stream."""

    def __init__(self, config: GPTConfig, layer: int) -> None:
        super().__init__()
        self.norm_1 = make_norm(config, config.n_embd)
        self.attention = Attention(config, layer)
        self.norm_2 = make_norm(config, config.n_embd)
        self.mlp = MLP(config)

    def forward(
        self, x: Tensor, rotary: tuple[Tensor, Tensor] | None, mask: Tensor | None, cache: KVCache | None
    ) -> Tensor:
        """Map x (B, T, C) to (B, T, C)."""
        x = x + self.attention(self.norm_1(x), rotary, mask, cache)
        return x + self.mlp(self.norm_2(x))


class GPT(nn.Module):
    """A decoder-only transformer: token ids in, logits of each next token out.

    Args:
        config: its shape. Weights are drawn as GPT-2's were: N(0, 0.02²), and the layers that write to the
            residual stream 1/√(2·n_layer) of that, so that the stream does not grow with depth.
    """

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.n_embd)
        if config.position == "learned":
            self.position = nn.Embedding(config.context_length, config.n_embd)
        else:
            cos, sin = rotary_table(config)
            self.register_buffer("cos", cos, persistent=False)
            self.register_buffer("sin", sin, persistent=False)
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.n_layer))
        self.norm = make_norm(config, config.n_embd)
        self.head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                to_stream = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * config.n_layer) if to_stream else 0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)
        if config.tie_embeddings:
            self.head.weight = self.embedding.weight

    def hidden_states(
        self, tokens: Tensor, attention_mask: Tensor | None = None, cache: KVCache | None = None
    ) -> Tensor:
        """Return the last layer's normalised output for each token.

        Args:
            tokens: (B, T) int64.
            attention_mask: (B, T) bool, False where a token is padding; None if none is. Positions are counted
                from the first token that is not padding, so padding on the left changes nothing.
            cache: holds the tokens before these, and takes these.

        Returns:
            (B, T, C).

        Raises:
            ValueError: more tokens than the context length, or than the cache has room for.
        """
        B, T = tokens.shape
        seen = cache.length if cache is not None else 0
        room = self.config.context_length if cache is None else min(cache.capacity, self.config.context_length)
        if seen + T > room:
            raise ValueError(f"{seen + T} tokens do not fit into a context of {room}.")
        if cache is not None:
            attention_mask = cache.extend_mask(attention_mask, B, T)
        if attention_mask is None:
            mask, positions = None, slice(seen, seen + T)
        else:
            mask = causal_mask(T, seen + T, tokens.device) & attention_mask[:, None, None, :]  # (B, 1, T, S)
            # A query that is padding may look at anything, so that its softmax is over something; no one reads it.
            mask = mask | ~attention_mask[:, None, seen:, None]
            positions = (attention_mask.long().cumsum(dim=1) - 1).clamp(min=0)[:, seen:]  # (B, T)
        x = self.embedding(tokens)  # (B, T, C)
        rotary = None
        if self.config.position == "learned":
            x = x + self.position.weight[positions]
        else:
            rotary = self.cos[positions], self.sin[positions]  # (T, D) or (B, T, D)
            if attention_mask is not None:
                rotary = rotary[0].unsqueeze(1), rotary[1].unsqueeze(1)  # (B, 1, T, D)
        for block in self.blocks:
            x = block(x, rotary, mask, cache)
        if cache is not None:
            cache.length += T
        return self.norm(x)

    def forward(
        self,
        tokens: Tensor,
        targets: Tensor | None = None,
        attention_mask: Tensor | None = None,
        cache: KVCache | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Return the logits of each next token, and the loss if targets are given.

        Args:
            tokens: (B, T) int64.
            targets: (B, T) int64, the token that follows each; −100 is not counted.
            attention_mask: see `hidden_states`.
            cache: see `hidden_states`.

        Returns:
            Logits (B, T, V); the mean cross-entropy in nats per target, or None.
        """
        logits = self.head(self.hidden_states(tokens, attention_mask, cache))
        if targets is None:
            return logits, None
        wide = torch.promote_types(logits.dtype, torch.float32)  # a sum over V in bf16 would be too coarse
        return logits, F.cross_entropy(logits.flatten(0, 1).to(wide), targets.flatten())

    @classmethod
    def from_pretrained(cls, source: str | Path, gguf_file: str | None = None) -> Self:
        """Open GPT-2, Llama or Qwen3 weights: a folder, or a name on the Hugging Face hub. See `gpt.weights`."""
        from course_lib.gpt.weights import load_pretrained

        return load_pretrained(cls, source, gguf_file)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write a folder that stock `transformers` opens with `AutoModelForCausalLM`. See `gpt.weights`."""
        from course_lib.gpt.weights import save_pretrained

        save_pretrained(self, folder)

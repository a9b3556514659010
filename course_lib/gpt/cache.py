"""The keys and values of the tokens seen so far, so that the next token costs one token's work."""

import torch
from torch import Tensor

from course_lib.gpt.config import GPTConfig


class KVCache:
    """Room for the keys and values of a whole batch, allocated once.

    Each forward pass with a cache writes its keys and values behind those of the passes before it.

    Args:
        config: of the model.
        batch_size: B.
        capacity: tokens there is room for.
        like: a tensor whose dtype and device keys and values have, such as one of the model's weights.

    Attributes:
        length: tokens in the cache so far.
        attention_mask: (B, capacity) bool, False where a token is padding; None if none is.
    """

    def __init__(self, config: GPTConfig, batch_size: int, capacity: int, like: Tensor) -> None:
        self.capacity = capacity
        shape = (config.n_layer, batch_size, config.n_kv_head, self.capacity, config.head_dim)
        self.keys = like.new_empty(shape)
        self.values = like.new_empty(shape)
        self.attention_mask: Tensor | None = None
        self.length = 0

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Store one layer's new keys and values, each (B, n_kv_head, T, D), and return all of them so far."""
        end = self.length + keys.shape[2]
        self.keys[layer, :, :, self.length : end] = keys
        self.values[layer, :, :, self.length : end] = values
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]

    def extend_mask(self, attention_mask: Tensor | None, batch_size: int, new: int) -> Tensor | None:
        """Note which of `new` tokens are padding, and return the mask of all tokens so far, (B, length + new)."""
        if attention_mask is not None and self.attention_mask is None:
            self.attention_mask = attention_mask.new_ones(batch_size, self.capacity, dtype=torch.bool)
        if self.attention_mask is None:
            return None
        if attention_mask is not None:
            self.attention_mask[:, self.length : self.length + new] = attention_mask
        return self.attention_mask[:, : self.length + new]

    def select(self, rows: Tensor) -> None:
        """Keep the given rows of the batch, in that order (beam search continues its best hypotheses)."""
        self.keys, self.values = self.keys[:, rows], self.values[:, rows]
        if self.attention_mask is not None:
            self.attention_mask = self.attention_mask[rows]

"""Answers to the task rolling_cache_step; course_lib/grading/answers.py says what this format is."""

# ruff: noqa: F811
import math

import torch
import torch.nn.functional as F


# %% wrong: the last slot is overwritten for ever
def rolling_cache_step(query, key, value, cached_keys, cached_values, seen):
    window = cached_keys.shape[2]
    slot, stored = min(seen, window - 1), min(seen + 1, window)
    cached_keys[:, :, slot], cached_values[:, :, slot] = key[:, :, 0], value[:, :, 0]
    output = F.scaled_dot_product_attention(
        query, cached_keys[:, :, :stored], cached_values[:, :, :stored], enable_gqa=True
    )
    return output, cached_keys, cached_values


# %% wrong: slots that were never written count
def rolling_cache_step(query, key, value, cached_keys, cached_values, seen):
    slot = seen % cached_keys.shape[2]
    cached_keys[:, :, slot], cached_values[:, :, slot] = key[:, :, 0], value[:, :, 0]
    output = F.scaled_dot_product_attention(query, cached_keys, cached_values, enable_gqa=True)
    return output, cached_keys, cached_values


# %% wrong: attends before the new token is stored
def rolling_cache_step(query, key, value, cached_keys, cached_values, seen):
    window = cached_keys.shape[2]
    slot, stored = seen % window, max(min(seen, window), 1)
    output = F.scaled_dot_product_attention(
        query, cached_keys[:, :, :stored], cached_values[:, :, :stored], enable_gqa=True
    )
    cached_keys, cached_values = cached_keys.clone(), cached_values.clone()
    cached_keys[:, :, slot], cached_values[:, :, slot] = key[:, :, 0], value[:, :, 0]
    return output, cached_keys, cached_values


# %% wrong: key-value heads are dealt out in turn, not to neighbours
def rolling_cache_step(query, key, value, cached_keys, cached_values, seen):
    window, times = cached_keys.shape[2], query.shape[1] // key.shape[1]
    slot, stored = seen % window, min(seen + 1, window)
    cached_keys[:, :, slot], cached_values[:, :, slot] = key[:, :, 0], value[:, :, 0]
    keys = cached_keys[:, :, :stored].repeat(1, times, 1, 1)
    values_ = cached_values[:, :, :stored].repeat(1, times, 1, 1)
    return F.scaled_dot_product_attention(query, keys, values_), cached_keys, cached_values


# %% wrong: scores are not scaled
def rolling_cache_step(query, key, value, cached_keys, cached_values, seen):
    window = cached_keys.shape[2]
    slot, stored = seen % window, min(seen + 1, window)
    cached_keys[:, :, slot], cached_values[:, :, slot] = key[:, :, 0], value[:, :, 0]
    output = F.scaled_dot_product_attention(
        query, cached_keys[:, :, :stored], cached_values[:, :, :stored], enable_gqa=True, scale=1.0
    )
    return output, cached_keys, cached_values


# %% wrong: the cache grows instead of rolling
def rolling_cache_step(query, key, value, cached_keys, cached_values, seen):
    cached_keys = torch.cat([cached_keys[:, :, :seen], key], dim=2)
    cached_values = torch.cat([cached_values[:, :, :seen], value], dim=2)
    output = F.scaled_dot_product_attention(query, cached_keys, cached_values, enable_gqa=True)
    return output, cached_keys, cached_values


# %% wrong: the ring is read in the order of its slots, as if causal
def rolling_cache_step(query, key, value, cached_keys, cached_values, seen):
    slot = seen % cached_keys.shape[2]
    cached_keys[:, :, slot], cached_values[:, :, slot] = key[:, :, 0], value[:, :, 0]
    output = F.scaled_dot_product_attention(
        query, cached_keys[:, :, : slot + 1], cached_values[:, :, : slot + 1], enable_gqa=True
    )
    return output, cached_keys, cached_values


# %% wrong: the value is not stored
def rolling_cache_step(query, key, value, cached_keys, cached_values, seen):
    window = cached_keys.shape[2]
    slot, stored = seen % window, min(seen + 1, window)
    cached_keys[:, :, slot] = key[:, :, 0]
    output = F.scaled_dot_product_attention(
        query, cached_keys[:, :, :stored], cached_values[:, :, :stored], enable_gqa=True
    )
    return output, cached_keys, cached_values


# %% right: PyTorch's own attention, and the rings changed in place
def rolling_cache_step(query, key, value, cached_keys, cached_values, seen):
    window = cached_keys.shape[2]
    slot, stored = seen % window, min(seen + 1, window)
    cached_keys[:, :, slot : slot + 1], cached_values[:, :, slot : slot + 1] = key, value
    output = F.scaled_dot_product_attention(
        query, cached_keys[:, :, :stored], cached_values[:, :, :stored], enable_gqa=True
    )
    return output, cached_keys, cached_values


# %% right: heads repeated, unwritten slots masked, and a message on stderr
def rolling_cache_step(query, key, value, cached_keys, cached_values, seen):
    import logging

    logging.warning("token %d", seen)
    window = cached_keys.shape[2]
    here = (torch.arange(window) == seen % window)[:, None]
    cached_keys, cached_values = torch.where(here, key, cached_keys), torch.where(here, value, cached_values)
    times = query.shape[1] // key.shape[1]
    keys = cached_keys.repeat_interleave(times, dim=1)
    scores = query @ keys.mT / math.sqrt(query.shape[-1])
    scores = scores.masked_fill(torch.arange(window) > seen, -torch.inf)
    return scores.softmax(-1) @ cached_values.repeat_interleave(times, dim=1), cached_keys, cached_values


# %% right: head by head
def rolling_cache_step(query, key, value, cached_keys, cached_values, seen):
    batch, heads, _, width = query.shape
    window = cached_keys.shape[2]
    keys, vals = cached_keys.clone(), cached_values.clone()
    keys[:, :, seen % window] = key.squeeze(2)
    vals[:, :, seen % window] = value.squeeze(2)
    output = torch.zeros_like(query)
    for b in range(batch):
        for head in range(heads):
            group = head * key.shape[1] // heads
            stored = range(min(seen + 1, window))
            scores = torch.stack([query[b, head, 0] @ keys[b, group, slot] / width**0.5 for slot in stored])
            weights = torch.softmax(scores, dim=0)
            output[b, head, 0] = sum(weights[slot] * vals[b, group, slot] for slot in stored)
    return output, keys, vals

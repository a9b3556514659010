"""Answers to the task soft_capped_attention; course_lib/grading/answers.py says what this format is."""

# ruff: noqa: F811
import math

import torch


# %% wrong: not divided by the square root of D
def soft_capped_attention(query, key, value, mask, cap):
    scores = cap * torch.tanh(query @ key.transpose(-2, -1) / cap)
    weights = torch.softmax(scores.masked_fill(~mask[:, None], -torch.inf), dim=-1)
    return weights.nan_to_num(0.0) @ value


# %% wrong: divided by the square root of T
def soft_capped_attention(query, key, value, mask, cap):
    scores = cap * torch.tanh(query @ key.transpose(-2, -1) / math.sqrt(query.shape[-2]) / cap)
    weights = torch.softmax(scores.masked_fill(~mask[:, None], -torch.inf), dim=-1)
    return weights.nan_to_num(0.0) @ value


# %% wrong: capped after masking, so that masked keys come back
def soft_capped_attention(query, key, value, mask, cap):
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    scores = scores.masked_fill(~mask[:, None], -torch.inf)
    weights = torch.softmax(cap * torch.tanh(scores / cap), dim=-1)
    return weights.nan_to_num(0.0) @ value


# %% wrong: the softmax runs over the queries
def soft_capped_attention(query, key, value, mask, cap):
    scores = cap * torch.tanh(query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1]) / cap)
    weights = torch.softmax(scores.masked_fill(~mask[:, None], -torch.inf), dim=-2)
    return weights.nan_to_num(0.0) @ value


# %% wrong: masked after the softmax
def soft_capped_attention(query, key, value, mask, cap):
    scores = cap * torch.tanh(query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1]) / cap)
    return torch.softmax(scores, dim=-1).masked_fill(~mask[:, None], 0.0) @ value


# %% wrong: minus a thousand million leaves empty rows looking at everything
def soft_capped_attention(query, key, value, mask, cap):
    scores = cap * torch.tanh(query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1]) / cap)
    return torch.softmax(scores.masked_fill(~mask[:, None], -1e9), dim=-1) @ value


# %% wrong: empty rows are NaN
def soft_capped_attention(query, key, value, mask, cap):
    scores = cap * torch.tanh(query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1]) / cap)
    return torch.softmax(scores.masked_fill(~mask[:, None], -torch.inf), dim=-1) @ value


# %% wrong: the mask of the first sequence for all
def soft_capped_attention(query, key, value, mask, cap):
    scores = cap * torch.tanh(query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1]) / cap)
    weights = torch.softmax(scores.masked_fill(~mask[0], -torch.inf), dim=-1)
    return weights.nan_to_num(0.0) @ value


# %% right: the exponentials by hand
def soft_capped_attention(query, key, value, mask, cap):
    scores = torch.einsum("bhtd,bhsd->bhts", query, key) / math.sqrt(query.shape[-1])
    exponentials = torch.exp(cap * torch.tanh(scores / cap)) * mask.unsqueeze(1)
    total = exponentials.sum(dim=-1, keepdim=True)
    return torch.einsum("bhts,bhsd->bhtd", exponentials / total.clamp(min=1e-300), value)


# %% right: a loop over the batch and the queries, empty ones skipped
def soft_capped_attention(query, key, value, mask, cap):
    output = torch.zeros(*query.shape[:3], value.shape[-1], dtype=query.dtype)
    for b, row in mask.any(dim=-1).nonzero():
        seen = mask[b, row]
        scores = torch.einsum("hd,hsd->hs", query[b, :, row], key[b][:, seen]) * query.shape[-1] ** -0.5
        weights = torch.softmax(cap * torch.tanh(scores / cap), dim=-1)
        output[b, :, row] = torch.einsum("hs,hsd->hd", weights, value[b][:, seen])
    return output


# %% right: NaN is replaced, and a progress bar runs
def soft_capped_attention(query, key, value, mask, cap):
    from tqdm import tqdm

    heads = []
    for head in tqdm(range(query.shape[1]), disable=False):
        scores = query[:, head] @ key[:, head].mT / math.sqrt(query.shape[-1])
        scores = torch.where(mask, cap * torch.tanh(scores / cap), float("-inf"))
        heads.append(torch.nan_to_num(scores.softmax(-1)) @ value[:, head])
    return torch.stack(heads, dim=1)

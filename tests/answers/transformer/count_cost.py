"""Answers to the task count_cost; course_lib/grading/answers.py says what this format is."""

# ruff: noqa: F811
import torch


# %% wrong: as many key-value heads as query heads
def count_cost(vocab_size, n_layer, n_head, n_kv_head, n_embd, n_inner, tied, length, bytes_per_number):
    attention, mlp = 4 * n_embd * n_embd, 3 * n_embd * n_inner
    layers, head = n_layer * (attention + mlp), vocab_size * n_embd
    return {
        "attention": attention,
        "parameters": layers + n_embd * (2 * n_layer + 1) + head * (1 if tied else 2),
        "flops": 2 * (layers + head) + 4 * n_layer * n_embd * (length + 1),
        "cache_bytes": 2 * n_layer * n_embd * length * bytes_per_number,
    }


# %% wrong: an MLP of two matrices, and no norms
def count_cost(vocab_size, n_layer, n_head, n_kv_head, n_embd, n_inner, tied, length, bytes_per_number):
    kv = n_embd // n_head * n_kv_head
    attention, mlp = 2 * n_embd * (n_embd + kv), 2 * n_embd * n_inner
    layers, head = n_layer * (attention + mlp), vocab_size * n_embd
    return {
        "attention": attention,
        "parameters": layers + head * (1 if tied else 2),
        "flops": 2 * (layers + head) + 4 * n_layer * n_embd * (length + 1),
        "cache_bytes": 2 * n_layer * kv * length * bytes_per_number,
    }


# %% wrong: a tied head costs no operations
def count_cost(vocab_size, n_layer, n_head, n_kv_head, n_embd, n_inner, tied, length, bytes_per_number):
    kv = n_embd // n_head * n_kv_head
    attention, mlp = 2 * n_embd * (n_embd + kv), 3 * n_embd * n_inner
    layers, head = n_layer * (attention + mlp), vocab_size * n_embd
    return {
        "attention": attention,
        "parameters": layers + n_embd * (2 * n_layer + 1) + head * (1 if tied else 2),
        "flops": 2 * (layers + (0 if tied else head)) + 4 * n_layer * n_embd * (length + 1),
        "cache_bytes": 2 * n_layer * kv * length * bytes_per_number,
    }


# %% wrong: fewer scores because key-value heads are shared
def count_cost(vocab_size, n_layer, n_head, n_kv_head, n_embd, n_inner, tied, length, bytes_per_number):
    kv = n_embd // n_head * n_kv_head
    attention, mlp = 2 * n_embd * (n_embd + kv), 3 * n_embd * n_inner
    layers, head = n_layer * (attention + mlp), vocab_size * n_embd
    return {
        "attention": attention,
        "parameters": layers + n_embd * (2 * n_layer + 1) + head * (1 if tied else 2),
        "flops": 2 * (layers + head) + 4 * n_layer * kv * (length + 1),
        "cache_bytes": 2 * n_layer * kv * length * bytes_per_number,
    }


# %% wrong: the new token does not see itself, and the cache holds keys only
def count_cost(vocab_size, n_layer, n_head, n_kv_head, n_embd, n_inner, tied, length, bytes_per_number):
    kv = n_embd // n_head * n_kv_head
    attention, mlp = 2 * n_embd * (n_embd + kv), 3 * n_embd * n_inner
    layers, head = n_layer * (attention + mlp), vocab_size * n_embd
    return {
        "attention": attention,
        "parameters": layers + n_embd * (2 * n_layer + 1) + head * (1 if tied else 2),
        "flops": 2 * (layers + head) + 4 * n_layer * n_embd * length,
        "cache_bytes": n_layer * kv * length * bytes_per_number,
    }


# %% wrong: the numbers of the visible example
def count_cost(vocab_size, n_layer, n_head, n_kv_head, n_embd, n_inner, tied, length, bytes_per_number):
    return {"attention": 884736, "parameters": 134515008, "flops": 338148864, "cache_bytes": 23040000}


# %% wrong: a number is missing
def count_cost(vocab_size, n_layer, n_head, n_kv_head, n_embd, n_inner, tied, length, bytes_per_number):
    kv = n_embd // n_head * n_kv_head
    attention, mlp = 2 * n_embd * (n_embd + kv), 3 * n_embd * n_inner
    layers, head = n_layer * (attention + mlp), vocab_size * n_embd
    return {
        "attention": attention,
        "parameters": layers + n_embd * (2 * n_layer + 1) + head * (2 - tied),
        "cache_bytes": 2 * n_layer * kv * length * bytes_per_number,
    }


# %% right: counted from real modules that hold no memory
def count_cost(vocab_size, n_layer, n_head, n_kv_head, n_embd, n_inner, tied, length, bytes_per_number):
    def linear(inputs, outputs):
        return sum(p.numel() for p in torch.nn.Linear(inputs, outputs, bias=False, device="meta").parameters())

    kv = n_embd // n_head * n_kv_head
    attention = 2 * linear(n_embd, n_embd) + 2 * linear(n_embd, kv)
    used = n_layer * (attention + 2 * linear(n_embd, n_inner) + linear(n_inner, n_embd))
    embedding = torch.nn.Embedding(vocab_size, n_embd, device="meta").weight.numel()
    parameters = used + embedding + n_embd * (1 + 2 * n_layer)
    if not tied:
        parameters += embedding
    scores = sum(2 * 2 * n_head * (n_embd // n_head) * (length + 1) for _ in range(n_layer))
    cache = torch.empty(2, n_layer, n_kv_head, length, n_embd // n_head, device="meta")
    return {
        "attention": attention,
        "parameters": parameters,
        "flops": 2 * (used + embedding) + scores,
        "cache_bytes": cache.numel() * bytes_per_number,
    }


# %% right: floating-point numbers, and a warning
def count_cost(vocab_size, n_layer, n_head, n_kv_head, n_embd, n_inner, tied, length, bytes_per_number):
    import sys

    print("counting in floating point", file=sys.stderr)
    share = n_kv_head / n_head
    attention = 2.0 * n_embd**2 * (1 + share)
    used = n_layer * (attention + 3 * n_embd * n_inner) + vocab_size * n_embd
    return {
        "attention": attention,
        "parameters": used + (not tied) * vocab_size * n_embd + (2 * n_layer + 1) * n_embd,
        "flops": 2.0 * used + 4 * n_layer * n_embd * (length + 1),
        "cache_bytes": round(2 * n_layer * share * n_embd) * length * bytes_per_number,
    }

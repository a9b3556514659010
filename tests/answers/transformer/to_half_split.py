"""Answers to the task to_half_split; course_lib/grading/answers.py says what this format is."""

# ruff: noqa: F811
import torch


# %% wrong: the way back
def to_half_split(weight, n_head):
    rows, n_embd = weight.shape
    return weight.reshape(n_head, 2, rows // n_head // 2, n_embd).transpose(1, 2).reshape(rows, n_embd)


# %% wrong: all heads as if they were one
def to_half_split(weight, n_head):
    return torch.cat([weight[0::2], weight[1::2]])


# %% wrong: the halves are exchanged
def to_half_split(weight, n_head):
    return torch.cat([torch.cat([head[1::2], head[0::2]]) for head in weight.chunk(n_head)])


# %% wrong: the columns are reordered
def to_half_split(weight, n_head):
    return torch.cat([weight[:, 0::2], weight[:, 1::2]], dim=1)


# %% wrong: nothing is reordered
def to_half_split(weight, n_head):
    return weight.clone()


# %% wrong: the visible example
def to_half_split(weight, n_head):
    return weight[[0, 2, 4, 1, 3, 5]]


# %% wrong: the number of heads is taken for their width
def to_half_split(weight, n_head):
    heads = weight.split(n_head) if n_head > 1 else [weight]
    return torch.cat([torch.cat([head[0::2], head[1::2]]) for head in heads])


# %% right: a list of row numbers
def to_half_split(weight, n_head):
    width = len(weight) // n_head
    order = [
        head * width + 2 * pair + member for head in range(n_head) for member in (0, 1) for pair in range(width // 2)
    ]
    return weight[order]


# %% right: head by head, and a warning
def to_half_split(weight, n_head):
    import logging

    logging.getLogger("weights").warning("reordering %d heads", n_head)
    return torch.cat([torch.cat([head[0::2], head[1::2]]) for head in weight.chunk(n_head)])


# %% right: by multiplication with a permutation matrix
def to_half_split(weight, n_head):
    width = weight.shape[0] // n_head
    one_head = torch.zeros(width, width, dtype=weight.dtype)
    for row in range(width):
        one_head[row, 2 * row if row < width // 2 else 2 * row - width + 1] = 1
    return torch.block_diag(*[one_head] * n_head) @ weight

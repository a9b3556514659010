"""Answers to the task rotate_interleaved; course_lib/grading/answers.py says what this format is."""

# ruff: noqa: F811
import math

import torch


# %% wrong: the half-split layout
def rotate_interleaved(x, positions, theta):
    width = x.shape[-1]
    frequencies = theta ** (-torch.arange(0, width, 2, dtype=x.dtype) / width)
    angles = positions[:, None, :, None] * frequencies
    first, second = x.chunk(2, dim=-1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)


# %% wrong: turned the other way
def rotate_interleaved(x, positions, theta):
    width = x.shape[-1]
    frequencies = theta ** (-torch.arange(0, width, 2, dtype=x.dtype) / width)
    angles = positions[:, None, :, None] * frequencies
    even, odd, cos, sin = x[..., 0::2], x[..., 1::2], angles.cos(), angles.sin()
    return torch.stack([even * cos + odd * sin, odd * cos - even * sin], dim=-1).flatten(-2)


# %% wrong: the exponent lacks its factor of two
def rotate_interleaved(x, positions, theta):
    width = x.shape[-1]
    frequencies = theta ** (-torch.arange(width // 2, dtype=x.dtype) / width)
    angles = positions[:, None, :, None] * frequencies
    even, odd, cos, sin = x[..., 0::2], x[..., 1::2], angles.cos(), angles.sin()
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2)


# %% wrong: the positions are counted, not read
def rotate_interleaved(x, positions, theta):
    width = x.shape[-1]
    frequencies = theta ** (-torch.arange(0, width, 2, dtype=x.dtype) / width)
    angles = torch.arange(x.shape[2])[:, None] * frequencies
    even, odd, cos, sin = x[..., 0::2], x[..., 1::2], angles.cos(), angles.sin()
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2)


# %% wrong: the first coordinate is changed before the second one uses it
def rotate_interleaved(x, positions, theta):
    width = x.shape[-1]
    frequencies = theta ** (-torch.arange(0, width, 2, dtype=x.dtype) / width)
    angles = positions[:, None, :, None] * frequencies
    y = x.clone()
    y[..., 0::2] = y[..., 0::2] * angles.cos() - y[..., 1::2] * angles.sin()
    y[..., 1::2] = y[..., 0::2] * angles.sin() + y[..., 1::2] * angles.cos()
    return y


# %% wrong: theta is always 10000
def rotate_interleaved(x, positions, theta):
    width = x.shape[-1]
    frequencies = 10000.0 ** (-torch.arange(0, width, 2, dtype=x.dtype) / width)
    angles = positions[:, None, :, None] * frequencies
    even, odd, cos, sin = x[..., 0::2], x[..., 1::2], angles.cos(), angles.sin()
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2)


# %% wrong: right numbers, joined half by half
def rotate_interleaved(x, positions, theta):
    width = x.shape[-1]
    frequencies = theta ** (-torch.arange(0, width, 2, dtype=x.dtype) / width)
    angles = positions[:, None, :, None] * frequencies
    even, odd, cos, sin = x[..., 0::2], x[..., 1::2], angles.cos(), angles.sin()
    return torch.cat([even * cos - odd * sin, even * sin + odd * cos], dim=-1)


# %% right: as complex numbers
def rotate_interleaved(x, positions, theta):
    *shape, width = x.shape
    frequencies = theta ** (-torch.arange(0, width, 2, dtype=x.dtype) / width)
    turn = torch.polar(torch.ones(1, dtype=x.dtype), positions[:, None, :, None] * frequencies)
    pairs = torch.view_as_complex(x.reshape(*shape, width // 2, 2).contiguous())
    return torch.view_as_real(pairs * turn).reshape(*shape, width)


# %% right: pair by pair, with single-precision angles
def rotate_interleaved(x, positions, theta):
    y = torch.empty_like(x)
    width = x.shape[-1]
    for d in range(width // 2):
        angle = (positions.float() / theta ** (2 * d / width)).unsqueeze(1)
        y[..., 2 * d] = x[..., 2 * d] * angle.cos() - x[..., 2 * d + 1] * angle.sin()
        y[..., 2 * d + 1] = x[..., 2 * d] * angle.sin() + x[..., 2 * d + 1] * angle.cos()
    return y


# %% right: token by token, with matrices, and a warning
def rotate_interleaved(x, positions, theta):
    import sys

    print("slow, but right", file=sys.stderr)
    y, width = x.clone(), x.shape[-1]
    for b, row in enumerate(positions.tolist()):
        for t, position in enumerate(row):
            blocks = []
            for d in range(width // 2):
                angle = position * theta ** (-2 * d / width)
                cos, sin = math.cos(angle), math.sin(angle)
                blocks.append(torch.tensor([[cos, -sin], [sin, cos]], dtype=x.dtype))
            y[b, :, t] = x[b, :, t] @ torch.block_diag(*blocks).T
    return y

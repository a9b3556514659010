"""Answers to the task sink_window_mask; course_lib/grading/answers.py says what this format is."""

# ruff: noqa: F811
import torch


# %% wrong: the window is one too wide
def sink_window_mask(length, window, sinks):
    query, key = torch.arange(length)[:, None], torch.arange(length)[None, :]
    return (key <= query) & ((query - key <= window) | (key < sinks))


# %% wrong: rows and columns are exchanged
def sink_window_mask(length, window, sinks):
    query, key = torch.arange(length)[None, :], torch.arange(length)[:, None]
    return (key <= query) & ((query - key < window) | (key < sinks))


# %% wrong: sinks are visible from before they are written
def sink_window_mask(length, window, sinks):
    query, key = torch.arange(length)[:, None], torch.arange(length)[None, :]
    return ((key <= query) & (query - key < window)) | (key < sinks)


# %% wrong: a window on both sides
def sink_window_mask(length, window, sinks):
    query, key = torch.arange(length)[:, None], torch.arange(length)[None, :]
    return ((query - key).abs() < window) | (key < sinks)


# %% wrong: no sinks at all
def sink_window_mask(length, window, sinks):
    return torch.ones(length, length, dtype=torch.bool).tril().triu(1 - window)


# %% wrong: one sink, however many are asked for
def sink_window_mask(length, window, sinks):
    mask = torch.ones(length, length, dtype=torch.bool).tril().triu(1 - window)
    mask[:, 0] = True
    return mask


# %% wrong: the values of the visible example
def sink_window_mask(length, window, sinks):
    rows = ["100000", "110000", "111000", "111100", "101110", "100111"]
    return torch.tensor([[character == "1" for character in row] for row in rows])


# %% right: with loops
def sink_window_mask(length, window, sinks):
    mask = torch.zeros(length, length, dtype=torch.bool)
    for query in range(length):
        for key in range(query + 1):
            mask[query, key] = query - key < window or key < sinks
    return mask


# %% right: with triangles, and a message on stderr
def sink_window_mask(length, window, sinks):
    import logging

    logging.warning("a mask of %d positions", length)
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    mask = causal.triu(1 - window)
    mask[:, :sinks] = causal[:, :sinks]
    return mask


# %% right: zeros and ones of an integer type, made by numpy
def sink_window_mask(length, window, sinks):
    import numpy as np

    causal = np.tri(length, dtype=np.int64)
    far = np.tri(length, k=-window, dtype=np.int64)
    far[:, :sinks] = 0
    return torch.from_numpy(causal - far)

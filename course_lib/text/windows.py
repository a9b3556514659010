"""From texts to batches: one long array of token ids, and windows of it."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import torch

from course_lib.storage import write_atomically
from course_lib.text.tokenizer import Tokenizer

Batch = dict[str, torch.Tensor]
IGNORED = -100  # the target that no loss counts (PyTorch's default `ignore_index`)


def pack(rows: Iterable[Mapping], tokenizer: Tokenizer, path: str | Path) -> np.ndarray:
    """Write texts as one array of token ids, with `<|endoftext|>` before each document and after the last.

    Row after row goes through memory, and the array comes back memory-mapped: neither the text nor its tokens
    need fit in memory. Each row is a document, unless its `piece` is above 0: then it goes on with the one before.

    Args:
        rows: `{"text"}` and maybe `piece`, such as a split of `load_corpus`.
        tokenizer: gives the ids; decides the width of an element (16 bits up to 65,536 tokens, else 32).
        path: the `.npy` file to write.

    Returns:
        The array, shape (number of tokens,), memory-mapped and read-only.

    Raises:
        ValueError: the rows have no text.
    """
    path = Path(path)
    dtype = np.dtype(np.uint16 if tokenizer.vocab_size <= 1 << 16 else np.uint32)

    def write(temporary: Path) -> None:
        # The header of a .npy file holds the length, which is known last: reserve its place and come back to it.
        length = 0
        with temporary.open("w+b") as file:
            header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False}
            np.lib.format.write_array_header_1_0(file, {**header, "shape": (1 << 62,)})
            start = file.tell()
            for row in rows:
                if "text" not in row:
                    raise ValueError(f"Only texts can be packed, and these rows have {', '.join(row)}.")
                ids = tokenizer.encode(row["text"])
                if length == 0 or not row.get("piece"):
                    ids = [tokenizer.end_of_text, *ids]
                file.write(np.asarray(ids, dtype).tobytes())
                length += len(ids)
            file.write(np.asarray([tokenizer.end_of_text], dtype).tobytes())
            file.seek(0)
            np.lib.format.write_array_header_1_0(file, {**header, "shape": (length + 1,)})
            assert file.tell() == start, "the header must fill the place that was kept for it"

    write_atomically(path, write)
    return np.load(path, mmap_mode="r")


class RandomWindows:
    """Batches of windows drawn at random from a token array; batch `i` is the same whenever it is asked for.

    A batch is a function of its number and the seed alone, so "the position in the data" is one integer, and
    a run that is killed and resumed sees exactly the batches it would have seen.

    Args:
        tokens: shape (N,), from `pack`.
        context_length: T, tokens a window.
        batch_size: B, windows a batch.
        seed: another seed draws other windows.

    Raises:
        ValueError: the array is shorter than one window and its next token.
    """

    def __init__(self, tokens: np.ndarray, context_length: int, batch_size: int, seed: int = 0) -> None:
        _check_length(tokens, context_length + 1)
        self.tokens, self.context_length, self.batch_size, self.seed = (
            tokens,
            context_length,
            batch_size,
            seed,
        )

    def __getitem__(self, number: int) -> Batch:
        """Return batch `number`: `tokens` and `targets`, each (B, T) int64; a target is the token that follows."""
        starts = np.random.default_rng([self.seed, number]).integers(
            0, len(self.tokens) - self.context_length, self.batch_size
        )
        windows = np.stack([self.tokens[s : s + self.context_length + 1] for s in starts]).astype(np.int64)
        windows = torch.from_numpy(windows)  # (B, T + 1)
        return {"tokens": windows[:, :-1].contiguous(), "targets": windows[:, 1:].contiguous()}


def sequential_windows(tokens: np.ndarray, context_length: int, batch_size: int) -> list[Batch]:
    """Cut a token array into consecutive windows, so that each token but the first is predicted exactly once.

    Args:
        tokens: shape (N,).
        context_length: T; the last window is filled up, with targets of -100 that no loss counts.
        batch_size: B; the last batch may be smaller.

    Returns:
        Batches of `tokens` and `targets`, each (B, T) int64.

    Raises:
        ValueError: there are fewer than two tokens.
    """
    _check_length(tokens, 2)
    inputs, targets = (np.asarray(part, dtype=np.int64) for part in (tokens[:-1], tokens[1:]))
    missing = -len(inputs) % context_length
    inputs = np.pad(inputs, (0, missing)).reshape(-1, context_length)  # (windows, T)
    targets = np.pad(targets, (0, missing), constant_values=IGNORED).reshape(-1, context_length)
    return [
        {
            "tokens": torch.from_numpy(inputs[i : i + batch_size]),
            "targets": torch.from_numpy(targets[i : i + batch_size]),
        }
        for i in range(0, len(inputs), batch_size)
    ]


def _check_length(tokens: np.ndarray, needed: int) -> None:
    if len(tokens) < needed:
        raise ValueError(
            f"The text has {len(tokens)} tokens, and one window needs {needed}: "
            f"take a longer text or a shorter context_length."
        )

"""Checkpoints that survive anything: a run killed at any moment goes on as if nothing had happened."""

import hashlib
import random
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from course_lib.storage import write_atomically

FORMAT = "course_lib checkpoint 1"
KEPT = 2  # the newest, and the one before it in case the newest turns out damaged


def random_state() -> dict[str, Any]:
    """Return the state of every random generator that training may draw from."""
    version, keys, *rest = np.random.get_state(legacy=True)
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": [version, torch.from_numpy(keys.astype(np.int64)), *rest],
        "python": random.getstate(),
    }


def set_random_state(state: dict[str, Any]) -> None:
    """Put every random generator back to a state that `random_state` returned."""
    torch.set_rng_state(state["torch"])
    if state["cuda"]:
        torch.cuda.set_rng_state_all(state["cuda"])
    version, keys, *rest = state["numpy"]
    np.random.set_state((version, keys.numpy().astype(np.uint32), *rest))
    python_version, internal, gauss = state["python"]
    random.setstate((python_version, tuple(internal), gauss))


def fingerprint(model: torch.nn.Module, optimizers: list[torch.optim.Optimizer], options: dict[str, Any]) -> str:
    """Return a hash of what a checkpoint must fit.

    Args:
        model: counts with the names and shapes of its weights.
        optimizers: count with their kinds, groups and settings, as they are before the first step.
        options: whatever else must be the same for a run to go on as it began.
    """
    weights = [(name, tuple(tensor.shape)) for name, tensor in model.state_dict().items()]
    groups = [
        (
            type(optimizer).__name__,
            len(group["params"]),
            sorted((k, repr(v)) for k, v in group.items() if k != "params"),
        )
        for optimizer in optimizers
        for group in optimizer.param_groups
    ]
    return hashlib.sha256(repr((weights, groups, sorted(options.items()))).encode()).hexdigest()


class Checkpoints:
    """The checkpoints of one run, in a folder, one file each (`step-00000100.pt`), the newest two kept.

    A file appears under its name only when it is whole. It is opened with `weights_only=True`: nothing in it
    can run code.

    Args:
        folder: made when the first checkpoint is written.
        fingerprint: of the run; files with another one are refused.
    """

    def __init__(self, folder: str | Path, fingerprint: str) -> None:
        self.folder, self.fingerprint = Path(folder), fingerprint

    def files(self) -> list[Path]:
        """Return the checkpoints there are, oldest first."""
        return sorted(self.folder.glob("step-*.pt"))

    def save(self, step: int, state: dict[str, Any]) -> Path:
        """Write the state after `step` steps, and remove checkpoints no longer needed."""
        path = self.folder / f"step-{step:08d}.pt"
        contents = {"format": FORMAT, "fingerprint": self.fingerprint, "step": step, **state}
        write_atomically(path, lambda temporary: torch.save(contents, temporary))
        for old in self.files()[:-KEPT]:
            old.unlink()
        return path

    def load_latest(self) -> dict[str, Any] | None:
        """Return the newest state that is whole and belongs to this run; None if there is none.

        A file that is damaged or foreign is named in a warning, put aside as `….pt.refused`, where it cannot
        be counted among the newest, and the one before it is used.
        """
        for path in reversed(self.files()):
            try:
                return self._load(path)
            except ValueError as error:
                path.rename(path.with_name(path.name + ".refused"))
                warnings.warn(f"{error} The checkpoint before it is used, if there is one.", stacklevel=2)
        return None

    def _load(self, path: Path) -> dict[str, Any]:
        try:
            with zipfile.ZipFile(path) as archive:  # torch's format is a zip, whose checksums torch does not read
                damaged = archive.testzip()
            contents = None if damaged else torch.load(path, weights_only=True)
        except Exception:  # a damaged file can fail in a dozen ways
            contents = None
        if not isinstance(contents, dict):
            raise ValueError(f"{path} is damaged or is not a checkpoint.")
        if contents.get("format") != FORMAT or contents.get("fingerprint") != self.fingerprint:
            raise ValueError(f"{path} is a checkpoint of another run: its weights, optimizers or settings differ.")
        return contents

import os

# Before anything imports torch, transformers or tqdm: one thread, no network, no bars, as the Makefile has it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TQDM_DISABLE", "1")

import pytest


@pytest.fixture
def course_home(tmp_path, monkeypatch):
    """An empty place for what the library keeps, so that no test sees what another made."""
    monkeypatch.setenv("COURSE_LIB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"

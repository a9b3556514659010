"""The surroundings of the notebooks: what a kernel that the build starts finds in its environment.

With these set here, a plain `jupyter-book build .` and `make book` run the pages alike, and a page needs no
line of set-up: figures come out as SVG in the course's style, progress bars are off (a page is no terminal,
and what a cell writes to stderr is a warning), the library is the one beside the book, and nothing asks the
network for data.
"""

from __future__ import annotations

import os
from pathlib import Path

from sources import ROOT
from sphinx.application import Sphinx

ENVIRONMENT = {
    "PYTHONPATH": str(ROOT),
    "MATPLOTLIBRC": str(ROOT / "book/_assets/matplotlibrc"),
    "TQDM_DISABLE": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    # ipykernel's debugger warns on stderr about frozen modules; no page is debugged.
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}
# A profile of the book's own also keeps the reader's personal IPython settings out of the pages.
PROFILE = """\
c.InlineBackend.figure_formats = {"svg"}
c.HistoryManager.enabled = False
c.Application.log_level = "ERROR"
# A library's progress bar, in a notebook, is a widget, which asks other hosts for scripts: bars stay text.
c.InteractiveShellApp.exec_lines = ["import tqdm.auto, tqdm.std; tqdm.auto.tqdm = tqdm.std.tqdm; del tqdm"]
"""


def prepare(app: Sphinx) -> None:
    """Set the environment, which the kernels inherit (event `builder-inited`)."""
    profile = Path(app.outdir).parent / "ipython" / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_kernel_config.py").write_text(PROFILE, "utf8")
    os.environ.update(ENVIRONMENT, IPYTHONDIR=str(profile.parent))
    # More threads than one slow down models this small; a reader with other plans may set it.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # The first import on a new machine makes a list of its fonts and says so on stderr: let it happen here.
    import matplotlib.font_manager  # noqa: F401


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("builder-inited", prepare)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

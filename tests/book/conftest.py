"""What the tests of the book share: its machinery on the path, the built pages on a loopback server, a browser."""

from __future__ import annotations

import gzip
import mimetypes
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "_build/html"
sys.path.insert(0, str(ROOT / "book/_ext"))

TEXT = ("text/", "application/javascript", "image/svg+xml", "application/json")


def leave_out(reason: str) -> None:
    """Skip a test for what this machine lacks; on CI, which has to have everything, fail instead."""
    if os.environ.get("COURSE_CI") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


class Handler(SimpleHTTPRequestHandler):
    """Serves the built book as GitHub Pages does: text gzipped, 404.html for what is not there."""

    def do_GET(self) -> None:
        """One file."""
        path = Path(self.translate_path(self.path))
        path = path / "index.html" if path.is_dir() else path
        status = 200 if path.is_file() else 404
        path = path if status == 200 else HTML / "404.html"
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        body = path.read_bytes()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if kind.startswith(TEXT):
            body = gzip.compress(body)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def site() -> Iterator[str]:
    """The address of the built book on this machine, without a slash at its end."""
    if not (HTML / "book/index.html").exists():
        leave_out("The book is not built: make book")
    server = ThreadingHTTPServer(("127.0.0.1", 0), lambda *args: Handler(*args, directory=str(HTML)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, which can reach nothing but this machine."""
    chromium = shutil.which("chromium")
    if not chromium:
        leave_out("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
        )
        yield launched
        launched.close()

"""What is kept is whole, and made again when anything it depends on changes."""

import ast
import subprocess
import sys

import pytest

from course_lib import storage


def test_a_result_is_made_once_per_key(course_home):
    calls = []

    def make(folder):
        calls.append(folder)
        (folder / "result").write_text("x")

    first = storage.kept("things/one", {"a": 1}, make)
    assert storage.kept("things/one", {"a": 1}, make) == first and len(calls) == 1
    assert storage.kept("things/one", {"a": 2}, make) != first and len(calls) == 2
    assert first.parent == course_home / "things"


def test_an_interrupted_result_is_taken_up_where_it_stopped(course_home):
    def interrupted(folder):
        (folder / "half").write_text("x")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        storage.kept("one", {}, interrupted)
    folder = storage.kept("one", {}, lambda folder: (folder / "whole").write_text((folder / "half").read_text()))
    assert (folder / "whole").read_text() == "x"
    assert not list(course_home.glob("*.partial"))


@pytest.mark.parametrize("old", [None, "old"])
def test_writing_is_all_or_nothing(old, tmp_path):
    path = tmp_path / "deep" / "thing"

    def fail(temporary):
        temporary.write_text("half")
        raise RuntimeError("interrupted")

    if old:
        storage.write_atomically(path, lambda temporary: temporary.write_text(old))
    with pytest.raises(RuntimeError):
        storage.write_atomically(path, fail)
    assert [p.name for p in path.parent.iterdir()] == (["thing"] if old else [])
    path.with_name(".thing.tmp").write_text("what a killed process left")
    storage.write_atomically(path, lambda temporary: temporary.write_text("new"))
    assert path.read_text() == "new" and [p.name for p in path.parent.iterdir()] == ["thing"]


def test_two_processes_that_want_one_result_make_it_once(course_home):
    script = (
        "import time; from course_lib import storage\n"
        "def make(folder):\n"
        "    with (folder / 'log').open('a') as log: log.write('made\\n')\n"
        "    time.sleep(1)\n"
        "print((storage.kept('one', {}, make) / 'log').read_text(), end='')"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    assert [process.communicate()[0] for process in processes] == ["made\n", "made\n"]


def test_the_code_digest_follows_what_code_does_and_not_how_it_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "PACKAGE", tmp_path)
    room = tmp_path / "room"
    room.mkdir()

    def digest(source):
        ast.parse(source)
        (room / "a.py").write_text(source)
        return storage.code_digest(["room"])

    first = digest('"""Doc."""\ndef f(x):\n    """Say."""\n    return x + 1  # why\n')
    assert digest("def f(x):\n\n    return x + 1\n") == first
    assert digest("def f(x):\n    return x + 2\n") != first
    (tmp_path / "lone.py").write_text("x = 1\n")
    assert storage.code_digest(["room", "lone"]) != storage.code_digest(["room"])
    with pytest.raises(FileNotFoundError):
        storage.code_digest(["no_such_room"])

"""What is kept is whole, and made again when anything it depends on changes."""

import ast

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
    assert [path.name for path in course_home.iterdir()] == [folder.name]


@pytest.mark.parametrize("old", [None, "file", "folder"])
def test_writing_is_all_or_nothing(old, tmp_path):
    path = tmp_path / "deep" / "thing"
    as_folder = old == "folder"

    def write(text):
        def writer(temporary):
            if as_folder:
                temporary.mkdir()
                (temporary / "part").write_text(text)
            else:
                temporary.write_text(text)

        return writer

    def fail(temporary):
        write("half")(temporary)
        raise RuntimeError("interrupted")

    def read():
        return (path / "part" if as_folder else path).read_text()

    if old:
        storage.write_atomically(path, write("old"))
    with pytest.raises(RuntimeError):
        storage.write_atomically(path, fail)
    assert read() == "old" if old else not path.exists()
    storage.write_atomically(path, write("new"))
    assert read() == "new"
    assert [p.name for p in path.parent.iterdir()] == ["thing"]


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

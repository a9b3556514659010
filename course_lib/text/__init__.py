"""Text and numbers: corpora with splits that never change, tokenizers, token arrays, batches (chapter 3)."""

from course_lib.text.cards import CORPORA, CorpusCard
from course_lib.text.corpora import load_corpus
from course_lib.text.tokenizer import Tokenizer
from course_lib.text.windows import RandomWindows, pack, sequential_windows

__all__ = [
    "CORPORA",
    "CorpusCard",
    "RandomWindows",
    "Tokenizer",
    "load_corpus",
    "pack",
    "sequential_windows",
]

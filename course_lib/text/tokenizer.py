"""Text to token ids and back: characters, or byte-level BPE (Sennrich et al. 2016; Radford et al. 2019).

Both are one object of the `tokenizers` library, and one JSON file, which stock `transformers` opens too.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from course_lib.storage import write_atomically

END_OF_TEXT = "<|endoftext|>"
UNKNOWN = "\ufffd"  # �, for characters that a character tokenizer never saw


class Tokenizer:
    """A reversible map between text and lists of token ids.

    Make one with `train_characters` or `train_bpe`, or open one with `load`. The token `<|endoftext|>`
    separates documents; where a text contains these letters, they are ordinary letters.

    Args:
        backend: a `tokenizers.Tokenizer`.
        end_of_text: the token that ends a document.

    Raises:
        ValueError: the vocabulary has no such token.
    """

    def __init__(self, backend: tokenizers.Tokenizer, end_of_text: str = END_OF_TEXT) -> None:
        self.backend = backend
        self.backend.encode_special_tokens = True  # "<|endoftext|>" in a user's text is not the real one
        self.end_of_text = backend.token_to_id(end_of_text)
        if self.end_of_text is None:
            raise ValueError(f"The tokenizer has no token {end_of_text!r} to end a document with.")

    @classmethod
    def train_characters(cls, texts: Iterable[str]) -> "Tokenizer":
        """Make a tokenizer whose tokens are the characters that occur in `texts`; others become �.

        Args:
            texts: training texts only: a vocabulary fitted on held-out text would have seen the test.
        """
        characters = sorted(set().union(*map(set, texts)) - {UNKNOWN})
        if not characters:
            raise ValueError("There is no text to take characters from.")
        vocabulary = {token: i for i, token in enumerate([END_OF_TEXT, UNKNOWN, *characters])}
        backend = tokenizers.Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
        backend.pre_tokenizer = pre_tokenizers.Split(tokenizers.Regex(r"[\s\S]"), behavior="isolated")
        backend.decoder = decoders.Fuse()
        backend.add_special_tokens([END_OF_TEXT])
        return cls(backend)

    @classmethod
    def train_bpe(cls, texts: Iterable[str], vocab_size: int) -> "Tokenizer":
        """Make a byte-level BPE tokenizer, which can write any text.

        Args:
            texts: training texts.
            vocab_size: number of tokens, the 256 bytes and `<|endoftext|>` among them. Small corpora may
                give fewer.

        Raises:
            ValueError: `vocab_size` is below 257.
        """
        if vocab_size < 257:
            raise ValueError(f"A byte-level vocabulary holds 256 bytes and <|endoftext|>: {vocab_size} is too small.")
        backend = tokenizers.Tokenizer(models.BPE())
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size,
            special_tokens=[END_OF_TEXT],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        backend.train_from_iterator(texts, trainer)
        return cls(backend)

    @property
    def vocab_size(self) -> int:
        """Number of tokens."""
        return self.backend.get_vocab_size()

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a text."""
        return self.backend.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of token ids; `<|endoftext|>` is left out."""
        return self.backend.decode(list(map(int, ids)))

    def decode_stream(self, ids: Iterable[int]) -> Iterator[str]:
        """Yield text as soon as it is complete: a character may need several tokens of its bytes."""
        stream = decoders.DecodeStream(skip_special_tokens=True)
        for token in ids:
            if (piece := stream.step(self.backend, int(token))) is not None:
                yield piece

    def tokens(self, text: str) -> list[str]:
        """Return a text cut where the tokenizer cuts it; bytes that are no character alone show as �."""
        return [self.decode([token]) for token in self.encode(text)]

    def save(self, folder: str | Path) -> None:
        """Write `tokenizer.json` and `tokenizer_config.json`, which `AutoTokenizer` opens.

        Args:
            folder: made if it does not exist.
        """
        folder = Path(folder)
        end_of_text = self.backend.id_to_token(self.end_of_text)
        settings = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": end_of_text,
            "bos_token": end_of_text,
        }
        write_atomically(folder / "tokenizer.json", lambda path: self.backend.save(str(path)))
        write_atomically(
            folder / "tokenizer_config.json", lambda path: path.write_text(json.dumps(settings, indent=2))
        )

    @classmethod
    def load(cls, folder: str | Path) -> "Tokenizer":
        """Open a folder that `save` wrote, or that stock `transformers` did.

        Raises:
            FileNotFoundError: there is no `tokenizer.json`.
            ValueError: the file is damaged.
        """
        file = Path(folder) / "tokenizer.json"
        if not file.exists():
            raise FileNotFoundError(f"There is no tokenizer.json in {folder}: Tokenizer.save writes one.")
        try:
            backend = tokenizers.Tokenizer.from_file(str(file))
        except Exception as error:  # the library raises plain Exception
            raise ValueError(f"{file} is not a tokenizer file: {error}") from None
        settings = file.with_name("tokenizer_config.json")
        try:
            end_of_text = json.loads(settings.read_text("utf-8")).get("eos_token") if settings.exists() else None
        except json.JSONDecodeError as error:
            raise ValueError(f"{settings} is damaged ({error}).") from None
        if isinstance(end_of_text, dict):  # transformers writes some tokens with their settings
            end_of_text = end_of_text["content"]
        return cls(backend, end_of_text or END_OF_TEXT)

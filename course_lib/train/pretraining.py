"""The model of chapter 6: Shakespeare's plays, from text to a trained GPT, made once and then at hand."""

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from course_lib import storage
from course_lib.gpt import GPT, GPTConfig
from course_lib.optim import muon_with_adamw, warmup_cosine
from course_lib.text import CORPORA, RandomWindows, Tokenizer, load_corpus, pack, sequential_windows
from course_lib.train.history import History
from course_lib.train.trainer import TrainConfig, Trainer


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the model of chapter 6, in steps and sizes, so that a run repeats.

    Attributes:
        vocab_size: of the BPE tokenizer.
        context_length: tokens a window.
        n_layer: blocks.
        n_head: heads.
        n_embd: width.
        batch_size: windows a batch. Small: on a CPU, many small updates beat few large ones.
        steps: updates.
        warmup: steps in which the learning rate rises.
        muon_learning_rate: for the matrices.
        adamw_learning_rate: for embeddings and gains.
        weight_decay: of the matrices.
        seed: of weights and batches.
    """

    vocab_size: int = 2048
    context_length: int = 96
    n_layer: int = 4
    n_head: int = 4
    n_embd: int = 128
    batch_size: int = 8
    steps: int = 1700
    warmup: int = 50
    muon_learning_rate: float = 0.02
    adamw_learning_rate: float = 3e-3
    weight_decay: float = 0.1
    seed: int = 0

    def config(self, vocab_size: int) -> GPTConfig:
        """Return the model's config: the modern family, which every later chapter can export."""
        return GPTConfig.llama(
            vocab_size=vocab_size,
            context_length=self.context_length,
            n_layer=self.n_layer,
            n_head=self.n_head,
            n_embd=self.n_embd,
        )


RECIPE = Recipe()


@dataclass(frozen=True)
class Pretrained:
    """A trained model and what belongs to it.

    Attributes:
        model: in evaluation mode.
        tokenizer: it was trained with.
        history: of its training.
        folder: where it is kept: weights, config and tokenizer, which stock `transformers` opens, `history.json`,
            and the packed texts, `train.npy`, `validation.npy`, `test.npy`.
    """

    model: GPT
    tokenizer: Tokenizer
    history: History
    folder: Path


def pretrain(recipe: Recipe = RECIPE) -> Pretrained:
    """Return a GPT trained on Shakespeare's plays; train it if this machine has not done so yet.

    An interrupted training goes on from its last checkpoint. The result is kept until the recipe, the corpus
    or the code that it depends on changes.

    Args:
        recipe: the course's own if not given.
    """
    key = {
        "recipe": asdict(recipe),
        "corpus": CORPORA["shakespeare"].sha256,
        "code": storage.code_digest(["text", "gpt/config", "gpt/model", "optim", "train"]),
        "torch": torch.__version__,
    }
    folder = storage.kept("models/shakespeare", key, lambda folder: _train(recipe, folder))
    return Pretrained(
        GPT.from_pretrained(folder).eval(), Tokenizer.load(folder), History.load(folder / "history.json"), folder
    )


def _train(recipe: Recipe, folder: Path) -> None:
    corpus = load_corpus("shakespeare")
    tokenizer = Tokenizer.train_bpe(corpus["train"]["text"], recipe.vocab_size)
    tokenizer.save(folder)
    arrays = {split: pack(rows, tokenizer, folder / f"{split}.npy") for split, rows in corpus.items()}
    torch.manual_seed(recipe.seed)
    model = GPT(recipe.config(tokenizer.vocab_size))
    trainer = Trainer(
        model,
        muon_with_adamw(
            model,
            recipe.muon_learning_rate,
            adamw_learning_rate=recipe.adamw_learning_rate,
            weight_decay=recipe.weight_decay,
        ),
        RandomWindows(arrays["train"], recipe.context_length, recipe.batch_size, recipe.seed),
        TrainConfig(steps=recipe.steps),
        schedule=warmup_cosine(recipe.steps, recipe.warmup),
        validation=sequential_windows(arrays["validation"], recipe.context_length, 32),
        folder=folder / "checkpoints",
    )
    trainer.fit().save(folder / "history.json")
    model.save_pretrained(folder)
    shutil.rmtree(folder / "checkpoints")

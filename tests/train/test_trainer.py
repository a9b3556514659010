"""The trainer: the loop written out is its oracle; a run that is killed ends like one that is not."""

import math
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from course_lib.gpt import GPT, GPTConfig
from course_lib.optim import adamw, muon_with_adamw, warmup_cosine
from course_lib.text import RandomWindows
from course_lib.train import History, Precision, TrainConfig, Trainer, choose_precision, evaluate, plot_history
from course_lib.train.checkpoint import random_state, set_random_state
from tests.train.conftest import Batches, Noisy


def assert_same_weights(a, b):
    for (name, x), y in zip(a.state_dict().items(), b.state_dict().values(), strict=True):
        assert torch.equal(x, y), name


def test_it_is_the_loop_that_everybody_writes(make_trainer):
    trainer = make_trainer()
    history = trainer.fit()
    torch.manual_seed(0)
    model = Noisy()
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in model.parameters() if p.dim() == d], "weight_decay": w}
            for d, w in ((2, 0.1), (1, 0.0))
        ],
        betas=(0.9, 0.95),
    )
    losses = []
    for step in range(40):
        rate = 1e-2 * ((step + 1) / 5 if step < 5 else (1 + math.cos(math.pi * (step - 5) / 34)) / 2)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        loss = model(**Batches()[step])[1]
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    assert history.column("loss") == pytest.approx(losses, rel=1e-5)
    for a, b in zip(trainer.model.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-5)


def test_it_leaves_the_processes_arithmetic_as_it_was(make_trainer):
    tiny_number = torch.tensor(1e-40)
    assert (tiny_number * 1.0).item() != 0
    make_trainer(steps=1).fit()
    assert (tiny_number * 1.0).item() != 0


def test_accumulation_is_one_batch_of_that_size():
    class Joined:
        def __getitem__(self, number):
            parts = [Batches()[4 * number + i] for i in range(4)]
            return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    weights = []
    for batches, accumulation in ((Batches(), 4), (Joined(), 1)):
        torch.manual_seed(0)
        model = Noisy()
        model.layers[2].p = 0.0
        config = TrainConfig(steps=5, accumulation=accumulation, precision="float32")
        Trainer(model, adamw(model, 1e-2), batches, config).fit()
        weights.append(model)
    for a, b in zip(*(m.parameters() for m in weights), strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("stop", [1, 6, 7, 8, 21, 39])
def test_a_run_that_stops_anywhere_ends_like_one_that_does_not(make_trainer, tmp_path, stop):
    whole = make_trainer()
    history = whole.fit()

    class PowerCut(Exception):
        pass

    class Until:
        def __getitem__(self, number):
            if number == stop:
                raise PowerCut
            return Batches()[number]

    broken = make_trainer(tmp_path)
    broken.batches = Until()
    with pytest.raises(PowerCut):
        broken.fit()
    # Another process begins with other weights and random generators; only before the first checkpoint must it
    # begin as this one did.
    again = make_trainer(tmp_path, seed=7 if stop > 6 else 0)
    resumed = again.fit()
    assert_same_weights(whole.model, again.model)
    assert resumed.column("loss") == history.column("loss") and resumed.column("step") == list(range(1, 41))
    assert resumed.validation() == history.validation()


def test_a_finished_run_does_nothing_more(make_trainer, tmp_path):
    first = make_trainer(tmp_path)
    first.fit()
    again = make_trainer(tmp_path, seed=5)
    again.batches = None
    again.fit()
    assert_same_weights(first.model, again.model)


KILLED = """
import sys, time, torch
from tests.train.conftest import Batches
from course_lib.gpt import GPT, GPTConfig
from course_lib.optim import muon_with_adamw
from course_lib.text import RandomWindows
from course_lib.train import TrainConfig, Trainer
import numpy as np
torch.set_num_threads(1)
torch.manual_seed(0)
model = GPT(GPTConfig.llama(vocab_size=50, context_length=16, n_layer=2, n_head=2, n_embd=32))
tokens = np.random.default_rng(0).integers(0, 50, 5000)
config = TrainConfig(steps=120, checkpoint_every=3, precision="float32")
optimizers = muon_with_adamw(model, 0.02, adamw_learning_rate=1e-3)
Trainer(model, optimizers, RandomWindows(tokens, 16, 4), config, folder=sys.argv[1]).fit()
torch.save(model.state_dict(), sys.argv[2])
"""


@pytest.mark.slow
def test_kill_9_at_any_moment_changes_no_bit(tmp_path):
    """A GPT under Muon and AdamW, in a process that is killed at random moments until it gets through."""

    def start(folder, result):
        arguments = [sys.executable, "-c", KILLED, tmp_path / folder, tmp_path / result]
        return subprocess.Popen(arguments, cwd=Path(__file__).parents[2], stdout=subprocess.DEVNULL)

    assert start("undisturbed", "whole.pt").wait() == 0
    moments = random.Random(0)
    kills = 0
    while True:
        process = start("killed", "survivor.pt")
        deadline = time.monotonic() + 300
        before = len(list((tmp_path / "killed").glob("step-*"))) and max((tmp_path / "killed").glob("step-*"))
        while process.poll() is None and kills < 3 and time.monotonic() < deadline:
            newest = max((tmp_path / "killed").glob("step-*"), default=None)
            if newest and newest != before:  # it has come further than the process before it: now it may die
                time.sleep(moments.uniform(0, 0.3))
                process.send_signal(signal.SIGKILL)
                kills += process.wait() == -signal.SIGKILL
        if process.wait() == 0:
            break
    assert kills >= 2
    whole, survivor = (torch.load(tmp_path / name, weights_only=True) for name in ("whole.pt", "survivor.pt"))
    assert all(torch.equal(whole[name], survivor[name]) for name in whole)
    assert not list((tmp_path / "killed").glob("*.pt.tmp")) or len(list((tmp_path / "killed").glob("step-*"))) == 2


def test_it_stops_before_a_broken_number_reaches_the_weights(make_trainer, tmp_path):
    trainer = make_trainer(tmp_path)

    class Broken:
        def __getitem__(self, number):
            batch = Batches()[number]
            return {**batch, "targets": batch["targets"] * math.nan} if number == 10 else batch

    trainer.batches = Broken()
    with pytest.raises(FloatingPointError, match=r"At step 11 the loss is nan .* a lower learning rate"):
        trainer.fit()
    assert all(parameter.isfinite().all() for parameter in trainer.model.parameters())


def test_clipping_bounds_the_first_update(make_trainer):
    trainer = make_trainer(steps=1, clip=1e-3)
    norm = trainer.fit().column("gradient_norm")[0]
    clipped = torch.cat([p.grad.flatten() for p in trainer.model.parameters()]).norm().item()
    assert norm > 1e-3 and clipped == pytest.approx(1e-3, rel=1e-3)


def tiny(steps, precision):
    """A GPT that learns a text with a rule: each token follows from the one before it."""
    torch.manual_seed(0)
    model = GPT(GPTConfig.gpt2(vocab_size=32, context_length=32, n_layer=2, n_head=2, n_embd=32))
    tokens = np.cumsum(np.random.default_rng(0).integers(1, 3, 20_000)) % 32
    config = TrainConfig(steps=steps, precision=precision)
    trainer = Trainer(
        model, adamw(model, 1e-2), RandomWindows(tokens, 32, 8), config, schedule=warmup_cosine(steps, min(5, steps))
    )
    return trainer, RandomWindows(tokens, 32, 64, seed=1)[0]


@pytest.mark.slow
def test_bf16_with_textbook_attention_learns_as_fp32_does():
    """Over a whole run, from ignorance to the best loss there is for this text: ln 2, one fair coin a token."""
    finals = {}
    for precision in ("float32", "bfloat16"):
        trainer, held_out = tiny(300, precision)
        losses = trainer.fit().column("loss")
        finals[precision] = evaluate(trainer.model, [held_out])
        assert losses[0] == pytest.approx(math.log(32), abs=0.15)
    assert finals["float32"] == pytest.approx(math.log(2), abs=0.03)
    assert finals["bfloat16"] == pytest.approx(finals["float32"], abs=0.01)


def test_choosing_a_precision_disturbs_nothing_and_says_why(capsys):
    trainer, batch = tiny(3, "auto")
    before = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
    state = torch.get_rng_state()
    chosen = choose_precision(trainer.model, batch)
    assert chosen.name in ("float32", "bfloat16")
    assert "ms in bfloat16" in chosen.reason and "ms in float32" in chosen.reason
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], tensor) for name, tensor in trainer.model.state_dict().items())
    assert all(parameter.grad is None for parameter in trainer.model.parameters())
    trainer.fit()
    assert f"Training in {trainer.precision.name}: {trainer.precision.reason}." in capsys.readouterr().out


@pytest.mark.parametrize("faster", ["float32", "bfloat16"])
def test_the_faster_precision_is_chosen(faster, monkeypatch):
    def fastest(first, second, device):
        second(), first()
        return (1.0, 2.0) if faster == "float32" else (2.0, 1.0)

    monkeypatch.setattr("course_lib.train.precision._fastest", fastest)
    trainer, batch = tiny(1, "auto")
    assert choose_precision(trainer.model, batch).name == faster


def test_a_resumed_run_keeps_the_precision_it_began_with(make_trainer, tmp_path, monkeypatch):
    def never(model, batch):
        raise AssertionError("a resumed run must not choose again")

    monkeypatch.setattr(
        "course_lib.train.trainer.choose_precision", lambda model, batch: Precision("bfloat16", "it was faster")
    )
    make_trainer(tmp_path, steps=7, precision="auto").fit()
    monkeypatch.setattr("course_lib.train.trainer.choose_precision", never)
    trainer = make_trainer(tmp_path, steps=9, precision="auto")
    trainer.fit()
    assert trainer.precision == Precision("bfloat16", "it was faster")


def test_evaluation_is_a_mean_over_targets_not_over_batches():
    class Constant(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))

        def forward(self, targets):
            counted = targets[targets != -100].float()
            return None, counted.mean()

    batches = [{"targets": torch.tensor([1, 2, 3, -100])}, {"targets": torch.tensor([10, -100, -100, -100])}]
    assert evaluate(Constant(), batches) == pytest.approx((1 + 2 + 3 + 10) / 4)
    with pytest.raises(ValueError, match="nothing to evaluate"):
        evaluate(Constant(), [{"targets": torch.tensor([-100])}])


def test_random_generators_come_back_as_they_were(tmp_path):
    torch.save(random_state(), tmp_path / "state.pt")
    draws = (torch.rand(1).item(), np.random.rand(), random.random(), random.gauss(0, 1))
    set_random_state(torch.load(tmp_path / "state.pt", weights_only=True))
    assert (torch.rand(1).item(), np.random.rand(), random.random(), random.gauss(0, 1)) == draws


def test_history_is_data_and_a_picture(make_trainer, tmp_path):
    history = make_trainer(evaluate_every=10).fit()
    assert [step for step, _ in history.validation()] == [10, 20, 30, 40]
    assert history.column("targets")[-1] == 40 * 8
    history.save(tmp_path / "history.json")
    assert History.load(tmp_path / "history.json") == history
    axes = plot_history(history)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("step", "loss (nats per token)")
    smooth, raw, validation = axes.get_lines()
    assert list(raw.get_ydata()) == history.column("loss") and len(smooth.get_ydata()) == 40
    assert list(validation.get_xdata()) == [10, 20, 30, 40]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [({"steps": 0}, "steps must be at least 1, not 0"), ({"precision": "fp8"}, "precision must be auto")],
)
def test_a_config_that_cannot_be_is_refused(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        TrainConfig(**{"steps": 1, **change})


def test_muon_trains_through_the_same_trainer(tmp_path):
    trainer, held_out = tiny(60, "float32")
    trainer.optimizers = muon_with_adamw(trainer.model, 0.02, adamw_learning_rate=3e-3)
    trainer.rates = [[group["lr"] for group in optimizer.param_groups] for optimizer in trainer.optimizers]
    before = evaluate(trainer.model, [held_out])
    trainer.fit()
    assert evaluate(trainer.model, [held_out]) < before - 1

"""A training step against stock transformers' GPT-2 and Llama, and nanoGPT: forward, backward, clip, AdamW."""

from collections.abc import Callable

import torch
from torch import nn
from torch.optim import AdamW, Optimizer

from benchmarks.measure import alternate, report
from benchmarks.peers import nanogpt, nanogpt_model, stock_gpt2, stock_llama
from course_lib.gpt import GPT, GPTConfig
from course_lib.optim import adamw
from course_lib.train import Precision, choose_precision

SHAPE = {"vocab_size": 65, "context_length": 256, "n_layer": 6, "n_head": 6, "n_embd": 384}
BATCH = 8


def step(
    model: nn.Module, optimizers: list[Optimizer], loss: Callable[[], torch.Tensor], precision: Precision
) -> Callable[[], None]:
    """Return one training step as a call."""

    def run() -> None:
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        with precision.autocast("cpu"):
            value = loss()
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()

    return run


def run(rounds: int) -> None:
    """Measure a step of every contender, in float32 and, where this processor is faster at it, in bfloat16.

    Args:
        rounds: how often each is measured.
    """
    torch.manual_seed(0)
    tokens = torch.randint(0, SHAPE["vocab_size"], (BATCH, SHAPE["context_length"]))
    targets = tokens.roll(-1, dims=1)
    fp32 = Precision("float32", "default")
    ours = {"GPT-2": GPT(GPTConfig.gpt2(**SHAPE, activation="gelu")), "Llama": GPT(GPTConfig.llama(**SHAPE))}
    chosen = choose_precision(ours["GPT-2"], {"tokens": tokens, "targets": targets})
    print(f"Training in {chosen.name}: {chosen.reason}.")
    precisions = [fp32] if chosen.name == "float32" else [fp32, chosen]

    peers: dict[str, tuple[nn.Module, list[Optimizer], Callable[[], torch.Tensor]]] = {}
    for name, model in (
        ("transformers GPT-2", stock_gpt2(ours["GPT-2"].config)),
        ("transformers Llama", stock_llama(ours["Llama"].config)),
    ):
        model.train()
        peers[name] = (
            model,
            [AdamW(model.parameters(), lr=1e-3)],
            # `labels` are shifted inside; use_cache is what a training loop switches off
            lambda model=model: model(tokens, labels=tokens, use_cache=False).loss,
        )
    if module := nanogpt():
        model, optimizer = nanogpt_model(module, ours["GPT-2"].config)
        peers["nanoGPT"] = (model, [optimizer], lambda model=model: model(tokens, targets)[1])
    else:
        print("nanoGPT is left out: NANOGPT=path/to/its/model.py make bench takes it in.")

    for family, model in ours.items():
        contenders = {
            f"course {family}, {chosen.name}": step(
                model, adamw(model, 1e-3), lambda model=model: model(tokens, targets=targets)[1], chosen
            )
        }
        for name, (peer, optimizers, loss) in peers.items():
            if family in name or name == "nanoGPT":
                for precision in precisions:
                    contenders[f"{name}, {precision.name}"] = step(peer, optimizers, loss, precision)
        title = f"Training step, {family}, d=384, 6 layers, context 256, batch {BATCH}"
        report(title, alternate(contenders, rounds), tokens.numel(), next(iter(contenders)))

"""Greedy generation against stock `generate()`, token for token."""

import copy
from collections.abc import Callable

import torch

from benchmarks.measure import alternate, report
from benchmarks.peers import stock_gpt2, stock_llama
from course_lib.gpt import GPT, GPTConfig, generate
from course_lib.gpt.weights import config_from_stock, from_stock_tensors
from course_lib.train import choose_precision

SHAPE = {"vocab_size": 4096, "context_length": 512, "n_layer": 6, "n_head": 6, "n_embd": 384}
PROMPT = 16


def run(rounds: int) -> None:
    """Measure single and batched generation with stock GPT-2's and Llama's weights.

    Args:
        rounds: how often each side is measured.
    """
    for family, config, make in (
        ("GPT-2", GPTConfig.gpt2(**SHAPE), stock_gpt2),
        ("Llama", GPTConfig.llama(**SHAPE), stock_llama),
    ):
        torch.manual_seed(0)
        stock = make(config).eval()
        stock.generation_config.pad_token_id = 0
        stock.generation_config.eos_token_id = None
        ours = GPT(config_from_stock(stock.config.to_dict())).eval()
        ours.load_state_dict(from_stock_tensors(ours.config, dict(stock.state_dict())))
        batch_of_text = torch.randint(0, config.vocab_size, (16, 64))
        chosen = choose_precision(ours, {"tokens": batch_of_text, "targets": batch_of_text})
        low_precision = chosen.name == "bfloat16"
        for batch, new_tokens in ((1, 128), (16, 40)):
            prompts = torch.randint(0, config.vocab_size, (batch, PROMPT))
            contenders: dict[str, Callable[[], list[list[int]]]] = {
                "course": lambda o=ours, p=prompts, n=new_tokens: generate(o, p.tolist(), n),
                "transformers generate()": lambda s=stock, p=prompts, n=new_tokens: s.generate(
                    p, max_new_tokens=n, do_sample=False
                )[:, PROMPT:].tolist(),
            }
            if low_precision:
                low = copy.deepcopy(ours).to(torch.bfloat16)
                contenders["course, bfloat16 weights"] = lambda m=low, p=prompts, n=new_tokens: generate(
                    m, p.tolist(), n
                )
            print(f"\nGeneration, {family}, d=384, 6 layers, batch {batch}, {new_tokens} tokens, greedy")
            reference = contenders["transformers generate()"]()
            for name, call in contenders.items():
                rows = zip(call(), reference, strict=True)
                equal = sum(a == b for row in rows for a, b in zip(*row, strict=True))
                print(f"{name}: {equal / (batch * new_tokens):.1%} of the tokens are generate()'s")
            seconds = alternate(contenders, rounds)
            for mine in [name for name in contenders if name.startswith("course")]:
                pair = {name: seconds[name] for name in (mine, "transformers generate()")}
                report("", pair, batch * new_tokens, mine)

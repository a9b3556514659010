"""From logits to text: plain functions over logits, and the loop that uses them.

Every function takes the logits of the next token, (B, V), and returns logits; a token that is ruled out gets −∞.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from course_lib.gpt.cache import KVCache
from course_lib.gpt.model import GPT
from course_lib.text import Tokenizer


def temperature(logits: Tensor, value: float) -> Tensor:
    """Divide logits (B, V) by a temperature: below 1 the likely become likelier, above 1 less so."""
    return logits / value


def top_k(logits: Tensor, k: int) -> Tensor:
    """Keep the k most likely tokens of each row of logits (B, V) (Fan et al. 2018)."""
    kth = logits.topk(min(k, logits.shape[-1])).values[:, -1:]  # (B, 1)
    return logits.masked_fill(logits < kth, -math.inf)


def top_p(logits: Tensor, p: float) -> Tensor:
    """Keep the fewest, most likely tokens whose probabilities reach p (nucleus sampling, Holtzman et al. 2020)."""
    ordered, order = logits.sort(descending=True, stable=True)  # (B, V)
    probabilities = ordered.softmax(dim=-1)
    before = probabilities.cumsum(dim=-1) - probabilities  # what the tokens ahead of it already cover
    ordered = ordered.masked_fill(before >= p, -math.inf)
    return torch.empty_like(logits).scatter_(-1, order, ordered)


def min_p(logits: Tensor, p: float) -> Tensor:
    """Keep the tokens at least p times as likely as the likeliest (Nguyen et al. 2024)."""
    return logits.masked_fill(logits < logits.amax(dim=-1, keepdim=True) + math.log(p), -math.inf)


def repetition_penalty(logits: Tensor, seen: Tensor, penalty: float) -> Tensor:
    """Make the tokens that a row has seen less likely (Keskar et al. 2019, section 4.1).

    Args:
        logits: (B, V).
        seen: (B, V) bool, True for tokens of the row so far.
        penalty: positive logits are divided by it, negative ones multiplied.
    """
    return torch.where(seen, torch.where(logits > 0, logits / penalty, logits * penalty), logits)


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen from the logits. The defaults draw from the model's own distribution.

    Attributes:
        temperature: 0 is greedy: always the likeliest token.
        top_k: 0 keeps all.
        top_p: 1 keeps all.
        min_p: 0 keeps all.
        repetition_penalty: 1 changes nothing.

    Raises:
        ValueError: a value outside its range.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0

    def __post_init__(self) -> None:
        for name, valid, range_ in (
            ("temperature", self.temperature == 0 or self.temperature >= 1e-3, "0 (greedy) or at least 0.001"),
            ("top_k", self.top_k >= 0 and self.top_k == int(self.top_k), "a whole number, 0 (all) or more"),
            ("top_p", 0 < self.top_p <= 1, "above 0 and at most 1"),
            ("min_p", 0 <= self.min_p <= 1, "between 0 and 1"),
            ("repetition_penalty", self.repetition_penalty > 0, "above 0"),
        ):
            if not valid:
                raise ValueError(f"{name} must be {range_}, not {getattr(self, name)}.")

    def choose(self, logits: Tensor, seen: Tensor | None, generator: torch.Generator | None) -> Tensor:
        """Return one token a row.

        Args:
            logits: (B, V).
            seen: (B, V) bool, needed where there is a repetition penalty.
            generator: the source of chance.

        Returns:
            (B,) int64.
        """
        if self.repetition_penalty != 1:
            logits = repetition_penalty(logits, seen, self.repetition_penalty)
        if self.temperature == 0:
            return logits.argmax(dim=-1)
        logits = temperature(logits.float(), self.temperature)
        if self.top_k:
            logits = top_k(logits, self.top_k)
        if self.top_p < 1:
            logits = top_p(logits, self.top_p)
        if self.min_p:
            logits = min_p(logits, self.min_p)
        return torch.multinomial(logits.softmax(dim=-1), 1, generator=generator).squeeze(1)


GREEDY = Sampling(temperature=0)


def pad_left(prompts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor | None]:
    """Put prompts of different lengths into one batch that ends together.

    Returns:
        Tokens (B, T) int64, filled up on the left; and (B, T) bool, False where a token is filling, or None
        where none is.
    """
    longest = max(len(prompt) for prompt in prompts)
    tokens = torch.tensor([[0] * (longest - len(p)) + list(map(int, p)) for p in prompts])
    mask = torch.tensor([[False] * (longest - len(p)) + [True] * len(p) for p in prompts])
    return tokens, None if mask.all() else mask


def _checked(model: GPT, prompt: Sequence[int]) -> list[int]:
    """Return a prompt as a list of token ids, or say what is wrong with it."""
    try:
        ids = [int(token) for token in prompt]
    except (TypeError, ValueError):
        raise ValueError(f"A prompt is a list of token ids, such as [17, 4, 256], not {prompt!r}.") from None
    if not ids:
        raise ValueError("A prompt needs at least one token: begin with the tokenizer's end_of_text.")
    if strangers := [token for token in ids if not 0 <= token < model.config.vocab_size]:
        raise ValueError(f"Token {strangers[0]} is not in the model's vocabulary of {model.config.vocab_size}.")
    return ids


@torch.inference_mode()
def _steps(
    model: GPT,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    sampling: Sampling,
    seed: int | None,
    cached: bool,
) -> Iterator[Tensor]:
    """Yield the next token of every row, (B,), `max_new_tokens` times."""
    prompts = [_checked(model, prompt) for prompt in prompts]
    if not prompts:
        raise ValueError("There is no prompt: give a list of at least one.")
    prompt, mask = pad_left(prompts)
    (B, T), context = prompt.shape, model.config.context_length
    if context < T:
        raise ValueError(f"The prompt has {T} tokens and the model's context {context}: give its last {context}.")
    weight = model.head.weight
    tokens = torch.empty(B, T + max_new_tokens, dtype=torch.int64, device=weight.device)
    tokens[:, :T] = prompt
    if mask is not None:
        mask = torch.cat((mask, torch.ones(B, max_new_tokens, dtype=torch.bool)), dim=1).to(weight.device)
    generator = None if seed is None else torch.Generator(weight.device).manual_seed(seed)
    seen = None
    if sampling.repetition_penalty != 1:
        seen = torch.zeros(B, model.config.vocab_size, dtype=torch.bool, device=weight.device)
        for row, ids in enumerate(prompts):
            seen[row, torch.as_tensor(ids)] = True
    start, cache = 0, None  # the window that the model sees begins here
    for end in range(T, T + max_new_tokens):
        if end - start > context:  # full: go on from its second half, with positions counted anew
            start, cache = end - context + context // 2, None
        fresh = start
        if cached and cache is None:
            cache = KVCache(model.config, B, min(context, T + max_new_tokens - start), weight)
        elif cached:
            fresh = end - 1
        visible = None if mask is None else mask[:, fresh:end]
        logits = model.head(model.hidden_states(tokens[:, fresh:end], visible, cache)[:, -1])  # (B, V)
        chosen = sampling.choose(logits, seen, generator)
        tokens[:, end] = chosen
        if seen is not None:
            seen[torch.arange(B), chosen] = True
        yield chosen


def generate(
    model: GPT,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    sampling: Sampling = GREEDY,
    *,
    stop_tokens: Sequence[int] = (),
    seed: int | None = None,
    cached: bool = True,
) -> list[list[int]]:
    """Continue each prompt.

    Prompts of different lengths go together; greedily, and while the context has room, each row's continuation
    is what it would be alone. When the longest row fills the context, the model goes on from the second half of
    what it saw.

    Args:
        model: the model.
        prompts: token ids, one or more each.
        max_new_tokens: how many to add at most.
        sampling: how to choose; greedy if not given.
        stop_tokens: a row ends before the first of these.
        seed: makes the draw repeatable; None draws from PyTorch's global generator.
        cached: keep keys and values of earlier tokens; without, every step computes them all again, to the
            same end.

    Returns:
        The new tokens of each prompt, without the stop token.

    Raises:
        ValueError: a prompt is empty, longer than the context, or holds what is no token of the model.
    """
    rows: list[list[int]] = [[] for _ in prompts]
    running = set(range(len(prompts)))
    for chosen in _steps(model, prompts, max_new_tokens, sampling, seed, cached):
        for row, token in enumerate(chosen.tolist()):
            if row in running and token in stop_tokens:
                running.remove(row)
            elif row in running:
                rows[row].append(token)
        if not running:
            break
    return rows


def stream(
    model: GPT,
    prompt: Sequence[int],
    max_new_tokens: int,
    sampling: Sampling = GREEDY,
    *,
    stop_tokens: Sequence[int] = (),
    seed: int | None = None,
) -> Iterator[int]:
    """Yield the continuation of one prompt token by token, as it is made. Arguments as for `generate`."""
    for chosen in _steps(model, [prompt], max_new_tokens, sampling, seed, cached=True):
        if chosen.item() in stop_tokens:
            return
        yield chosen.item()


def generate_text(
    model: GPT,
    tokenizer: Tokenizer,
    prompt: str = "",
    max_new_tokens: int = 200,
    sampling: Sampling = GREEDY,
    *,
    seed: int | None = None,
) -> str:
    """Return a prompt's continuation as text; an empty prompt begins a new document. It ends with the document.

    Args:
        model: the model.
        tokenizer: the one it was trained with.
        prompt: text to continue.
        max_new_tokens: how many tokens to add at most.
        sampling: how to choose.
        seed: makes the draw repeatable.
    """
    end = tokenizer.end_of_text
    ids = tokenizer.encode(prompt) or [end]
    ids = ids[-model.config.context_length :]
    return tokenizer.decode(generate(model, [ids], max_new_tokens, sampling, stop_tokens=[end], seed=seed)[0])


@torch.inference_mode()
def beam_search(
    model: GPT,
    prompt: Sequence[int],
    max_new_tokens: int,
    beams: int,
    *,
    length_penalty: float = 1.0,
    stop_tokens: Sequence[int] = (),
) -> list[tuple[list[int], float]]:
    """Look for likely continuations, keeping the best few at every length.

    Args:
        model: the model.
        prompt: token ids; with the new ones they must fit into the context.
        max_new_tokens: how many to add at most.
        beams: how many hypotheses to keep.
        length_penalty: a hypothesis's score is its log-probability divided by its length to this power.
        stop_tokens: a hypothesis ends with the first of these.

    Returns:
        At most `beams` continuations with their scores, best first; one that ended holds its stop token.

    Raises:
        ValueError: the tokens do not fit into the context, the prompt is empty, or there is no beam.
    """
    prompt = _checked(model, prompt)
    if beams < 1:
        raise ValueError(f"beams must be at least 1, not {beams}.")
    if len(prompt) + max_new_tokens > model.config.context_length:
        raise ValueError(
            f"{len(prompt)} tokens and {max_new_tokens} new ones do not fit into a context of "
            f"{model.config.context_length}."
        )
    cache = KVCache(model.config, beams, len(prompt) + max_new_tokens, model.head.weight)
    V = model.config.vocab_size
    step = torch.tensor([list(prompt)] * beams, device=model.head.weight.device)
    log_probability = torch.tensor([0.0] + [-math.inf] * (beams - 1), device=step.device)  # rows are still alike
    running: list[list[int]] = [[]] * beams
    finished: list[tuple[list[int], float]] = []
    for length in range(1, max_new_tokens + 1):
        logits = model.head(model.hidden_states(step, cache=cache)[:, -1])
        scores = (log_probability[:, None] + logits.float().log_softmax(dim=-1)).flatten()  # (beams · V,)
        # Twice as many as are needed: some of them end here, and the others must still fill every beam.
        best, places = scores.topk(min(2 * beams * max(1, len(stop_tokens)), len(scores)))
        kept: list[tuple[int, int, float]] = []
        for rank, (score, place) in enumerate(zip(best.tolist(), places.tolist(), strict=True)):
            row, token = divmod(place, V)
            if token in stop_tokens:
                if rank < beams and score > -math.inf:
                    finished.append(([*running[row], token], score / length**length_penalty))
            elif len(kept) < beams:
                kept.append((row, token, score))
        finished = sorted(finished, key=lambda hypothesis: -hypothesis[1])[:beams]
        running = [[*running[row], token] for row, token, _ in kept]
        log_probability = torch.tensor([score for *_, score in kept], device=step.device)
        if not kept:  # every continuation there is has ended
            break
        if len(finished) == beams and finished[-1][1] >= kept[0][2] / length**length_penalty:
            break
        cache.select(torch.tensor([row for row, *_ in kept], device=step.device))
        step = torch.tensor([[token] for _, token, _ in kept], device=step.device)
    else:
        open_scores = (log_probability / max_new_tokens**length_penalty).tolist()
        finished += [pair for pair in zip(running, open_scores, strict=True) if pair[1] > -math.inf]
    return sorted(finished, key=lambda hypothesis: -hypothesis[1])[:beams]

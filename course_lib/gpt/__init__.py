"""The GPT: its config, the model, its weights, and how text comes out of it (chapter 4)."""

from course_lib.gpt.cache import KVCache
from course_lib.gpt.config import GPTConfig
from course_lib.gpt.generation import GREEDY, Sampling, beam_search, generate, generate_text, stream
from course_lib.gpt.model import GPT

__all__ = [
    "GPT",
    "GREEDY",
    "GPTConfig",
    "KVCache",
    "Sampling",
    "beam_search",
    "generate",
    "generate_text",
    "stream",
]

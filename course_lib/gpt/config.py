"""The shape of a GPT: one frozen dataclass, and the two stock families it can describe."""

from dataclasses import dataclass
from typing import Any, Literal, Self


@dataclass(frozen=True)
class GPTConfig:
    """Everything that decides a GPT's computation. A number of 0 means "the usual one", filled in at creation.

    Attributes:
        vocab_size: V, number of tokens the model knows.
        context_length: T, the longest sequence it sees at once.
        n_layer: number of blocks.
        n_head: number of query heads.
        n_embd: C, width of the residual stream.
        n_kv_head: heads of keys and values; fewer than `n_head` is grouped-query attention
            (Ainslie et al. 2023). Usually `n_head`.
        n_inner: width inside the MLP. Usually 4·C, and 8/3·C rounded up to a multiple of 32 for SwiGLU, which
            has three matrices instead of two and so about as many parameters.
        position: `"learned"` vectors added to the embeddings (GPT-2), or `"rope"`, rotations of queries and
            keys (Su et al. 2021).
        norm: `"layernorm"` (Ba et al. 2016) or `"rmsnorm"` (Zhang and Sennrich 2019).
        activation: `"gelu"` (exact, by erf), `"gelu_tanh"` (the approximation GPT-2 was trained with), or
            `"swiglu"` (Shazeer 2020).
        qk_norm: RMS-normalise queries and keys per head before they meet (Henry et al. 2020).
        bias: linear layers, and LayerNorm, add a bias.
        tie_embeddings: the output head is the embedding matrix (Press and Wolf 2017).
        rope_theta: base of the rotation's wavelengths.
        norm_eps: added to the variance before its root.

    Raises:
        ValueError: the numbers do not fit together; the sentence says which.
    """

    vocab_size: int
    context_length: int
    n_layer: int
    n_head: int
    n_embd: int
    n_kv_head: int = 0
    n_inner: int = 0
    position: Literal["learned", "rope"] = "learned"
    norm: Literal["layernorm", "rmsnorm"] = "layernorm"
    activation: Literal["gelu", "gelu_tanh", "swiglu"] = "gelu"
    qk_norm: bool = False
    bias: bool = True
    tie_embeddings: bool = True
    rope_theta: float = 10_000.0
    norm_eps: float = 1e-5

    @classmethod
    def gpt2(cls, **sizes: Any) -> Self:
        """Return a configuration of the GPT-2 family: learned positions, LayerNorm, GELU, biases.

        Args:
            sizes: `vocab_size`, `context_length`, `n_layer`, `n_head`, `n_embd`, and whatever else differs.
        """
        return cls(**{"position": "learned", "norm": "layernorm", "activation": "gelu_tanh", "bias": True, **sizes})

    @classmethod
    def llama(cls, **sizes: Any) -> Self:
        """Return a configuration of the modern (Llama) family: RoPE, RMSNorm, SwiGLU, no biases.

        Args:
            sizes: as for `gpt2`.
        """
        return cls(**{"position": "rope", "norm": "rmsnorm", "activation": "swiglu", "bias": False, **sizes})

    def __post_init__(self) -> None:
        if not self.n_kv_head:
            object.__setattr__(self, "n_kv_head", self.n_head)
        if not self.n_inner:
            swiglu_inner = -(-8 * self.n_embd // 3 // 32) * 32
            object.__setattr__(self, "n_inner", swiglu_inner if self.activation == "swiglu" else 4 * self.n_embd)
        for name in ("vocab_size", "context_length", "n_layer", "n_head", "n_embd", "n_kv_head", "n_inner"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}.")
        for name, allowed in (
            ("position", ("learned", "rope")),
            ("norm", ("layernorm", "rmsnorm")),
            ("activation", ("gelu", "gelu_tanh", "swiglu")),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, not {getattr(self, name)!r}.")
        if self.n_embd % self.n_head:
            raise ValueError(f"n_embd ({self.n_embd}) must be a multiple of n_head ({self.n_head}).")
        if self.n_head % self.n_kv_head:
            raise ValueError(f"n_head ({self.n_head}) must be a multiple of n_kv_head ({self.n_kv_head}).")
        if self.position == "rope" and self.head_dim % 2:
            raise ValueError(f"RoPE rotates pairs: the head width n_embd / n_head ({self.head_dim}) must be even.")

    @property
    def head_dim(self) -> int:
        """D, width of one head."""
        return self.n_embd // self.n_head

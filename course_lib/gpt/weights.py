"""Weights in and out: the file formats of stock `transformers`, safetensors only.

Three stock architectures are the same computation as `GPT` under some config, so their checkpoints open here and
ours open there, with the same logits: GPT-2, Llama, and Qwen3 (Llama with QK-norm).
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from course_lib.gpt.config import GPTConfig
from course_lib.storage import write_atomically

if TYPE_CHECKING:
    from course_lib.gpt.model import GPT


@dataclass(frozen=True)
class Entry:
    """One of our tensors and where it stands in a stock checkpoint.

    Attributes:
        ours: name in `GPT.state_dict()`.
        theirs: names there; several are stacked along dimension 0 to make ours.
        sizes: rows of each of several.
        transposed: GPT-2's `Conv1D` keeps (in, out) where `nn.Linear` keeps (out, in).
    """

    ours: str
    theirs: tuple[str, ...]
    sizes: tuple[int, ...] = ()
    transposed: bool = False


def _gpt2_entries(config: GPTConfig) -> list[Entry]:
    entries = [Entry("embedding.weight", ("wte.weight",)), Entry("position.weight", ("wpe.weight",))]
    pairs = [("norm_1", "ln_1"), ("norm_2", "ln_2")]
    linears = [("attention.qkv", "attn.c_attn"), ("attention.out", "attn.c_proj")]
    linears += [("mlp.up", "mlp.c_fc"), ("mlp.down", "mlp.c_proj")]
    for i in range(config.n_layer):
        for ours, theirs in pairs + linears:
            weight, bias = (Entry(f"blocks.{i}.{ours}.{x}", (f"h.{i}.{theirs}.{x}",)) for x in ("weight", "bias"))
            if (ours, theirs) in linears:
                weight = Entry(weight.ours, weight.theirs, transposed=True)
            entries += [weight, bias]
    entries += [Entry(f"norm.{x}", (f"ln_f.{x}",)) for x in ("weight", "bias")]
    return [Entry(e.ours, tuple(f"transformer.{t}" for t in e.theirs), e.sizes, e.transposed) for e in entries]


def _llama_entries(config: GPTConfig) -> list[Entry]:
    query, key_value = config.n_head * config.head_dim, config.n_kv_head * config.head_dim
    entries = [Entry("embedding.weight", ("model.embed_tokens.weight",))]
    for i in range(config.n_layer):
        ours, theirs = f"blocks.{i}", f"model.layers.{i}"
        qkv = tuple(f"{theirs}.self_attn.{x}_proj.weight" for x in "qkv")
        gate_up = tuple(f"{theirs}.mlp.{x}_proj.weight" for x in ("gate", "up"))
        entries += [
            Entry(f"{ours}.norm_1.weight", (f"{theirs}.input_layernorm.weight",)),
            Entry(f"{ours}.attention.qkv.weight", qkv, (query, key_value, key_value)),
            Entry(f"{ours}.attention.out.weight", (f"{theirs}.self_attn.o_proj.weight",)),
            Entry(f"{ours}.norm_2.weight", (f"{theirs}.post_attention_layernorm.weight",)),
            Entry(f"{ours}.mlp.up.weight", gate_up, (config.n_inner, config.n_inner)),
            Entry(f"{ours}.mlp.down.weight", (f"{theirs}.mlp.down_proj.weight",)),
        ]
        if config.qk_norm:
            entries += [
                Entry(f"{ours}.attention.query_norm.weight", (f"{theirs}.self_attn.q_norm.weight",)),
                Entry(f"{ours}.attention.key_norm.weight", (f"{theirs}.self_attn.k_norm.weight",)),
            ]
    return [*entries, Entry("norm.weight", ("model.norm.weight",))]


def _entries(config: GPTConfig) -> list[Entry]:
    entries = _gpt2_entries(config) if config.position == "learned" else _llama_entries(config)
    return entries if config.tie_embeddings else [*entries, Entry("head.weight", ("lm_head.weight",))]


def _require(found: Any, expected: Any, what: str) -> None:
    if found != expected:
        raise ValueError(
            f"These weights cannot be opened: {what} is {found!r}, and the course's GPT knows {expected!r}."
        )


def config_from_stock(stock: dict) -> GPTConfig:
    """Translate the `config.json` of stock `transformers`.

    Args:
        stock: its contents.

    Raises:
        ValueError: an architecture or an option that the course's GPT does not have.
    """
    kind = stock.get("model_type")
    if kind == "gpt2":
        activations = {"gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "gelu": "gelu"}
        activation = stock.get("activation_function", "gelu_new")
        if activation not in activations:
            _require(activation, "gelu_new", "activation_function")
        _require(stock.get("scale_attn_weights", True), True, "scale_attn_weights")
        _require(stock.get("scale_attn_by_inverse_layer_idx", False), False, "scale_attn_by_inverse_layer_idx")
        return GPTConfig.gpt2(
            vocab_size=stock["vocab_size"],
            context_length=stock["n_positions"],
            n_layer=stock["n_layer"],
            n_head=stock["n_head"],
            n_embd=stock["n_embd"],
            n_inner=stock.get("n_inner") or 0,
            activation=activations[activation],
            tie_embeddings=stock.get("tie_word_embeddings", True),
            norm_eps=stock.get("layer_norm_epsilon", 1e-5),
        )
    if kind in ("llama", "qwen3"):
        rope = stock.get("rope_parameters") or stock.get("rope_scaling") or {}
        _require(rope.get("rope_type", rope.get("type", "default")), "default", "rope_type")
        for option in ("attention_bias", "mlp_bias", "use_sliding_window"):
            _require(stock.get(option) or False, False, option)
        _require(stock.get("hidden_act", "silu"), "silu", "hidden_act")
        heads, width = stock["num_attention_heads"], stock["hidden_size"]
        _require(stock.get("head_dim") or width // heads, width // heads, "head_dim")
        return GPTConfig.llama(
            vocab_size=stock["vocab_size"],
            context_length=stock["max_position_embeddings"],
            n_layer=stock["num_hidden_layers"],
            n_head=heads,
            n_kv_head=stock.get("num_key_value_heads") or heads,
            n_embd=width,
            n_inner=stock["intermediate_size"],
            qk_norm=kind == "qwen3",
            tie_embeddings=stock.get("tie_word_embeddings", False),
            rope_theta=rope.get("rope_theta") or stock.get("rope_theta") or 10_000.0,
            norm_eps=stock.get("rms_norm_eps", 1e-6),
        )
    raise ValueError(f"These weights are of the architecture {kind!r}: the course's GPT opens gpt2, llama and qwen3.")


def config_to_stock(config: GPTConfig) -> dict:
    """Return the `config.json` under which stock `transformers` computes what this config does.

    Raises:
        ValueError: no stock architecture has this combination.
    """
    shared = {
        "vocab_size": config.vocab_size,
        "tie_word_embeddings": config.tie_embeddings,
        "dtype": "float32",
        "bos_token_id": None,  # the stock defaults (50256 and 1, 2) may lie outside this vocabulary
        "eos_token_id": None,
    }
    if (config.position, config.norm, config.bias, config.qk_norm, config.n_kv_head) == (
        *("learned", "layernorm", True, False),
        config.n_head,
    ) and config.activation in ("gelu", "gelu_tanh"):
        return {
            "architectures": ["GPT2LMHeadModel"],
            "model_type": "gpt2",
            "n_positions": config.context_length,
            "n_embd": config.n_embd,
            "n_layer": config.n_layer,
            "n_head": config.n_head,
            "n_inner": config.n_inner,
            "activation_function": "gelu_pytorch_tanh" if config.activation == "gelu_tanh" else "gelu",
            "layer_norm_epsilon": config.norm_eps,
            **dict.fromkeys(("embd_pdrop", "attn_pdrop", "resid_pdrop"), 0.0),
            **shared,
        }
    if (config.position, config.norm, config.activation, config.bias) == ("rope", "rmsnorm", "swiglu", False):
        return {
            "architectures": ["Qwen3ForCausalLM" if config.qk_norm else "LlamaForCausalLM"],
            "model_type": "qwen3" if config.qk_norm else "llama",
            "hidden_size": config.n_embd,
            "intermediate_size": config.n_inner,
            "num_hidden_layers": config.n_layer,
            "num_attention_heads": config.n_head,
            "num_key_value_heads": config.n_kv_head,
            "head_dim": config.head_dim,
            "max_position_embeddings": config.context_length,
            "rms_norm_eps": config.norm_eps,
            "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
            "hidden_act": "silu",
            "attention_bias": False,
            **shared,
        }
    raise ValueError(
        "Stock transformers has no architecture with this combination of position, norm, activation, bias and "
        "qk_norm; the two that travel are GPTConfig.gpt2(...) and GPTConfig.llama(...)."
    )


def from_stock_tensors(config: GPTConfig, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Translate a stock checkpoint's tensors into a `GPT.state_dict()`, using every one of them.

    Raises:
        ValueError: a tensor is missing or left over; it is named.
    """
    # Released GPT-2 files leave out the prefix and carry the causal mask; old Llama files carry the frequencies.
    buffers = (".attn.bias", ".attn.masked_bias", ".rotary_emb.inv_freq")
    tensors = {name: tensor for name, tensor in tensors.items() if not name.endswith(buffers)}
    if config.position == "learned" and "wte.weight" in tensors:
        tensors = {f"transformer.{name}": tensor for name, tensor in tensors.items()}
    if config.tie_embeddings:
        tensors.pop("lm_head.weight", None)
        tensors.pop("transformer.lm_head.weight", None)
    ours: dict[str, Tensor] = {}
    for entry in _entries(config):
        if missing := [name for name in entry.theirs if name not in tensors]:
            raise ValueError(f"The checkpoint has no tensor {missing[0]!r}.")
        tensor = torch.cat([tensors.pop(name).float() for name in entry.theirs])
        ours[entry.ours] = tensor.t().contiguous() if entry.transposed else tensor
    if tensors:
        raise ValueError(f"The checkpoint has tensors that the model does not: {', '.join(sorted(tensors)[:3])}.")
    if config.tie_embeddings:
        ours["head.weight"] = ours["embedding.weight"]
    return ours


def to_stock_tensors(model: "GPT") -> dict[str, Tensor]:
    """Return the model's weights under their stock names."""
    state = model.state_dict()
    stock: dict[str, Tensor] = {}
    for entry in _entries(model.config):
        tensor = state[entry.ours].t() if entry.transposed else state[entry.ours]
        parts = tensor.split(entry.sizes) if entry.sizes else [tensor]
        stock |= {name: part.contiguous() for name, part in zip(entry.theirs, parts, strict=True)}
    return stock


def load_pretrained(cls: type["GPT"], source: str | Path, gguf_file: str | None = None) -> "GPT":
    """Open stock GPT-2, Llama or Qwen3 weights as a `GPT`, in float32.

    Args:
        cls: `GPT`.
        source: a folder with `config.json` and `.safetensors` (one file, or several with their index), or a
            model's name on the Hugging Face hub, such as `openai-community/gpt2`.
        gguf_file: name of a GGUF file in the folder; quantized weights are read as floats (this goes through
            `transformers`, which knows the format).

    Raises:
        FileNotFoundError: there is no such folder, or it holds no weights that are safe to open.
        ValueError: the weights do not fit; the sentence names what.
    """
    folder = Path(source)
    if not folder.is_dir():
        folder = _download(str(source))
    if gguf_file is not None:
        return _load_gguf(cls, folder, gguf_file)
    if not (folder / "config.json").exists():
        raise FileNotFoundError(f"{folder} has no config.json: it is not a folder that save_pretrained wrote.")
    try:
        config = config_from_stock(json.loads((folder / "config.json").read_text("utf-8")))
    except json.JSONDecodeError as error:
        raise ValueError(f"{folder / 'config.json'} is damaged ({error}).") from None
    except KeyError as error:
        raise ValueError(f"{folder / 'config.json'} does not say {error}.") from None
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        pickled = next((f.name for f in folder.glob("*.bin")), None)
        because = f"{pickled} is a pickle, which can run code when it is opened" if pickled else "it has no weights"
        raise FileNotFoundError(f"{folder} has no .safetensors file ({because}).")
    tensors: dict[str, Tensor] = {}
    for file in files:
        try:
            tensors |= load_file(file)
        except SafetensorError as error:
            raise ValueError(f"{file} is damaged or is not a safetensors file ({error}).") from None
    return _build(cls, config, tensors)


def _build(cls: type["GPT"], config: GPTConfig, tensors: dict[str, Tensor]) -> "GPT":
    state = from_stock_tensors(config, tensors)
    with torch.device("meta"):
        model = cls(config)  # no time spent on random weights
    for name, parameter in model.state_dict().items():
        if state[name].shape != parameter.shape:
            raise ValueError(
                f"{name} has the shape {tuple(state[name].shape)} in the file, and the config says "
                f"{tuple(parameter.shape)}."
            )
    model.load_state_dict(state, assign=True)
    if config.tie_embeddings:
        model.head.weight = model.embedding.weight
    if config.position == "rope":
        from course_lib.gpt.model import rotary_table

        model.cos, model.sin = rotary_table(config)
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    return model


def _load_gguf(cls: type["GPT"], folder: Path, gguf_file: str) -> "GPT":
    from transformers import AutoModelForCausalLM

    if not (folder / gguf_file).exists():
        raise FileNotFoundError(f"There is no file {gguf_file} in {folder}.")
    stock = AutoModelForCausalLM.from_pretrained(folder, gguf_file=gguf_file, dtype=torch.float32)
    return _build(cls, config_from_stock(stock.config.to_dict()), dict(stock.state_dict()))


def _download(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=["*.json", "*.safetensors", "*.gguf"]))
    except HFValidationError:
        raise FileNotFoundError(f"There is no folder {name!r}, and a hub name has the form owner/name.") from None
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise FileNotFoundError(
            f"There is no folder {name!r}, and the hub could not be asked for a model of that name "
            f"({type(error).__name__}): give a folder, or a name it has while you are online."
        ) from None


def save_pretrained(model: "GPT", folder: str | Path) -> None:
    """Write `model.safetensors` and `config.json`, which stock `transformers` opens.

    Args:
        model: of one of the two stock families.
        folder: made if it does not exist; other files in it stay.

    Raises:
        ValueError: stock `transformers` has no such architecture.
    """
    folder = Path(folder)
    stock = json.dumps(config_to_stock(model.config), indent=2)
    tensors = to_stock_tensors(model)
    write_atomically(folder / "model.safetensors", lambda path: save_file(tensors, path, metadata={"format": "pt"}))
    write_atomically(folder / "config.json", lambda path: path.write_text(stock))

"""Export tiny transformers with random weights: what real exporters make of real modeling code.

``python tools/export_transformers.py tests/converters/exports`` needs torch, transformers, onnx and
onnxscript, which the tests do not: they read the files that this wrote.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
import transformers
from torch import nn

SIZES = {
    "vocab_size": 32,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "max_position_embeddings": 32,
}
TOKENS = torch.randint(0, 32, (1, 7), generator=torch.Generator().manual_seed(0))


class Encoder(nn.Module):
    """BERT: tokens and mask to hidden states."""

    def __init__(self, attention: str) -> None:
        super().__init__()
        config = transformers.BertConfig(**SIZES, attn_implementation=attention)
        self.model = transformers.BertModel(config, add_pooling_layer=False)

    def forward(self, input_ids: Any, attention_mask: Any) -> Any:
        """Return the last hidden states."""
        return self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state


class Decoder(nn.Module):
    """A language model without a cache: tokens to logits."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Any) -> Any:
        """Return logits."""
        return self.model(input_ids=input_ids, use_cache=False).logits


class CachedDecoder(nn.Module):
    """The same with keys and values of one layer as inputs and outputs."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Any, past_key: Any, past_value: Any) -> Any:
        """Return logits, keys and values."""
        cache = transformers.DynamicCache()
        cache.update(past_key, past_value, 0)
        found = self.model(input_ids=input_ids, past_key_values=cache, use_cache=True)
        layer = found.past_key_values.layers[0]
        return found.logits, layer.keys, layer.values


def llama(attention: str) -> nn.Module:
    """Return a Llama with two heads of keys for four of queries."""
    config = transformers.LlamaConfig(**SIZES, num_key_value_heads=2, attn_implementation=attention)
    return transformers.LlamaForCausalLM(config)


def gpt2() -> nn.Module:
    """Return a GPT-2."""
    config = transformers.GPT2Config(
        vocab_size=32, n_embd=16, n_layer=1, n_head=4, n_positions=32, attn_implementation="sdpa"
    )
    return transformers.GPT2LMHeadModel(config)


def decoders() -> dict[str, nn.Module]:
    """Return language models that turn, cap and share heads in other ways."""
    wide = {"vocab_size": 32, "n_embd": 32, "n_layer": 1, "n_head": 4, "n_positions": 32}
    heads = {**SIZES, "hidden_size": 32}
    cohere = transformers.CohereConfig(**heads, num_key_value_heads=2)
    falcon = transformers.FalconConfig(
        vocab_size=32, hidden_size=32, num_hidden_layers=1, num_attention_heads=4, alibi=False
    )
    gemma = transformers.Gemma2Config(
        **heads, num_key_value_heads=2, head_dim=8, sliding_window=4, attn_implementation="eager"
    )
    return {
        "cohere": transformers.CohereForCausalLM(cohere),
        "falcon": transformers.FalconForCausalLM(falcon),
        "gemma2": transformers.Gemma2ForCausalLM(gemma),
        "gptj": transformers.GPTJForCausalLM(transformers.GPTJConfig(**wide, rotary_dim=4)),
        "neox": transformers.GPTNeoXForCausalLM(
            transformers.GPTNeoXConfig(**heads, rotary_pct=0.5)
        ),
    }


class Placed(Encoder):
    """MPNet, whose scores have a bias by distance beside the mask."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        config = transformers.MPNetConfig(**SIZES)
        self.model = transformers.MPNetModel(config, add_pooling_layer=False)


class Tower(nn.Module):
    """CLIP's side of texts, whose activation is x * sigmoid(1.702 * x)."""

    def __init__(self) -> None:
        super().__init__()
        self.model = transformers.CLIPTextModel(transformers.CLIPTextConfig(**SIZES))

    def forward(self, input_ids: Any) -> Any:
        """Return the last hidden states."""
        return self.model(input_ids=input_ids).last_hidden_state


def models() -> dict[str, tuple[nn.Module, dict[str, Any], dict[str, Any]]]:
    """Return module, inputs and dynamic axes by name."""
    mask = torch.ones_like(TOKENS)
    rows, past = torch.export.Dim("s", min=2, max=16), torch.export.Dim("p", min=2, max=16)
    encoder = {"input_ids": TOKENS, "attention_mask": mask}
    dynamic = {name: {1: rows} for name in encoder}
    tokens, own = {"input_ids": TOKENS}, {"input_ids": {1: rows}}
    held = {f"past_{kind}": torch.randn(1, 2, 5, 4) for kind in ("key", "value")}
    steps = {"input_ids": {1: rows}} | {name: {2: past} for name in held}
    return {
        **{name: (Decoder(model), tokens, own) for name, model in decoders().items()},
        "clip": (Tower(), tokens, own),
        "mpnet": (Placed(), encoder, dynamic),
        "bert_eager": (Encoder("eager"), encoder, dynamic),
        "bert_sdpa": (Encoder("sdpa"), encoder, dynamic),
        "llama_eager": (Decoder(llama("eager")), tokens, own),
        "llama_sdpa": (Decoder(llama("sdpa")), tokens, own),
        "gpt2_sdpa": (Decoder(gpt2()), tokens, own),
        "llama_cached": (CachedDecoder(llama("sdpa")), tokens | held, steps),
    }


def export(module: nn.Module, inputs: dict[str, Any], dynamic: Any, path: Path, new: bool) -> None:
    """Write the model and, beside it, its inputs and outputs."""
    module.eval()
    with torch.no_grad():
        made = module(*inputs.values())
    made = made if isinstance(made, tuple) else (made,)
    names = [f"out{k}" for k in range(len(made))]
    options: dict[str, Any] = {"input_names": list(inputs), "output_names": names}
    if new:
        options |= {"dynamic_shapes": dynamic, "external_data": False, "opset_version": 18}
    else:
        axes = {n: {a: str(d.__name__) for a, d in dims.items()} for n, dims in dynamic.items()}
        options |= {"dynamic_axes": axes, "opset_version": 17}
    torch.onnx.export(module, tuple(inputs.values()), path, dynamo=new, **options)
    arrays = {
        name: array.numpy()
        for name, array in (inputs | dict(zip(names, made, strict=True))).items()
    }
    np.savez(path.with_suffix(".npz"), **arrays)


def optimize(path: Path) -> Path:
    """Write the model as ONNX Runtime's optimizer fuses it, beside it; return where."""
    from onnxruntime.transformers import optimizer

    kind = "gpt2" if "gpt2" in path.stem else "bert"
    target = path.with_name(f"{path.stem}_optimized.onnx")
    optimizer.optimize_model(
        str(path), kind, num_heads=4, hidden_size=16, opt_level=0
    ).save_model_to_file(str(target))
    target.with_suffix(".npz").write_bytes(path.with_suffix(".npz").read_bytes())
    return target


def strip(path: Path) -> None:
    """Remove what exporters note about source lines: most of the bytes of a small model."""
    model = onnx.load(path)
    del model.metadata_props[:]
    for item in (*model.graph.node, *model.graph.value_info, *model.graph.initializer):
        item.doc_string = ""
        del item.metadata_props[:]
    onnx.save(model, path)


def main() -> int:
    """Export every model by both exporters where they can."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    chosen = sys.argv[2:]
    for name, (module, inputs, dynamic) in models().items():
        if chosen and name not in chosen:
            continue
        for exporter, new in (("script", False), ("dynamo", True)):
            path = folder / f"{name}_{exporter}.onnx"
            try:
                export(module, inputs, dynamic, path, new)
                print(path)
            except Exception as error:
                print(f"{path}: {type(error).__name__}: {str(error).splitlines()[0][:150]}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""A GGUF file of a Llama: what llama.cpp and engines like it run on a phone.

The quantised matrices are blocks of Q4_1: 32 weights, their scale and zero as float16, and 16 bytes of codes.
Embedding and head are blocks of Q8_0, and everything else is float32.
"""

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Kind
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from labsupport.fetch import embedded
from labsupport.linears import layer_kind

BLOCK = 32  # weights in a block
Quantised = tuple[torch.Tensor, torch.Tensor, torch.Tensor]  # codes [out, in]; scale, zero [out, in / 32]


def write(
    path: Path,
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    quantised: dict[str, Quantised],
) -> None:
    """Write a model as a GGUF file, with the given matrices in 4 bits.

    quantised: codes from 0 to 15, scale and zero by the layer's full name, in groups of 32. Any other matrix
    of a decoder layer is written in float32.
    """
    config: Any = model.config
    writer = gguf.GGUFWriter(path, "llama")
    _describe(writer, config)
    _tokens(writer, tokenizer)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    for name, weight in model.named_parameters():  # a head that is tied to the embedding comes once
        layer = name.removesuffix(".weight")
        data, kind = weight.detach().float().cpu().numpy(), Kind.F32
        if layer in quantised:
            data, kind = q4_1(*quantised[layer]), Kind.Q4_1
        elif ".layers." not in name and weight.dim() == 2 and weight.shape[1] % BLOCK == 0:
            data, kind = gguf.quantize(data, Kind.Q8_0), Kind.Q8_0
        if layer_kind(layer) in heads:
            data = _paired(data, heads[layer_kind(layer)])
        writer.add_tensor(f"{names.get_name(layer)}.weight", data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def read(path: Path) -> LlamaForCausalLM:
    """The model of such a file in float32, as transformers reads it."""
    return embedded.read(path, "read the file").eval().requires_grad_(False)


def q4_1(codes: torch.Tensor, scale: torch.Tensor, zero: torch.Tensor) -> np.ndarray:
    """Blocks of Q4_1 as bytes, uint8 [out, in / 32 * 20].

    codes: uint8 [out, in]; scale, zero: [out, in / 32]. Byte j of a block's codes holds code j in its low
    half and code j + 16 in its high half. Source: ggml, block_q4_1.
    """
    halves = codes.cpu().numpy().reshape(len(codes), -1, 2, BLOCK // 2)  # [out, blocks, 2, 16]
    both = halves[:, :, 0] | halves[:, :, 1] << 4  # uint8 [out, blocks, 16]
    grid = torch.stack([scale, zero], dim=2).half().cpu().numpy().view(np.uint8)  # [out, blocks, 4]
    return np.concatenate([grid, both], axis=2).reshape(len(codes), -1)


def _paired(rows: np.ndarray, heads: int) -> np.ndarray:
    """The rows of q or k in the order of llama.cpp.

    Rotary embedding turns pairs of numbers. transformers pairs number i of a head with i + D / 2, llama.cpp
    pairs neighbours.
    """
    pairs = rows.reshape(heads, 2, -1, rows.shape[1])  # [H, 2, D / 2, in]
    return np.ascontiguousarray(pairs.swapaxes(1, 2)).reshape(rows.shape)


def _describe(writer: gguf.GGUFWriter, config: Any) -> None:
    """What an engine must know before the first weight."""
    writer.add_name("written by pruning-labs")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_1)


def _tokens(writer: gguf.GGUFWriter, tokenizer: PreTrainedTokenizerFast) -> None:
    """The vocabulary and the merges of a byte-level tokenizer."""
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    special = set(tokenizer.all_special_ids)
    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list([token for token, _ in vocabulary])
    kinds = (gguf.TokenType.CONTROL if index in special else gguf.TokenType.NORMAL for _, index in vocabulary)
    writer.add_token_types(list(kinds))
    writer.add_token_merges([each if isinstance(each, str) else " ".join(each) for each in merges])
    ends: Any = {
        writer.add_bos_token_id: tokenizer.bos_token_id,
        writer.add_eos_token_id: tokenizer.eos_token_id,
    }
    for add, index in ends.items():
        if index is not None:
            add(index)

"""Answers to smallest_file. A wrong one's docstring is the phrase that must name its mistake."""

import torch

EMBEDDING = "model.embed_tokens.weight"


def _vectors(model):
    return {name: weight.half() for name, weight in model.named_parameters() if weight.dim() == 1}


def _matrices(model):
    return {name: weight for name, weight in model.named_parameters() if weight.dim() == 2}


def _grid(weight, bits, group):
    """Codes, scale and zero of a matrix, rounded to the nearest."""
    grouped = weight.float().view(len(weight), -1, group)  # [rows, groups, group]
    low, high = grouped.amin(2, keepdim=True), grouped.amax(2, keepdim=True)
    scale = (high - low) / (2**bits - 1)
    codes = ((grouped - low) / scale).round().to(torch.uint8).view_as(weight)
    return codes, scale[..., 0], low[..., 0]


def _coded(name, weight, bits=4, group=16):
    codes, scale, zero = _grid(weight, bits, group)
    return {f"{name}.codes{bits}": codes, f"{name}.scale": scale, f"{name}.zero": zero}


def _file(model, bits=4, group=16):
    parts = _vectors(model)
    for name, weight in _matrices(model).items():
        parts |= _coded(name, weight, bits, group)
    return parts


def right_nearest(model, batches, seconds):
    return _file(model)


def right_symmetric(model, batches, seconds):
    parts = _vectors(model)
    for name, weight in _matrices(model).items():
        grouped = weight.view(len(weight), -1, 8)
        scale = grouped.abs().amax(2, keepdim=True) / 7
        codes = ((grouped / scale).round() + 8).to(torch.uint8).view_as(weight)
        parts |= {f"{name}.codes4": codes, f"{name}.scale": scale[..., 0]}
    return parts


def right_with_names_in_any_order(model, batches, seconds):
    parts = _file(model)
    return {name: parts[name] for name in sorted(parts, reverse=True)}


def as_it_is(model, batches, seconds):
    """It is right, but large: no weight of it has codes."""
    return model.state_dict()


def as_halves(model, batches, seconds):
    """It is right, but large: no weight of it has codes."""
    return {name: weight.half() for name, weight in model.named_parameters()}


def a_layer_forgotten(model, batches, seconds):
    """are missing, the first is model.layers.1.mlp.up_proj.weight"""
    parts = _file(model)
    return {name: value for name, value in parts.items() if "layers.1.mlp.up_proj" not in name}


def a_block_forgotten(model, batches, seconds):
    """a whole block that is gone is named in 'dropped': 1"""
    return {name: value for name, value in _file(model).items() if "layers.1." not in name}


def dropped_and_there(model, batches, seconds):
    """is there, and its block 1 is in 'dropped'"""
    return _file(model) | {"dropped": torch.tensor([1])}


def norms_forgotten(model, batches, seconds):
    """the first is model.layers.0.input_layernorm.weight"""
    return {name: value for name, value in _file(model).items() if "norm" not in name}


def embedding_forgotten(model, batches, seconds):
    """the first is model.embed_tokens.weight"""
    return {name: value for name, value in _file(model).items() if EMBEDDING not in name}


def transposed(model, batches, seconds):
    """with what else is in its block it must be"""
    parts = _file(model)
    name = "model.layers.0.mlp.down_proj.weight"
    parts = {key: value for key, value in parts.items() if name not in key}
    return parts | _coded(name, model.get_submodule(name.removesuffix(".weight")).weight.T.contiguous())


def codes_beyond_bits(model, batches, seconds):
    """3 bits hold 0 to 7; clamp the codes"""
    parts = _vectors(model)
    for name, weight in _matrices(model).items():
        codes, scale, zero = _grid(weight, 4, 16)
        parts |= {f"{name}.codes3": codes, f"{name}.scale": scale, f"{name}.zero": zero}
    return parts


def signed_codes(model, batches, seconds):
    """4 bits hold 0 to 15; clamp the codes"""
    parts = _file(model)
    return {name: value.int() - 8 if "codes" in name else value for name, value in parts.items()}


def scale_forgotten(model, batches, seconds):
    """has codes without model.embed_tokens.weight.scale, [rows, groups]"""
    return {name: value for name, value in _file(model).items() if not name.endswith("scale")}


def zero_of_another_kind(model, batches, seconds):
    """became something else"""
    return {
        name: value.abs() * 3 if name.endswith("zero") and "layers" not in name else value
        for name, value in _file(model).items()
    }


def flat_scale(model, batches, seconds):
    """it must be [rows, groups]"""
    parts = _file(model)
    return {name: value.flatten() if name.endswith("scale") else value for name, value in parts.items()}


def groups_across_rows(model, batches, seconds):
    """the groups of a row must divide its columns"""
    parts = _vectors(model)
    for name, weight in _matrices(model).items():
        codes, scale, zero = _grid(weight.reshape(-1, 12), 4, 12)
        parts |= {f"{name}.codes4": codes.view_as(weight), f"{name}.scale": scale, f"{name}.zero": zero}
    return parts


def values_and_codes(model, batches, seconds):
    """is there twice"""
    return _file(model) | {EMBEDDING: model.get_input_embeddings().weight.half()}


def number_mask(model, batches, seconds):
    """it must be torch.bool, True = keep"""
    return _file(model) | {f"{EMBEDDING}.mask": torch.ones(256, 48)}


def head_of_its_own(model, batches, seconds):
    """lm_head.weight is tied to the embedding and is not stored"""
    weights = {name: weight.half() for name, weight in model.named_parameters()}
    return weights | {"lm_head.weight": weights[EMBEDDING] * 2}


def the_model(model, batches, seconds):
    """this is a LlamaForCausalLM"""
    return model


def the_bytes(model, batches, seconds):
    """this is a bytes"""
    return b"SPEAKS01"


def of_modules(model, batches, seconds):
    """model.norm.weight is a Linear"""
    return _file(model) | {"model.norm.weight": torch.nn.Linear(1, 1)}


def own_key(model, batches, seconds):
    """is no weight of the model and no part of one"""
    return _file(model) | {"readme": torch.zeros(1)}


def names_of_modules(model, batches, seconds):
    """'model.layers.0.self_attn.q_proj.codes4' is no weight of the model"""
    return {name.replace("proj.weight.", "proj."): value for name, value in _file(model).items()}


def nan_scale(model, batches, seconds):
    """holds NaN or infinity"""
    parts = _file(model)
    return parts | {f"{EMBEDDING}.scale": parts[f"{EMBEDDING}.scale"] * torch.nan}


def too_few_bits(model, batches, seconds):
    """A file above it earns nothing"""
    return _file(model, bits=1, group=48 // 3)


def not_written(model, batches, seconds):
    """not written yet"""
    raise NotImplementedError()


def saved_and_not_returned(model, batches, seconds):
    """None: is a return missing?"""
    _ = dict(model.named_parameters())


def head_in_codes(model, batches, seconds):
    """lm_head.weight is tied to the embedding and is not stored: leave out 'lm_head.weight.codes4'"""
    parts = {}
    for name, weight in model.state_dict().items():
        parts |= {name: weight.half()} if weight.dim() == 1 else _coded(name, weight)
    return parts


def head_beside_codes(model, batches, seconds):
    """leave out 'lm_head.weight'"""
    return _file(model) | {"lm_head.weight": model.lm_head.weight.half()}


def logits_beyond_every_float(model, batches, seconds):
    """it is inf; the dense model has"""
    return _file(model) | {"model.norm.weight": torch.full((48,), 1e6)}


def sparse_codes(model, batches, seconds):
    """is no plain dense tensor"""
    parts = _file(model)
    return parts | {f"{EMBEDDING}.codes4": parts[f"{EMBEDDING}.codes4"].to_sparse()}


def complex_codes(model, batches, seconds):
    """codes are whole numbers, torch.uint8"""
    parts = _file(model)
    return parts | {f"{EMBEDDING}.codes4": parts[f"{EMBEDDING}.codes4"].to(torch.complex64)}

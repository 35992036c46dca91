"""10.2 drop_blocks, made from solutions/10_depth.py."""

import torch

def drop_blocks(model, keep: list[int]) -> None:
    """Leave only the decoder blocks of `keep` in the model, in place.

    keep: sorted indices. The blocks that stay are bit-identical and get new numbers from 0 on; the config says how
    many there are. Source: Men et al. 2024; Kim et al. 2024.
    """
    model.model.layers = torch.nn.ModuleList([model.model.layers[index] for index in keep])
    for place, layer in enumerate(model.model.layers):
        layer.self_attn.layer_idx = place
    model.config.num_hidden_layers = len(keep)
    if hasattr(model.config, "layer_types") and model.config.layer_types:
        model.config.layer_types = [model.config.layer_types[index] for index in keep]
    if hasattr(model.config, "layer_widths") and model.config.layer_widths:
        model.config.layer_widths = [model.config.layer_widths[index] for index in keep]

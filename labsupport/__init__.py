"""The package that the notebooks import: models, texts, the given parts of each lab, and the checks.

Axis letters in the shapes of tensors::

    B        batch: windows in one forward pass
    L        length of a window, in tokens
    T        tokens of a text, or of all windows of a batch together
    V        size of the vocabulary
    out, in  output and input features of a Linear layer; its weight is [out, in]
    H        query heads
    H_kv     KV heads; each serves H / H_kv query heads, and with them is a KV group
    D        head_dim, the size of one head

Our names beside those of the published code of Wanda and SparseGPT::

    score                     W_metric
    mask, True = keep         W_mask, True = drop
    input_norm ** 2 / n       scaler_row, for n calibration windows
"""

__version__ = "0.2.0"

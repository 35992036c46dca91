"""The likely mistakes behind an exception of a student's function, by exercise and by the error."""

import re

from labsupport.check.ask.answer import Failure
from labsupport.check.judge.kit.causes import see
from labsupport.check.judge.kit.late_signs import LATE
from labsupport.check.judge.kit.signs import ANYWHERE, NO_MEMBER, SIZES, Sign

TAIL = see("1.1", "Equal pieces, and the rest goes")
NOT_FLAT = (
    "It looks as if the matrix was not flattened: along its last axis there are only the weights of one row. "
    f"Here one threshold serves the whole matrix: {see('2.1', 'The smallest go first')}\n"
    "Try weight.abs().flatten().shape."
)
ZERO = (
    "It looks as if k = 0 reached the search for the threshold: no weight is the 0-th smallest. "
    "Where k is 0, everything stays: treat that first."
)
WHOLE = (
    "Is k larger than a row? k counts in each row: round(sparsity * in_features), and in_features is "
    "score.shape[1], not score.numel()."
)
SIGNS = (
    Sign(("windows",), "RuntimeError",
         "stack expects each tensor to be equal size|Sizes of tensors must match",
         "It looks as if the ragged tail was stacked with the whole windows: it is shorter than they are. "
         f"Drop it first, {TAIL}\nTry len(token_ids) % length."),
    Sign(("windows",), "RuntimeError", r"shape '\[.*\]' is invalid for input of size",
         "It looks as if the ragged tail is still there: only n * length tokens fill n windows. "
         f"Cut it off first, {TAIL}\nTry len(token_ids) % length."),
    Sign(("window_nll",), "ValueError", r"Expected input batch_size \(\d+\) to match target batch_size",
         "It looks as if only one side was cut: the last logits have no target, the first token has no "
         "guess. One position goes on each side.\nTry logits[:, :-1].shape and token_ids[:, 1:].shape."),
    Sign(("window_nll",), "RuntimeError", r"Expected target size \[",
         "cross_entropy wants one row of logits for each target, [N, V] and [N]: flatten both, after "
         "slicing.\n"
         "Try logits[:, :-1].flatten(0, 1).shape."),
    Sign(("window_nll", "sum_of_squares"), "RuntimeError", "view size is not compatible with input tensor's",
         "view needs numbers that lie side by side in memory, and after slicing they do not. "
         "reshape or flatten copies them where it must."),
    Sign(("magnitude_mask",), "ValueError", r"k is [1-9]\d*: it must be from 1 to", NOT_FLAT),
    Sign(("magnitude_mask",), "RuntimeError",
         "selected index k out of range|.* k out of range for dimension 1",
         NOT_FLAT),
    Sign(("magnitude_mask",), "RuntimeError", SIZES, NOT_FLAT),
    Sign(("magnitude_mask", "row_mask", "global_magnitude_masks"), "ValueError",
         "k is 0: it must be from 1 to",
         ZERO),
    Sign(("row_mask",), "RuntimeError", ".* k out of range for dimension 1", f"{ZERO}\n{WHOLE}"),
    Sign(("row_mask",), "ValueError", r"k is [1-9]\d*: it must be from 1 to", WHOLE),
    Sign(("row_mask",), "IndexError", r"index \d+ is out of bounds for dimension 0",
         "It looks as if the places of entries in their rows were used as numbers of rows, as in "
         "mask[places]. mask.scatter_(1, places, False) sets in each row its own."),
    Sign(("row_mask",), "RuntimeError", SIZES + r" \(\d+\) at non-singleton dimension 1",
         "It looks as if an axis is missing: thresholds of shape [out] line up with the columns of [out, "
         "in]. They must be [out, 1]: keepdim=True, or threshold[:, None].\nTry threshold.shape."),
    Sign(("row_mask",), "RuntimeError", "selected index k out of range|.* k out of range for dimension 0",
         "It looks as if dim=0 was taken: that ranks inside each column. A row runs along the inputs, the "
         f"last axis: {see('4.2', 'Why rows?')}\nTry score.shape: which axis has in_features entries?"),
    Sign(("global_magnitude_masks",), "RuntimeError", "Sizes of tensors must match except in dimension",
         "It looks as if matrices were joined: they have different shapes. Flatten each one first, torch.cat "
         "then makes one long row of them."),
    Sign(("global_magnitude_masks",), "TypeError", ".*must be tuple of Tensors, not dict|.*but got str",
         "It looks as if the dict itself, or its names, went to torch.cat, which wants a list of tensors: "
         "flatten the magnitudes of weights.values() one by one, into a list."),
    Sign(("prune_magnitude", "global_magnitude_masks", "prune_wanda", "prune_blocks"), "AttributeError",
         NO_MEMBER.format("dict"),
         "It looks as if a whole dict was passed where the tensor of one layer is wanted. A loop over "
         "its items() gives name and tensor."),
    Sign(("prune_wanda",), "TypeError", r"unsupported operand type\(s\) for .*'dict'",
         "It looks as if the dict of all norms was passed where the norms of one layer are wanted: "
         "norms[name], [in] for the weight [out, in] of that name."),
    Sign(("prune_magnitude", "prune_wanda", "prune_blocks"), "AttributeError", NO_MEMBER.format("Linear"),
         "It looks as if a layer was passed where its weight is wanted: linear.weight is the tensor."),
    Sign(("sum_of_squares",), "ValueError", r"(not enough|too many) values to unpack \(expected [23]",
         "It looks as if x was taken to have a fixed number of axes. x may have one axis, two or three; the "
         f"last one stays: {see('3.1', 'The size of a channel')}\nTry x.reshape(-1, x.shape[-1]).shape."),
    Sign(("input_norms",), "AttributeError", NO_MEMBER.format("tuple"),
         "A hook gets the inputs of its layer as a tuple, here of one tensor: inputs[0], "
         f"{see('3.2', 'A hook on every layer')}"),
    Sign(("input_norms",), "TypeError", "'generator' object is not subscriptable|object of type 'generator'",
         "batches may be a generator, which has neither a length nor a first element. One loop over it is "
         "all that is needed."),
    *LATE,
)  # fmt: skip


def cause(exercises: tuple[str, ...], error: Failure, earlier: tuple[str, ...] = ()) -> str:
    """The mistake that an exception shows, "" if it is none of these.

    exercises: whose function raised it, then who called that one, perhaps with wrong arguments. earlier:
    exercises of the lab that these build on.
    """
    unknown = re.match(r"name '(\w+)' is not defined", error.text)
    if unknown and unknown[1] in earlier:
        return (
            f"It looks as if the cell of {unknown[1]} has not run: it is an earlier function of this lab.\n"
            "Choose Run, Run All Above Selected Cell."
        )
    for exercise in exercises:
        for sign in SIGNS:
            if exercise in sign.exercises and sign.error in error.names and re.match(sign.text, error.text):
                return sign.cause
    found = (sign.cause for sign in ANYWHERE if sign.error in error.names and re.match(sign.text, error.text))
    return next(found, "")

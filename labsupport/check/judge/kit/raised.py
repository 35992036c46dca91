"""The likely mistakes behind an exception of a student's function, by exercise and by the error."""

import re
from typing import NamedTuple

from labsupport.check.ask.answer import Failure
from labsupport.check.judge.kit.causes import see


class Sign(NamedTuple):
    """A class of exceptions and a pattern of its text that only one mistake gives in these exercises."""

    exercises: tuple[str, ...]
    error: str
    text: str
    cause: str


TAIL = see("1.1", "Equal pieces, and the rest goes")
SIZES = r"The size of tensor a \(\d+\) must match the size of tensor b"
NO_MEMBER = r"'{}' object has no attribute"
NOT_FLAT = (
    "It looks as if the matrix was not flattened: along its last axis there are only the weights of one row. "
    f"Here one threshold serves the whole matrix: {see('2.1', 'The smallest go first')}\n"
    "Try weight.abs().flatten().shape."
)
THREE = "quantise returns three tensors, in a tuple: codes, scale, zero. dequantise takes them, and group."
ZERO = (
    "It looks as if k = 0 reached the search for the threshold: no weight is the 0-th smallest. "
    "Where k is 0, everything stays: treat that first."
)
WHOLE = (
    "Is k larger than a row? k counts in each row: round(sparsity * in_features), and in_features is "
    "score.shape[1], not score.numel()."
)
WHOLE_NUMBER = (
    "It looks as if a float is where a whole number belongs: / gives a float, // divides whole numbers and "
    "keeps them whole."
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
    Sign(("hessian",), "RuntimeError", SIZES,
         "It looks as if all axes of x went into the product. x may have one axis, two or three: bring it "
         f"into the shape [tokens, in] first, {see('9.1', 'The whole matrix')}\n"
         "Try x.reshape(-1, x.shape[-1]).shape."),
    Sign(("sparsegpt_layer", "gptq_layer"), "RuntimeError", SIZES + r" \(\d+\) at non-singleton dimension 0",
         "It looks as if a number for each row, [out], met a number for each column. error[:, None] is a "
         "column of numbers, [out, 1]: times a row of U it says how far each weight moves."),
    Sign(("sparsegpt_layer", "gptq_layer"), "RuntimeError",
         "linalg.cholesky: The factorization could not be completed",
         "It looks as if the damping is missing, or came too late: with fewer tokens than inputs, or with an "
         f"input that is always zero, H has no inverse: {see('9.3', 'Damping')}"),
    Sign(("sparsegpt_layer",), "RuntimeError", "shape '.*' is invalid for input of size",
         "It looks as if the inputs were cut into groups that do not fit: the last block may be narrower "
         f"than the others: {see('9.3', 'Blocks')}"),
    Sign(("prune_sparsegpt",), "AttributeError", NO_MEMBER.format("tuple"),
         "A hook gets the inputs of its layer as a tuple, here of one tensor: inputs[0], "
         f"{see('9.4', 'What the pruned layers send')}"),
    Sign(("lora_forward", "masked_lora_forward"), "RuntimeError", "mat1 and mat2 shapes cannot be multiplied",
         "It looks as if a matrix was not transposed: weight, a and b have one row per output, so x is "
         "multiplied by their transposes, as in x @ weight.T. Write down the shape after each step."),
    Sign(("merge_lora",), "RuntimeError", "Boolean value of Tensor with more than one value is ambiguous",
         "It looks as if the mask itself was asked for true or false, as in `if mask:`. A mask holds "
         "thousands of answers; `if mask is None:` asks whether there is one."),
    Sign(("recover",), "IndexError", "list index out of range",
         "It looks as if batches[step] was taken: there may be fewer batches than steps. After the "
         f"last one take the first, as itertools.cycle does: {see('6.3', 'What learns and what does not')}"),
    Sign(("recover",), "ValueError", "optimizer got an empty parameter list",
         "It looks as if the model was trained without LoRA: all its own weights are frozen, so nothing can "
         f"be trained. Add the new matrices first: {see('6.3', 'What learns and what does not')}"),
    Sign(("quantise", "dequantise"), "RuntimeError", r"shape '\[.*\]' is invalid for input of size",
         "It looks as if each row was cut into whole groups. The last group of a row may be shorter: split "
         f"cuts that way, {see('11.1', 'A grid for each group')}\nTry weight.split(group, dim=1)."),
    Sign(("quantise",), "RuntimeError", SIZES + r" \(\d+\) at non-singleton dimension 1",
         "It looks as if scale and zero were spread over whole groups. Where the last group is shorter than "
         "the others, the row ends earlier.\n"
         "Try scale.repeat_interleave(group, dim=1).shape beside weight.shape."),
    Sign(("dequantise",), "RuntimeError", SIZES,
         "Codes and scales do not line up: a scale belongs to a group of codes, and has to be repeated. "
         "Where the last group is shorter than the others, the row ends earlier.\n"
         "Try scale.repeat_interleave(group, dim=1).shape beside codes.shape."),
    Sign(("pack_bits",), "RuntimeError", r"shape '\[.*\]' is invalid for input of size",
         "The bits do not fill whole bytes. Put zeros at the end first: "
         f"{see('11.3', 'Bits in a row')}\nTry -len(flags) % 8."),
    Sign(("prune_then_quantise",), "AttributeError", NO_MEMBER.format("tuple"), THREE),
    Sign(("prune_then_quantise",), "TypeError", r"_?dequantise\(\) missing", THREE),
    Sign(("recover",), "RuntimeError", "element 0 of tensors does not require grad",
         "It looks as if the loss came from the frozen model alone, or under torch.no_grad: nothing in it "
         f"can learn. Take the loss of the model with LoRA: {see('6.3', 'What learns and what does not')}"),
    Sign(("block_influence",), "AttributeError", NO_MEMBER.format("list"),
         "It looks as if the whole list was passed where one tensor is wanted: block i turns hidden[i] into "
         f"hidden[i + 1], {see('10.1', 'How far a block turns a vector')}"),
    Sign(("drop_blocks",), "RuntimeError", "dictionary changed size during iteration",
         "It looks as if blocks were deleted while a loop ran over them. Choose those that stay first, and "
         "put a new torch.nn.ModuleList of them in place of the old one."),
    Sign(("drop_blocks",), "TypeError", "cannot assign '.*' as child module 'layers'",
         "It looks as if a plain list was put where a ModuleList stands, by which a model knows its weights: "
         "torch.nn.ModuleList takes a list."),
    Sign(("distill",), "ValueError", "optimizer got an empty parameter list",
         "It looks as if the student was trained without LoRA: all its own weights are frozen, so nothing is "
         f"left to learn. Put the new matrices in first: {see('10.5', 'A step of distillation')}"),
    Sign(("distill",), "RuntimeError", "element 0 of tensors does not require grad",
         "It looks as if the loss was computed under torch.no_grad, the student's part of it, too. Only the "
         f"teacher's forward pass belongs there: {see('10.5', 'A step of distillation')}"),
)  # fmt: skip

ANYWHERE = (
    Sign((), "TypeError", r"(arg)?sort\(\) (takes from 1 to 0 positional|received an invalid .*stable)",
         "sort and argsort take dim by its name where stable is given: argsort(dim=1, stable=True)."),
    Sign((), "TypeError", r"(view|reshape|new_zeros|zeros|ones|empty)\(\)[^-]*- got \(.*float",
         WHOLE_NUMBER),
    Sign((), "TypeError", "slice indices must be integers|'float' object cannot be interpreted as an integer",
         WHOLE_NUMBER),
    Sign((), "RuntimeError", "Boolean value of Tensor with more than one value is ambiguous",
         "It looks as if a whole tensor was asked for true or false, as in `if mask:` or `one and other`. It "
         "holds many answers: `&` and `|` combine two masks, .any() and .all() make one answer of many."),
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

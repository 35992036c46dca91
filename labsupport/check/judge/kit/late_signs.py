"""Errors of the exercises from lab 05 on, each with the one mistake that gives it."""

from labsupport.check.judge.kit.causes import see
from labsupport.check.judge.kit.signs import NO_MEMBER, SIZES, Sign

GROUPS = see("5.3", "Who serves whom")
THREE = "quantise returns three tensors, in a tuple: codes, scale, zero. dequantise takes them, and group."
LATE = (
    Sign(("channel_importance", "kv_group_importance"), "TypeError",
         ".*('NoneType' object is not|non-iterable NoneType)",
         "It looks as if grads was opened where there is none: it is None for every criterion but taylor."),
    Sign(("channel_importance", "kv_group_importance"), "AttributeError", NO_MEMBER.format("NoneType"),
         "It looks as if the gradient was read where there is none: it comes in grads, in the order of the "
         "weights, for taylor alone. weight.grad is None here."),
    Sign(("kv_group_importance",), "RuntimeError", SIZES,
         "It looks as if q was cut into pieces of head_dim rows, one for each query head. It has one piece "
         f"for each key-value head, len(q) // kv_heads rows, {GROUPS}"),
    Sign(("shrink_attention",), "IndexError", r"index \d+ is out of bounds for dimension",
         "It looks as if a row was named that is not there. A group has head_dim rows of k and v, and "
         f"len(q) // kv_heads rows of q: {see('5.5', 'A group is a block of rows')}"),
    Sign(("shrink_mlp", "shrink_attention", "compensation"), "IndexError", "The shape of the mask",
         "It looks as if `keep` was taken for a mask. It holds indices: weight[keep] takes those rows."),
    Sign(("compensation",), "IndexError", "too many indices for tensor of dimension|Dimension out of range",
         "It looks as if x was taken to have a fixed number of axes. All axes but the last are tokens, and a "
         "single token has none of them.\nTry x.reshape(-1, x.shape[-1]).shape."),
    Sign(("lora_forward", "masked_lora_forward"), "RuntimeError", "Expected size for first two dimensions",
         "It looks as if x.T was taken: it turns all axes of x round. x may have one axis, two or three, and "
         "x @ weight.T works for each."),
    Sign(("lora_forward", "masked_lora_forward"), "RuntimeError", "self must be a matrix",
         "It looks as if torch.mm was called, which takes matrices alone. x may have one axis, two or three, "
         "and x @ weight.T works for each."),
    Sign(("recover",), "KeyError", "'model.layers",
         "It looks as if the masks were applied while the adapters stood in the model: its layers have other "
         f"names then. merge_and_unload comes first, {see('6.3', 'What learns and what does not')}"),
    Sign(("block_influence",), "IndexError", "list index out of range",
         "It looks as if every tensor was taken for a block. `hidden` has one tensor more than there are "
         f"blocks: the last i is len(hidden) - 2, {see('10.1', 'How far a block turns a vector')}"),
    Sign(("drop_blocks",), "AttributeError", r"'\w+Config' object has no attribute 'layer_",
         "Not every config has this list: hasattr(config, name) asks without an error, "
         f"{see('10.2', 'What the config must say')}"),
    Sign(("accuracies",), "RuntimeError", r"mean\(\): (could not infer output dtype|input dtype should be)",
         "It looks as if the mean of a bool tensor was taken. (guesses == answers).float().mean() is the "
         "share that is true."),
    Sign(("standard_error",), "ValueError", "math domain error",
         "It looks as if brackets are missing: a / n - 1 takes 1 from the quotient, and a / (n - 1) "
         "divides by n - 1."),
    Sign(("continuation_logprob",), "IndexError", "too many indices for tensor of dimension 2",
         "It looks as if the model got tokens without a batch axis. It takes [batch, tokens]: "
         "token_ids[None] is a batch of one, and .logits[0] its logits."),
    Sign(("continuation_logprob",), "RuntimeError", "stack expects each tensor to be equal size",
         "It looks as if context and continuation were stacked as two rows. They are one text: "
         "torch.cat puts one after the other."),
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
         f"cuts that way, {see('11.1', 'A grid for each group')}\nTry .split(group, dim=1)."),
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

"""The ask of storage_bytes: one case may cover several formats of one matrix."""

from collections.abc import Callable

from labsupport.check.ask.answer import Answer
from labsupport.check.ask.call import answered, attempt, call


def ask(function: Callable, inputs: dict) -> Answer:
    """Call the function; for a case with several formats the value is a dict by format."""
    if "formats" not in inputs:
        return call(function, inputs)
    shape, sparsity, formats, dtype_bytes = inputs.values()
    return answered(attempt(lambda: {form: function(shape, sparsity, form, dtype_bytes) for form in formats}))

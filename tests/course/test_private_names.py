"""Every private or undocumented name of another library that the project leans on, in one list.

An upgrade that renames or moves one fails here first, by that name, and says what stops working.
"""

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Name:
    """A name, `module:attribute.attribute`, who uses it, what for, and what must hold of it besides."""

    path: str
    used_in: str
    serves: str
    holds: Callable[[object], bool] = lambda _found: True


def takes(*names: str) -> Callable[[object], bool]:
    """Whether a function has parameters of these names."""
    return lambda function: set(names) <= set(inspect.signature(function).parameters)


def calls(name: str) -> Callable[[object], bool]:
    """Whether the source of a class or module mentions this name."""
    return lambda found: name in inspect.getsource(found)


NAMES = [
    # torch
    Name(
        "torch:_C.DisableTorchFunctionSubclass",
        "labsupport/check/ask/wire.py",
        "a tensor subclass cannot answer for detach() itself",
    ),
    Name(
        "torch.nn.modules.module:_global_forward_hooks",
        "labsupport/check/ask/shared.py",
        "a model with global hooks is not taken for the course model under masks",
    ),
    Name(
        "torch.nn.modules.module:_global_forward_pre_hooks",
        "labsupport/check/ask/shared.py",
        "a model with global hooks is not taken for the course model under masks",
    ),
    Name(
        "torch.nn:Module._call_impl",
        "labsupport/check/ask/own/input_norms.py",
        "hooks that a student left on a model are counted, and taken off after a `masked` block",
        lambda found: {"_forward_hooks", "_forward_pre_hooks"} <= set(found.__code__.co_names),
    ),
    # transformers
    Name(
        "transformers.modeling_gguf_pytorch_utils:load_gguf_checkpoint",
        "labsupport/fetch/embedded.py",
        "the conversion of the embedded model shows our progress bar",
        lambda found: "tqdm" in inspect.getsource(inspect.getmodule(found)),
    ),
    Name(
        "transformers.models.llama.modeling_llama:LlamaAttention.__init__",
        "labsupport/sliced_llama.py",
        "a sliced layer's head counts follow from the widths of its Linears",
        calls("head_dim"),
    ),
    # lm-evaluation-harness
    Name(
        "lm_eval.models.huggingface:HFLM._encode_pair",
        "labsupport/zeroshot.py",
        "lab 07 shows the tokens that the harness asks about",
        takes("context", "continuation"),
    ),
    Name(
        "lm_eval.models.huggingface:HFLM._model_call",
        "labsupport/steps/answers.py",
        "a task that was killed goes on: answers are kept a batch at a time",
    ),
    Name(
        "lm_eval.api.model:CacheHook.add_partial",
        "labsupport/steps/answers.py",
        "a task that was killed goes on: the harness hands over every answer",
    ),
    Name("lm_eval.models.huggingface:tqdm", "labsupport/zeroshot.py", "the harness shows our progress bar"),
    Name("lm_eval.api.task:tqdm", "labsupport/zeroshot.py", "the harness shows no second progress bar"),
    Name("lm_eval.api.model:tqdm", "labsupport/zeroshot.py", "the harness shows no second progress bar"),
    Name("lm_eval.tasks:TaskManager.load", "labsupport/zeroshot.py", "one task's YAML is loaded by its path"),
    # datasets
    Name(
        "datasets:config.HF_HUB_OFFLINE",
        "labsupport/zeroshot.py",
        "tasks load from the cache without a network",
    ),
    Name(
        "lm_eval.api.task:datasets.load_dataset",
        "labsupport/zeroshot.py",
        "without a network, tasks load from the hub's cache too",
    ),
    # IPython, ipykernel, jupyter_client, nbclient
    Name(
        "IPython.core.interactiveshell:InteractiveShell.showtraceback",
        "labsupport/check/judge/kit/verdict.py",
        "a failed check shows its message in place of a traceback",
        calls("_render_traceback_"),
    ),
    Name(
        "ipykernel.kernelapp:IPKernelApp.launch_instance",
        "grader/sandbox/inside/runner.py",
        "a fork becomes a kernel",
    ),
    Name(
        "jupyter_client.provisioning.local_provisioner:launch_kernel",
        "grader/sandbox/inside/runner.py",
        "a fork stands in for the process that would be started",
    ),
    Name(
        "nbclient:NotebookClient.process_message",
        "grader/sandbox/inside/runner.py",
        "output beyond the limit is dropped as it comes",
        takes("msg", "cell", "cell_index"),
    ),
    Name(
        "nbclient:NotebookClient.async_execute_cell",
        "grader/sandbox/inside/runner.py",
        "one cell runs at a time",
        takes("cell", "cell_index", "execution_count"),
    ),
    # nbgrader, nbconvert, docutils
    Name(
        "nbgrader.preprocessors:SaveAutoGrades._add_score",
        "grader/results/gradebook.py",
        "the examiner's scores take the place of those read off outputs",
        takes("cell", "resources"),
    ),
    Name(
        "nbgrader.converters.autograde:Gradebook", "grader/results/gradebook.py", "one gradebook for a class"
    ),
    Name(
        "nbgrader.preprocessors.saveautogrades:Gradebook",
        "grader/results/gradebook.py",
        "one gradebook for a class",
    ),
    Name(
        "nbgrader.preprocessors.latesubmissions:Gradebook",
        "grader/results/gradebook.py",
        "one gradebook for a class",
    ),
    Name(
        "nbgrader.converters:Autograde.sanitize_preprocessors",
        "grader/nbgrader_config.py",
        "the executed notebook comes from the journal",
    ),
    Name(
        "nbgrader.converters:Autograde.autograde_preprocessors",
        "grader/nbgrader_config.py",
        "the verdicts come from the journal",
    ),
    Name("nbgrader.utils:determine_grade", "labsupport/checking.py", "`check` says what Validate says"),
    Name(
        "nbconvert.filters.markdown_mistune:IPythonRenderer",
        "grader/results/mathml.py",
        "the labs' formulas are set",
    ),
    Name(
        "docutils.utils.math.latex2mathml:tex2mathml",
        "grader/results/mathml.py",
        "the labs' formulas are set",
    ),
]


@pytest.mark.parametrize("name", NAMES, ids=[name.path for name in NAMES])
def test_it_is_still_there(name):
    """What breaks, and for whom, is in the message."""
    module, _, attributes = name.path.partition(":")
    lost = f"{name.path} is not what it was: {name.used_in} needs it, so that {name.serves}"
    try:
        found = importlib.import_module(module)
        for attribute in attributes.split("."):
            found = getattr(found, attribute)
    except (ImportError, AttributeError):
        pytest.fail(lost)
    assert name.holds(found), lost

"""Zero-shot tasks: EleutherAI's lm-evaluation-harness as a library, on a model in memory.

The harness requests the log-probability of each choice and computes the accuracies. `addresses` is the
course's own task and needs no hub; the five tasks of the report are downloaded from the hub.
"""

import contextlib
import copy
import errno
import logging
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import nn
from tqdm import tqdm

from labsupport.errors import LabError, reason
from labsupport.fetch import hub
from labsupport.progress import bar
from labsupport.tasks import addresses

LOCAL = addresses.NAME
HUB = {  # the report's tasks: their folders in the harness
    "arc_challenge": "arc/arc_challenge.yaml",
    "arc_easy": "arc/arc_easy.yaml",
    "boolq": "super_glue/boolq/default.yaml",
    "hellaswag": "hellaswag/hellaswag.yaml",
    "openbookqa": "openbookqa/openbookqa.yaml",
    "piqa": "piqa/piqa.yaml",
    "winogrande": "winogrande/default.yaml",
}
NAMES = (LOCAL, *HUB)
MOST = 10**9  # documents
BATCH = 16  # requests in one forward pass
NOT_WRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES)


@dataclass(frozen=True)
class Scores:
    """The results of the harness on one task, and the data behind them.

    The four numbers are computed by the harness; acc_norm and its standard error are None for a task
    without acc_norm (boolq, winogrande), a standard error is None for a single document. Documents with
    fewer choices than others are padded with log-probability -inf and length 1.
    """

    task: str
    acc: float
    acc_stderr: float | None
    acc_norm: float | None
    acc_norm_stderr: float | None
    logprobs: torch.Tensor  # float64 [n, choices], by the model
    lengths: torch.Tensor  # int64 [n, choices], bytes of each choice
    answers: torch.Tensor  # int64 [n], the index of the right choice
    requests: list[list[tuple[torch.Tensor, torch.Tensor]]]  # per choice: context ids, continuation ids
    version: str  # version of the task
    harness: str  # version of lm-evaluation-harness
    limit: int | None


def evaluate(model: nn.Module, tokenizer, tasks: list[str], limit: int | None = None) -> dict[str, Scores]:
    """Run tasks of the harness, zero-shot, on a model in memory: pruned, sliced or dense.

    tasks: names of NAMES; limit: the number of documents per task, from the first on. Returns the scores
    by task. The model's training mode is restored, the tokenizer does not change. Raises LabError for an
    unknown task, for one that cannot be downloaded, and, before any task runs, for a document that is
    longer than the model's context (the harness would truncate it silently).
    Source: Gao et al., lm-evaluation-harness; Ma et al. 2023, LLM-Pruner, section 4.1, for the tasks.
    """
    results, found, requests = run(model, tokenizer, tasks, limit)
    return {name: _scores(name, task, results, requests[name], limit) for name, task in found.items()}


def run(
    model: nn.Module,
    tokenizer,
    tasks: list[str],
    limit: int | None = None,
    wrap: Callable[[Any], None] | None = None,
) -> tuple[dict, dict, dict]:
    """The harness's own results, its task objects by name, and their requests; arguments as in `evaluate`.

    wrap: changes the harness's wrapper of the model before it is asked.
    """
    must_be_a_limit(limit)
    was_training = model.training
    with _quiet():
        try:
            harness, found = _model(model, tokenizer), load(tasks)
            requests = {name: _requests(harness, task, limit) for name, task in found.items()}
            for name, documents in requests.items():
                _must_fit(harness, name, documents)
            if wrap is not None:
                wrap(harness)
            from lm_eval.evaluator import evaluate as run_tasks

            results: Any = run_tasks(lm=harness, task_dict={"tasks": found}, limit=limit)
        finally:
            model.train(was_training)
    return results, found, requests


def must_be_a_limit(limit: int | None) -> None:
    """Raise LabError for a number of documents that no task can have; None: all of them."""
    if limit is not None and not 1 <= limit <= MOST:
        raise LabError(f"The limit is {limit}: it must be at least 1, and at most {MOST:,}.")


def must_know(tasks: list[str]) -> None:
    """Raise LabError for a task that is none of NAMES."""
    for name in tasks:
        if name not in NAMES:
            raise LabError(f"There is no task called '{name}'. Known: {', '.join(NAMES)}.")


def _model(model: nn.Module, tokenizer):
    """The model in the harness's wrapper, with a copy of the tokenizer, because the harness adds tokens."""
    from lm_eval.models.huggingface import HFLM

    tokenizer = copy.deepcopy(tokenizer)
    bos = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    return HFLM(pretrained=model, tokenizer=tokenizer, batch_size=BATCH, prefix_token_id=bos or 0)  # pyright: ignore[reportCallIssue]


def load(tasks: list[str]) -> dict:
    """The harness's task objects by name, their documents downloaded if they are missing; raises LabError."""
    must_know(tasks)
    import lm_eval.tasks

    manager = lm_eval.tasks.TaskManager(include_defaults=False)  # indexing all tasks would take 8 s
    found = {}
    for name in tasks:
        if name == LOCAL:
            path = Path(addresses.__file__).with_suffix(".yaml")
        else:
            path = Path(lm_eval.tasks.__file__).parent / HUB[name]
        with _from_hub(name) if name in HUB else contextlib.nullcontext():
            found |= manager.load([str(path)])["tasks"]
    for task in found.values():
        task.set_config("num_fewshot", 0)
        task.set_fewshot_seed(0)
    return found


@contextlib.contextmanager
def _from_hub(name: str) -> Iterator[None]:
    """A context for loading a task's documents: from caches alone when the hub cannot be reached."""
    import datasets
    from datasets import config

    instead = f"the task '{LOCAL}' needs no hub."
    online = hub.reachable()
    datasets.disable_progress_bars()  # they are on standard error; we show our own
    stored = datasets.load_dataset if online else _stored_first(datasets.load_dataset)
    try:
        with (
            mock.patch.object(config, "HF_HUB_OFFLINE", not online),
            mock.patch.object(datasets, "load_dataset", stored),
        ):
            yield
    except Exception as problem:
        if words := _disk_error(problem):
            place = config.HF_DATASETS_CACHE
            raise LabError(f"Cannot write the documents of '{name}' to {place}: {words}.") from problem
        if not online:
            raise LabError(
                f"The task '{name}' is on the model hub, which cannot be reached from here; {instead}"
            ) from problem
        raise LabError(
            f"The task '{name}' could not be downloaded from the model hub ({reason(problem)}); {instead}"
        ) from problem


def _stored_first(load_dataset: Callable) -> Callable:
    """load_dataset, which without a network knows its own cache alone, with the hub's cache before it."""

    def load(path: str, **options):
        if folder := hub.stored(path):
            try:
                return load_dataset(path=str(folder), **options)
            except Exception as problem:  # a file may be missing there
                if _disk_error(problem):
                    raise
        return load_dataset(path=path, **options)

    return load


def _disk_error(problem: BaseException | None) -> str:
    """The system's words for a full disk or one that cannot be written, behind an error; else empty."""
    while problem is not None:
        if isinstance(problem, OSError) and problem.errno in NOT_WRITTEN:
            return os.strerror(problem.errno)
        problem = problem.__cause__ or problem.__context__
    return ""


def _requests(harness, task, limit: int | None) -> list[list[tuple[torch.Tensor, torch.Tensor]]]:
    """Context and continuation of every choice of every document, as tokenised by the harness."""
    task.build_all_requests(limit=limit)
    documents: dict[int, list] = {}
    for instance in task.instances:
        pair = harness._encode_pair(*instance.args)
        documents.setdefault(instance.doc_id, []).append(tuple(torch.tensor(ids) for ids in pair))
    return list(documents.values())


def _must_fit(harness, name: str, documents: list) -> None:
    for number, choices in enumerate(documents):
        longest = max(len(context) + len(continuation) for context, continuation in choices)
        if longest - 1 > harness.max_length:  # the last token is only a target, no input
            raise LabError(
                f"Document {number} of the task '{name}' has {longest:,} tokens, and the model's context "
                f"holds {harness.max_length:,}. Nothing was run: the harness would cut it and not say so."
            )


def _scores(name: str, task, results: dict, requests: list, limit: int | None) -> Scores:
    measured, samples = results["results"][name], results["samples"][name]
    count = max(len(sample["resps"]) for sample in samples)
    logprobs = torch.full((len(samples), count), -torch.inf, dtype=torch.float64)
    lengths = torch.ones(len(samples), count, dtype=torch.long)
    for row, sample in enumerate(samples):
        for column, (logprob, _greedy) in enumerate(sample["filtered_resps"]):
            logprobs[row, column] = logprob
        for column, choice in enumerate(task.doc_to_choice(sample["doc"])):
            lengths[row, column] = len(choice.encode())
    right = task.doc_to_text if task.multiple_input else task.doc_to_target
    numbers: dict[str, Any] = {
        metric: value if isinstance(value := measured.get(f"{metric},none"), float) else None
        for metric in ("acc", "acc_stderr", "acc_norm", "acc_norm_stderr")
    }
    return Scores(
        task=name,
        **numbers,
        logprobs=logprobs,
        lengths=lengths,
        answers=torch.tensor([right(sample["doc"]) for sample in samples]),
        requests=requests,
        version=str(task.VERSION),
        harness=version("lm_eval"),
        limit=limit,
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """A context without the harness's log lines and global random draws, with our progress bar."""
    import lm_eval.api.model
    import lm_eval.api.task
    import lm_eval.models.huggingface

    def ours(total=None, **_options):
        return bar(what="zero-shot", total=total)

    def none(iterable=None, **_options):
        return tqdm(iterable, disable=True)

    logger = logging.getLogger("lm_eval")
    level, drawn = logger.level, random.getstate()
    logger.setLevel(logging.ERROR)
    try:
        with (
            mock.patch.object(lm_eval.api.task, "tqdm", none),
            mock.patch.object(lm_eval.api.model, "tqdm", none),
            mock.patch.object(lm_eval.models.huggingface, "tqdm", ours),
        ):
            yield
    finally:
        logger.setLevel(level)
        random.setstate(drawn)

"""A pruned folder is read by transformers and by lm-evaluation-harness alone, where this course is not."""

import subprocess
import sys

import pytest
import torch

from labsupport import __main__ as command
from labsupport import models
from tests.labsupport import small_hub

pytestmark = [pytest.mark.lengthy, pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`")]
READ = """
import sys
sys.modules["labsupport"] = None  # as if it were not installed
import torch
from transformers import AutoModelForCausalLM
ids = torch.arange(60)[None]
for folder in sys.argv[1:]:
    trusted = {"trust_remote_code": True} if not folder.startswith("stock") else {}
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **trusted)
    torch.save(model(ids).logits, f"{folder}.logits")
    model.generate(ids[:, :5], max_new_tokens=3, do_sample=False)

import lm_eval
from lm_eval.tasks import TaskManager
found = lm_eval.simple_evaluate(  # what `lm_eval --model hf` calls
    model="hf", model_args="pretrained=llama,trust_remote_code=True", tasks=["mine.yaml"], device="cpu",
    task_manager=TaskManager(include_defaults=False),
)
torch.save(found["results"]["mine"]["acc,none"], "acc")
"""
TASK = """
task: mine
dataset_path: json
dataset_kwargs: {data_files: {test: questions.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{q}}"
doc_to_choice: "{{c}}"
doc_to_target: "{{a}}"
metadata: {version: 1}
"""


MODELS = {  # folder: kind, changes of its shape, layers
    "llama": ("llama", {}, "1:3"), "mistral": ("mistral", {}, "1:3"), "qwen2": ("qwen2", {}, "1:3"),
    "llama-tied": ("llama", {"tie_word_embeddings": True}, "1:3"),
    "mistral-tied-mha": ("mistral", {"tie_word_embeddings": True, "num_key_value_heads": 4}, "1:3"),
    "qwen2-tied-mha": ("qwen2", {"tie_word_embeddings": True, "num_key_value_heads": 4}, "1:3"),
    "stock-llama": ("llama", {}, "0:3"), "stock-qwen2": ("qwen2", {}, "0:3"),
    "stock-mistral-tied": ("mistral", {"tie_word_embeddings": True}, "0:3"),
}  # fmt: skip


@pytest.fixture(scope="module")
def pruned(tmp_path_factory):
    """Pruned models, some of which a stock config can hold, and what later steps made of one of each."""
    place = tmp_path_factory.mktemp("readable")
    for name, (kind, shape, layers) in MODELS.items():
        dense = small_hub.saved(place / f"dense-{name}", small_hub.model(kind, **shape))
        line = f"prune {dense} --to {place / name} --criterion l2 --ratio 0.5 --layers {layers}"
        assert command.main(line.split()) == 0
    for name in ("llama", "qwen2-tied-mha", "stock-mistral-tied"):
        line = f"prune {place / name} --to {place / name}-twice --method magnitude --pattern 2:4"
        assert command.main(line.split()) == 0
        line = f"recover {place / name}-twice --to {place / name}-mended --data sotu --epochs 1 --batch 40"
        assert command.main(line.split()) == 0
    return place


def test_transformers_and_the_harness_alone(pruned):
    """Equal logits, with one small file beside the weights, or none where a stock config says it all."""
    names = [path.name for path in pruned.iterdir() if not path.name.startswith("dense")]
    assert len(names) == len(MODELS) + 6
    (pruned / "mine.yaml").write_text(TASK)
    (pruned / "questions.jsonl").write_text('{"q": "one", "c": ["a", "bcd"], "a": 0}\n' * 3)
    surroundings = {"HF_HOME": str(pruned / "home"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", READ, *names], cwd=pruned, env=surroundings, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for name in names:
        own = models.load(pruned / name)(torch.arange(60)[None]).logits
        assert torch.equal(torch.load(pruned / f"{name}.logits"), own)
        for source in ("sliced_llama.py", "layer_widths.py"):
            assert (pruned / name / source).exists() == (not name.startswith("stock"))
    assert torch.load(pruned / "acc") in (0.0, 1.0)

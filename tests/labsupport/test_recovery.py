"""Recovery: does training leave alone what it must, and is nothing lost when it ends early?"""

import json
import sys
import types
import warnings

import pytest
import torch
from peft import PeftModel
from torch.nn import functional

from labsupport import models, recovery
from labsupport.errors import LabError
from labsupport.fetch import hub, instructions
from labsupport.given import blocks, lora
from labsupport.given.perplexity import perplexity
from labsupport.linears import apply_masks, model_sparsity, pruned_linears

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`")  # as models.py has it

ROUND = torch.randperm(256, generator=torch.Generator().manual_seed(1))[:8]  # eight tokens going round
WINDOWS = torch.stack([ROUND.roll(start).repeat(4) for start in (0, 3, 5, 6, 1, 4, 2, 7)])  # [8, 32]
BATCHES, UNSEEN = list(WINDOWS[:6].view(3, 2, 32)), WINDOWS[6:]
ALPACA = [
    {"instruction": "Name a bird.", "input": "", "output": "A wren."},
    {"instruction": "Add them.", "input": "1 and 2", "output": "3"},
    {"instruction": "Go on.", "input": "", "output": "and on " * 100},
]


def masked(seed: int = 0):
    """A tiny model with half of every row masked."""
    model = models.tiny(seed)
    weights = {name: linear.weight.abs() for name, linear in pruned_linears(model).items()}
    apply_masks(model, {n: w > w.median(dim=1, keepdim=True).values for n, w in weights.items()})
    return model


def sliced(seed: int = 0):
    """A tiny model with half of its second block sliced away."""
    model = models.tiny(seed)
    blocks.prune_blocks(model, 0.5, range(1, 2), "l1")
    return model


def state(model) -> dict[str, torch.Tensor]:
    return {name: weight.clone() for name, weight in model.state_dict().items()}


def unchanged(model, before: dict[str, torch.Tensor]) -> bool:
    after = model.state_dict()
    return after.keys() == before.keys() and all(torch.equal(after[name], before[name]) for name in before)


def anatomy(model) -> dict:
    """Every module with its class, its attributes' names, hooks, and what is trained in which mode."""
    return {
        name: (type(module), sorted(vars(module)), len(module._forward_hooks), module.training)
        for name, module in model.named_modules()
    } | {name: weight.requires_grad for name, weight in model.named_parameters()}


@pytest.mark.lengthy
@pytest.mark.parametrize("pruned", [masked, sliced])
def test_perplexity_falls(pruned):
    """What is learned on some windows helps on others, which is the point of it all."""
    model = pruned()
    before = perplexity(model, UNSEEN)
    losses = lora.recover(model, BATCHES, 24, 0.01)
    assert len(losses) == 24 and all(type(loss) is float for loss in losses)
    assert losses[-1] < losses[0] / 2
    assert perplexity(model, UNSEEN) < before / 10


def test_zeros_stay():
    """Sparsity after the merge is unchanged to the last weight, and the zeros are where they were."""
    model = masked()
    before, sparsity = state(model), model_sparsity(model)
    lora.recover(model, BATCHES, 6, 0.01)
    assert model_sparsity(model) == sparsity == 0.5
    for name in pruned_linears(model):
        weight = model.state_dict()[f"{name}.weight"]
        assert torch.equal(weight == 0, before[f"{name}.weight"] == 0)
        assert not torch.equal(weight, before[f"{name}.weight"])


@pytest.mark.parametrize("pruned", [masked, sliced])
def test_base_is_frozen(pruned):
    """Embeddings, norms and the head are bit-identical; shapes are as they were."""
    model = pruned()
    before, inside = state(model), {f"{name}.weight" for name in pruned_linears(model)}
    lora.recover(model, BATCHES, 6, 0.01)
    for name, weight in model.state_dict().items():
        assert weight.shape == before[name].shape
        assert name in inside or torch.equal(weight, before[name])


def test_update_is_low_rank():
    """A sliced model gets exactly the product that was trained: rank 8, or what was asked for."""
    for rank in (8, 3):
        model = sliced()
        before = state(model)
        lora.recover(model, BATCHES, 6, 0.01, rank=rank)
        for name, linear in pruned_linears(model).items():
            values = torch.linalg.svdvals((linear.weight - before[f"{name}.weight"]).double())
            assert int((values > 1e-5).sum()) == rank


def test_no_trace():
    """The model is a plain one afterwards: the same classes, attributes, hooks, mode and gradients."""
    model = masked().train()
    model.model.norm.weight.requires_grad_(True)
    before = anatomy(model)
    lora.recover(model, BATCHES, 2, 0.01)
    assert anatomy(model) == before
    assert not isinstance(model, PeftModel)


def test_no_warning(capsys):
    """Nothing of peft's or transformers' own housekeeping reaches the screen."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`")
        lora.recover(masked(), BATCHES, 2, 0.01)
    assert capsys.readouterr() == ("", "")


def test_seed():
    """The same seed trains the same model, and no one else's random numbers are touched."""
    torch.manual_seed(5)
    drawn = torch.rand(3)
    torch.manual_seed(5)
    one, other, third = masked(), masked(), masked()
    losses = [lora.recover(model, BATCHES, 4, 0.01) for model in (one, other)]
    assert losses[0] == losses[1] and unchanged(one, state(other))
    assert lora.recover(third, BATCHES, 4, 0.01, seed=1) != losses[0]
    assert torch.equal(torch.rand(3), drawn)


def test_loss_is_the_mean_over_targets():
    """However a batch is cut into parts, its loss and gradients are those of the whole."""
    model = models.tiny(3).requires_grad_(True)
    batch = torch.randint(256, (7, 20), generator=torch.Generator().manual_seed(0))
    labels = batch.clone()
    labels[:5, :15] = instructions.IGNORED
    expected = functional.cross_entropy(model(batch).logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
    expected.backward()
    weight = model.model.layers[0].mlp.up_proj.weight
    whole, weight.grad = weight.grad, None
    found = lora.backward(model, {"input_ids": batch, "labels": labels})
    assert found == pytest.approx(expected.item(), rel=1e-5)
    torch.testing.assert_close(weight.grad, whole)


def test_interrupt(monkeypatch, capsys):
    """Ctrl-C in the seventh step keeps what six have learned, merged, and their losses."""
    model, rest = masked(), lora.backward
    before, calls = state(model), []

    def until_interrupted(*arguments):
        calls.append(1)
        if len(calls) == 7:
            raise KeyboardInterrupt
        return rest(*arguments)

    monkeypatch.setattr(lora, "backward", until_interrupted)
    losses = lora.recover(model, BATCHES, 24, 0.01)
    assert len(losses) == 6
    assert "Interrupted after 6 of 24 steps" in capsys.readouterr().out
    assert model_sparsity(model) == 0.5
    assert not unchanged(model, before)
    assert anatomy(model) == anatomy(masked())


@pytest.mark.parametrize(("step", "what"), [(3, "loss"), (3, "gradient"), (4, "weight")])
def test_nan(step, what, monkeypatch, tmp_path):
    """A NaN is one sentence, wherever it comes up; the model is as before and the losses are on disk."""
    model, rest, calls = masked(), lora.backward, []
    before = state(model)

    def breaks(model, batch):
        calls.append(1)
        loss = rest(model, batch)
        if len(calls) == step and what != "loss":
            weight = next(weight for weight in model.parameters() if weight.requires_grad)
            (weight.data if what == "weight" else weight.grad).fill_(torch.nan)
        return float("nan") if len(calls) == step and what == "loss" else loss

    monkeypatch.setattr(lora, "backward", breaks)
    with pytest.raises(LabError, match=r"not finite.*is as it was before the training.*below 0\.01"):
        lora.recover(model, BATCHES, 4, 0.01, log=tmp_path)
    assert unchanged(model, before)
    assert anatomy(model) == anatomy(masked())
    assert len((tmp_path / "losses.jsonl").read_text().splitlines()) == step


def test_absurd_learning_rate():
    """Without any patching: a learning rate that blows the weights up leaves the model as it was."""
    model = masked()
    before = state(model)
    with pytest.raises(LabError, match="not finite"):
        lora.recover(model, BATCHES, 8, 1e30)
    assert unchanged(model, before)


@pytest.mark.parametrize(
    ("model", "batches", "steps", "sentence"),
    [
        (masked, [], 3, "nothing to train on: 0 batches, 3 steps"),
        (masked, BATCHES, 0, "nothing to train on: 3 batches, 0 steps"),
        (lambda: masked().half(), BATCHES, 3, "float16 ends in NaN"),
        (masked, [torch.zeros(1, 3000, dtype=torch.int64)], 3, "longer than the model's context"),
    ],
)
def test_bad_input(model, batches, steps, sentence):
    """What cannot be trained is refused in a sentence before anything is changed."""
    model = model()
    before = anatomy(model)
    with pytest.raises(LabError, match=sentence):
        lora.recover(model, batches, steps, 0.01)
    assert anatomy(model) == before


def test_log(tmp_path):
    """Every loss is a line in the folder that was named, written as it came."""
    losses = lora.recover(masked(), BATCHES, 4, 0.01, log=tmp_path / "new" / "folder")
    lines = (tmp_path / "new" / "folder" / "losses.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"step": step, "loss": loss} for step, loss in enumerate(losses, 1)
    ]


def test_wandb_is_absent(monkeypatch):
    """Asked for and not installed: one sentence that names the way without it, and nothing trained."""
    monkeypatch.setitem(sys.modules, "wandb", None)
    model = masked()
    before = state(model)
    with pytest.raises(LabError, match="Weights & Biases is not installed: .* or leave wandb out"):
        lora.recover(model, BATCHES, 4, 0.01, wandb=True)
    assert unchanged(model, before)


@pytest.mark.parametrize("key", [None, "a key"])
def test_wandb(key, monkeypatch, tmp_path):
    """Logged in, it gets the settings and every loss, and is closed; logged out, it is one sentence."""
    told, service = [], types.ModuleType("wandb")

    class Run:
        def __init__(self, **about):
            told.append(about)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            told.append("closed")

        def log(self, values, step):
            told.append((step, values["loss"]))

    service.api, service.init = types.SimpleNamespace(api_key=key), Run
    monkeypatch.setitem(sys.modules, "wandb", service)
    if key is None:
        with pytest.raises(LabError, match="Nobody is logged in"):
            lora.recover(masked(), BATCHES, 3, 0.01, wandb=True)
        assert not told
        return
    losses = lora.recover(masked(), BATCHES, 3, 0.01, wandb=True)
    assert told[0]["config"] == {"steps": 3, "learning_rate": 0.01, "rank": 8}
    assert told[1:] == [*enumerate(losses, 1), "closed"]


def test_trainable():
    """The count that the lab shows is the count that peft trains."""
    model = sliced()
    count = recovery.trainable(model, 5)
    with lora.adapters(model, 5):
        assert count == sum(w.numel() for w in model.parameters() if w.requires_grad)


@pytest.fixture
def alpaca(hub_cache, monkeypatch):
    """The data set, laid out as on the hub, in a cache that was filled earlier."""
    content = json.dumps(ALPACA).encode()
    hub_cache("yahma/alpaca-cleaned", {"alpaca_data_cleaned.json": content}, "dataset")
    monkeypatch.setattr(hub, "reachable", lambda: pytest.fail("the network was asked"))


def test_instructions(alpaca):
    """Prompts are read but not learned, answers end, long ones are cut, padding counts nowhere."""
    tokenizer = models.tokenizer("tiny")
    tokenizer.eos_token = "~"
    batches, held_out = instructions.alpaca(tokenizer, epochs=2, size=2)
    assert held_out == []  # a tenth of three rows
    assert [len(batch["labels"]) for batch in batches] == [2, 1, 2, 1]
    rows = [
        {name: tokens[index] for name, tokens in batch.items()}
        for batch in batches
        for index in range(len(batch["labels"]))
    ]
    texts, answers = [], []
    for row in rows:
        texts.append(tokenizer.decode(row["input_ids"][row["attention_mask"] == 1]))
        answers.append(tokenizer.decode(row["labels"][row["labels"] != instructions.IGNORED]))
    assert sorted(texts[:3]) == sorted(texts[3:])  # each epoch has every row once
    assert {"A wren.~", "3~"} < set(answers)
    assert "### Instruction:\nAdd them.\n\n### Input:\n1 and 2\n\n### Response:\n3~" in "".join(texts)
    assert max(len(text) for text in texts) == instructions.LONGEST


def test_as_reported(alpaca, monkeypatch, tmp_path):
    """One call: two epochs in batches of 64, learning rate 1e-4, rank 8."""
    model, settings = masked(), {}
    tokenizer = models.tokenizer("tiny")
    tokenizer.eos_token = "~"
    real = lora.recover

    def watched(model, batches, steps, learning_rate, **options):
        settings.update(options, learning_rate=learning_rate, sizes=[len(b["labels"]) for b in batches])
        return real(model, batches, steps, learning_rate, **options)

    monkeypatch.setattr(lora, "recover", watched)
    assert len(lora.recover_as_reported(model, tokenizer, tmp_path)) == 2
    assert settings == {"rank": 8, "log": tmp_path, "wandb": False, "learning_rate": 1e-4, "sizes": [3, 3]}
    assert model_sparsity(model) == 0.5


def test_no_hub(hub_cache, monkeypatch, tmp_path):
    """Without the hub the sentence comes at once and names the text that needs none."""
    monkeypatch.setattr(hub, "reachable", lambda: False)
    with pytest.raises(LabError, match=r"yahma/alpaca-cleaned is on the model hub.*calibration years"):
        lora.recover_as_reported(masked(), models.tokenizer("tiny"), tmp_path)

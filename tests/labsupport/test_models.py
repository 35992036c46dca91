"""Models: does a student get the one asked for, and one clear sentence when it cannot be had?"""

import io
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import huggingface_hub
import pytest
import torch
from huggingface_hub import constants

from labsupport import models
from labsupport.errors import LabError
from labsupport.fetch import hub

HUB_NAME = "smollm2-135m-hub"


def saved(folder):
    """The tiny model and its tokenizer as save_pretrained leaves them."""
    models.tiny(3).save_pretrained(folder)
    models.byte_tokenizer().save_pretrained(folder)
    (folder / "special_tokens_map.json").write_text("{}")  # the hub's repositories have one
    return folder


def contents(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def same_weights(one, other) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize(
    ("name", "total"), [("tinyllama-1.1b-chat", "1,100,048,384"), ("smollm2-135m", "134,515,008")]
)
def test_describe_total(name, total, capsys):
    """The table's total is the report's; tied embeddings count once, and the rows add up to it."""
    models.describe(models.shape(name))
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].split() == ["total", total]
    rows = [int(line.split()[-1].replace(",", "")) for line in lines[2:-1]]
    assert f"{sum(rows):,}" == total
    assert models.shape(name).device.type == "meta"


def test_describe_names_unequal_layers(capsys):
    """Layers that were pruned stand apart from those that were not."""
    model = models.shape("tinyllama-1.1b-chat")
    for layer in model.model.layers[4:18]:
        layer.mlp.up_proj = torch.nn.Linear(2048, 3942, bias=False, device="meta")
    models.describe(model)
    out = capsys.readouterr().out
    assert "model.layers.(0-3,18-21).mlp.up_proj" in out
    assert "model.layers.(4-17).mlp.up_proj" in out
    assert "3942 x 2048" in out


def test_tiny_is_the_same_again():
    """A seed names one tiny model, so both sides of a check build the same."""
    assert same_weights(models.tiny(5), models.tiny(5))
    assert not same_weights(models.tiny(5), models.tiny(6))


def test_tiny_leaves_the_global_seed_alone():
    """Building it does not move the random numbers of the student's own cells."""
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    models.tiny(9)
    assert torch.equal(torch.rand(3), expected)


def test_tiny_is_like_the_real_ones(tiny_model):
    """Grouped-query attention, tied embeddings, one loud channel a norm: what the labs rely on."""
    config = tiny_model.config
    assert config.num_attention_heads == 2 * config.num_key_value_heads
    assert tiny_model.lm_head.weight is tiny_model.model.embed_tokens.weight
    assert not tiny_model.training
    assert not any(weight.requires_grad for weight in tiny_model.parameters())
    for layer in tiny_model.model.layers:
        loud = layer.input_layernorm.weight.abs()
        assert loud.max() > 5 * loud.median()


def test_byte_tokenizer_keeps_every_text():
    """Any text comes back whole, and each id is inside the tiny model's vocabulary."""
    tokenizer = models.tokenizer("tiny")
    text = "Größe, 剪枝 — 50 % \n"
    ids = tokenizer(text)["input_ids"]
    assert len(ids) == len(text.encode()) and max(ids) < 256
    assert tokenizer.decode(ids) == text


@pytest.mark.parametrize("ask", [models.load, models.tokenizer, models.fetch, models.shape])
def test_unknown_model(ask):
    """A misspelt name gets one sentence with the names there are."""
    with pytest.raises(LabError, match=r"called 'smolm2'\. Known: smollm2-135m, .*tinyllama"):
        ask("smolm2")


def test_environment_names_the_model(monkeypatch):
    """PRUNING_LABS_MODEL chooses; an empty one is no choice."""
    monkeypatch.setenv("PRUNING_LABS_MODEL", "tiny")
    assert models.load().config.hidden_size == 48
    monkeypatch.setenv("PRUNING_LABS_MODEL", "")
    assert models.known(None) == "smollm2-135m"


def test_no_cuda_here(monkeypatch):
    """Asking for a device that is not there is told before anything is loaded."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(LabError, match="no CUDA device here"):
        models.load("tiny", device="cuda")


def test_own_folder(tmp_path):
    """A folder that save_pretrained made is a model like any other, ready to measure."""
    folder = saved(tmp_path)
    model = models.load(folder, device="cpu")
    assert same_weights(model, models.tiny(3))
    assert not model.training and not any(weight.requires_grad for weight in model.parameters())
    assert models.tokenizer(str(folder)).decode([72, 105]) == models.byte_tokenizer().decode([72, 105])


@pytest.mark.parametrize("damage", ["model.safetensors", "tokenizer.json"])
def test_truncated_folder(tmp_path, damage):
    """A file cut short is named as such, not taken for a model."""
    path = saved(tmp_path) / damage
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(LabError, match=r"^The (model|tokenizer) stored in .* cannot be read \(.*\)\.$"):
        (models.load if damage.startswith("model") else models.tokenizer)(tmp_path)


def test_hub_model_without_the_hub(hub_cache, tmp_path, monkeypatch):
    """What was fetched once loads from the hub's own cache, and the network is not asked."""
    (tmp_path / "model").mkdir()
    hub_cache(models.HUB[HUB_NAME], contents(saved(tmp_path / "model")))
    monkeypatch.setattr(hub, "reachable", lambda: pytest.fail("the network was asked"))
    assert same_weights(models.load(HUB_NAME, device="cpu"), models.tiny(3))
    assert models.tokenizer(HUB_NAME)("hi")["input_ids"] == models.byte_tokenizer()("hi")["input_ids"]


@pytest.mark.parametrize("name", models.HUB)
def test_no_hub(name, hub_cache, monkeypatch):
    """Without a network the sentence comes at once: the library that retries is never called."""
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(hub, "hf_hub_download", lambda *_, **__: pytest.fail("it would retry"))
    with pytest.raises(LabError, match=r"cannot be reached from here; the embedded model 'smollm2-135m'"):
        models.load(name)


def test_hub_fails_midway(hub_cache, monkeypatch):
    """A hub that answers and then fails is one sentence too."""
    monkeypatch.setattr(hub, "reachable", lambda: True)

    def breaks(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(hub, "hf_hub_download", breaks)
    with pytest.raises(LabError, match=r"No space left on device\); the embedded model 'smollm2-135m'"):
        models.load(HUB_NAME)


def test_partly_fetched_from_the_hub(hub_cache, tmp_path, monkeypatch):
    """A snapshot that lacks a file is not taken for whole."""
    (tmp_path / "model").mkdir()
    files = contents(saved(tmp_path / "model"))
    del files["model.safetensors"]
    hub_cache(models.HUB[HUB_NAME], files)
    monkeypatch.setattr(hub, "reachable", lambda: False)
    with pytest.raises(LabError, match="cannot be reached"):
        models.load(HUB_NAME)


def test_damaged_hub_model_is_fetched_again(hub_cache, tmp_path, monkeypatch):
    """`fetch` sees that the weights are cut short and downloads them although they are there."""
    (tmp_path / "model").mkdir()
    files = contents(saved(tmp_path / "model"))
    whole = files["model.safetensors"]
    files["model.safetensors"] = whole[:-100]
    folder = hub_cache(models.HUB[HUB_NAME], files)
    monkeypatch.setattr(hub, "reachable", lambda: True)

    def download(_repository, name, force_download, **_):
        path = folder / "snapshots" / ("0" * 40) / name
        if name == "model.safetensors" and force_download:
            path.write_bytes(whole)
        return str(path)

    monkeypatch.setattr(hub, "hf_hub_download", download)
    with pytest.raises(LabError, match=r"cannot be read .*`python -m labsupport fetch smollm2-135m-hub`"):
        models.load(HUB_NAME)
    models.fetch(HUB_NAME)
    assert same_weights(models.load(HUB_NAME, device="cpu"), models.tiny(3))


def test_silent_hub_is_not_waited_for(monkeypatch):
    """A host that accepts and never answers costs `PATIENCE`, not minutes."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{deaf.getsockname()[1]}")
        monkeypatch.setattr(hub, "PATIENCE", 0.2)
        assert not hub.reachable()


def test_proxy_is_respected(monkeypatch):
    """Where a proxy leads to the hub, the hub counts as reachable through it."""
    asked = []

    class Proxy(BaseHTTPRequestHandler):
        def do_HEAD(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(constants, "ENDPOINT", "http://hub.invalid")
    huggingface_hub.close_session()  # the next one reads the proxy's name
    try:
        assert hub.reachable()
        assert asked == ["http://hub.invalid/"]
    finally:
        server.shutdown()
        server.server_close()
        huggingface_hub.close_session()


@pytest.mark.lengthy
def test_nothing_on_standard_error(tmp_path):
    """nbgrader scores a check cell 0 for one line on standard error: neither loading nor LoRA writes one."""
    code = (
        "import sys; from labsupport import models\n"
        "models.load(sys.argv[1]); models.tokenizer(sys.argv[1]); models.load('tiny').generation_config\n"
        "from peft import LoraConfig, get_peft_model\n"
        "get_peft_model(models.load('tiny'), LoraConfig(r=2, target_modules=['q_proj']))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(saved(tmp_path))], capture_output=True, text=True)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")


def test_bars_are_silent_outside_a_terminal(monkeypatch):
    """A bar fills no log: it is for a terminal or Jupyter, and goes to standard output alone."""
    from labsupport import progress

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    from ipykernel.kernelapp import IPKernelApp  # imported is not yet running

    cases = [
        (Terminal(), {}, True),
        (io.StringIO(), {}, False),
        (io.StringIO(), {"kernel": True}, True),
        (Terminal(), {"graded": True}, False),
    ]
    for stream, about, seen in cases:
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setattr(IPKernelApp, "_instance", object() if "kernel" in about else None)
        if "graded" in about:
            monkeypatch.setenv("PRUNING_LABS_SOCKET", "socket")
        assert list(progress.bar(range(3), "count")) == [0, 1, 2]
        assert bool(stream.getvalue()) is seen

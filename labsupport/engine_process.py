"""The process of an engine. Its memory is counted, so nothing is loaded that the engine does without."""

import contextlib
import json
import sys
from pathlib import Path

import psutil


def main(file: str, prompt: str, tokens: str) -> None:
    """Continue a prompt, and print the fields of `engine.Run` as JSON: the fastest of three tries."""
    import openvino_genai  # pyright: ignore[reportMissingImports]

    pipeline = openvino_genai.LLMPipeline(file, "CPU")
    tokenizer = pipeline.get_tokenizer()
    greedy = openvino_genai.GenerationConfig(max_new_tokens=int(tokens), do_sample=False, ignore_eos=True)
    asked = tokenizer.encode(prompt, add_special_tokens=False)
    tries = [pipeline.generate(asked, greedy) for _ in range(3)]
    written = min(tries, key=_milliseconds)
    found = {
        "text": tokenizer.decode(written.tokens[0]),
        "tokens": written.tokens[0],
        "tokens_per_second": 1000 / _milliseconds(written),
        "peak": _peak(),
    }
    print(json.dumps(found))


def _milliseconds(written) -> float:
    """How long a token took, the first one left out."""
    return written.perf_metrics.get_tpot().mean


def _peak() -> int:
    """The most memory that this process has held; on macOS what it holds now."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    now = psutil.Process().memory_info()
    return getattr(now, "peak_wset", now.rss)


if __name__ == "__main__":
    main(*sys.argv[1:])

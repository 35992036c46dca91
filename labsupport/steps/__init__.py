"""The steps of the report as commands: prune, perplexity, zeroshot, recover, measure, report.

Each module is one command. Its functions on a model in memory are those of the labs and of `compare`; what
it makes or measures is written beside the weights, as JSON (record.py).
"""

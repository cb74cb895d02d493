"""Measures of a run's maps, each a file with its options.

A measure is a dataclass that registers itself; `protocol.py` says what it must have. Its options
become keys of `eval`; what it finds stands in metrics.jsonl and summary.json, and on the terminal.
"""

"""Measures of a run's maps, each in its own file.

A measure is a dataclass of options that registers itself; `protocol.py` has its base class. The
options become keys of `eval`; the results go to metrics.jsonl, summary.json and the terminal.
"""

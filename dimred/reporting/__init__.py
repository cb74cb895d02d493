"""Reporting: files of a run folder, the terminal, plots."""

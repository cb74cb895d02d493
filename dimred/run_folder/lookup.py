"""Finished runs by their configuration."""

from __future__ import annotations

import glob
from contextlib import suppress
from pathlib import Path

from dimred.config import RunConfig, identity_fields, measured_alike
from dimred.config.provenance import KEYS, provenance
from dimred.errors import InputError
from dimred.files import expanded
from dimred.run_folder import layout
from dimred.run_folder.record import RunRecord, read_record


def finished_run(config: RunConfig) -> Path | None:
    """The folder of a finished run of equal configuration in the output folder, if there is one."""
    outputs = expanded(config.output_dir)
    pattern = f"{glob.escape(str(config.name))}-seed{config.seed}-*/{layout.SUMMARY}"
    for summary in () if config.restart else sorted(outputs.glob(pattern)):
        with suppress(InputError):  # a damaged folder is made again
            if _is_of(read_record(summary.parent), config):
                return summary.parent
    return None


def _is_of(record: RunRecord, config: RunConfig) -> bool:
    """Whether a run was made by this configuration; `auto` stands for any device and precision."""
    wanted = identity_fields(config)
    there = {
        key: "auto" if wanted.get(key) == "auto" and key.startswith("device.") else value
        for key, value in record.values.items()
    }
    key = config.dataset.location_key
    same_place = key is None or record.config["dataset"].get(key) == getattr(config.dataset, key)
    measured = measured_alike(config, record.summary["eval"])
    identity = record.environment["identity"]
    same_code = {key: identity[key] for key in KEYS if key in identity} == provenance(config)
    same = same_place and there == wanted and same_code
    return record.name == config.name and same and measured

"""Finds finished runs by their configuration."""

from __future__ import annotations

import glob
from contextlib import suppress
from pathlib import Path

from dimred.config import RunConfig, identity_fields, measured_alike
from dimred.config.provenance import PROVENANCE, provenance
from dimred.config.same_run import differing_keys
from dimred.errors import InputError
from dimred.files import expanded
from dimred.run_folder import layout
from dimred.run_folder.record import RunRecord, read_record
from dimred.run_folder.sources import with_source_found


def finished_run(config: RunConfig) -> Path | None:
    """The folder of a finished run of this configuration in the output folder, or None.

    Raises InputError as `with_source_found`.
    """
    config, outputs = with_source_found(config), expanded(config.output_dir)
    # The name of a run that a sweep has begun holds what it varies before the seed.
    pattern = f"{glob.escape(str(config.name))}-*seed{config.seed}-*/{layout.SUMMARY}"
    for summary in () if config.restart else sorted(outputs.glob(pattern)):
        with suppress(InputError):  # a damaged folder is made again
            if _is_of(read_record(summary.parent), config):
                return summary.parent
    return None


def _is_of(record: RunRecord, config: RunConfig) -> bool:
    """Whether a run has this configuration; `auto` matches any device and precision."""
    expected = identity_fields(config)
    recorded = {
        key: "auto" if expected.get(key) == "auto" and key.startswith("device.") else value
        for key, value in record.environment["identity"]["config"].items()
    }
    key = config.dataset.location_key
    same_location = key is None or record.config["dataset"].get(key) == getattr(config.dataset, key)
    measured = measured_alike(config, record.summary["eval"])
    identity = record.environment["identity"]
    same_code = {key: identity[key] for key in PROVENANCE if key in identity} == provenance(config)
    same = same_location and not differing_keys(recorded, expected) and same_code
    return record.name == config.name and same and measured

"""The typed configuration of a run: one dataclass per choice, every field documented.

Importing this package is quick: torch and Hydra wait until a run is built.
"""

from dimred.config.run import (
    RunConfig,
    check,
    eval_values,
    identity_fields,
    measured_alike,
    measures_of,
)

__all__ = ["RunConfig", "check", "eval_values", "identity_fields", "measured_alike", "measures_of"]

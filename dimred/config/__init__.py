"""The typed configuration of a run: one dataclass per choice, every field documented.

Importing this package imports neither torch nor Hydra.
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

"""Typed options, one documented field each, and the registry of the choices that they configure.

All that a choice of one's own needs besides the base class of its group: `register`, `option`,
`nested`.
"""

from dimred.options.option import nested, option
from dimred.options.registry import Choice, register

__all__ = ["Choice", "nested", "option", "register"]

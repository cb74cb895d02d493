"""Typed options, one documented field each, and the registry of the choices that they configure.

A new choice needs these (`register`, `option`, `nested`) and the base class of its group.
"""

from dimred.options.option import nested, option
from dimred.options.registry import Choice, register

__all__ = ["Choice", "nested", "option", "register"]

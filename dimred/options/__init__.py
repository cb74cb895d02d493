"""Typed options: one documented field each, and the registry of choices that they configure."""

"""Targets of code generation, one file each; the NumPy one is the reference."""

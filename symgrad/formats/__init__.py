"""Output formats, one file each; what they print is `symgrad.derivation` data."""

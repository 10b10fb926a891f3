"""symgrad's compiled code beside that of other tools: the parts of `bench/speed.py`."""

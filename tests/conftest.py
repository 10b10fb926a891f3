"""How the tests draw examples: the same ones every time, unless more are asked for.

`pytest --hypothesis-profile nightly` tries many more examples, from a new seed each time.
`SYMGRAD_SEED=7 pytest` draws from another seed; the seed is printed at the top of a run and, by
the `rng` fixture, in the report of a test that fails.
"""

import os
import zlib

import numpy as np
import pytest
from hypothesis import settings

# Deadlines measure the machine, not the code; the tests of speed say what they measure.
settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("nightly", max_examples=2000, deadline=None, print_blob=True)
settings.load_profile("ci")

SEED = int(os.environ.get("SYMGRAD_SEED", "0"))


def pytest_report_header() -> str:
    return f"symgrad: SYMGRAD_SEED={SEED}"


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Random numbers of the test's own: the same whether it runs alone or with all others."""
    print(f"rng: SYMGRAD_SEED={SEED}")
    return np.random.default_rng([SEED, zlib.crc32(request.node.nodeid.encode())])

"""symgrad: closed-form gradients of networks and formulas.

Derived step by step as LaTeX, compiled to NumPy, trained. This page is the
whole public API.
"""

__version__ = "0.1.0"

from symgrad.algebra import (
    broadcast,
    elementwise,
    log_softmax,
    softmax,
    sum_columns,
    sum_entries,
    sum_rows,
)
from symgrad.backends.numpy import CompiledFunction
from symgrad.confirmation import compile, derive, gradient
from symgrad.derivation import Adjoint, Contribution, Derivation, Rule, Step
from symgrad.errors import (
    DataError,
    DivergenceError,
    OptionError,
    ParseError,
    ShapeError,
    SymgradError,
    TraceError,
    UnsupportedError,
)
from symgrad.formula import Formula
from symgrad.functions import (
    elu,
    gelu,
    gelu_tanh,
    hard_sigmoid,
    hardtanh,
    identity,
    leaky_relu,
    log_cosh,
    log_sigmoid,
    mish,
    relu,
    selu,
    sigmoid,
    silu,
    softplus,
    softsign,
    step,
)
from symgrad.gradient import Gradient
from symgrad.graph import Graph
from symgrad.layers import Dense, Network
from symgrad.losses import (
    binary_cross_entropy,
    cross_entropy,
    half_sse,
    huber,
    kl_divergence,
    l1,
    l2,
    mae,
    mse,
    sse,
)
from symgrad.profiles import PROFILES, Profile
from symgrad.reading.formulas import trace
from symgrad.reading.text import parse
from symgrad.training import Fit, load, train
from symgrad.verification import Kink, Verdict, Witness, verify, verify_functions

__all__ = [
    "PROFILES",
    "Adjoint",
    "CompiledFunction",
    "Contribution",
    "DataError",
    "Dense",
    "Derivation",
    "DivergenceError",
    "Fit",
    "Formula",
    "Gradient",
    "Graph",
    "Kink",
    "Network",
    "OptionError",
    "ParseError",
    "Profile",
    "Rule",
    "ShapeError",
    "Step",
    "SymgradError",
    "TraceError",
    "UnsupportedError",
    "Verdict",
    "Witness",
    "binary_cross_entropy",
    "broadcast",
    "compile",
    "cross_entropy",
    "derive",
    "elementwise",
    "elu",
    "gelu",
    "gelu_tanh",
    "gradient",
    "half_sse",
    "hard_sigmoid",
    "hardtanh",
    "huber",
    "identity",
    "kl_divergence",
    "l1",
    "l2",
    "leaky_relu",
    "load",
    "log_cosh",
    "log_sigmoid",
    "log_softmax",
    "mae",
    "mish",
    "mse",
    "parse",
    "relu",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "softsign",
    "sse",
    "step",
    "sum_columns",
    "sum_entries",
    "sum_rows",
    "trace",
    "train",
    "verify",
    "verify_functions",
]

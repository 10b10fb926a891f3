"""symgrad: closed-form gradients of networks and formulas.

Derived step by step as LaTeX, compiled to NumPy, trained. This page is the
whole public API. A name is loaded when it is first used, with the rooms that
it needs and what they register; so `import symgrad` takes hardly any time.
"""

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

#: The public names of every room. Type checkers read the imports below, which say the same.
_NAMES = {
    "symgrad.algebra": "broadcast elementwise log_softmax softmax sum_columns sum_entries sum_rows",
    "symgrad.backends.numpy": "CompiledFunction",
    "symgrad.confirmation": "derive gradient",
    "symgrad.confirmation.compilation": "compile",
    "symgrad.derivation": "Adjoint Contribution Derivation Rule Step",
    "symgrad.errors": (
        "DataError DivergenceError OptionError ParseError ShapeError SymgradError TraceError "
        "UnsupportedError"
    ),
    "symgrad.formula": "Formula",
    "symgrad.functions": (
        "elu gelu gelu_tanh hard_sigmoid hardtanh identity leaky_relu log_cosh log_sigmoid mish "
        "relu selu sigmoid silu softplus softsign step"
    ),
    "symgrad.gradient": "Gradient",
    "symgrad.graph": "Graph",
    "symgrad.layers": "Dense Network",
    "symgrad.losses": (
        "binary_cross_entropy cross_entropy half_sse huber kl_divergence l1 l2 mae mse sse"
    ),
    "symgrad.profiles": "PROFILES Profile",
    "symgrad.reading.formulas": "trace",
    "symgrad.reading.text": "parse",
    "symgrad.training": "Fit load train",
    "symgrad.verification": "Kink Verdict Witness verify verify_functions",
}
_ROOMS = {name: room for room, names in _NAMES.items() for name in names.split()}

if TYPE_CHECKING:
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
    from symgrad.confirmation import derive, gradient
    from symgrad.confirmation.compilation import compile
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
else:

    class _Page(ModuleType):
        """The package: `gradient` and `softmax` are its functions, not the rooms of these names.

        Python binds a room in the package when it is first imported; here a public name stays.
        """

        def __setattr__(self, name: str, value: Any) -> None:
            if name not in _ROOMS or not isinstance(value, ModuleType):
                super().__setattr__(name, value)

    sys.modules[__name__].__class__ = _Page

    def __getattr__(name: str) -> Any:
        """Load a public name, or a room, when it is first used."""
        if name in _ROOMS:
            value = getattr(importlib.import_module(_ROOMS[name]), name)
            globals()[name] = value
            return value
        if name.startswith("_") or importlib.util.find_spec(f"{__name__}.{name}") is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)
        return importlib.import_module(f"{__name__}.{name}")

    def __dir__() -> list[str]:
        """List the public names, loaded or not."""
        return sorted({*globals(), *__all__})


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

"""The JAX backend: the generated function in the words of `jax.numpy`.

Everything in it can be traced: `jax.jit`, `jax.vmap` and the rest take the compiled function as
they take any other. `.differentiable` carries the closed gradients as its derivative.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from symgrad.backends.arguments import Call
from symgrad.backends.frameworks import FrameworkFunction
from symgrad.backends.translation import Argument, Called, Translator
from symgrad.errors import DataError, OptionError

_SCALAR = "exp log sqrt sin cos tan arcsin arccos arctan arctan2 sinh cosh tanh arcsinh arccosh"
_SCALAR += " arctanh abs sign floor ceil log1p expm1 logaddexp maximum minimum heaviside where"
_ARRAYS = "sum max min prod cumsum cumprod flip reshape broadcast_to swapaxes moveaxis outer trace"
_ARRAYS += " diag tril triu kron einsum concatenate convolve block argmax logical_not ones_like"
_ARRAYS += " zeros_like linalg.det linalg.inv linalg.matrix_power linalg.pinv linalg.slogdet"
_ARRAYS += " linalg.cholesky linalg.eigvalsh linalg.eigh"


def _one_line(name: str, body: str, arguments: str = "z") -> str:
    return f"def {name}({arguments}):\n    return {body}\n"


class JaxTranslator(Translator):
    """From NumPy's words to those of JAX."""

    name = "jax"
    library = "JAX"
    cut = "jax.lax.stop_gradient"
    module = "jnp"
    imports = "import jax\nimport jax.numpy as jnp"
    alike = frozenset([*_SCALAR.split(), *_ARRAYS.split()])
    values: ClassVar[Mapping[str, str]] = {
        name: f"jnp.{name}" for name in ("pi", "e", "nan", "inf", "s_")
    }
    words = frozenset({"jax", "jnp"})
    kernels: ClassVar[Mapping[str, str]] = {
        "sigmoid": _one_line("sigmoid", "jax.nn.sigmoid(z)"),
        "relu": _one_line("relu", "jax.nn.relu(z)"),
        "softmax": _one_line("softmax", "jax.nn.softmax(z, axis=axis)", "z, axis"),
        "log_softmax": _one_line("log_softmax", "jax.nn.log_softmax(z, axis=axis)", "z, axis"),
        "erf": _one_line("erf", "jax.scipy.special.erf(z)"),
        "erfc": _one_line("erfc", "jax.scipy.special.erfc(z)"),
        "xlogy": _one_line("xlogy", "jax.scipy.special.xlogy(x, y)", "x, y"),
        "gamma_function": _one_line("gamma_function", "jax.scipy.special.gamma(x)", "x"),
        "log_gamma": _one_line("log_gamma", "jax.scipy.special.gammaln(x)", "x"),
        "digamma": _one_line("digamma", "jax.scipy.special.digamma(x)", "x"),
        "polygamma": _one_line("polygamma", "jax.scipy.special.polygamma(n, x)", "n, x"),
        "expm": _one_line("expm", "jax.scipy.linalg.expm(a)", "a"),
        "logsumexp": """\
def logsumexp(*values):
    return jax.scipy.special.logsumexp(jnp.stack(jnp.broadcast_arrays(*values)), axis=0)
""",
        "log_sum_exp": _one_line(
            "log_sum_exp", "jax.scipy.special.logsumexp(z, axis=axis, keepdims=True)", "z, axis"
        ),
        "placed": """\
def placed(part, shape, place):
    return jnp.zeros(shape, part.dtype).at[place].set(part)
""",
        "diagonal_sums": """\
def diagonal_sums(a):
    # The transpose of toeplitz: the sums along i - j, from 1 - columns to rows - 1.
    rows, columns = a.shape
    i, j = jnp.arange(rows)[:, None], jnp.arange(columns)
    sums = jnp.zeros(rows + columns - 1, a.dtype)
    return sums.at[columns - 1 + i - j].add(a)[:, None]
""",
    }

    def array(self, argument: Argument) -> str:
        """Make a number an array of the arguments' type."""
        return f"jnp.asarray({argument.text}{self._dtype()})" if argument.number else argument.text

    def _dtype(self, before: str = ", ") -> str:
        return f"{before}dtype={self.like}.dtype" if self.like else ""

    def constant(self, node: Any) -> str:
        """Write a large integer as a real number: JAX's integers may have 32 bits."""
        whole = isinstance(node.value, int) and not isinstance(node.value, bool)
        return repr(float(node.value)) if whole and node.value >= 2**31 else self.spliced(node)

    def _made(self, called: Called) -> str:
        return f"jnp.{called.name}({called.inner}{self._dtype()})"

    on_zeros = on_ones = on_eye = on_full = on_array = _made

    def on_arange(self, called: Called) -> str:
        """Let places be integers, and all else of the arguments' type."""
        kind = self._dtype() if "dtype" in called.keywords else ""
        return (
            f"jnp.arange({called[0]}, {called[1]}{kind})"
            if len(called.args) > 1
            else (f"jnp.arange({called[0]}{kind})")
        )


class JaxFunction(FrameworkFunction):
    """A generated function of JAX's arrays.

    Args:
        plan: What `compile` made of its arguments.
    """

    translator = JaxTranslator

    def __init__(self, plan: Any) -> None:
        super().__init__(plan)
        names = tuple(plan.slots)
        self._with_derivative = jax.custom_jvp(lambda *arrays: self._both(names, arrays)[0])
        self._with_derivative.defjvp(self._derivative, symbolic_zeros=True)

    @staticmethod
    def _ready(dtype: Any) -> None:
        if dtype == np.float64 and jnp.result_type(float) != np.float64:
            raise OptionError(
                "dtype='float64' needs JAX's 64-bit mode, which is off: call "
                "jax.config.update('jax_enable_x64', True) first, or leave dtype out"
            )

    def _arrays(self, given: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
        self._ready(self._recipe.dtype)
        arrays = {name: _numbers(name, value) for name, value in given.items()}
        # Python's numbers and integers take the type of the floating-point arrays.
        floats = [a for a in arrays.values() if jnp.issubdtype(a.dtype, jnp.floating)]
        kind = self._recipe.dtype or jnp.result_type(*(floats or [float]))
        return {name: array.astype(kind) for name, array in arrays.items()}, kind

    @staticmethod
    def _values(array: Any) -> Any:
        return None if isinstance(array, jax.core.Tracer) else np.asarray(array)

    @staticmethod
    def _array(value: Any, call: Call) -> Any:
        return jnp.asarray(value).astype(call.dtype)

    @staticmethod
    def _broadcast(value: Any, shape: tuple[int, ...]) -> Any:
        return jnp.broadcast_to(value, shape)

    def _each(self, call: Call) -> list[Any]:
        axes = tuple(0 if name in self._recipe.batch else None for name in self._recipe.slots)

        def one(*arguments: Any) -> list[Any]:
            return [self._array(value, call) for value in self._listed(self._function(*arguments))]

        return list(jax.vmap(one, in_axes=axes)(*call.arguments))

    def _closed(self, *arrays: Any) -> Any:
        return self._with_derivative(*arrays)

    def _derivative(self, primals: Any, tangents: Any) -> Any:
        """Return the value and its change along tangents: JAX makes the gradient of that."""
        names = tuple(self._recipe.slots)
        moved = {
            name: tangent
            for name, tangent in zip(names, tangents, strict=True)
            if not isinstance(tangent, jax.custom_derivatives.SymbolicZero)
        }
        self._check_moved(moved)
        value, gradients = self._both(names, primals)
        parts = [jnp.sum(gradients[name] * tangent) for name, tangent in moved.items()]
        return value, sum(parts, start=jnp.zeros_like(value))


def _numbers(name: str, value: Any) -> Any:
    """Return a value as an array of numbers.

    Raises:
        DataError: It is not made of real numbers.
    """
    try:
        array = jnp.asarray(value)
    except (TypeError, ValueError):
        raise DataError(f"`{name}` is not a regular array of numbers") from None
    if jnp.issubdtype(array.dtype, jnp.complexfloating):
        raise DataError(f"`{name}` holds {array.dtype}, not real numbers")
    return array


def compiled(plan: Any) -> JaxFunction:
    """Return the JAX function of a plan."""
    return JaxFunction(plan)

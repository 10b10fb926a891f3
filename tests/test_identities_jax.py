"""The table of gradients against another library's: automatic differentiation in 64 bits.

The texts of the table are Python, too: here Python itself evaluates them, on JAX's functions, and
JAX differentiates. (The texts are this project's own; nothing else is ever evaluated so.)
"""

import numpy as np
import pytest
from test_identities import ROWS, identities, point

import symgrad as sg

jax = pytest.importorskip("jax", reason="the extra `test` has jax: pip install -e '.[test]'")
jnp, special = jax.numpy, jax.scipy.special
jax.config.update("jax_enable_x64", True)


def convolve(a, v, mode="full"):
    return jnp.convolve(a, v, mode=mode)


#: What jax.numpy does not have under these names.
BESIDES = {
    **{name: getattr(jax.nn, name) for name in ("sigmoid", "softplus", "relu", "silu", "softmax")},
    **{name: getattr(jnp.linalg, name) for name in ("det", "inv", "norm", "matrix_power", "solve")},
    "leaky_relu": jax.nn.leaky_relu,
    "log_softmax": jax.nn.log_softmax,
    "log_sigmoid": jax.nn.log_sigmoid,
    "softsign": jax.nn.soft_sign,
    "gelu": lambda z: jax.nn.gelu(z, approximate=False),
    "erf": special.erf,
    "logsumexp": special.logsumexp,
    "logdet": lambda a: jnp.linalg.slogdet(a)[1],
    "convolve": convolve,
    "toeplitz": jax.scipy.linalg.toeplitz,
    "expm": jax.scipy.linalg.expm,
}
NAMES = {**{name: getattr(jnp, name) for name in dir(jnp)}, **BESIDES}


def by_jax(text, by, arrays, sizes):
    """The gradient that JAX finds for a text."""

    def loss(value):
        return eval(text, {**NAMES, **sizes, **arrays, by: value})

    return jax.grad(loss)(jnp.asarray(arrays[by]))


def sizes_of(loss, arrays):
    """Every size's number, by its name."""
    return {
        str(name): size
        for variable in loss.inputs.values()
        for name, size in zip(variable.shape, arrays[variable.name].shape, strict=True)
    }


def difference(number, gradient=by_jax):
    """The largest difference of a row's gradient from JAX's, relative to its largest entry."""
    _, text, by, _ = ROWS[number]
    loss = identities.loss_of(text)
    arrays = point(loss)
    _, grads = sg.compile(loss, wrt=[by])(**arrays)
    wanted = np.asarray(gradient(text, by, arrays, sizes_of(loss, arrays)))
    assert wanted.dtype == np.float64
    assert wanted.shape == np.shape(grads[by])
    return np.max(np.abs(grads[by] - wanted)) / np.max(np.abs(wanted))


@pytest.mark.parametrize("number", ROWS)
def test_gradients_are_those_of_jax(number):
    assert difference(number) < 1e-11


def test_a_difference_would_show():
    assert difference(12, lambda *given: by_jax(*given) * (1 + 1e-9)) > 1e-10

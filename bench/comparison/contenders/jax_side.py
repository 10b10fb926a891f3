"""JAX: jit of value_and_grad, scans, and what an expert writes for narrow networks.

Whether calls are dispatched asynchronously is a setting of the whole process. The contenders named
"async" run in a process with JAX's default, the others in one without it.
"""

import os
from dataclasses import replace

import numpy as np

from ..contender import Contender, Ready
from ..workloads import flat

#: Samples a chunk, for large batches; a multiple divides every large N measured.
CHUNK = 4000


#: Says to a process that its calls are to be asynchronous; JAX itself reads no such variable.
SWITCH = "SYMGRAD_BENCH_JAX_ASYNC"


def prepared():
    """JAX with this process's way of dispatch, which has to be set before its first computation."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_cpu_enable_async_dispatch", SWITCH in os.environ)
    return jax, jnp


def activations(jnp):
    sigmoid = lambda z: 1 / (1 + jnp.exp(-z))  # noqa: E731 - one line of a table
    return {"tanh": jnp.tanh, "sigmoid": sigmoid, "linear": lambda z: z}


def forward(work, jnp, columns=False):
    functions = activations(jnp)

    def apply(parameters, A):
        rest = iter(parameters)
        for kind in work.activations:
            W = next(rest)
            z = W.T @ A if columns else A @ W
            if work.biased:
                b = next(rest)
                z = z + (b[:, None] if columns else b)
            A = functions[kind](z)
        return A

    return apply


def loss_of(work, jnp, columns=False):
    apply = forward(work, jnp, columns)
    return lambda p, X, Y: jnp.mean((apply(p, X) - Y) ** 2)


def finished(function, *arguments):
    """A call that returns when its results are there.

    The results of one execution are ready together, so it is enough to wait for the first; waiting
    for the whole tree costs microseconds.
    """

    def call():
        out = function(*arguments)
        out[0].block_until_ready()
        return out

    return call


def read(out):
    value, gradients = out
    arrays = gradients if isinstance(gradients, list) else [gradients]
    return float(value), flat(arrays)


def trees(work):
    jax, jnp = prepared()

    step = jax.jit(jax.value_and_grad(loss_of(work, jnp)))
    parameters = [jnp.asarray(a) for a in work.parameters.values()]
    return Ready(finished(step, parameters, jnp.asarray(work.X), jnp.asarray(work.Y)), read)


def vector(work):
    jax, jnp = prepared()

    loss = loss_of(work, jnp)
    step = jax.jit(jax.value_and_grad(lambda p, X, Y: loss(work.parted(p), X, Y)))
    arrays = [jnp.asarray(a) for a in (work.vector, work.X, work.Y)]
    return Ready(finished(step, *arrays), read)


def columns(work):
    """Features x samples: long rows for the vector units."""
    jax, jnp = prepared()

    loss = loss_of(work, jnp, columns=True)
    step = jax.jit(jax.value_and_grad(lambda p, X, Y: loss(work.parted(p), X, Y)))
    arrays = [jnp.asarray(a) for a in (work.vector, work.X.T.copy(), work.Y.T.copy())]
    return Ready(finished(step, *arrays), read)


def fused(work):
    """Columns with products written as sums, so that a small batch is one fused loop."""
    jax, jnp = prepared()
    functions = activations(jnp)

    def loss(p, X, Y):
        rest, A = iter(work.parted(p)), X
        for kind in work.activations:
            z = (next(rest)[:, :, None] * A[:, None, :]).sum(0)
            A = functions[kind](z + next(rest)[:, None] if work.biased else z)
        return jnp.mean((A - Y) ** 2)

    step = jax.jit(jax.value_and_grad(loss))
    arrays = [jnp.asarray(a) for a in (work.vector, work.X.T.copy(), work.Y.T.copy())]
    return Ready(finished(step, *arrays), read)


def chunks(columns):
    """A scan over chunks that stay in the cache."""

    def build(work):
        jax, jnp = prepared()

        loss, count = loss_of(work, jnp, columns), work.samples // CHUNK
        one = jax.value_and_grad(lambda p, X, Y: loss(work.parted(p), X, Y))

        def step(p, X, Y):
            def add(total, chunk):
                value, gradient = one(p, *chunk)
                return (total[0] + value, total[1] + gradient), None

            zero = (jnp.zeros((), p.dtype), jnp.zeros_like(p))
            value, gradient = jax.lax.scan(add, zero, (X, Y))[0]
            return value / count, gradient / count

        parts = [a.reshape(count, CHUNK, -1) for a in (work.X, work.Y)]
        if columns:
            parts = [np.ascontiguousarray(a.transpose(0, 2, 1)) for a in parts]
        arrays = [jnp.asarray(a) for a in (work.vector, *parts)]
        return Ready(finished(jax.jit(step), *arrays), read)

    return build


def descent(work):
    jax, jnp = prepared()

    gradient = jax.grad(loss_of(work, jnp))

    def epoch(parameters, X, Y):
        def update(p, sample):
            g = gradient(p, sample[0][None], sample[1][None])
            return [a - work.rate * b for a, b in zip(p, g, strict=True)], None

        return jax.lax.scan(update, parameters, (X, Y))[0]

    parameters = [jnp.asarray(a) for a in work.parameters.values()]
    call = finished(jax.jit(epoch), parameters, jnp.asarray(work.X), jnp.asarray(work.Y))
    return Ready(call, lambda out: (None, flat(out)))


def tuned_descent(work):
    """One vector of parameters, products as sums: an update is one fused loop body."""
    jax, jnp = prepared()
    functions = activations(jnp)

    def loss(p, x, y):
        rest, a = iter(work.parted(p)), x
        for kind in work.activations:
            z = (next(rest) * a[:, None]).sum(0)
            a = functions[kind](z + next(rest) if work.biased else z)
        return jnp.mean((a - y) ** 2)

    gradient = jax.grad(loss)

    def epoch(p, X, Y):
        update = lambda p, sample: (p - work.rate * gradient(p, *sample), None)  # noqa: E731
        return (jax.lax.scan(update, p, (X, Y))[0],)

    call = finished(jax.jit(epoch), *map(jnp.asarray, (work.vector, work.X, work.Y)))
    return Ready(call, lambda out: (None, flat(out)))


def perceptron_update(work, jax, jnp):
    gradient = jax.grad(lambda w, b, x, y: (jnp.tanh(w * x + b) - y) ** 2, (0, 1))

    def update(p, sample):
        dw, db = gradient(*p, *sample)
        return (p[0] - work.rate * dw, p[1] - work.rate * db), None

    return update


def perceptron_scan(work):
    jax, jnp = prepared()

    update = perceptron_update(work, jax, jnp)

    def train(w, b, x, y):
        epoch = lambda _, p: jax.lax.scan(update, p, (x, y))[0]  # noqa: E731
        return jax.lax.fori_loop(0, work.epochs, epoch, (w, b))

    arrays = [jnp.asarray(a) for a in (work.weight, work.bias, work.x, work.y)]
    return Ready(finished(jax.jit(train), *arrays), lambda out: (None, flat(out)))


def perceptron_step(work):
    jax, jnp = prepared()

    update = jax.jit(lambda p, sample: perceptron_update(work, jax, jnp)(p, sample)[0])
    start = (jnp.asarray(work.weight), jnp.asarray(work.bias))
    samples = list(zip(jnp.asarray(work.x), jnp.asarray(work.y), strict=True))

    def call():
        p = start
        for _ in range(work.epochs):
            for sample in samples:
                p = update(p, sample)
        return jax.block_until_ready(p)

    return Ready(call, lambda out: (None, flat(out)))


def only_many(work):
    if not work.narrow:
        return "is meant for narrow networks"
    return "" if work.samples > 1 else "is meant for many samples"


def only_small(work):
    return only_many(work) or ("" if work.samples <= 1000 else "is meant for small batches")


def only_large(work):
    if work.narrow and work.samples >= 100 * CHUNK and not work.samples % CHUNK:
        return ""
    return "is meant for batches beyond the cache"


ASYNC = ((SWITCH, "1"),)


def both(contender):
    """A contender with synchronous and with asynchronous dispatch."""
    settings = f"{contender.settings}, asynchronous dispatch (JAX's default), timed by the wall"
    other = replace(
        contender,
        name=f"{contender.name}, async",
        settings=settings,
        variables=ASYNC,
        waits=True,
    )
    return contender, other


STEP = "jit(value_and_grad), float64 allowed, one thread (XLA_FLAGS), synchronous dispatch"
CONTENDERS = (
    *both(Contender("jax jit", "network", trees, STEP, "jax jit")),
    *both(Contender("jax jit, flat", "network", vector, f"{STEP}; one flat vector", "jax jit")),
    *both(
        Contender(
            "jax tuned, columns",
            "network",
            columns,
            f"{STEP}; features x samples",
            "jax tuned",
            only_many,
        )
    ),
    *both(
        Contender(
            "jax tuned, fused",
            "network",
            fused,
            f"{STEP}; features x samples, products as sums",
            "jax tuned",
            only_small,
        )
    ),
    *both(
        Contender(
            "jax tuned, chunks",
            "network",
            chunks(False),
            f"{STEP}; a scan over chunks of {CHUNK} samples",
            "jax tuned",
            only_large,
        )
    ),
    *both(
        Contender(
            "jax tuned, column chunks",
            "network",
            chunks(True),
            f"{STEP}; a scan over chunks of {CHUNK} samples, features x samples",
            "jax tuned",
            only_large,
        )
    ),
    *both(Contender("jax scan", "descent", descent, "the epoch is one lax.scan", "jax scan")),
    *both(
        Contender(
            "jax tuned, fused scan",
            "descent",
            tuned_descent,
            "lax.scan over one flat vector, products as sums",
            "jax tuned",
        )
    ),
    *both(
        Contender(
            "jax scan",
            "perceptron",
            perceptron_scan,
            "fori_loop over epochs of lax.scan over samples, one jit",
            "jax scan",
        )
    ),
    *both(
        Contender("jax jit step", "perceptron", perceptron_step, "jit of one update, Python loop")
    ),
)

"""A narrow network for one sample as straight-line statements, valid in C and in Python.

This is the backward pass that a careful engineer writes by hand: every activation is computed once,
slopes come from the activations, and no product is repeated. The hand-written C and the numba
contender are made of it.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Straight:
    """Statements `(name, expression)`; the loss and the gradients are expressions over them."""

    inputs: tuple
    targets: tuple
    parameters: tuple
    statements: tuple
    loss: str
    gradients: tuple


SLOPES = {"tanh": "*(1.0 - {0}*{0})", "sigmoid": "*({0} - {0}*{0})", "linear": ""}
VALUES = {"tanh": "tanh({0})", "sigmoid": "1.0/(1.0 + exp(-({0})))", "linear": "{0}"}


def names_of(work):
    """The names of the weights (layer, input, unit), of the biases, and all in the flat order."""
    weights, biases, order = [], [], []
    for k, (i, o) in enumerate(zip(work.sizes, work.sizes[1:], strict=False), 1):
        weights.append([[f"w{k}_{r}_{c}" for c in range(o)] for r in range(i)])
        biases.append([f"b{k}_{c}" for c in range(o)] if work.biased else [])
        order += [name for row in weights[-1] for name in row] + biases[-1]
    return weights, biases, tuple(order)


def straight(work):
    weights, biases, order = names_of(work)
    inputs = tuple(f"x{r}" for r in range(work.sizes[0]))
    targets = tuple(f"y{c}" for c in range(work.sizes[-1]))
    statements, layer = [], [inputs]
    for k, kind in enumerate(work.activations):
        units = []
        for c in range(work.sizes[k + 1]):
            terms = [f"{a}*{weights[k][r][c]}" for r, a in enumerate(layer[-1])]
            z = " + ".join(terms + biases[k][c : c + 1])
            units.append(f"a{k + 1}_{c}")
            statements.append((units[-1], VALUES[kind].format(z)))
        layer.append(units)
    errors = []
    for c, (a, y) in enumerate(zip(layer[-1], targets, strict=True)):
        errors.append(f"e{c}")
        statements.append((errors[-1], f"{a} - {y}"))
    incoming = [f"{2 / work.outputs!r}*{e}" for e in errors]
    gradients = {}
    for k in range(len(weights) - 1, -1, -1):
        deltas = []
        for c, a in enumerate(layer[k + 1]):
            deltas.append(f"d{k + 1}_{c}")
            factor = SLOPES[work.activations[k]].format(a)
            statements.append((deltas[-1], f"({incoming[c]}){factor}"))
            for r, before in enumerate(layer[k]):
                gradients[weights[k][r][c]] = f"{before}*{deltas[-1]}"
            if work.biased:
                gradients[biases[k][c]] = deltas[-1]
        incoming = [
            " + ".join(f"{w}*{d}" for w, d in zip(row, deltas, strict=True)) for row in weights[k]
        ]
    loss = f"({' + '.join(f'{e}*{e}' for e in errors)})*{1 / work.outputs!r}"
    return Straight(
        inputs, targets, order, tuple(statements), loss, tuple(gradients[p] for p in order)
    )


def scalars(work, symbol, tanh, exp):
    """The same network over the symbols of any engine: inputs, targets, parameters, the loss."""
    weights, biases, order = names_of(work)
    table = {name: symbol(name) for name in order}
    xs = [symbol(f"x{r}") for r in range(work.sizes[0])]
    ys = [symbol(f"y{c}") for c in range(work.sizes[-1])]
    functions = {"tanh": tanh, "sigmoid": lambda z: 1 / (1 + exp(-z)), "linear": lambda z: z}
    layer = xs
    for k, kind in enumerate(work.activations):
        units = []
        for c in range(work.sizes[k + 1]):
            z = layer[0] * table[weights[k][0][c]]
            for r in range(1, len(layer)):
                z = z + layer[r] * table[weights[k][r][c]]
            units.append(functions[kind](z + table[biases[k][c]] if work.biased else z))
        layer = units
    loss = (layer[0] - ys[0]) ** 2
    for a, y in zip(layer[1:], ys[1:], strict=True):
        loss = loss + (a - y) ** 2
    if work.outputs > 1:
        loss = loss / work.outputs
    return xs, ys, [table[name] for name in order], loss


def only_narrow(work):
    """The reason why tools with one symbol a number are not asked for wide networks."""
    if work.narrow and work.dtype == "float64":
        return ""
    return f"has one symbol a number, and here are {work.count:,} parameters"

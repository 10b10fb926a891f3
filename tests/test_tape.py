"""Tapes and their passes: every one keeps the value, whatever the formula.

The reference is the line-for-line function, which the other tests hold to the oracle.
"""

import numpy as np
import pytest
import sympy as sp

import symgrad as sg
from symgrad.backends.numpy import compile as compile_unchecked
from symgrad.functions import FUNCTIONS
from symgrad.tape import SAMPLES, recorded
from symgrad.tape.evaluation import evaluated
from symgrad.tape.passes import flipped, folded, multiplied_out, sunk
from symgrad.tape.scalars import written_out

LOSSES = ("mse", "sse", "half_sse", "mae", "huber", "cross_entropy", "binary_cross_entropy")


def nets():
    for orientation in ("rows", "columns"):
        for name in FUNCTIONS:
            yield f"{name} {orientation}", net_loss(orientation, [name, name], "mse")
        for mixed in (["selu", "silu", "mish", "softsign"], ["gelu", "relu", "selu", "tanh"]):
            yield f"{' '.join(mixed)} {orientation}", net_loss(orientation, mixed, "mse")
        yield f"penalty {orientation}", penalized(orientation)
        for loss in LOSSES:
            last = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid"}.get(loss)
            yield f"{loss} {orientation}", net_loss(orientation, ["tanh", last], loss)


def net_loss(orientation, activations, loss):
    layers = [sg.Dense(max(2, 3 - k), name) for k, name in enumerate(activations)]
    return getattr(sg, loss)(sg.Network(3, layers, orientation=orientation))


def penalized(orientation):
    """A matrix that is the same for every sample beside one of each of them."""
    net = sg.Network(2, [sg.Dense(3, "tanh"), sg.Dense(2)], orientation=orientation)
    return sg.mse(net) + sg.l2(net, sp.Rational(1, 7)) + sg.l1(net, sp.Rational(1, 5))


NETS = dict(nets())
TEXTS = {
    "regression": ("sum((X @ w + b - y)**2) / n", {"X": ("n", 3), "w": (3,), "b": (), "y": ("n",)}),
    "logistic": ("mean(log(1 + exp(-y * (X @ w))))", {"X": ("n", 3), "w": (3,), "y": ("n",)}),
    "quadratic": ("w @ A @ w + sum(where(w > 0, w, -2*w))", {"A": (3, 3), "w": (3,)}),
    "softmax": (
        "-sum(Y * log(softmax(X @ W, axis=1)))",
        {"X": ("n", 2), "W": (2, 3), "Y": ("n", 3)},
    ),
    "maxima": ("sum(maximum(X @ w, 0.3) * minimum(X @ w, 0.5))", {"X": ("n", 3), "w": (3,)}),
    "trace": ("trace(A.T @ B @ A)", {"A": (3, 2), "B": (3, 3)}),
    "quotient": ("sum(X @ w) / (1 + sum(w**2))", {"X": ("n", 3), "w": (3,)}),
    "powers": ("sum(w**3) + sum(sqrt(1 + w**2)) + sum(1 / (2 + w**4))", {"w": (3,)}),
}


class Case:
    """A formula, its gradients, arrays, and what the line-for-line function says of them."""

    def __init__(self, formula, wrt, batch=(), samples=5):
        self.formula, self.batch = sg.Formula.of(formula), tuple(batch)
        self.gradient = sg.gradient(self.formula, wrt)
        self.wrt = list(self.gradient)
        self.function = compile_unchecked(self.formula, self.wrt, batch=self.batch)
        plan = self.function._recipe
        self.graph = plan.graph
        random = np.random.default_rng(7)
        self.sizes = dict.fromkeys(self.graph.sizes, samples) | {SAMPLES: samples}
        self.arrays, self.matrices = {}, {}
        for variable in self.graph.inputs:
            shape = [int(sp.sympify(s).xreplace(self.sizes)) for s in variable.sizes]
            lead = [samples] * (variable.name in self.batch)
            array = random.uniform(0.1, 1.2, (*lead, *shape))
            if any("one" in word or "in [0,1]" in word for word in variable.assumptions):
                array = array / array.sum(axis=-1, keepdims=True) if shape else array
            else:
                array *= random.choice([-1.0, 1.0], array.shape)
            self.arrays[variable.name] = array
            matrix = variable.symbol.shape if variable.symbol.is_Matrix else (1, 1)
            rows, columns = (int(sp.sympify(s).xreplace(self.sizes)) for s in matrix)
            lifted = variable.name in self.batch
            self.matrices[variable.name] = (
                array.reshape(samples, -1).T if lifted else array.reshape(rows, columns)
            )
        value, gradients = self.lines()
        self.wanted = {"value": value, **gradients}

    def lines(self):
        """The result of the line-for-line function."""
        from symgrad.backends.arguments import Call

        plan = self.function._recipe
        call = Call.of(plan.slots, self.arrays, None)
        return plan.presented(call, self.function._evaluate(call))

    def tape(self, last=None, **options):
        parts = {name: part.output for name, part in self.gradient.items()}
        outputs = {"value": self.formula.output, **parts}
        reduce = "mean" if self.batch else None
        return recorded(self.graph, outputs, self.batch, reduce, last=last, **options)

    def check(self, tape):
        inputs = {
            name: matrix.T if name in self.batch and tape.ops[tape.inputs[name]].data[1] else matrix
            for name, matrix in self.matrices.items()
        }
        found = evaluated(tape, inputs, self.sizes)
        for name, wanted in self.wanted.items():
            scale = np.max(np.abs(wanted)) + 1e-300
            got = found[name].reshape(np.shape(wanted))
            assert np.max(np.abs(got - wanted)) <= 1e-12 * scale, name


def case_of(name, samples=5):
    if name in NETS:
        batch = ["x", "y"] if name.endswith("columns") else []
        return Case(NETS[name], None, batch, samples)
    text, shapes = TEXTS[name]
    wrt = [key for key in shapes if key in ("w", "W", "b", "A", "B")]
    return Case(sg.parse(text, shapes), wrt, samples=samples)


@pytest.mark.parametrize("name", [*NETS, *TEXTS])
def test_a_tape_and_every_pass_over_it_keep_the_values(name):
    case = case_of(name)
    axes = [s for s in case.graph.sizes if not case.batch][:1]
    for last in (None, *axes):
        for native in (frozenset(), frozenset(("sigmoid", "softplus"))):
            tape = case.tape(last, native=native)
            case.check(tape)
            case.check(folded(tape))
            case.check(sunk(tape, case.sizes))
            case.check(multiplied_out(tape))
            case.check(flipped(tape, case.sizes))
            case.check(flipped(tape, case.sizes, single=True))
            case.check(sunk(multiplied_out(folded(tape)), case.sizes))


@pytest.mark.parametrize("name", [*NETS, *TEXTS])
def test_a_tape_written_out_in_scalars_is_the_same(name):
    case = case_of(name)
    tape = case.tape()
    straight = written_out(tape, case.sizes)
    entries = {}
    for key, matrix in case.matrices.items():
        turned = key in case.batch and tape.ops[tape.inputs[key]].data[1]
        for (i, j), number in np.ndenumerate(matrix.T if turned else matrix):
            entries[key, i, j] = number
    values = []
    for op in straight.ops:
        values.append(scalar(op, values, entries))
    for key, (factor, table) in straight.outputs.items():
        got = factor * np.array([[values[entry] for entry in row] for row in table])
        wanted = np.asarray(case.wanted[key])
        scale = np.max(np.abs(wanted)) + 1e-300
        assert np.max(np.abs(got.reshape(wanted.shape) - wanted)) <= 1e-12 * scale, key


def scalar(op, values, entries):
    if op.kind == "input":
        return entries[op.data]
    if op.kind == "number":
        return op.data
    from symgrad.tape.evaluation import entrywise

    return float(entrywise(op.kind)(*(np.float64(values[arg]) for arg in op.args)))


def test_a_sign_moves_into_weights_and_a_factor_to_the_residuals():
    case = case_of("sigmoid rows")
    tape = folded(case.tape(case.graph.sizes[0], native=frozenset()))
    long = [op for op in tape.ops if op.kind == "negative" and case.graph.sizes[0] in op.shape]
    assert not long
    wide = Case(net_loss("rows", ["tanh", None], "mse"), None, samples=2)
    sunken = sunk(wide.tape(), wide.sizes)
    assert {value.factor for name, value in sunken.outputs.items() if name != "value"} == {1}


def test_large_gradients_are_computed_transposed():
    case = Case(sg.mse(sg.Network(300, [sg.Dense(40, "tanh"), sg.Dense(2)])), None, samples=3)
    tape = flipped(case.tape(), case.sizes)
    assert tape.outputs["W1"].turned
    assert not tape.outputs["W2"].turned
    case.check(tape)
    # The first weight is met forward alone, the second one backward, too.
    deep = Case(
        sg.mse(sg.Network(300, [sg.Dense(200), sg.Dense(100), sg.Dense(1)])), None, samples=3
    )
    single = flipped(deep.tape(), deep.sizes, single=True)
    assert [single.outputs[name].turned for name in ("W1", "W2")] == [False, True]
    deep.check(single)
    _, gradients = case.function(**case.arrays)
    np.testing.assert_allclose(gradients["W1"], case.wanted["W1"], rtol=1e-10, atol=1e-14)

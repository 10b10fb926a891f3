"""Checks that compare symgrad with the oracle; tests of the tests run the same functions."""

import oracle
import sympy as sp

import symgrad as sg


def entries_of(symbol):
    return oracle.entries(symbol) if isinstance(symbol, sp.MatrixSymbol) else symbol


def free(*values):
    found = set()
    for value in values:
        for entry in value if isinstance(value, sp.MatrixBase) else [value]:
            found |= entry.free_symbols
    return sorted(found, key=str)


def same(left, right, seed=1, positive=False):
    """Two explicit values agree to 40 digits at a generic point."""
    point = oracle.generic_point(free(left, right), seed, positive=positive)
    got, wanted = oracle.evaluate(left, point), oracle.evaluate(right, point)
    if oracle.agree(got, wanted):
        return True
    # Terms that cancel exactly leave the noise of 50 digits on both sides.
    got, wanted = oracle.flat(got), oracle.flat(wanted)
    return got.keys() == wanted.keys() and all(abs(got[k] - wanted[k]) < 1e-40 for k in got)


def explicit(formula, sizes=None):
    return oracle.inline(list(formula.graph), formula.output, sizes=sizes)


def gradient_is_right(expression, seed=1, positive=False, second=False):
    """The gradient by every input, and on request the gradient of its first entry, is right."""
    formula = sg.Formula.of(expression)
    value = explicit(formula)
    for name, variable in formula.inputs.items():
        gradient = sg.gradient(formula, name)
        wanted = oracle.gradient(value, entries_of(variable.symbol))
        if not same(explicit(gradient), wanted, seed, positive):
            return False
        if second and not second_is_right(formula, gradient, wanted, seed, positive):
            return False
    return True


def second_is_right(formula, gradient, first, seed, positive):
    entry = gradient if gradient.shape == () else gradient[(0,) * len(gradient.shape)]
    first = first[0, 0] if isinstance(first, sp.MatrixBase) else first
    for name, variable in formula.inputs.items():
        again = sg.gradient(entry, name)
        wanted = oracle.gradient(first, entries_of(variable.symbol))
        if not same(explicit(again), wanted, seed, positive):
            return False
    return True


def function_is_right(entry):
    """The closed derivative, and the one through the value, are the definition's derivative."""
    z = sp.Symbol("z", real=True)
    definition = oracle.DEFINITIONS[entry.name](z)
    wanted = oracle.gradient(definition, z)
    values = [oracle.explicit(entry.derivative(z))]
    if entry.from_value is not None:
        a = sp.Symbol("a", real=True)
        values.append(oracle.explicit(entry.from_value(a)).subs(a, definition))
    points = [entry.example, -entry.example, sp.Rational(13, 7), sp.Rational(-19, 11)]
    for point in points:
        at = {"z": point}
        right = oracle.evaluate(wanted, at)
        if not all(oracle.agree(oracle.evaluate(v, at), right) for v in values):
            return False
        if not oracle.agree(
            oracle.evaluate(oracle.explicit(entry.definition(z)), at),
            oracle.evaluate(definition, at),
        ):
            return False
    return True


def shape_rule_is_right(rule):
    """The example has the shape of its explicit form, and the wrong node is refused."""
    node = rule.example()
    if not isinstance(node, rule.head):
        return False
    written = oracle.explicit(node)
    shape = tuple(written.shape) if isinstance(written, sp.MatrixBase) else ()
    if tuple(map(int, sg.shapes.shape_of(node))) != shape:
        return False
    if rule.wrong is None:
        return True
    try:
        sg.shapes.shape_of(rule.wrong())
    except sg.ShapeError:
        return True
    return False


def original_names(formula, sizes=None):
    """The entries of arrays under the names that the oracle gives to the x[i] of the user."""
    values = {}
    for variable in formula.inputs.values():
        if variable.indexed is not None:
            rows, columns = (oracle.explicit(size, sizes) for size in variable.inside)
            values[variable.name] = oracle.table(
                rows,
                columns,
                lambda i, j, v=variable: oracle.variable(
                    "_".join([v.name, *(str(a + b) for a, b in zip(v.origin, (i, j)))])  # noqa: B905
                ),
            )
    return values


def as_scalar(value):
    return value[0, 0] if isinstance(value, sp.MatrixBase) else value


def agrees_with_what_was_written(expression, wrt=None, seed=1, positive=False, sizes=None):
    """Gradients against the oracle's reading of the expression, not of the engine's graph.

    An expression that the engine misreads, say x[1] x[2] as x[1] x[1], is found only so.
    """
    formula = sg.Formula.of(expression)
    names = original_names(formula, sizes)
    value = as_scalar(oracle.explicit(expression, sizes))
    own = as_scalar(oracle.inline(list(formula.graph), formula.output, sizes, names))
    if not same(own, value, seed, positive):
        return False
    gradients = sg.gradient(formula, wrt or list(formula.inputs))
    for name, gradient in gradients.items():
        symbols = names.get(name, oracle.explicit(formula.inputs[name].symbol, sizes))
        got = oracle.inline(list(gradient.graph), gradient.output, sizes, names)
        if not same(got, oracle.gradient(value, symbols), seed, positive):
            return False
    return True

"""NumPy functions verified: a loss and its gradient, or a forward and a backward pass.

Both are called with traced arguments, so that every entry of what they return is a node of one
circuit. The loss is differentiated there, and the ladder compares.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from symgrad.circuit import Circuit
from symgrad.errors import (
    OptionError,
    ShapeError,
    SymgradError,
    TraceError,
    checks_options,
    listed,
    unknown,
)
from symgrad.lowering.calculus import gradient
from symgrad.reading.arrays import TracedArray
from symgrad.reading.scalars import Scalar
from symgrad.reading.trace import call_traced, nodes_of, variables
from symgrad.shapes import name_of, worded
from symgrad.verification import numeric as numerics
from symgrad.verification.ladder import decide
from symgrad.verification.problem import Problem, Range, TimeIsUp, deadline
from symgrad.verification.results import TIMEOUT, joined
from symgrad.verification.settings import GENERIC_SIZES, domains, generic_sizes
from symgrad.verification.signatures import arranged, parameters_of
from symgrad.verification.verdict import (
    AGREES,
    PROVED,
    REFUTED,
    UNDECIDED,
    Verdict,
    check_require,
    check_timeout,
)


@checks_options
def verify_functions(
    loss: Callable[..., Any],
    grad: Callable[..., Any],
    shapes: Mapping[str, Any],
    wrt: Any,
    *,
    upstream: str | None = None,
    domain: Mapping[Any, Any] | None = None,
    require: str | None = None,
    numeric: bool = False,
    timeout: float = TIMEOUT,
) -> dict[str, Verdict]:
    """Tell whether a NumPy function computes the gradient of another.

    Args:
        loss: A function that returns a scalar; with `upstream`, a forward pass that returns the
            output, or a tuple of the output and a cache.
        grad: A function of the same arguments that returns a mapping by name, or a tuple in the
            order of `wrt`; with `upstream`, a backward pass of `(dout, cache)`.
        shapes: For each argument of `loss`, by its name or in order: a shape (the argument is
            then traced), an array or a number (then it is a constant), or a list or dictionary of
            these. A size may be a name, `("n", 3)`: it is then given two generic values.
        wrt: The name of an argument, or several; entries of an argument that is a dictionary by
            their keys.
        upstream: The name of the gradient at the output, `"dout"`.
        domain: Where variables lie: name to `(low, high)`.
        require: `"proved"` makes `bool()` of a verdict False for anything less.
        numeric: Fall back to a numeric check where the functions cannot be traced. Its verdicts
            have the method `"numeric"`.
        timeout: Seconds for the whole call.

    Returns:
        A verdict by name.

    Raises:
        TraceError: Something that cannot be traced (a Python `if` on a value, compiled code,
            random numbers); it names the line.
        ShapeError: The loss is no scalar.
        OptionError: An unknown name.

    >>> def loss(w, x, y):
    ...     return np.mean((np.tanh(x @ w) - y) ** 2)
    >>> def grad(w, x, y):
    ...     a = np.tanh(x @ w)
    ...     return {"w": x.T @ (2 * (a - y) * (1 - a**2)) / len(y)}
    >>> verify_functions(loss, grad, {"w": (2,), "x": (3, 2), "y": (3,)}, "w")["w"].status
    'proved'
    """
    check_require(require)
    check = deadline(check_timeout(timeout))
    names = _names(wrt)
    pair = Pair(loss, grad, dict(shapes), names, upstream, domains(domain, _variables_in(shapes)))
    try:
        verdicts = _traced_verdicts(pair, check)
    except TraceError as error:
        if not numeric:
            raise
        verdicts = numerics.verdicts(pair, check, str(error))
    except TimeIsUp:
        raise SymgradError("time was up while the functions were traced; give timeout=") from None
    return {name: replace(verdict, require=require) for name, verdict in verdicts.items()}


@dataclass(frozen=True)
class Pair:
    """Two functions, and what they take.

    Attributes:
        loss: The loss, or the forward pass.
        grad: The gradient, or the backward pass.
        shapes: What each argument is.
        wrt: The names of which gradients are returned.
        upstream: The name of the gradient at the output, if there is one.
        domain: Where variables lie.
    """

    loss: Callable[..., Any]
    grad: Callable[..., Any]
    shapes: Mapping[str, Any]
    wrt: tuple[str, ...]
    upstream: str | None = None
    domain: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def by_name(self, returned: Any) -> dict[str, Any]:
        """Return what `grad` returned by the names in `wrt`.

        Raises:
            OptionError: A gradient is missing, or there are too many.
        """
        if isinstance(returned, Mapping):
            for name in self.wrt:
                if name not in returned:
                    raise OptionError(
                        f"grad returns {listed(returned)}, but no gradient by `{name}`"
                    )
            return {name: returned[name] for name in self.wrt}
        single = len(self.wrt) == 1 and not (isinstance(returned, tuple) and len(returned) == 1)
        parts = (returned,) if single else returned
        if not isinstance(parts, (tuple, list)) or len(parts) != len(self.wrt):
            count = len(parts) if isinstance(parts, (tuple, list)) else 1
            raise OptionError(
                f"grad returns {count} values for the {len(self.wrt)} names {listed(self.wrt)}; "
                "return a mapping by name, or a tuple in their order"
            )
        return dict(zip(self.wrt, parts, strict=True))

    def wanted(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments, or the entries of dictionaries, that `wrt` names.

        Raises:
            OptionError: A name is none of them.
        """
        known = dict(arguments)
        for argument in arguments.values():
            if isinstance(argument, dict):
                known = {**argument, **known}
        for name in self.wrt:
            if name not in known:
                raise unknown("argument", name, known)
        return {name: known[name] for name in self.wrt}


def _names(wrt: Any) -> tuple[str, ...]:
    names = (wrt,) if isinstance(wrt, str) or not hasattr(wrt, "__iter__") else tuple(wrt)
    if not names:
        raise OptionError("wrt names no variable")
    return tuple(name_of(name) for name in names)


def is_shape(given: Any) -> bool:
    """Tell whether an entry of `shapes` is a shape: a tuple of sizes and names.

    >>> is_shape((2, "n")), is_shape(()), is_shape([2, 3]), is_shape(2.5)
    (True, True, False, False)
    """
    return isinstance(given, tuple) and all(isinstance(size, (int, str)) for size in given)


def _variables_in(shapes: Mapping[str, Any]) -> list[str]:
    found = []
    for name, given in shapes.items():
        found.append(name)
        if isinstance(given, Mapping):
            found += _variables_in(given)
    return found


def _size_names(given: Any) -> list[str]:
    if is_shape(given):
        return [size for size in given if isinstance(size, str)]
    parts = given.values() if isinstance(given, Mapping) else given
    if not isinstance(given, (Mapping, list, tuple)):
        return []
    return [name for part in parts for name in _size_names(part)]


def _traced_verdicts(pair: Pair, check: Callable[[], None]) -> dict[str, Verdict]:
    symbols = list(dict.fromkeys(_size_names(pair.shapes)))
    found: dict[str, list[Any]] = {name: [] for name in pair.wrt}
    for choice in range(len(GENERIC_SIZES) if symbols else 1):
        sizes = generic_sizes(symbols, choice)
        last = choice == len(GENERIC_SIZES) - 1
        problems = _problems(pair, sizes, check)
        for name, problem in problems.items():
            if not isinstance(problem, Verdict):
                problem = _decided(name, problem, check, prove=not last)
            # The last sizes are for gradients that happen to be right at the first ones.
            if not last or problem.status not in (PROVED, AGREES):
                found[name].append((sizes, problem))
    return {name: joined(name, outcomes) for name, outcomes in found.items()}


def _decided(name: str, problem: Problem, check: Callable[[], None], *, prove: bool) -> Any:
    try:
        return decide(problem, check, prove=prove)
    except SymgradError as error:
        return Verdict(name, UNDECIDED, "error", notes=(str(error),))


@dataclass
class _Arguments:
    """Arguments made from `shapes`: traced values, and their nodes by name."""

    circuit: Circuit
    sizes: Mapping[str, int]
    domain: Mapping[str, tuple[float, float]]
    tables: dict[str, Any] = field(default_factory=dict)
    ranges: dict[str, Range] = field(default_factory=dict)

    def made(self, name: str, given: Any) -> Any:
        """Make the argument that an entry of `shapes` describes."""
        if is_shape(given):
            return self._variable(name, given)
        if isinstance(given, Mapping):
            return {key: self.made(str(key), part) for key, part in given.items()}
        if isinstance(given, (list, tuple)):
            return type(given)(self.made(f"{name}{k + 1}", part) for k, part in enumerate(given))
        return given.copy() if isinstance(given, np.ndarray) else given

    def _variable(self, name: str, shape: tuple[Any, ...]) -> Any:
        sizes = tuple(self.sizes[size] if isinstance(size, str) else size for size in shape)
        if any(size < 1 for size in sizes):
            raise ShapeError(f"the shape {worded(shape)} of `{name}` has an axis without entries")
        if name in self.tables:
            raise OptionError(f"two arguments are named `{name}`")
        value = variables(self.circuit, name, sizes)
        self.tables[name] = nodes_of(value, self.circuit)
        low, high = self.domain.get(name, (-np.inf, np.inf))
        for node in np.ravel(self.tables[name]):
            self.ranges[self.circuit.nodes[int(node)].value] = Range(low, high)
        return value


def _problems(pair: Pair, sizes: Mapping[str, int], check: Callable[[], None]) -> dict[str, Any]:
    circuit = Circuit()
    made = _Arguments(circuit, sizes, pair.domain)
    arguments = {name: made.made(name, given) for name, given in pair.shapes.items()}
    wanted = pair.wanted(arguments)
    loss, given = _loss_node(pair, circuit, made, arguments, check)
    leaves = {name: _leaves(name, value) for name, value in wanted.items()}
    returned = pair.by_name(call_traced(circuit, pair.grad, given, check))
    order = [int(node) for parts in leaves.values() for part in parts for node in part.flat]
    slopes = dict(zip(order, gradient(circuit, loss, order, check), strict=True))
    return {
        name: _problem(name, leaves[name], returned[name], slopes, loss, circuit, made)
        for name in pair.wrt
    }


def _loss_node(
    pair: Pair,
    circuit: Circuit,
    made: _Arguments,
    arguments: Mapping[str, Any],
    check: Callable[[], None],
) -> tuple[int, list[Any]]:
    """Call the loss; return its node, and the arguments of the gradient."""
    value = call_traced(circuit, pair.loss, arranged(pair.loss, arguments), check)
    if pair.upstream is None:
        nodes = nodes_of(value, circuit)
        if nodes.size != 1:
            raise ShapeError(
                f"the loss returns {worded(nodes.shape)}, not a scalar; for a forward pass give "
                'upstream="dout"'
            )
        return int(nodes.ravel()[0]), arranged(pair.grad, arguments)
    output, *cache = value if isinstance(value, tuple) else (value,)
    nodes = nodes_of(output, circuit)
    made.tables.pop(pair.upstream, None)
    dout = made.made(pair.upstream, tuple(nodes.shape))
    slopes = np.ravel(made.tables[pair.upstream])
    products = (
        circuit.multiply(int(a), int(b)) for a, b in zip(nodes.ravel(), slopes, strict=True)
    )
    return circuit.add(*products), [dout, *cache[:1]]


def _leaves(name: str, value: Any) -> list[Any]:
    """Return the arrays of nodes in an argument.

    Raises:
        OptionError: The argument is a constant.
    """
    if isinstance(value, (list, tuple)):
        return [leaf for part in value for leaf in _leaves(name, part)]
    if isinstance(value, dict):
        return [leaf for part in value.values() for leaf in _leaves(name, part)]
    if not isinstance(value, (TracedArray, Scalar)):
        raise OptionError(f"`{name}` is a constant in shapes; give its shape instead")
    return [np.asarray(nodes_of(value))]


def _problem(
    name: str,
    leaves: list[Any],
    returned: Any,
    slopes: Mapping[int, int],
    loss: int,
    circuit: Circuit,
    made: _Arguments,
) -> Any:
    parts = _parts(returned) if len(leaves) > 1 else [returned]
    if len(parts) != len(leaves):
        note = f"the claim by `{name}` has {len(parts)} arrays, the argument {len(leaves)}"
        return Verdict(name, REFUTED, "shape", notes=(note,))
    derived: list[int] = []
    claimed: list[int] = []
    entries: list[tuple[int, ...]] = []
    for number, (leaf, part) in enumerate(zip(leaves, parts, strict=True)):
        nodes = np.asarray(nodes_of(part, circuit))
        if nodes.shape != leaf.shape and not nodes.size == leaf.size == 1:
            return of_other_shape(name, nodes.shape, leaf.shape)
        derived += [slopes[int(node)] for node in leaf.flat]
        claimed += [int(node) for node in nodes.flat]
        first = (number,) if len(leaves) > 1 else ()
        entries += [(*first, *place) for place in np.ndindex(*leaf.shape)]
    return Problem(
        circuit, tuple(derived), tuple(claimed), tuple(entries), made.ranges, (loss,), made.tables
    )


def _parts(returned: Any) -> list[Any]:
    if isinstance(returned, Mapping):
        returned = list(returned.values())
    if isinstance(returned, (list, tuple)):
        return [leaf for part in returned for leaf in _parts(part)]
    return [returned]


def of_other_shape(name: str, given: tuple[int, ...], wanted: tuple[int, ...]) -> Verdict:
    """Refute a claim of another shape; no point is needed to see it."""
    note = f"the claim is {worded(given)}, the gradient by `{name}` is {worded(wanted)}"
    if given == wanted[::-1]:
        note += "; transpose the claim"
    return Verdict(name, REFUTED, "shape", notes=(note,))


def called(
    claim: Callable[..., Any], circuit: Circuit, tables: Mapping[str, Any], check: Any
) -> Any:
    """Call a claim with traced values of the inputs that its parameters name.

    Raises:
        OptionError: A parameter that is no input.
        TraceError: It cannot be traced.
    """
    given = {name: _as_traced(circuit, tables[name]) for name in parameters_of(claim, tables)}
    return nodes_of(call_traced(circuit, claim, [], check, keywords=given), circuit)


def _as_traced(circuit: Circuit, table: Any) -> Any:
    if np.ndim(table) == 0:
        return Scalar(circuit, int(table))
    data = np.empty(np.shape(table), dtype=object)
    for place in np.ndindex(data.shape):
        data[place] = Scalar(circuit, int(table[place]))
    return TracedArray(circuit, data)

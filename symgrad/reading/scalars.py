"""Real numbers and conditions of a circuit, with Python's operators.

`Scalar` and `Condition` are what the entries of a `TracedArray` are. An infinite float stays a
float: a mask of -inf before a softmax, a start value of a maximum.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp

from symgrad.circuit import Circuit, exact
from symgrad.reading.places import refusal, tick
from symgrad.reading.spellings import (
    BITS,
    COMPARISONS,
    INFINITE,
    LOGIC,
    OF_CONDITIONS,
    OF_NUMBERS,
    REAL,
)


def _binary(name: str) -> Any:
    def operator(self: Any, other: Any) -> Any:
        # An array on the other side runs over its entries itself.
        return _operate(self, name, self, other) if is_entry(other) else NotImplemented

    return operator


def _reflected(name: str) -> Any:
    def operator(self: Any, other: Any) -> Any:
        return _operate(self, name, other, self) if is_entry(other) else NotImplemented

    return operator


def _unary(name: str) -> Any:
    return lambda self: _operate(self, name, self)


class Entry:
    """A node of a circuit that user code computes with.

    Attributes:
        circuit: The circuit.
        node: The node's number.
    """

    __slots__ = ("circuit", "node")

    def __init__(self, circuit: Circuit, node: int) -> None:
        self.circuit, self.node = circuit, node

    __add__, __radd__ = _binary("add"), _reflected("add")
    __sub__, __rsub__ = _binary("subtract"), _reflected("subtract")
    __mul__, __rmul__ = _binary("multiply"), _reflected("multiply")
    __truediv__, __rtruediv__ = _binary("divide"), _reflected("divide")
    __pow__, __rpow__ = _binary("power"), _reflected("power")
    __floordiv__, __rfloordiv__ = _binary("floor_divide"), _reflected("floor_divide")
    __mod__, __rmod__ = _binary("remainder"), _reflected("remainder")
    __and__, __rand__ = _binary("bitwise_and"), _reflected("bitwise_and")
    __or__, __ror__ = _binary("bitwise_or"), _reflected("bitwise_or")
    __xor__, __rxor__ = _binary("bitwise_xor"), _reflected("bitwise_xor")
    __lt__, __gt__ = _binary("less"), _binary("greater")
    __le__, __ge__ = _binary("less_equal"), _binary("greater_equal")
    __eq__, __ne__ = _binary("equal"), _binary("not_equal")
    __neg__, __abs__, __invert__ = _unary("negative"), _unary("absolute"), _unary("invert")

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.node))

    def __pos__(self) -> Entry:
        return self

    def constant(self) -> Any:
        """Return the number or truth value where no input is below, to 30 digits; else None."""
        found = self.known
        if found is not None or self.circuit.variables([self.node]):
            return found
        from symgrad.reading.formulas import expression_of

        value = expression_of(self.circuit, self.node)
        if isinstance(self, Condition):
            return bool(value)
        number = sp.N(value, 30)
        # log(8)/log(2) is 3: a rounding must not make floor() or int() of it 2.
        whole = sp.Integer(round(number))
        return whole if abs(number - whole) < sp.Rational(1, 10**20) else number

    def __bool__(self) -> bool:
        known = self.constant()
        if known is None:
            raise refusal(
                "the truth of a value that depends on the inputs is asked (an `if`, `while`, "
                "`and`, `or`, `not` or `assert`); write np.where(condition, a, b), np.maximum or "
                "a product with the condition instead"
            )
        return bool(known)

    def _plain(self, kind: str) -> Any:
        known = self.constant()
        if known is None:
            raise refusal(
                f"a plain {kind} is made of a value that depends on the inputs, by {kind}(), as "
                "an index or size, or by storing it in an array of plain numbers; leave the "
                "conversion out, and make arrays with np.zeros inside the function"
            )
        return known

    def __float__(self) -> float:
        return float(self._plain("float"))

    def __int__(self) -> int:
        return int(self._plain("int"))

    def __index__(self) -> int:
        known = self._plain("int")
        if known != int(known):
            raise TypeError(f"{known} is not a whole number")
        return int(known)

    def __complex__(self) -> complex:
        raise refusal("complex numbers are not read")

    def __round__(self, digits: int | None = None) -> Any:
        return _operate(self, "round", self, digits or 0)

    def __floor__(self) -> Any:
        return _operate(self, "floor", self)

    def __ceil__(self) -> Any:
        return _operate(self, "ceil", self)

    def __trunc__(self) -> Any:
        return _operate(self, "trunc", self)

    def __format__(self, form: str) -> str:
        return repr(self)

    def __deepcopy__(self, memo: Any) -> Entry:
        return self

    def __copy__(self) -> Entry:
        return self

    def __reduce__(self) -> Any:
        raise refusal("a traced value is pickled or sent to another process")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return as_array(self).__array_ufunc__(ufunc, method, *inputs, **options)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        return as_array(self).__array_function__(function, types, args, options)

    def __getattr__(self, name: str) -> Any:
        # A number of NumPy has the methods of an array; `_` names are asked for by protocols.
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(as_array(self), name)

    @property
    def known(self) -> Any:
        """The number or truth value, where it does not depend on any input; else None."""
        raise NotImplementedError


class Scalar(Entry):
    """A real number of a circuit.

    >>> circuit = Circuit()
    >>> x = Scalar(circuit, circuit.variable("x"))
    >>> (2 * x - x).node == x.node, bool(x - x > -1)
    (True, True)
    """

    __slots__ = ()

    @property
    def known(self) -> Any:
        """The number, where it is one."""
        found = self.circuit.as_number(self.node)
        if found is None and self.circuit.nodes[self.node].kind == "constant":
            return sp.N(self.circuit.nodes[self.node].value, 30)
        return found

    def __repr__(self) -> str:
        kind, _, value = self.circuit.nodes[self.node]
        return str(value) if kind in ("variable", "number") else f"<traced value {self.node}>"


class Condition(Entry):
    """A condition of a circuit, True or False; in arithmetic it counts as 1 or 0.

    >>> circuit = Circuit()
    >>> x = Scalar(circuit, circuit.variable("x"))
    >>> (x > 0) & (x < 0)
    False
    """

    __slots__ = ()

    @property
    def known(self) -> Any:
        """True or False, where it does not depend on any input; else None."""
        return {self.circuit.true: True, self.circuit.false: False}.get(self.node)

    def __repr__(self) -> str:
        known = self.known
        return f"<traced condition {self.node}>" if known is None else str(known)


#: Makes an array without axes of an entry; `arrays` sets it, which is built on this module.
_AS_ARRAY: list[Callable[[Entry], Any]] = []


def as_array(entry: Entry) -> Any:
    """Return an entry as an array without axes."""
    return _AS_ARRAY[0](entry)


NUMBERS = (int, float, Fraction, np.number, np.bool_, sp.Rational)


def is_entry(value: Any) -> bool:
    """Tell whether a value is a single number, plain or traced.

    >>> is_entry(2.0), is_entry([2.0])
    (True, False)
    """
    return isinstance(value, (Entry, *NUMBERS))


def read(circuit: Circuit, value: Any) -> Any:
    """Return a plain or traced number as an entry; infinite floats stay as they are.

    >>> read(Circuit(), 0.5)
    1/2
    """
    if isinstance(value, Entry):
        if value.circuit is not circuit:
            raise refusal("values of two traces are mixed: one was kept from an earlier call")
        return value
    if isinstance(value, (bool, np.bool_)):
        return Condition(circuit, circuit.true if value else circuit.false)
    if isinstance(value, (float, np.floating)):
        return _read_float(circuit, float(value))
    if isinstance(value, complex) or not isinstance(value, NUMBERS):
        raise refusal(f"a number is expected here, not {type(value).__name__}")
    return Scalar(circuit, circuit.number(exact(value)))


def _read_float(circuit: Circuit, value: float) -> Any:
    if not math.isfinite(value):
        return value
    if value == math.pi:
        return Scalar(circuit, circuit.constant(sp.pi))
    if value == math.e:
        return Scalar(circuit, circuit.exp(circuit.number(1)))
    return Scalar(circuit, circuit.real(value))


def real(entry: Any) -> int:
    """Return the node of an entry as a real number; a condition counts as 1 or 0."""
    if isinstance(entry, Condition):
        c = entry.circuit
        return c.select(entry.node, c.number(1), c.number(0))
    if isinstance(entry, float):
        raise refusal(f"{entry} takes part in a computation in which only finite numbers are read")
    return int(entry.node)


def truth(circuit: Circuit, entry: Any) -> int:
    """Return the node of an entry as a condition; a real number holds where it is not zero."""
    if isinstance(entry, Condition):
        return entry.node
    if isinstance(entry, float):
        return circuit.true
    return circuit.negation(circuit.zero(entry.node))


def _operate(self: Entry, name: str, *values: Any) -> Any:
    if any(isinstance(v, complex) for v in values):
        return NotImplemented
    circuit = self.circuit
    entries = [read(circuit, value) for value in values]
    if name in OF_CONDITIONS and name not in COMPARISONS:
        # Single conditions are Python's: True + True is 2.
        entries = [as_real(circuit, entry) for entry in entries]
    return apply(circuit, name, *entries)


def as_real(circuit: Circuit, entry: Any) -> Any:
    """Return an entry as a real number."""
    return Scalar(circuit, real(entry)) if isinstance(entry, Condition) else entry


def as_condition(circuit: Circuit, entry: Any) -> Any:
    """Return an entry as a condition."""
    return Condition(circuit, truth(circuit, entry))


def apply(circuit: Circuit, name: str, *entries: Any) -> Any:
    """Apply a function of NumPy, by name, to entries.

    Raises:
        TraceError: A function without spelling, or one that jumps of an unknown value.

    >>> circuit = Circuit()
    >>> apply(circuit, "sqrt", read(circuit, 4))
    2
    """
    tick()
    if any(isinstance(entry, float) for entry in entries) and name not in LOGIC:
        return _of_infinite(circuit, name, entries)
    conditions = all(isinstance(entry, Condition) for entry in entries)
    if conditions and name in OF_CONDITIONS:
        return Condition(circuit, OF_CONDITIONS[name](circuit, *(e.node for e in entries)))
    if name in REAL:
        return Scalar(circuit, REAL[name](circuit, *map(real, entries)))
    if name in COMPARISONS:
        return Condition(circuit, COMPARISONS[name](circuit, *map(real, entries)))
    if name in LOGIC or (name in BITS and conditions):
        rule = LOGIC.get(name) or BITS[name]
        return Condition(circuit, rule(circuit, *(truth(circuit, e) for e in entries)))
    if name in BITS:
        raise TypeError(f"{name} works on conditions, not on real numbers")
    return _of_numbers(circuit, name, entries)


def _of_numbers(circuit: Circuit, name: str, entries: Iterable[Any]) -> Any:
    if name not in OF_NUMBERS:
        raise refusal(f"np.{name} is not read; known are {', '.join(sorted(REAL))}")
    known = [as_real(circuit, entry).constant() for entry in entries]
    if any(value is None for value in known):
        raise refusal(
            f"np.{name} of a value that depends on the inputs jumps, and has no gradient to read"
        )
    return read(circuit, Fraction(OF_NUMBERS[name](*map(exact, known))))


def _of_infinite(circuit: Circuit, name: str, entries: tuple[Any, ...]) -> Any:
    infinite = [entry for entry in entries if isinstance(entry, float)]
    if name in ("maximum", "fmax", "minimum", "fmin") and not any(map(math.isnan, infinite)):
        end = math.inf if name in ("maximum", "fmax") else -math.inf
        finite = [entry for entry in entries if not isinstance(entry, float)]
        if end in infinite or not finite:
            return end if end in infinite else infinite[0]
        return finite[0] if len(finite) == 1 else apply(circuit, name, *finite)
    if name == "clip":
        return apply(circuit, "minimum", apply(circuit, "maximum", *entries[:2]), entries[2])
    if name == "divide" and not isinstance(entries[0], float) and math.isinf(infinite[0]):
        return read(circuit, 0)
    if name in ("multiply", "divide"):
        return _infinite_product(circuit, name, entries)
    if name not in INFINITE:
        raise refusal(f"np.{name} of {infinite[0]} is not read")
    values = [entry if isinstance(entry, float) else 0.0 for entry in entries]
    return read(circuit, INFINITE[name](*values))


def _infinite_product(circuit: Circuit, name: str, entries: tuple[Any, ...]) -> Any:
    known = [e if isinstance(e, float) else as_real(circuit, e).known for e in entries]
    if any(value is None for value in known):
        raise refusal(f"np.{name} of an infinite number and a value that depends on the inputs")
    first, second = map(float, known)
    return first * second if name == "multiply" else first / second


def choose(circuit: Circuit, condition: Any, first: Any, second: Any) -> Any:
    """Return the entry `first` where a condition holds, else `second`."""
    tick()
    node = truth(circuit, condition)
    if node in (circuit.true, circuit.false):
        return first if node == circuit.true else second
    if isinstance(first, Condition) and isinstance(second, Condition):
        other = circuit.both(circuit.negation(node), second.node)
        return Condition(circuit, circuit.either(circuit.both(node, first.node), other))
    return Scalar(circuit, circuit.select(node, real(first), real(second)))


#: Functions of many entries at once, by the name of the function of two.
_FOLDS = {"fmax": "maximum", "fmin": "minimum"}
#: The values of functions of no entries.
IDENTITIES = {"add": 0, "multiply": 1, "logical_and": True, "logical_or": False}


def fold(circuit: Circuit, name: str, entries: Iterable[Any]) -> Any:
    """Apply a function of two entries to a list of them: a sum, a product, a maximum.

    >>> circuit = Circuit()
    >>> fold(circuit, "add", [read(circuit, k) for k in range(4)])
    6
    """
    left = list(entries)
    if not left:
        if name not in IDENTITIES:
            raise ValueError(f"np.{name}.reduce of no entries has no value")
        return read(circuit, IDENTITIES[name])
    if name in ("add", "multiply"):
        left = [as_real(circuit, entry) for entry in left]
    together = name in ("add", "multiply", "maximum", "minimum", "fmax", "fmin", *IDENTITIES)
    if together and not any(isinstance(entry, float) for entry in left):
        return apply(circuit, _FOLDS.get(name, name), *left) if len(left) > 1 else left[0]
    total = left[0]
    for entry in left[1:]:
        total = apply(circuit, name, total, entry)
    return total

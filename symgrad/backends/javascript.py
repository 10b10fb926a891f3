"""The JavaScript target: an ES module with a formula's value, gradients and per-sample descent.

It is text for a page or for node, and is not run from Python. Names of inputs appear in it as JSON
strings and as identifiers of our own choosing, numbers as Python prints them, which JavaScript
reads back to the last digit; nothing else of what users give gets into the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import sympy as sp

from symgrad.backends.bound import BoundFunction
from symgrad.backends.descent import Loop
from symgrad.backends.function import CompiledFunction
from symgrad.backends.javascript_functions import CALLS, HELPERS, helpers_of
from symgrad.backends.kernel import Kernel
from symgrad.backends.loops import Entry, LoopWriter
from symgrad.backends.native import Engine, NativePlan, NativeQuick, looped, open_call
from symgrad.backends.plan import DOUBLE, VALUE, Form, Plan, Wanted
from symgrad.backends.recipe import Recipe
from symgrad.backends.runners import Call
from symgrad.backends.straight import ATOM, COMMON, Language
from symgrad.errors import OptionError, UnsupportedError
from symgrad.files import write

#: Words of the language and of the generated text that no input may have as its identifier.
_WORDS = tuple(
    re.findall(
        r"\w+",
        """
abstract arguments async await boolean break byte case catch char class const continue debugger
default delete do double else enum eval export extends false final finally float for from function
get goto if implements import in instanceof int interface let long native new null of package
private protected public return set short static super switch synchronized this throw throws
transient true try typeof undefined var void volatile while with yield NaN Infinity Math Array
ArrayBuffer Float64Array Object Number Error TypeError RangeError Symbol globalThis given options
value gradients n k s epoch epochs order samples learning_rate learningRate valueAndGradients
descend flatten countOf shapes settings places finite visited JSON String
""",
    )
)
#: The exported names, by those of Python.
NAMES = {
    "value_and_gradients": "valueAndGradients",
    "gradients": "gradients",
    "value": "value",
}


def number_text(value: float) -> str:
    """Write a number in JavaScript.

    >>> number_text(0.1), number_text(float("-inf"))
    ('0.1', '-Infinity')
    """
    if np.isfinite(value):
        return repr(float(value))
    return "NaN" if value != value else ("Infinity" if value > 0 else "-Infinity")


LANGUAGE = Language(
    texts={
        **COMMON,
        "equal": ("{0} === {1}", *COMMON["equal"][1:]),
        "reciprocal": ("1.0/{0}", 2, (3,)),
        "and": ("({0} && {1})", ATOM, (ATOM, ATOM)),
        "or": ("({0} || {1})", ATOM, (ATOM, ATOM)),
        "not": ("!{0}", 3, (ATOM,)),
        "where": ("({0} ? {1} : {2})", ATOM, (1, 1, 1)),
    },
    twice={"square": ("{0}*{0}", 2)},
    calls=lambda kind: kind if kind in HELPERS else f"Math.{CALLS.get(kind, kind)}",
    statement=lambda name, text: f"const {name} = {text};",
    number=number_text,
    end=";",
)


class Writer(LoopWriter):
    """Writes one function of the module.

    Args:
        kernel: The formulas.
        numbers: The inputs that are single numbers: so are results of theirs.
    """

    def __init__(self, kernel: Kernel, numbers: Collection[str]) -> None:
        super().__init__(kernel, [*_WORDS, *HELPERS])
        self.numbers = numbers

    def formula(self, expression: Any) -> str:
        """Return the text of an expression in `samples`, or in `learning_rate`."""
        return str(sp.jscode(expression))

    def variable(self, name: str, text: str) -> str:
        """Return the declaration of a number that changes."""
        return f"let {name} = {text};"

    def taken(self) -> list[str]:
        """Return statements that take the arrays out of the object that is given."""
        kernel = self.kernel
        lines = ["countOf(given);"] if not kernel.sampled else ["const n = countOf(given);"]
        for name, argument in self.arguments.items():
            rows, columns = kernel.shapes[name]
            length = _length(rows * columns, name in kernel.sampled)
            lines.append(f"const {argument} = flatten(given, {_text(name)}, {length});")
        return lines

    def function(self, name: str) -> str:
        """Return the function that computes the value and the gradients."""
        kernel, words = self.kernel, LANGUAGE
        lines = self.taken()
        for result, target in {VALUE: "value", **self.results}.items():
            if result == VALUE and not kernel.valued:
                continue
            count = kernel.entries(result)
            if result not in kernel.each and (
                result in self.numbers or (result == VALUE and count == 1)
            ):
                continue
            length = _length(count, result in kernel.each)
            lines.append(f"const {target} = new Float64Array({length});")
        lines += self.loads([m for m in self.arguments if m not in kernel.sampled], words)
        codes = [kernel.after] if kernel.body is None else [kernel.body, kernel.after]
        numbers = self.expressions(codes, words)
        lines += ["const samples = n;", *numbers] if numbers else []
        if kernel.body is not None:
            lines += self._summed()
        after, results = self.after(words)
        lines += after
        for result, entries in results.items():
            target = self.results.get(result, "value")
            if result in self.numbers or (result == VALUE and len(entries) == 1):
                lines.append(f"const {target} = {entries[0]};")
            else:
                lines += [f"{target}[{k}] = {text};" for k, text in enumerate(entries)]
        return _defined(name, "given", [*lines, self._returned()])

    def _summed(self) -> list[str]:
        starts = [self.variable(name, "0.0") for name in self.accumulators()]
        lines, added, own = self.sums(LANGUAGE)
        lines += [f"{name} += {text};" for name, text in added]
        for name, entries in own.items():
            target = self.results.get(name, "value")
            lines += [f"{target}[{self.offset(name, j)}] = {t};" for j, t in enumerate(entries)]
        return [*starts, "for (let k = 0; k < n; k++) {", *(f"  {line}" for line in lines), "}"]

    def _returned(self) -> str:
        if not self.results:
            return "return value;"
        gradients = _object(self.results)
        return (
            f"return {{ value, gradients: {gradients} }};"
            if self.kernel.valued
            else (f"return {gradients};")
        )

    def descent(self, loop: Loop, flat: Sequence[Entry]) -> str:
        """Return the loop of per-sample descent: one update of all parameters at every sample."""
        kernel, words = self.kernel, LANGUAGE
        fixed = [m for m in self.arguments if m not in kernel.sampled and m not in kernel.trained]
        lines = ["const { learning_rate, epochs, order } = settings(options);", *self.taken()]
        lines += self.loads(fixed, words) + self.loads(kernel.trained, words, fixed=False)
        lines += self.expressions([loop.straight], words)
        lines += [
            "const visited = places(order, n);",
            "for (let epoch = 0; epoch < epochs; epoch++) {",
            "  for (let s = 0; s < visited.length; s++) {",
            "    const k = visited[s];",
            *(f"    {line}" for line in self.update(loop, flat, words)),
            "  }",
            "}",
        ]
        moved = {}
        for name in kernel.trained:
            numbers = ", ".join(self.names[key] for key in self.entries(name))
            array = f"finite([{numbers}], learning_rate)"
            moved[name] = f"{array}[0]" if name in self.numbers else array
        return _defined("descend", "given, options", [*lines, f"return {_object(moved)};"])


def _length(count: int, sampled: bool) -> str:
    if not sampled:
        return str(count)
    return "n" if count == 1 else f"{count}*n"


def _text(name: str) -> str:
    """Return a string of JavaScript: JSON, in ASCII, which no character can end."""
    return json.dumps(name)


def _object(parts: Mapping[str, str]) -> str:
    """Return an object; names in brackets are its own properties, `__proto__` too."""
    inner = ", ".join(f"[{_text(name)}]: {text}" for name, text in parts.items())
    return f"{{ {inner} }}"


def _defined(name: str, arguments: str, lines: Iterable[str]) -> str:
    body = "".join(f"  {line}\n" for line in lines)
    return f"export function {name}({arguments}) {{\n{body}}}\n"


_CHECKS = """\
// The numbers of one input, row by row; given flat or as nested rows, typed or plain, or a number.
function flatten(given, name, length) {
  const array = given[name];
  if (typeof array === "number" && length === 1) return [array];
  const flat = Array.isArray(array) && Array.isArray(array[0]) ? array.flat(Infinity)
    : array !== null && typeof array === "object" && ArrayBuffer.isView(array[0])
    ? array.flatMap((row) => Array.from(row)) : array;
  if (flat === null || typeof flat !== "object" || flat.length !== length) {
    const size = flat?.length;
    throw new TypeError(`${JSON.stringify(name)} must be an array of ${length} numbers, row by `
      + `row, for ${shapes[name].join(" by ")}; ` + (size === undefined
      ? "it is no array" : `it has ${size}`));
  }
  for (let k = 0; k < length; k++) {
    if (typeof flat[k] !== "number") {
      throw new TypeError(`${JSON.stringify(name)} has ${String(flat[k])} at place ${k}, which `
        + "is not a number");
    }
  }
  return flat;
}

// The number of samples, which all inputs that have samples must share.
function countOf(given) {
  if (given === null || typeof given !== "object") {
    throw new TypeError("give one object with arrays by name: " + Object.keys(shapes).join(", "));
  }
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(shapes, name)) {
      throw new TypeError(`unknown input ${JSON.stringify(name)}; there are: `
        + Object.keys(shapes).join(", "));
    }
  }
  let n, first;
  for (const [name, shape] of Object.entries(shapes)) {
    if (!Object.hasOwn(given, name)) {
      throw new TypeError(`missing input ${JSON.stringify(name)}; there are: `
        + Object.keys(shapes).join(", "));
    }
    if (shape[0] !== "n") continue;
    const array = given[name];
    let size = array === null || array === undefined ? 0 : array.length;
    if (size > 0 && typeof array[0] !== "number") {
      size = Array.isArray(array[0]) || ArrayBuffer.isView(array[0]) ? size : NaN;
    } else {
      size /= shape.slice(1).reduce((product, part) => product * part, 1);
    }
    if (!Number.isInteger(size) || size < 1) {
      throw new TypeError(`${JSON.stringify(name)} must be an array of at least one sample, `
        + `${shape.join(" by ")} numbers, row by row`);
    }
    if (n !== undefined && size !== n) {
      throw new TypeError(`the numbers of samples differ: ${JSON.stringify(first)} has ${n}, `
        + `${JSON.stringify(name)} has ${size}`);
    }
    [n, first] = [size, name];
  }
  return n;
}
"""

_DESCENT_CHECKS = """\
// What descend is told, checked.
function settings(options) {
  const known = ["learningRate", "epochs", "order"];
  for (const name of Object.keys(options ?? {})) {
    if (!known.includes(name)) {
      throw new TypeError(`unknown option ${JSON.stringify(name)}; there are: ${known.join(", ")}`);
    }
  }
  const { learningRate, epochs = 1, order } = options ?? {};
  if (typeof learningRate !== "number") {
    throw new TypeError("descend needs { learningRate: a number, epochs: how often }");
  }
  if (!Number.isInteger(epochs) || epochs < 0) {
    throw new TypeError(`epochs must be a whole number, not ${String(epochs)}`);
  }
  return { learning_rate: learningRate, epochs, order };
}

// The places of the samples, in the order in which they are visited.
function places(order, n) {
  if (order === undefined || order === null) return Array.from({ length: n }, (_, k) => k);
  for (const k of order) {
    if (!Number.isInteger(k) || k < 0 || k >= n) {
      throw new RangeError(`order holds places of samples, from 0 to ${n - 1}, not ${String(k)}`);
    }
  }
  return order;
}

// Parameters at the end, if they are numbers still.
function finite(numbers, learningRate) {
  if (!numbers.every(Number.isFinite)) {
    throw new RangeError("the numbers left the finite range; a smaller learningRate than "
      + `${learningRate} may help`);
  }
  return Float64Array.from(numbers);
}
"""


def source_text(
    kernel: Kernel, name: str, sizes: Mapping[str, Sequence[int]], loop: Loop | None, flat: Any
) -> str:
    """Return the module of a kernel.

    Args:
        kernel: The formulas.
        name: The name of the function, as Python has it.
        sizes: By input: the shape of its array; of one sample, where it has samples.
        loop: One update of per-sample descent, or None.
        flat: The order of the parameters in it.
    """
    numbers = [key for key, size in sizes.items() if not size and key not in kernel.sampled]
    writer = Writer(kernel, numbers)
    functions, kinds = [writer.function(NAMES[name])], dict(writer.kinds)
    if loop is not None:
        descent = Writer(kernel, numbers)
        functions.append(descent.descent(loop, flat))
        kinds |= descent.kinds
    table = [
        f"  [{_text(key)}]: {json.dumps([*['n'] * (key in kernel.sampled), *size])},"
        for key, size in sizes.items()
    ]
    shapes = "\n".join(
        [
            "// The shape of every input; n is the number of samples.",
            "export const shapes = Object.freeze({",
            *table,
            "});\n",
        ]
    )
    checks = [_CHECKS, *([_DESCENT_CHECKS] if loop is not None else [])]
    helpers = helpers_of(kinds)
    return "\n".join([_head(kernel, name, loop is not None), shapes, *checks, *helpers, *functions])


def _head(kernel: Kernel, name: str, descends: bool) -> str:
    given = ", ".join(map(_text, kernel.shapes))
    result = {
        "value_and_gradients": "{ value, gradients }; gradients are by name",
        "gradients": "an object of gradients by name",
        "value": "the value",
    }[name]
    lines = [
        "Generated code: an ES module that imports nothing.",
        "",
        f"{NAMES[name]}(given) returns {result}.",
        "A gradient is a Float64Array, flat, row by row, or a number where the input is one."
        if kernel.trained
        else "A value of more than one number is a Float64Array, flat, row by row.",
        f"`given` is an object with {given}: arrays, typed or plain, flat (row by row) or nested",
        "rows; a single number may stand for an array of one. See `shapes`.",
    ]
    if descends:
        lines += [
            "",
            "descend(given, { learningRate, epochs = 1, order }) runs per-sample gradient descent:",
            "one update of all parameters at every sample, in the order of the places in `order`.",
            "It returns the parameters as gradients come; what is given is not changed.",
        ]
    return "".join(f"// {line}".rstrip() + "\n" for line in lines)


class JavaScriptPlan(NativePlan):
    """The plan of a function in JavaScript, which has one form."""

    def form(self, sizes: Mapping[Any, int], dtype: Any = DOUBLE) -> Form:
        """Say that there is the one form, or what keeps the formulas from having it."""
        kernel = str(self.obstacle) if self.obstacle else self.kernel(sizes)
        if isinstance(kernel, str):
            return Form("none", f"no JavaScript: {kernel}")
        count = kernel.after.count + (kernel.body.count if kernel.body else 0)
        return Form(self.target, f"{count} operations for a sample, in one loop")


class JavaScriptQuick(NativeQuick):
    """The forms of one function in JavaScript."""

    def _planned(self, wanted: Wanted) -> Plan:
        return JavaScriptPlan(wanted, self.target)


class JavaScriptFunction(CompiledFunction):
    """A formula as a JavaScript module: `source`, `save`; it is not called from Python."""

    @cached_property
    def _quick(self) -> NativeQuick:
        return JavaScriptQuick(self._wanted, "javascript", _uncompiled)

    @property
    def source(self) -> str:
        """The text of the module.

        Raises:
            UnsupportedError: The formulas have no form as a loop, or a layer's size is open.
        """
        recipe = self._recipe
        call = open_call(self._quick, recipe)
        try:
            kernel = self._quick.kernel(call.sizes)
        except UnsupportedError as error:
            raise UnsupportedError(f"no JavaScript of these formulas: {error}") from None
        if kernel.axis is not None and not kernel.sampled:
            raise UnsupportedError(
                f"no JavaScript of these formulas: no array in them says how many {kernel.axis} are"
            )
        loop, flat = looped(self._quick, kernel, call)
        sizes = {}
        for name in kernel.shapes:
            own = recipe.slots[name].variable.sizes
            rest = own[1:] if name in kernel.sampled and name not in recipe.batch else own
            sizes[name] = [int(size) for size in rest]
        return source_text(kernel, recipe.program.name, sizes, loop, flat)

    def save(self, path: str | Path) -> Path:
        """Write the module, for a page or for node.

        Raises:
            UnsupportedError: The formulas have no form as a loop, or a layer's size is open.
        """
        path = Path(path)
        if path.suffix not in (".mjs", ".js"):
            raise OptionError(f"a module is saved as name.mjs or name.js, not as {path.name}")
        return write(path, self.source)

    def __call__(self, arrays: Mapping[str, Any] | None = None, /, **named: Any) -> Any:
        """Refuse: the module runs in a page or in node.

        Raises:
            UnsupportedError: Always.
        """
        raise _refused()

    def raw(self, *arrays: Any) -> tuple[Any, ...]:
        """Refuse; see `__call__`."""
        raise _refused()

    def bind(self, arrays: Mapping[str, Any] | None = None, /, **named: Any) -> BoundFunction:
        """Refuse; see `__call__`."""
        raise _refused()


def _uncompiled(quick: NativeQuick, kernel: Kernel, call: Call) -> Engine:
    raise _refused()


def _refused() -> UnsupportedError:
    return UnsupportedError(
        "JavaScript is not run from Python: f.save('net.mjs') writes a module for a page or for "
        "node; for numbers here, compile with backend='numpy'"
    )


def compiled(recipe: Recipe) -> CompiledFunction:
    """Compile to JavaScript; see `symgrad.backends.targets`.

    Raises:
        OptionError: Another type than double precision is asked for.
    """
    if recipe.dtype not in (None, np.float64):
        raise OptionError(
            f"JavaScript computes in double precision, not in {recipe.dtype}: leave dtype out; "
            "arrays may be Float32Arrays"
        )
    return JavaScriptFunction(recipe)

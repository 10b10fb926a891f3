"""The PyTorch backend: the generated function in the words of `torch`.

It works on tensors of any device and floating-point type: what it makes itself, zeros and indices,
is made where its first argument lies. `.differentiable` carries the closed gradients into autograd.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch

from symgrad.backends.arguments import Call
from symgrad.backends.frameworks import FrameworkFunction
from symgrad.backends.translation import Argument, Called, Translator, dotted
from symgrad.errors import DataError

_SCALAR = "exp log sqrt sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arccosh arctanh"
_SCALAR += " abs sign floor ceil log1p expm1"
_ARRAYS = "reshape broadcast_to swapaxes trace diag tril triu kron einsum logical_not ones_like"
_ARRAYS += " zeros_like linalg.det linalg.inv linalg.matrix_power linalg.pinv linalg.slogdet"
_ARRAYS += " linalg.cholesky linalg.eigvalsh linalg.eigh"
#: Python's functions of numbers.
_MATH = ("exp", "log", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh")
#: What torch calls a reduction, and whether it takes `keepdim`.
_REDUCTIONS = {"sum": "sum", "max": "amax", "min": "amin", "prod": "prod", "argmax": "argmax"}


def _one_line(name: str, body: str, arguments: str = "z") -> str:
    return f"def {name}({arguments}):\n    return {body}\n"


def _atom(text: str) -> str:
    """Put a text in parentheses unless it is a name or a call."""
    try:
        node = ast.parse(text, mode="eval").body
    except SyntaxError:
        return f"({text})"
    plain = isinstance(node, (ast.Name, ast.Call, ast.Attribute, ast.Subscript))
    return text if plain else f"({text})"


class TorchTranslator(Translator):
    """From NumPy's words to those of PyTorch."""

    name = "torch"
    library = "PyTorch"
    cut = ".detach()"
    module = "torch"
    imports = "import math\n\nimport torch"
    alike = frozenset([*_SCALAR.split(), *_ARRAYS.split()])
    values: ClassVar[Mapping[str, str]] = {
        **{name: f"math.{name}" for name in ("pi", "e", "nan", "inf")},
        "max": "torch.amax",
        "min": "torch.amin",
    }
    words = frozenset({"torch", "math", "max", "min", "slice"})
    helpers: ClassVar[Mapping[str, str]] = {
        "convolve": """\
def convolve(a, v):
    # The library's convolution does not turn the second one around.
    padding = v.shape[0] - 1
    return torch.conv1d(a[None, None], v.flip(0)[None, None], padding=padding)[0, 0]
""",
    }
    kernels: ClassVar[Mapping[str, str]] = {
        "sigmoid": _one_line("sigmoid", "torch.sigmoid(z)"),
        "relu": _one_line("relu", "torch.relu(z)"),
        "softmax": _one_line("softmax", "torch.softmax(z, dim=axis)", "z, axis"),
        "log_softmax": _one_line("log_softmax", "torch.log_softmax(z, dim=axis)", "z, axis"),
        "erf": _one_line("erf", "torch.erf(z)"),
        "erfc": _one_line("erfc", "torch.erfc(z)"),
        "xlogy": _one_line("xlogy", "torch.xlogy(x, y)", "x, y"),
        "gamma_function": """\
def gamma_function(x):
    odd = torch.remainder(torch.floor(x), 2.0) == 1.0
    return torch.where((x < 0) & odd, -1.0, 1.0).to(x.dtype) * torch.exp(torch.lgamma(x))
""",
        "log_gamma": _one_line("log_gamma", "torch.lgamma(x)", "x"),
        "digamma": _one_line("digamma", "torch.digamma(x)", "x"),
        "polygamma": """\
def polygamma(n, x):
    # Of the first one torch.polygamma has but nine digits.
    return torch.special.zeta(x.new_full((), 2.0), x) if n == 1 else torch.polygamma(n, x)
""",
        "expm": _one_line("expm", "torch.linalg.matrix_exp(a)", "a"),
        "expm_slope": """\
def expm_slope(a, *directions):
    # With numbers whose squares are zero, the exponential of A + e E is that of a block matrix.
    n = a.shape[0]
    for direction in directions:
        wide = torch.block_diag(*[direction] * (a.shape[0] // n))
        upper, lower = torch.cat([a, wide], dim=1), torch.cat([torch.zeros_like(a), a], dim=1)
        a = torch.cat([upper, lower], dim=0)
    return expm(a)[:n, -n:]
""",
        "logsumexp": """\
def logsumexp(*values):
    return torch.logsumexp(torch.stack(torch.broadcast_tensors(*values)), dim=0)
""",
        "log_sum_exp": _one_line(
            "log_sum_exp", "torch.logsumexp(z, dim=axis, keepdim=True)", "z, axis"
        ),
        "extreme_weights": """\
def extreme_weights(z, axis, extreme):
    # Where several entries are the extreme one, as in a symmetric matrix, they share.
    hits = (z == extreme(z, dim=axis, keepdim=True)).to(z.dtype)
    return hits / torch.sum(hits, dim=axis, keepdim=True)
""",
        "placed": """\
def placed(part, shape, place):
    whole = part.new_zeros(shape)
    whole[place] = part
    return whole
""",
        "diagonal_sums": """\
def diagonal_sums(a):
    # The transpose of toeplitz: the sums along i - j, from 1 - columns to rows - 1.
    rows, columns = a.shape
    i, j = torch.arange(rows, device=a.device)[:, None], torch.arange(columns, device=a.device)
    place = (columns - 1 + i - j).flatten()
    return a.new_zeros(rows + columns - 1).index_add(0, place, a.flatten())[:, None]
""",
    }

    # ------------------------------------------------------------ what is made

    def full(self, shape: str, value: str) -> str:
        """Return source of a tensor that holds one number, like the first argument."""
        like = f"{self.like}.new_full" if self.like else "torch.full"
        return f"{like}({shape}, {value})"

    def array(self, argument: Argument) -> str:
        """Make a number a tensor of the first argument's device and type."""
        return self.full("()", argument.text) if argument.number else argument.text

    def _place(self, dtype: bool) -> str:
        if not self.like:
            return ", dtype=torch.get_default_dtype()" if dtype else ""
        kind = f", dtype={self.like}.dtype" if dtype else ""
        return f"{kind}, device={self.like}.device"

    def on_zeros(self, called: Called) -> str:
        """Fill with zeros."""
        return self.full(called[0], "0.0")

    def on_ones(self, called: Called) -> str:
        """Fill with ones."""
        return self.full(called[0], "1.0")

    def on_full(self, called: Called) -> str:
        """Fill with a number, or repeat a tensor."""
        shape, value = called.args
        if value.number:
            return self.full(shape.text, value.text)
        return f"torch.broadcast_to({value.text}, {shape.text})"

    def on_eye(self, called: Called) -> str:
        """Make the identity."""
        return f"torch.eye({called[0]}{self._place(True)})"

    def on_arange(self, called: Called) -> str:
        """Let places be integers, and all else of the arguments' type."""
        ends = ", ".join(argument.text for argument in called.args)
        return f"torch.arange({ends}{self._place('dtype' in called.keywords)})"

    def on_array(self, called: Called) -> str:
        """Stack entries, which may be tensors."""
        return self._stacked(called.args[0].node)

    def _stacked(self, node: ast.expr) -> str:
        if isinstance(node, ast.List):
            return f"torch.stack([{', '.join(map(self._stacked, node.elts))}])"
        return self.array(self.argument(node))

    # ------------------------------------------------------------ entry by entry

    def function(self, called: Called) -> str:
        """Translate a function: of numbers it is Python's."""
        numbers = all(argument.number for argument in called.args)
        if numbers and called.name in _MATH:
            return f"math.{called.name}({called.inner})"
        if called.name in _REDUCTIONS:
            return self._reduced(f"torch.{_REDUCTIONS[called.name]}", called)
        if called.name in ("reshape", "broadcast_to") or called.name in _SCALAR.split():
            rest = [argument.text for argument in called.args[1:]]
            inner = ", ".join([self.array(called.args[0]), *rest])
            return f"{self._value(called.name)}({inner})"
        return super().function(called)

    def is_number(self, node: ast.AST) -> bool:
        """Tell whether an expression is a Python number."""
        if isinstance(node, ast.Call):
            name = dotted(node.func)
            known = {*_MATH, "where", "maximum", "minimum"}
            return name in known and all(map(self.is_number, node.args))
        return super().is_number(node)

    def on_where(self, called: Called) -> str:
        """Choose between tensors, or between numbers of which one is made a tensor."""
        condition, first, second = called.args
        if condition.number:
            return f"({first.text} if {condition.text} else {second.text})"
        # Of two numbers torch would make tensors of its own default type.
        chosen = self.array(first) if second.number else first.text
        return f"torch.where({condition.text}, {chosen}, {second.text})"

    def _extremum(self, called: Called) -> str:
        largest = called.name == "maximum"
        numbers = [a for a in called.args if a.number]
        tensors = [a for a in called.args if not a.number]
        if not tensors:
            return f"{'max' if largest else 'min'}({called.inner})"
        if numbers:
            bound = "min" if largest else "max"
            return f"torch.clamp({tensors[0].text}, {bound}={numbers[0].text})"
        return f"torch.{called.name}({called.inner})"

    on_maximum = on_minimum = _extremum

    def _of_two(self, called: Called) -> str:
        return f"torch.{called.name}({', '.join(map(self.array, called.args))})"

    on_logaddexp = on_arctan2 = _of_two

    def on_heaviside(self, called: Called) -> str:
        """Cut off the derivative, which torch does not define: it is zero."""
        first, second = map(self.array, called.args)
        return f"torch.heaviside({_atom(first)}.detach(), {_atom(second)})"

    # ------------------------------------------------------------ axes and parts

    def _reduced(self, name: str, called: Called) -> str:
        words = {"axis": "dim", "keepdims": "keepdim"}
        given = [f"{words[key]}={argument.text}" for key, argument in called.keywords.items()]
        return f"{name}({', '.join([self.array(called.args[0]), *given])})"

    def on_cumsum(self, called: Called) -> str:
        """Rename the axis."""
        return self._reduced(f"torch.{called.name}", called)

    on_cumprod = on_cumsum

    def on_flip(self, called: Called) -> str:
        """Name the axes."""
        return f"torch.flip({called[0]}, dims=({called.keywords['axis'].text},))"

    def on_moveaxis(self, called: Called) -> str:
        """Rename the function."""
        return f"torch.movedim({called.inner})"

    def on_concatenate(self, called: Called) -> str:
        """Rename function and axis."""
        return f"torch.cat({called[0]}, dim={called.keywords['axis'].text})"

    def on_outer(self, called: Called) -> str:
        """Flatten: torch takes vectors alone."""
        first, second = (f"{_atom(argument.text)}.flatten()" for argument in called.args)
        return f"torch.outer({first}, {second})"

    def on_convolve(self, called: Called) -> str:
        """Call the helper function."""
        return f"convolve({called.inner})"

    def on_trace(self, called: Called) -> str:
        """Sum a diagonal; of a stack of matrices each."""
        if not called.keywords:
            return f"torch.trace({called.inner})"
        return f"{_atom(called[0])}.diagonal(dim1=-2, dim2=-1).sum(dim=-1)"

    def method(self, node: ast.Call) -> str:
        """Rename the axes of sums, and turn parts around that are placed backwards."""
        if isinstance(node.func, ast.Attribute) and node.func.attr == "sum":
            value = _atom(self.render(node.func.value))
            given = {str(k.arg): self.render(k.value) for k in node.keywords}
            axis, kept = given.get("axis", "0"), ", keepdim=True" if "keepdims" in given else ""
            return f"{value}.sum(dim={axis}{kept})"
        if isinstance(node.func, ast.Name) and node.func.id == "placed":
            part, shape, place = node.args
            assert isinstance(place, ast.Subscript)
            parts, turned = self._forward(place.slice)
            text = self._turned(self.render(part), turned)
            return f"placed({text}, {self.render(shape)}, ({', '.join(map(_as_slice, parts))},))"
        return super().method(node)

    def binary(self, node: ast.BinOp) -> str:
        """Make a comparison a number of the arguments' type: torch would take its default type."""
        compared = isinstance(node.left, ast.Constant) and isinstance(node.right, ast.Compare)
        if not compared or self.is_number(node) or not self.like:
            return super().binary(node)
        return f"({self.render(node.right)}).to({self.like}.dtype)"

    def subscript(self, node: ast.Subscript) -> str:
        """Take entries and slices; those that run backwards forwards, then turned around."""
        parts, turned = self._forward(node.slice)
        if not turned:
            return super().subscript(node)
        return self._turned(f"{_atom(self.render(node.value))}[{', '.join(parts)}]", turned)

    @staticmethod
    def _turned(text: str, axes: tuple[int, ...]) -> str:
        return f"torch.flip({text}, dims={axes})" if axes else text

    def _forward(self, node: ast.expr) -> tuple[list[str], tuple[int, ...]]:
        """Return places that run forwards, and the axes that ran backwards: torch's may not."""
        places = list(node.elts) if isinstance(node, ast.Tuple) else [node]
        parts, turned = [], []
        for axis, place in enumerate(places):
            step = _step(place)
            if isinstance(place, ast.Slice) and step < 0:
                assert place.lower is not None
                last = f"{self.render(place.upper)} + 1" if place.upper is not None else "0"
                forward = f"{last}:{self.render(place.lower)} + 1"
                parts.append(forward if step == -1 else f"{forward}:{-step}")
                turned.append(axis)
            else:
                parts.append(self.render(place))
        return parts, tuple(turned)


def _step(place: ast.expr) -> int:
    """Return the step of a slice, which the emitter prints as a number."""
    step = place.step if isinstance(place, ast.Slice) else None
    return 1 if step is None else int(ast.literal_eval(step))


def _as_slice(text: str) -> str:
    """Write what stands between brackets as a value: a slice, or the number that it is."""
    ends = [end.strip() or "None" for end in text.split(":")]
    if len(ends) == 1:
        return text
    return "slice(None)" if set(ends) == {"None"} else f"slice({', '.join(ends)})"


class TorchFunction(FrameworkFunction):
    """A generated function of PyTorch's tensors.

    Args:
        plan: What `compile` made of its arguments.
    """

    translator = TorchTranslator

    def _results(self, call: Call) -> Any:
        try:
            return super()._results(call)
        except torch.linalg.LinAlgError as error:
            raise DataError(
                "a matrix is singular at these values, and the formula needs its inverse "
                "(so does the derivative of a determinant)"
            ) from error

    def _arrays(self, given: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
        device = _common_device(given)
        arrays = {name: _numbers(name, value, device) for name, value in given.items()}
        # Python's numbers and integers take the type of the floating-point tensors.
        strong = [
            a.dtype
            for name, a in arrays.items()
            if a.is_floating_point()
            and isinstance(given[name], (torch.Tensor, np.ndarray, np.generic))
        ]
        kind = strong[0] if strong else torch.get_default_dtype()
        for other in strong[1:]:
            kind = torch.promote_types(kind, other)
        if self._recipe.dtype is not None:
            kind = getattr(torch, self._recipe.dtype.name)
        return {name: array.to(kind) for name, array in arrays.items()}, kind

    @staticmethod
    def _values(array: Any) -> Any:
        if torch.compiler.is_compiling():
            return None
        try:
            return array.detach().cpu().numpy()
        except RuntimeError:
            return None  # inside of torch.func a tensor stands for many, and has no values

    @staticmethod
    def _array(value: Any, call: Call) -> Any:
        if isinstance(value, torch.Tensor):
            return value.to(call.dtype)
        device = call.arguments[0].device if call.arguments else None
        return torch.full((), value, dtype=call.dtype, device=device)

    @staticmethod
    def _broadcast(value: Any, shape: tuple[int, ...]) -> Any:
        return torch.broadcast_to(value, shape)

    def _unshared(self, values: list[Any], call: Call) -> list[Any]:
        if torch.compiler.is_compiling():
            return [value.clone() for value in values]  # fused with what made it
        kept: list[Any] = []
        for value in values:
            same = any(value is other for other in (*kept, *call.arguments))
            kept.append(value.clone() if same or value._is_view() else value)
        return kept

    def _each(self, call: Call) -> list[Any]:
        axes = tuple(0 if name in self._recipe.batch else None for name in self._recipe.slots)

        def one(*arguments: Any) -> tuple[Any, ...]:
            results = self._listed(self._function(*arguments))
            return tuple(self._array(value, call) for value in results)

        return list(torch.vmap(one, in_dims=axes)(*call.arguments))

    def _closed(self, *tensors: Any) -> Any:
        moved = zip(self._recipe.slots, tensors, strict=True)
        self._check_moved(name for name, tensor in moved if tensor.requires_grad)
        return _Value.apply(self, *tensors)[0]


class _Value(torch.autograd.Function):
    """The value with its closed gradients.

    They are computed together. Where a second derivative may follow, they are computed once more
    in the backward pass, from the inputs, so that they have a derivative themselves. There is no
    `jvp`: torch.compile refuses functions that have one, and torch gives zero for two nested ones.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(function: Any, *tensors: Any) -> Any:
        value, gradients = function._both(function._recipe.slots, tensors)
        return (value, *gradients.values())

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.function, *tensors = inputs
        ctx.mark_non_differentiable(*output[1:])
        ctx.set_materialize_grads(False)  # no zeros for what has no derivative
        ctx.save_for_backward(*tensors, *output[1:])

    @staticmethod
    def backward(ctx: Any, upstream: Any, *_: Any) -> Any:
        function = ctx.function
        names = tuple(function._recipe.slots)
        tensors = ctx.saved_tensors[: len(names)]
        gradients = dict(zip(function._recipe.keys, ctx.saved_tensors[len(names) :], strict=True))
        if torch.is_grad_enabled():
            _, gradients = function._both(names, tensors)
        wanted = [
            upstream * gradients[name] if needed and upstream is not None else None
            for name, needed in zip(names, ctx.needs_input_grad[1:], strict=True)
        ]
        return (None, *wanted)


def _common_device(given: Mapping[str, Any]) -> Any:
    """Return the device of the tensors.

    Raises:
        DataError: They lie on several.
    """
    found = {name: v.device for name, v in given.items() if isinstance(v, torch.Tensor)}
    if len(set(found.values())) > 1:
        said = ", ".join(f"`{name}` is on {device}" for name, device in found.items())
        raise DataError(f"tensors must lie on one device, but {said}; move them with .to(device)")
    return next(iter(found.values()), None)


def _numbers(name: str, value: Any, device: Any) -> Any:
    """Return a value as a tensor of real numbers.

    Raises:
        DataError: It is not made of real numbers.
    """
    if not isinstance(value, torch.Tensor):
        try:
            # Through NumPy, where Python's numbers keep all their digits.
            value = torch.tensor(np.asarray(value), device=device)
        except (TypeError, ValueError, RuntimeError):
            raise DataError(f"`{name}` is not a regular array of numbers") from None
    if value.is_complex():
        raise DataError(f"`{name}` holds {value.dtype}, not real numbers")
    return value


def compiled(plan: Any) -> TorchFunction:
    """Return the PyTorch function of a plan."""
    return TorchFunction(plan)

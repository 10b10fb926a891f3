"""Wrong versions of a gradient function: its source with one small change each.

The changes are of the kind that people make: a sign, a factor left out, a missing transpose, the
wrong axis, one array for another, a mask forgotten, an index off by one. The 95 cases of
`backward_passes` have 5,522 wrong versions that run and return what looks like a gradient.
"""

import ast
import copy
import inspect
import linecache
import textwrap
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from backward_passes import Case, arrays_of

Change = tuple[str, ast.AST]
SWAPPED_OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.MatMult: ast.Mult,
}
SWAPPED_COMPARISONS = {
    ast.Gt: ast.Lt,
    ast.Lt: ast.Gt,
    ast.GtE: ast.LtE,
    ast.LtE: ast.GtE,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}
SWAPPED_FUNCTIONS = {
    "sum": "mean",
    "mean": "sum",
    "exp": "tanh",
    "tanh": "sin",
    "log": "exp",
    "sqrt": "square",
    "square": "abs",
    "abs": "square",
    "sign": "abs",
    "cos": "sin",
    "sin": "cos",
    "max": "min",
    "maximum": "minimum",
    "argmax": "argmin",
    "tril": "triu",
    "zeros_like": "ones_like",
    "zeros": "ones",
    "inv": "transpose",
    "sigmoid": "sigmoid_prime",
    "power": "multiply",
}
SWAPPED_NUMBERS = {2: (1, 3), 1: (2, 0), 0: (1,), 0.5: (1.0, 2.0)}


def mutants(
    function: Callable[..., Any], helpers: tuple[Any, ...] = ()
) -> Iterator[tuple[str, Callable[..., Any]]]:
    """What was changed, and the function with that change, for every change that there is.

    The change is in the function or in one of the `helpers` that it calls, functions or classes of
    the same module. Each mutant has a copy of the module's names and its own source, which
    `inspect.getsource` finds.
    """
    sources = {one.__name__: source_of(one) for one in (function, *helpers)}
    for name, source in sources.items():
        for number, (text, changed) in enumerate(changed_sources(source)):
            namespace = dict(function.__globals__)
            for other, own in sources.items():
                code = changed if other == name else own
                run(code, namespace, f"<mutant {function.__name__} {name} {number} {other}>")
            where = "" if name == function.__name__ else f"in {name}, "
            yield where + text, namespace[function.__name__]


def source_of(one: Any) -> str:
    return ast.unparse(ast.parse(textwrap.dedent(inspect.getsource(one))))


def run(code: str, namespace: dict[str, Any], filename: str) -> None:
    linecache.cache[filename] = (len(code), None, code.splitlines(keepends=True), filename)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such as an `is` with a number
        exec(compile(code, filename, "exec"), namespace)


def changed_sources(source: str) -> Iterator[Change]:
    """What is changed, and the source with that change; no source comes twice."""
    tree = ast.parse(source)
    names = local_names(tree)
    keys = subscript_keys(tree)
    seen = {source}
    for parent, field, index, node in list(places(tree)):
        for text, new in changes(node, parent, field, names, keys):
            where = f"line {getattr(node, 'lineno', 0)}, {getattr(node, 'col_offset', 0)}"
            put(parent, field, index, new)
            changed = ast.unparse(ast.fix_missing_locations(tree))
            put(parent, field, index, node)
            if changed not in seen:
                seen.add(changed)
                before, after = (ast.unparse(one).split("\n")[0] for one in (node, new))
                yield f"{where}: {text}: {before} -> {after}", changed


def places(tree: ast.AST) -> Iterator[tuple[ast.AST, str, int | None, ast.AST]]:
    """Every node below, by its parent, the parent's field and, in a list, the index."""
    for field, value in ast.iter_fields(tree):
        if isinstance(value, ast.AST):
            yield tree, field, None, value
            yield from places(value)
        elif isinstance(value, list):
            for index, node in enumerate(value):
                if isinstance(node, ast.AST):
                    yield tree, field, index, node
                    yield from places(node)


def put(parent: ast.AST, field: str, index: int | None, node: ast.AST) -> None:
    if index is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[index] = node


def local_names(tree: ast.AST) -> list[str]:
    """The arguments and variables, in the order in which they come."""
    found = [node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)]
    stored = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    ]
    stored.sort(key=lambda node: (node.lineno, node.col_offset))
    return [name for name in dict.fromkeys(found + [node.id for node in stored]) if name != "self"]


def subscript_keys(tree: ast.AST) -> list[str]:
    """The strings in brackets, as in params["W1"]."""
    found = [
        node.slice.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript)
        and isinstance(node.slice, ast.Constant)
        and isinstance(node.slice.value, str)
    ]
    return sorted(set(found))


def changes(
    node: ast.AST, parent: ast.AST, field: str, names: list[str], keys: list[str]
) -> Iterator[Change]:
    """What may be put in the place of a node."""
    if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
        return
    if isinstance(node, ast.stmt):
        yield from statement_changes(node)
    elif isinstance(node, ast.expr):
        yield from sign_changes(node, parent, field)
        for kind, of_kind in EXPRESSION_CHANGES.items():
            if isinstance(node, kind):
                yield from of_kind(node, parent, field)
        if isinstance(node, ast.Name) and node.id in names:
            yield from name_changes(node, parent, field, names)
        if isinstance(node, ast.Constant) and field == "slice" and node.value in keys:
            other = keys[(keys.index(node.value) + 1) % len(keys)]
            yield "another key", ast.Constant(other)
    elif isinstance(node, ast.keyword) and node.arg == "keepdims":
        yield "keepdims dropped", ast.keyword("keepdims", ast.Constant(False))


def statement_changes(node: ast.stmt) -> Iterator[Change]:
    if isinstance(node, ast.Assign | ast.AugAssign | ast.Expr | ast.If):
        yield "statement deleted", ast.Pass()
    if isinstance(node, ast.AugAssign):
        target = copy.deepcopy(node.target)
        yield "assigned, not added up", ast.Assign([target], node.value, lineno=node.lineno)
        if type(node.op) in SWAPPED_OPERATORS:
            op = SWAPPED_OPERATORS[type(node.op)]()
            yield "the other operator", ast.AugAssign(target, op, node.value)
    if isinstance(node, ast.Return):
        value = node.value
        if isinstance(value, ast.Tuple):
            for k in range(len(value.elts) - 1):
                swapped = [*value.elts[:k], value.elts[k + 1], value.elts[k], *value.elts[k + 2 :]]
                yield "two results swapped", ast.Return(ast.Tuple(swapped, ast.Load()))
        if isinstance(value, ast.Dict):
            for k in range(len(value.values) - 1):
                old = value.values
                swapped = [*old[:k], old[k + 1], old[k], *old[k + 2 :]]
                yield "two results swapped", ast.Return(ast.Dict(value.keys, swapped))
    if isinstance(node, ast.For) and isinstance(node.iter, ast.Call):
        name = node.iter.func.id if isinstance(node.iter.func, ast.Name) else ""
        header: list[tuple[str, ast.expr]] = []
        if name == "reversed":
            header.append(("not reversed", node.iter.args[0]))
        if name == "range" and len(node.iter.args) == 1:
            (end,) = node.iter.args
            one = ast.Constant(1)
            header.append(("first round left out", called("range", one, end)))
            header.append(("last round left out", called("range", ast.BinOp(end, ast.Sub(), one))))
        for text, iterated in header:
            yield text, ast.For(node.target, iterated, node.body, node.orelse)


def called(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


def sign_changes(node: ast.expr, parent: ast.AST, field: str) -> Iterator[Change]:
    """A sign is flipped where a value is assigned or returned."""
    whole = isinstance(parent, ast.Assign | ast.AugAssign | ast.Return) and field == "value"
    part = isinstance(parent, ast.Tuple | ast.Dict | ast.List) and field in ("elts", "values")
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        if not isinstance(node.operand, ast.Constant) or whole:
            yield "sign dropped", node.operand
    elif (whole or part) and isinstance(node, ast.BinOp | ast.Call | ast.Name | ast.Attribute):
        yield "sign flipped", ast.UnaryOp(ast.USub(), node)


def operation_changes(node: ast.BinOp, parent: ast.AST, field: str) -> Iterator[Change]:
    left, op, right = node.left, node.op, node.right
    if type(op) in SWAPPED_OPERATORS:
        yield "the other operator", ast.BinOp(left, SWAPPED_OPERATORS[type(op)](), right)
    match op:
        case ast.Mult() | ast.MatMult():
            yield "factor dropped", left
            yield "factor dropped", right
        case ast.Add():
            yield "term dropped", left
            yield "term dropped", right
        case ast.Sub():
            yield "term dropped", left
            yield "term dropped", ast.UnaryOp(ast.USub(), right)
            yield "difference turned round", ast.BinOp(right, op, left)
        case ast.Div():
            yield "division dropped", left
            yield "division turned round", ast.BinOp(right, op, left)
        case ast.Pow():
            yield "power dropped", left
    if isinstance(op, ast.MatMult):
        yield "product turned round", ast.BinOp(right, op, left)
        text, other = transposed(left)
        yield text, ast.BinOp(other, op, right)
        text, other = transposed(right)
        yield text, ast.BinOp(left, op, other)


def transposed(node: ast.expr) -> tuple[str, ast.expr]:
    if isinstance(node, ast.Attribute) and node.attr == "T":
        return ".T dropped", node.value
    return "extra .T", ast.Attribute(node, "T", ast.Load())


def attribute_changes(node: ast.Attribute, parent: ast.AST, field: str) -> Iterator[Change]:
    if node.attr == "T":
        yield ".T dropped", node.value
    elif field == "func" and node.attr in SWAPPED_FUNCTIONS:
        other = SWAPPED_FUNCTIONS[node.attr]
        yield "another function", ast.Attribute(node.value, other, ast.Load())


def call_changes(node: ast.Call, parent: ast.AST, field: str) -> Iterator[Change]:
    function, arguments = node.func, node.args
    if isinstance(function, ast.Name) and function.id in SWAPPED_FUNCTIONS:
        other = ast.Name(SWAPPED_FUNCTIONS[function.id], ast.Load())
        yield "another function", ast.Call(other, arguments, node.keywords)
    module = isinstance(function, ast.Attribute) and (
        ast.unparse(function.value) in ("np", "np.linalg", "math", "np.add")
    )
    if module or isinstance(function, ast.Name):
        if len(arguments) == 1:
            yield "function dropped", arguments[0]
    elif isinstance(function, ast.Attribute):
        yield "call dropped", function.value
        if len(arguments) == 1 and function.attr == "dot":
            yield "the other factor alone", arguments[0]
    if len(arguments) == 2 and not node.keywords:
        turned = ast.Call(function, arguments[::-1], [])
        yield "arguments swapped", turned
    if module and len(arguments) == 3 and function.attr == "where":
        test, yes, no = arguments
        yield "branches swapped", ast.Call(function, [test, no, yes], [])
        yield "branch alone", yes
        yield "branch alone", no
    for k, keyword in enumerate(node.keywords):
        if keyword.arg == "axis":
            kept = [*node.keywords[:k], *node.keywords[k + 1 :]]
            yield "axis dropped", ast.Call(function, arguments, kept)


def number_changes(node: ast.Constant, parent: ast.AST, field: str) -> Iterator[Change]:
    value = node.value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    if isinstance(parent, ast.Slice | ast.Subscript):
        others: tuple[float, ...] = (value + 1, value - 1)
    elif value in SWAPPED_NUMBERS:
        others = SWAPPED_NUMBERS[value]
        others = tuple(type(value)(other) if other else other for other in others)
    else:
        others = (value * 2, value * value)
    for other in others:
        yield "another number", ast.Constant(other)


def comparison_changes(node: ast.Compare, parent: ast.AST, field: str) -> Iterator[Change]:
    if type(node.ops[0]) in SWAPPED_COMPARISONS:
        op = SWAPPED_COMPARISONS[type(node.ops[0])]()
        yield "the other comparison", ast.Compare(node.left, [op], node.comparators)


def subscript_changes(node: ast.Subscript, parent: ast.AST, field: str) -> Iterator[Change]:
    index = node.slice
    if isinstance(index, ast.Name | ast.BinOp):
        for op in (ast.Add(), ast.Sub()):
            moved = ast.BinOp(index, op, ast.Constant(1))
            yield "index off by one", ast.Subscript(node.value, moved, ast.Load())


def slice_changes(node: ast.Slice, parent: ast.AST, field: str) -> Iterator[Change]:
    for bound in ("lower", "upper"):
        at = getattr(node, bound)
        if at is None:
            continue
        kept = {"lower": node.lower, "upper": node.upper, "step": node.step}
        yield "bound dropped", ast.Slice(**{**kept, bound: None})
        if not isinstance(at, ast.Constant):
            for op in (ast.Add(), ast.Sub()):
                moved = ast.BinOp(at, op, ast.Constant(1))
                yield "bound shifted", ast.Slice(**{**kept, bound: moved})


def name_changes(node: ast.Name, parent: ast.AST, field: str, names: list[str]) -> Iterator[Change]:
    """Other variables: those of the most similar names, and the one that comes after it."""
    if isinstance(parent, ast.Attribute) and parent.attr in ("shape", "size"):
        return
    place = names.index(node.id)
    alike = [name for name in names if name != node.id and similar(name, node.id)]
    after = [names[(place + 1) % len(names)], names[place - 1]]
    for other in list(dict.fromkeys(alike[:2] + after))[:3]:
        if other != node.id:
            yield "another variable", ast.Name(other, ast.Load())


def similar(one: str, other: str) -> bool:
    """W1 and W2, h and dh, x and X."""
    if one.lower() == other.lower() or one == "d" + other or other == "d" + one:
        return True
    return len(one) == len(other) and (
        sum(a != b for a, b in zip(one, other, strict=True)) == 1 and len(one) > 1
    )


EXPRESSION_CHANGES: dict[type[ast.expr], Callable[..., Iterator[Change]]] = {
    ast.BinOp: operation_changes,
    ast.Attribute: attribute_changes,
    ast.Call: call_changes,
    ast.Constant: number_changes,
    ast.Compare: comparison_changes,
    ast.Subscript: subscript_changes,
    ast.Slice: slice_changes,
}


def wrong_mutants(
    case: Case, seeds: tuple[int, ...] = (0, 1, 2)
) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The mutants that run and return what looks like a gradient, but is not the right one.

    They return finite arrays of the right names and shapes at random points, and at one of them
    at least an entry is off by more than 1e-6 of the largest one of its gradient.
    """
    points = []
    for seed in seeds:
        inputs = case.inputs(np.random.default_rng(seed))
        points.append((inputs, case.by_name(case.grad(*copy.deepcopy(inputs)))))
    for text, mutant in mutants(case.grad, case.helpers):
        errors = [error(case, mutant, *point) for point in points]
        if all(np.isfinite(errors)) and max(errors) > 1e-6:
            yield text, mutant


def error(
    case: Case, grad: Callable[..., Any], inputs: tuple[Any, ...], right: dict[str, Any]
) -> float:
    """By how much a gradient is off at most, relative to the right one; infinite if not one."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            found = grad(*copy.deepcopy(inputs))
            if isinstance(found, dict) != isinstance(case.grad(*copy.deepcopy(inputs)), dict):
                return np.inf
            found = case.by_name(found)
            return max(relative_error(found[name], right[name]) for name in case.wrt)
    except Exception:  # a mutant may fail in any way
        return np.inf


def relative_error(found: Any, right: Any) -> float:
    pairs = list(zip(arrays_of(found), arrays_of(right), strict=True))
    if any(one.shape != other.shape for one, other in pairs):
        return np.inf
    scale = max(np.abs(other).max() for _, other in pairs)
    off = max(np.abs(one - other).max() for one, other in pairs)
    if not np.isfinite(off):
        return np.inf
    return off / scale if scale else float(off > 0)

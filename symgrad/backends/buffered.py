"""Tapes printed as NumPy calls into buffers, for concrete sizes.

One text serves arrays as they come (rows) and arrays with the samples last (columns): the tape
says which. With the samples last they can be run over in chunks that stay in the cache, every
sum over samples has its place in one flat vector, and a layer's weights and bias are one array
beside a row of ones in the activations, so that adding a bias costs no call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from symgrad.backends.affine import Affine, affines, gathered
from symgrad.backends.flat import laid_out, slots_of
from symgrad.backends.memory import (
    AFTER,
    BEFORE,
    BODY,
    GIVEN,
    TOTAL,
    VIEWS,
    assigned,
    shown,
    spread,
    stages,
)
from symgrad.tape import BROADCAST, INPUT, LOGICAL, MATMUL, NUMBER, SLICE, TRANSPOSE, Op, Tape
from symgrad.tape.evaluation import UFUNCS, extent, number_at

#: np.dot clears its result first: above this many entries np.matmul is faster.
DOT_ENTRIES = 8192
#: Ufuncs that take the result by keyword alone.
BY_KEYWORD = frozenset(("maximum", "minimum"))
#: Helper functions that return a new array.
ALLOCATING = frozenset(("erf", "erfc"))


@dataclass(frozen=True)
class Text:
    """Generated statements, and the names that they use.

    Attributes:
        before: Statements that run once, before the samples.
        body: Statements that run for every chunk.
        after: Statements that run once, after the samples.
        names: What every name stands for: a key for whoever binds it.
        running: Those names that differ from chunk to chunk.
    """

    before: tuple[str, ...]
    body: tuple[str, ...]
    after: tuple[str, ...]
    names: Mapping[str, tuple[Any, ...]]
    running: tuple[str, ...]


class Printer:
    """Prints a tape as NumPy calls.

    Attributes:
        stage: When each operation runs.
        chunked: Whether the samples can be run over in chunks.
        entries: Where the parameters and their gradients lie.
        slots: Where the sums lie.
        aug: Places that have a row of ones below them.
        buffers: The buffer of every place that has one.
        hints: Places whose value is written where that of another is going to be.
    """

    def __init__(
        self, tape: Tape, sizes: Mapping[Any, int], trained: Sequence[str], chunk: int = 0
    ) -> None:
        self.tape, self.sizes = tape, sizes
        self.longest = {**sizes, tape.axis: chunk} if chunk else sizes
        found = stages(tape) if tape.axis is not None else None
        self.chunked = found is not None
        self.stage = found or [GIVEN if op.kind == INPUT else BODY for op in tape.ops]
        self.affines = affines(tape, frozenset(trained)) if self.chunked else []
        blocks = tuple(dict.fromkeys(affine.block for affine in self.affines))
        self.entries = laid_out(tape, trained, blocks, sizes)
        self.slots = slots_of(tape, self.entries, self.stage, sizes)
        self.aug = {affine.activation for affine in self.affines}
        self.products = {affine.product for affine in self.affines}
        self.by_total = {affine.total: affine for affine in self.affines}
        self.gathered = gathered(tape, self.affines)
        self.gathered_totals = {total for total, _ in self.gathered.values()}
        self.negated = self._negated() if self.chunked else set()
        self.hints = self._hints()
        fixed = {*self.slots.places, *self.aug, *self.negated, *self.products}
        self.buffers, self.all_buffers = assigned(
            tape, self.stage, dict.fromkeys(fixed), self.hints
        )
        self.names: dict[str, tuple[Any, ...]] = {}
        self.now = BEFORE

    def _negated(self) -> set[int]:
        """Return the parameters with a sign before them that one call for all of them computes."""
        found = {p for a in self.affines if a.negative for p in self._signed(a)}
        ops = self.tape.ops
        alone = {
            place
            for place, op in enumerate(ops)
            if op.kind == "negative"
            and ops[op.args[0]].kind == INPUT
            and ops[op.args[0]].data[0] in self.entries
        }
        return found | alone if found or len(alone) > 1 else set()

    def _signed(self, affine: Affine) -> tuple[int, int]:
        weight = self.tape.ops[affine.product].args[0]
        bias = next(arg for arg in self.tape.ops[affine.total].args if arg != affine.product)
        return weight, bias

    def _hints(self) -> dict[int, int]:
        """Let the pre-activation be written where its activation, with its row of ones, goes."""
        reads: dict[int, list[int]] = {}
        for place, op in enumerate(self.tape.ops):
            for arg in op.args:
                reads.setdefault(arg, []).append(place)
        outputs = {value.node for value in self.tape.outputs.values()}
        hints: dict[int, int] = {}
        for place in self.aug:
            chain = place
            while self.stage[chain] == BODY:
                op = self.tape.ops[chain]
                args = [a for a in op.args if self.tape.ops[a].shape == op.shape]
                if op.kind in (MATMUL, "where", *ALLOCATING) or len(args) != 1:
                    break
                if reads[args[0]] != [chain] or args[0] in outputs or args[0] in self.aug:
                    break
                chain = args[0]
                if self.stage[chain] != BODY or self.tape.ops[chain].kind in VIEWS:
                    break
                hints[chain] = place
        return hints

    # --------------------------------------------------------------- operands

    def operand(self, place: int, view: str = "") -> str:
        """Return the name of an array or of a view: T, r (its entries in a row), a (with ones)."""
        op = self.tape.ops[place]
        if op.kind == TRANSPOSE and view in ("", "T"):
            return self.operand(op.args[0], "" if view else "T")
        late = self.now == AFTER and self.stage[shown(self.tape, place)] == TOTAL
        return self.named(f"{'s' if late else 'v'}{place}{view}", "place", place, view, late)

    def named(self, name: str, *key: Any) -> str:
        """Remember what a name stands for."""
        self.names[name] = key
        return name

    def function(self, name: str) -> str:
        """Return the name of a function of NumPy's."""
        return self.named(name.replace(".", "_"), "function", name)

    def extent(self, size: Any) -> int:
        """Return a size as a number; the samples' axis has its longest chunk."""
        return extent(size, self.longest)

    # ------------------------------------------------------------- statements

    def printed(self) -> Text:
        """Print every operation."""
        lines: dict[str, list[str]] = {BEFORE: [], BODY: [], AFTER: []}
        if self.negated:
            pair = self.named("P", "parameters"), self.named("Pn", "negated")
            lines[BEFORE].append(f"{self.function('negative')}({', '.join(pair)})")
        for place, op in enumerate(self.tape.ops):
            if op.kind in (INPUT, NUMBER, TRANSPOSE, SLICE):
                continue
            stage = self.stage[place]
            self.now = BODY if stage == TOTAL else stage
            lines[self.now].extend(self._statements(place, op))
        self.now = AFTER if self.chunked else BODY
        lines[AFTER].extend(self._results())
        running = tuple(name for name, key in self.names.items() if self._runs(key))
        before, body, after = (tuple(lines[stage]) for stage in (BEFORE, BODY, AFTER))
        return Text(before, body, after, self.names, running)

    def _runs(self, key: tuple[Any, ...]) -> bool:
        """Tell whether a name stands for something else in every chunk."""
        if key[0] != "place" or not self.chunked:
            return bool(key[0] == "gradient")
        place, late = key[1], key[3]
        place = shown(self.tape, place)
        if self.stage[place] == TOTAL:
            return not late
        return self.stage[place] == GIVEN and spread(self.tape.ops[place], self.tape.axis)

    def _statements(self, place: int, op: Op) -> list[str]:
        if place in self.products or place in self.negated:
            return []
        if place in self.by_total:
            affine = self.by_total[place]
            view = "nT" if affine.negative else "T"
            left = self.named(f"P{affine.product}{view}", "block", affine.block, view)
            right = self.operand(affine.activation, "a")
            return [f"{self._product(op)}({left}, {right}, {self.operand(place)})"]
        if place in self.gathered:
            _, affine = self.gathered[place]
            left, right = self.operand(op.args[0], "a"), self.operand(op.args[1], "T")
            out = self.named(f"G{affine.product}", "gradient", affine.block)
            return [f"{self._product(op)}({left}, {right}, {out})"]
        if place in self.gathered_totals:
            return []
        printer = getattr(self, f"_{op.kind}", None)
        if printer is not None:
            return printer(place, op)  # type: ignore[no-any-return]
        return [self._ufunc(place, op)]

    def _results(self) -> list[str]:
        """Print what finishes the gradients: their factors, in one call where that is possible."""
        factors: dict[str, float] = {}
        lines = []
        for name, entry in self.entries.items():
            value = self.tape.outputs.get(name)
            if value is None:
                continue
            factor = number_at(value.factor, self.sizes)
            if self.slots.places.get(value.node, (-1, ()))[0] == entry.start:
                factors[name] = factor
                continue
            source = self.operand(value.node, "" if value.turned == entry.turned else "T")
            lines.append(self._copied(source, factor, self.named(f"g{entry.start}", "entry", name)))
        for name, value in self.tape.outputs.items():
            if name not in self.entries and value.shape != (1, 1):
                out = self.named(f"r{value.node}", "result", name)
                factor = number_at(value.factor, self.sizes)
                lines.append(self._copied(self.operand(value.node), factor, out))
        if any(factor != 1 for factor in factors.values()):
            scale = self.named("factors", "factors", tuple(factors.items()))
            whole = self.named("gradient", "flat")
            lines.insert(0, f"{self.function('multiply')}({whole}, {scale}, {whole})")
        return lines

    def _copied(self, source: str, factor: float, out: str) -> str:
        if factor == 1:
            return f"{self.function('copyto')}({out}, {source})"
        number = self.named(f"c{out}", "number", factor)
        return f"{self.function('multiply')}({source}, {number}, {out})"

    def _ufunc(self, place: int, op: Op) -> str:
        args = [self.operand(arg) for arg in op.args]
        out = self.operand(place)
        name = self.function(UFUNCS.get(op.kind, op.kind))
        if op.kind in ALLOCATING:
            return f"{self.function('copyto')}({out}, {name}({args[0]}))"
        result = f"out={out}" if op.kind in BY_KEYWORD else out
        return f"{name}({', '.join(args)}, {result})"

    def _product(self, op: Op) -> str:
        entries = self.extent(op.shape[0]) * self.extent(op.shape[1])
        return self.function("dot" if entries <= DOT_ENTRIES else "matmul")

    def _matmul(self, place: int, op: Op) -> list[str]:
        flags = ["T" if turned else "" for turned in op.data]
        left, right = (self.operand(a, f) for a, f in zip(op.args, flags, strict=True))
        inner = self.tape.ops[op.args[0]].shape[0 if op.data[0] else 1]
        # BLAS has more to set up than to add up there, but less than NumPy has for short rows.
        large = self.extent(op.shape[0]) * self.extent(op.shape[1]) > DOT_ENTRIES
        name = self.function("multiply") if inner == 1 and large else self._product(op)
        return [f"{name}({left}, {right}, {self.operand(place)})"]

    def _inner(self, place: int, op: Op) -> list[str]:
        if not all(map(self._in_one_row, op.args)):
            left, right = map(self.operand, op.args)
            call = f'{self.function("einsum")}("ij,ij->", {left}, {right}'
            return [f"{call}, out={self.operand(place, 's')})"]
        left, right = (self.operand(arg, "r") for arg in op.args)
        return [f"{self.function('dot')}({left}, {right}, {self.operand(place, 's')})"]

    def _in_one_row(self, place: int) -> bool:
        """Tell whether the entries of an array lie one after the other, so that a view shows it."""
        op = self.tape.ops[place]
        if op.kind in VIEWS or (op.kind == BROADCAST and place not in self.buffers):
            return False
        if op.kind != INPUT:
            return True
        entry = self.entries.get(op.data[0])
        if entry is not None:
            return not entry.turned or 1 in entry.held
        return self.longest is self.sizes or not spread(op, self.tape.axis) or op.shape[0] == 1

    def _sum(self, place: int, op: Op) -> list[str]:
        """Print a sum as a product with ones: BLAS is faster than np.add.reduce."""
        (arg,) = op.args
        held = self.tape.ops[arg].shape
        if self.tape.ops[arg].kind in LOGICAL:
            total = f"{self.operand(arg)}.sum({op.data}, keepdims=True)"
            return [f"{self.function('copyto')}({self.operand(place)}, {total})"]
        dot, out = self.function("dot"), self.operand(place)
        if op.data is None and not self._in_one_row(arg):
            call = f'{self.function("einsum")}("ij->", {self.operand(arg)}'
            return [f"{call}, out={self.operand(place, 's')})"]
        if op.data is None:
            ones = self.named(f"ones{arg}", "ones", held, True)
            return [f"{dot}({self.operand(arg, 'r')}, {ones}, {self.operand(place, 's')})"]
        if op.data == 0:
            return [f"{dot}({self._ones((1, held[0]))}, {self.operand(arg)}, {out})"]
        return [f"{dot}({self.operand(arg)}, {self._ones((held[1], 1))}, {out})"]

    def _ones(self, shape: tuple[Any, Any]) -> str:
        return self.named(f"ones_{shape[0]}_{shape[1]}", "ones", shape, False)

    def _largest(self, place: int, op: Op) -> list[str]:
        arg, out = self.operand(op.args[0]), self.operand(place)
        return [f"{self.function('maximum.reduce')}({arg}, {op.data}, None, {out}, True)"]

    def _broadcast(self, place: int, op: Op) -> list[str]:
        return [f"{self.function('copyto')}({self.operand(place)}, {self.operand(op.args[0])})"]

    def _where(self, place: int, op: Op) -> list[str]:
        test, value, other = map(self.operand, op.args)
        out, copy = self.operand(place), self.function("copyto")
        held = self.buffers
        there = place in held and held[place] is held.get(op.args[2])
        lines = [] if there else [f"{copy}({out}, {other})"]
        return [*lines, f'{copy}({out}, {value}, "same_kind", {test})']

    def _reciprocal(self, place: int, op: Op) -> list[str]:
        """Print 1 / x as a quotient: np.reciprocal has no vector code."""
        one, divide = self.named("one", "number", 1.0), self.function("divide")
        return [f"{divide}({one}, {self.operand(op.args[0])}, {self.operand(place)})"]

    def _step(self, place: int, op: Op) -> list[str]:
        zero, greater = self.named("zero", "number", 0.0), self.function("greater")
        arg, out = self.operand(op.args[0]), self.operand(place)
        return [f'{greater}({arg}, {zero}, out={out}, casting="unsafe")']

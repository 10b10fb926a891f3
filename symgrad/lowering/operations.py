"""How operations are written into a circuit: by what they are in scalars."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from symgrad.lowering import Table, Writer, lowered, table, writes
from symgrad.lowering.matrices import determinant, inverse, product
from symgrad.operations import Operation, ScalarOperation
from symgrad.operations.linear import LogDeterminant, PseudoInverse


@writes(Operation, ScalarOperation)
def _operation(write: Writer, node: Any) -> Any:
    inner: dict[Any, int] = {}
    explicit = [_stand_ins(write(matrix), inner) for matrix in node.matrices]
    options = [_sized(write, option) for option in node.options]
    value = node.func(*explicit, *options).written_out(*explicit)
    if not isinstance(value, sp.MatrixBase):
        return lowered(write.circuit, value, inner)
    return table(value.shape, lambda i, j: lowered(write.circuit, value[i, j], inner))


@writes(LogDeterminant)
def _log_determinant(write: Writer, node: Any) -> int:
    circuit = write.circuit
    return circuit.log(circuit.absolute(determinant(circuit, write(node.args[0]))))


@writes(PseudoInverse)
def _pseudo_inverse(write: Writer, node: Any) -> Table:
    circuit, a = write.circuit, write(node.args[0])
    if a.shape[0] >= a.shape[1]:
        return product(circuit, inverse(circuit, product(circuit, a.T, a)), a.T)
    return product(circuit, a.T, inverse(circuit, product(circuit, a, a.T)))


@writes(sp.Tuple)
def _options(write: Writer, node: Any) -> Any:
    return node  # the places of a slice: the operation puts sizes into them


def _stand_ins(nodes: Table, inner: dict[Any, int]) -> Any:
    """Return an explicit matrix of symbols, and note which node each stands for."""
    rows, columns = np.shape(nodes)

    def symbol(i: int, j: int) -> Any:
        made = sp.Dummy(f"u{len(inner)}", real=True)
        inner[made] = int(nodes[i, j])
        return made

    return sp.ImmutableMatrix(rows, columns, symbol)


def _sized(write: Writer, option: Any) -> Any:
    """Put concrete sizes into an option."""
    sizes = {symbol: sp.Integer(write.size(symbol)) for symbol in option.free_symbols}
    return option.xreplace(sizes)

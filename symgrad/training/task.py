"""What is trained: a loss compiled for the loop, with constants bound and samples set apart."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from symgrad.backends.numpy import REDUCTIONS, CompiledFunction
from symgrad.backends.targets import BACKENDS
from symgrad.confirmation.compilation import compile
from symgrad.errors import OptionError, ShapeError, listed, unknown
from symgrad.formula import Formula
from symgrad.shapes import Variable
from symgrad.training.loop import Objective
from symgrad.training.samples import count_samples

#: Targets whose functions take arrays of their own framework.
FRAMEWORKS = ("jax", "torch")
#: What is declared of an array as a whole: a part of it need not keep that.
WHOLE = frozenset(("symmetric", "positive definite", "orthogonal", "entries sum to one"))


def check_backend(backend: Any) -> None:
    """Refuse what the loop cannot call.

    Raises:
        OptionError: There is no such target, or its functions do not take NumPy's arrays.

    >>> check_backend("numpy")
    """
    usable = [name for name in BACKENDS if name not in (*FRAMEWORKS, "javascript")]
    if backend in FRAMEWORKS:
        raise OptionError(
            f"train descends on NumPy's arrays: backend is one of {listed(usable)}, not "
            f'{backend!r}; sg.compile(loss, "parameters", backend={backend!r}) makes a function '
            "for that framework's own optimizers"
        )
    # JavaScript's own error says what it is for.
    if backend not in (*usable, "javascript"):
        raise unknown("backend", str(backend), usable)


def samples_of(variable: Variable, array: Any) -> str:
    """Tell how an array holds samples: "rows", "stack", or "" where it holds none."""
    extra = array.ndim - len(variable.shape)
    if extra == 1:
        return "stack"
    if variable.sizes and not variable.sizes[0].is_Integer:
        return "rows"
    return ""


@dataclass(frozen=True)
class Task:
    """A loss compiled for the loop, with constants bound and samples set apart."""

    formula: Formula
    names: tuple[str, ...]
    constants: Mapping[str, Any]
    samples: Mapping[str, Any]
    batch: tuple[str, ...]
    reduce: str
    backend: str = "numpy"
    workers: Any = None

    @staticmethod
    def of(
        formula: Formula,
        names: tuple[str, ...],
        arrays: Mapping[str, Any],
        reduce: str,
        backend: str = "numpy",
        workers: Any = None,
    ) -> Task:
        """Set samples and constants apart."""
        kinds = {n: samples_of(formula.inputs[n], a) for n, a in arrays.items()}
        leading = _leading_size(formula, kinds)
        samples: dict[str, Any] = {}
        for name, kind in kinds.items():
            own = formula.inputs[name].sizes[:1]
            if kind == "stack" or (kind == "rows" and own == leading):
                samples[name] = arrays[name]
        batch = tuple(name for name, kind in kinds.items() if kind == "stack")
        if reduce not in REDUCTIONS:
            raise unknown("reduction", reduce, REDUCTIONS)
        if reduce != "mean" and not batch:
            raise OptionError(
                f"reduce={reduce!r} is for formulas of one sample; this loss takes all samples "
                "itself, and its formula says how it puts them together"
            )
        if batch and len(batch) < len(samples):
            raise ShapeError(
                f"{listed(batch)} have an additional axis of samples, but "
                f"{listed(set(samples) - set(batch))} have not; give all samples one way"
            )
        if samples:
            count_samples(samples)
        constants = {name: array for name, array in arrays.items() if name not in samples}
        return Task(formula, names, constants, samples, batch, reduce, backend, workers)

    def compiled(self, wrt: Any) -> CompiledFunction:
        """Compile the loss, with gradients where `wrt` names parameters."""
        reduce = self.reduce if self.batch else None
        return compile(
            self.formula,
            wrt,
            batch=self.batch,
            reduce=reduce,
            backend=self.backend,
            workers=self.workers,
        )

    def objective(self) -> Objective:
        """Return the loss and its gradients as functions of parameters and a batch."""
        # What is compiled depends on how the epochs run: most runs need one of these.
        made = functools.cache(self.compiled)

        def given(function: CompiledFunction, at: Any, batch: Any) -> dict[str, Any]:
            arrays = {**self.constants, **batch, **at}
            return {name: arrays[name] for name in function.inputs}

        def called(wrt: Any, at: Any, batch: Any) -> Any:
            function = made(wrt)
            return function(given(function, at, batch))

        def bind(at: Any, data: Any) -> Any:
            function = made(self.names)
            return function.bind(given(function, at, data))

        return Objective(
            value=lambda at, batch: called(None, at, batch),
            value_and_gradients=lambda at, batch: called(self.names, at, batch),
            gradient_of=lambda name, at, batch: called((name,), at, batch)[1][name],
            bind=None if self._watched() else bind,
        )

    def _watched(self) -> bool:
        """Tell whether values must be checked in every step, which bound functions do not do."""
        declared = self.formula.inputs
        if any(declared[name].assumptions for name in self.names):
            return True
        rows = [declared[name] for name in self.samples if name not in self.batch]
        return any(WHOLE & set(v.assumptions) for v in rows if v.shape)


def _leading_size(formula: Formula, kinds: Mapping[str, str]) -> tuple[Any, ...]:
    """Return the size that counts the samples: that of the targets, else of the first input."""
    rows = [name for name, kind in kinds.items() if kind == "rows"]
    ranked = [name for name in rows if name in formula.targets] + rows
    return formula.inputs[ranked[0]].sizes[:1] if ranked else ()

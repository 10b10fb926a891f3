"""Python files with a `loss` and a `grad`, verified from the command line."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from symgrad.errors import DataError, OptionError, listed, unknown
from symgrad.formula import Formula
from symgrad.verification.functions import verify_functions
from symgrad.verification.verdict import Verdict


@dataclass(frozen=True)
class Script:
    """What a file defines.

    Attributes:
        path: Where it is.
        names: Its global names.
    """

    path: Path
    names: Mapping[str, Any]

    def function(self, name: str) -> Any:
        """Return one of its functions.

        Raises:
            OptionError: It defines no function of that name.
        """
        found = self.names.get(name)
        if not callable(found):
            functions = [key for key, value in self.names.items() if inspect.isfunction(value)]
            raise OptionError(
                f"{self.path} defines no function `{name}`; its functions: {listed(functions)}"
            )
        return found


def load(path: str | Path) -> Script:
    """Run a Python file, as Python would, and return what it defines.

    Raises:
        DataError: The file cannot be read, or fails.
    """
    path = Path(path)
    spec = importlib.util.spec_from_file_location(f"verified_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise DataError(f"{path} is no Python file that can be read")
    module = importlib.util.module_from_spec(spec)
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise DataError(f"{path} fails: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(folder)
    return Script(path, vars(module))


def verify_script(
    script: Script, shapes: Mapping[str, Any], wrt: Sequence[str], **options: Any
) -> dict[str, Verdict]:
    """Verify a file's `grad` against its `loss`.

    Args:
        script: The file. It may define `shapes` and `wrt`, too, for which the next two stand in.
        shapes: Shapes by name; empty takes the file's.
        wrt: Names; empty takes the file's, or else all that have a shape.
        options: Those of `symgrad.verify_functions`.

    Raises:
        OptionError: A function or the shapes are missing.
    """
    given = dict(shapes) or script.names.get("shapes") or script.names.get("SHAPES")
    if not isinstance(given, Mapping):
        raise OptionError(
            f"{script.path} has no `shapes`; define shapes = {{'X': ('n', 3), ...}} there, or "
            "give --shapes X=n,3 ..."
        )
    names = list(wrt) or script.names.get("wrt") or script.names.get("WRT")
    names = names or [name for name, shape in given.items() if isinstance(shape, tuple)]
    upstream = options.pop("upstream", None)
    loss, grad = ("forward", "backward") if upstream else ("loss", "grad")
    pair = script.function(loss), script.function(grad)
    return verify_functions(*pair, given, names, upstream=upstream, **options)


def claims_of(script: Script, loss: Formula, wrt: Sequence[str]) -> dict[str, Any]:
    """Make claims about a network's parameters of a file's `grad`.

    Args:
        script: The file; its `grad` takes inputs by name and returns a mapping by parameter, or a
            tuple in the order of `wrt`.
        loss: The network's loss.
        wrt: Names of parameters; empty is all of them.

    Raises:
        OptionError: A name that is no parameter.
    """
    grad = script.function("grad")
    names = list(wrt) or list(loss.parameters)
    for name in names:
        if name not in loss.inputs:
            raise unknown("parameter", name, loss.parameters)

    def claim(name: str) -> Any:
        def entry(*args: Any, **inputs: Any) -> Any:
            result = grad(*args, **inputs)
            if isinstance(result, Mapping):
                return result[name] if name in result else result[f"d{name}"]
            return result[names.index(name)] if isinstance(result, (tuple, list)) else result

        entry.__signature__ = inspect.signature(grad)  # type: ignore[attr-defined]
        return entry

    return {name: claim(name) for name in names}

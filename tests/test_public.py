"""The public page: a name is loaded when it is first used, and is what the page says."""

import ast
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import symgrad

ROOT = Path(__file__).resolve().parent.parent
PAGE = ast.parse(Path(symgrad.__file__).read_text(encoding="utf-8"))


def fresh(code):
    """What a new process prints that runs this code."""
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def test_what_is_loaded_is_what_type_checkers_read():
    read = {
        alias.name: node.module
        for block in PAGE.body
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in block.body
        for alias in node.names
    }
    assert read == symgrad._ROOMS
    assert sorted(read) == sorted(symgrad.__all__)


def test_every_public_name_is_that_of_its_room():
    for name, room in symgrad._ROOMS.items():
        assert getattr(symgrad, name) is getattr(sys.modules[room], name)
    assert set(symgrad.__all__) <= set(dir(symgrad))


def test_importing_alone_loads_neither_sympy_nor_numpy_nor_a_room():
    code = "import sys, symgrad; print([m for m in sys.modules if 'py.' in m or 'symgrad.' in m])"
    assert fresh(code) == "[]"


def test_a_gradient_needs_no_numpy_no_oracle_and_no_backend():
    code = """if True:
        import sys, symgrad as sg
        made = sg.gradient(sg.mse(sg.Network(2, [sg.Dense(1, activation="tanh")])))
        heavy = ("numpy", "symgrad.verification", "symgrad.backends", "symgrad.training")
        print(list(made), [name for name in heavy if name in sys.modules])
    """
    assert fresh(code) == "['W1', 'b1'] []"


def test_a_public_name_is_not_hidden_by_the_room_of_that_name():
    rooms = {module.name for module in pkgutil.iter_modules(symgrad.__path__)}
    both = sorted(rooms & set(symgrad.__all__))
    assert "gradient" in both
    imports = "".join(f"import symgrad.{name}\n" for name in both)
    code = f"{imports}from symgrad.gradient.sweep import differentiate\nimport symgrad as sg\n"
    code += f"print(all(callable(getattr(sg, name)) for name in {both!r}))\n"
    code += "from symgrad import gradient\nprint(gradient is sg.gradient is sg.gradient)"
    assert fresh(code).split() == ["True", "True"]


def test_the_registries_are_full_as_soon_as_they_are_used():
    code = """if True:
        import symgrad as sg
        def registered():
            return [len(registry) for registry in (
                sg.rules.RULES, sg.shapes.SHAPE_RULES, sg.simplify.REWRITES.rules,
                sg.spelling.SPELLINGS.rules, sg.trees.CONSTRUCTORS, sg.functions.FUNCTIONS,
                sg.losses.LOSSES)]
        sg.gradient, sg.mse
        first = registered()
        for name in sg.__all__:
            getattr(sg, name)
        print(first == registered(), min(first) > 5)
    """
    assert fresh(code) == "True True"


def test_a_derivation_is_read_where_nothing_was_loaded():
    code = """if True:
        import pickle, sys, symgrad as sg
        made = sg.gradient(sg.mse(sg.Network(2, [sg.Dense(2, activation="softplus")])))
        print(pickle.dumps(made.derivation).hex())
    """
    read = "import pickle; made = pickle.loads(bytes.fromhex({!r})); "
    read += "print(made.check().lines and not made.check().failing)"
    assert fresh(read.format(fresh(code))) == "True"


@pytest.mark.parametrize("name", ["gradint", "_secret", "no_such_room"])
def test_what_is_not_there_is_an_attribute_error(name):
    with pytest.raises(AttributeError, match=f"'symgrad' has no attribute '{name}'"):
        getattr(symgrad, name)


def test_rooms_are_reached_through_the_package():
    assert fresh("import symgrad as sg; print(sg.functions.FUNCTIONS['tanh'].name)") == "tanh"

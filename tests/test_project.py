"""The rules of the house: directions of import, sizes, docstrings, one version, working pages.

Every rule is a function from a folder to the list of complaints about it. The second half plants
a breach of each rule in a scratch package and asserts that it is found.
"""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import symgrad

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "symgrad"

#: From the foundation up: a room imports only rooms that stand before it in this list.
ROOMS = (
    "errors",
    "files",
    "trees",
    "functions",
    "shapes",
    "facts",
    "matrices",
    "softmax",
    "operations",
    "algebra",
    "spelling",
    "recognition",
    "profiles",
    "graph",
    "bare",
    "forms",
    "formula",
    "examples",
    "derivation",
    "layout",
    "rules",
    "simplify",
    "gradient",
    "staging",
    "soundness",
    "layers",
    "losses",
    "shrinking",
    "circuit",
    "lowering",
    "reading",
    "tape",
    "backends",
    "verification",
    "confirmation",
    "testing",
    "formats",
    "training",
    "specification",
    "demo",
    "cli",
)
#: The front doors, which may import every room.
DOORS = ("__init__", "__main__")

MOST_LINES_OF_A_FUNCTION = 60
MOST_LINES_OF_A_FILE = 500

#: What the public names may load beyond the standard library: its two dependencies, what
#: these need, and the accelerators that mpmath and SymPy pick up where they are installed.
CORE = {"symgrad", "sympy", "numpy", "mpmath", "gmpy2", "python-flint"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources(package: Path) -> Iterator[tuple[str, Path, ast.Module]]:
    """The modules of a package: their path in it, their file, their syntax tree."""
    for path in sorted(package.rglob("*.py")):
        yield str(path.relative_to(package)), path, ast.parse(path.read_text(encoding="utf-8"))


# --- The rules -------------------------------------------------------------------------------


def imports_when_loaded(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports that run with the module: not those in functions or under TYPE_CHECKING."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for other in child.orelse:
                yield from imports_when_loaded(ast.Module([other], []))
        elif not isinstance(child, Function):
            yield from imports_when_loaded(child)


def imported_rooms(node: ast.Import | ast.ImportFrom, path: Path, package: Path) -> Iterator[str]:
    """The rooms that an import statement names; "" is the package itself."""
    name = package.name
    if isinstance(node, ast.Import):
        targets = [alias.name for alias in node.names]
    else:
        base = node.module or ""
        if node.level:
            folder = path.parents[node.level - 1].relative_to(package.parent)
            base = ".".join([*folder.parts, *base.split(".")]).rstrip(".")
        targets = [f"{base}.{alias.name}" for alias in node.names] if base == name else [base]
    for target in targets:
        if target == name or target.startswith(f"{name}."):
            room = target.removeprefix(name).lstrip(".").partition(".")[0]
            yield room if room in ROOMS else ""


def wrong_imports(package: Path) -> list[str]:
    """A room imports only rooms above it."""
    wrong = []
    for name, path, tree in sources(package):
        room = name.removesuffix(".py").split("/")[0]
        if room in DOORS:
            continue
        if room not in ROOMS:
            wrong.append(f"{name}: `{room}` is in no place; put it where it belongs in ROOMS")
            continue
        for node in imports_when_loaded(tree):
            for other in imported_rooms(node, path, package):
                if not other:
                    wrong.append(f"{name}:{node.lineno} imports the package, not a room of it")
                elif other != room and ROOMS.index(other) > ROOMS.index(room):
                    wrong.append(f"{name}:{node.lineno} `{room}` imports `{other}`, from below it")
    return wrong


def docstring_lines(node: ast.AST) -> int:
    """A public verb's docstring has an entry for every argument; only its code counts."""
    first = node.body[0]
    text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return first.end_lineno - first.lineno + 1 if text else 0


def too_long(package: Path) -> list[str]:
    """No function has over 60 lines of code, no file over 500."""
    wrong = []
    for name, path, tree in sources(package):
        count = len(path.read_text(encoding="utf-8").splitlines())
        if count > MOST_LINES_OF_A_FILE:
            wrong.append(f"{name} has {count} lines; at most {MOST_LINES_OF_A_FILE}, so split it")
        for node in ast.walk(tree):
            if isinstance(node, Function):
                count = (node.end_lineno or node.lineno) - node.lineno + 1 - docstring_lines(node)
                if count > MOST_LINES_OF_A_FUNCTION:
                    wrong.append(
                        f"{name}:{node.lineno} `{node.name}` has {count} lines; "
                        f"at most {MOST_LINES_OF_A_FUNCTION}, so split it"
                    )
    return wrong


def undocumented(package: Path) -> list[str]:
    """Every module, and every public function and class of one, has a docstring."""
    wrong = []
    for name, _, tree in sources(package):
        if not ast.get_docstring(tree):
            wrong.append(f"{name} has no docstring")
        for node in tree.body:
            public = isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_")
            if public and not ast.get_docstring(node):
                wrong.append(f"{name}:{node.lineno} `{node.name}` has no docstring")
    return wrong


def files_of_the_project(root: Path) -> list[Path]:
    """What git keeps or would keep; without git, every file outside hidden folders."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0 and listed.stdout:
        return [root / name for name in listed.stdout.split("\0") if (root / name).is_file()]
    found = (path for path in root.rglob("*") if path.is_file())
    return [p for p in found if not any(x.startswith(".") for x in p.relative_to(root).parts[:-1])]


def machine_paths(root: Path) -> list[str]:
    """No file names a place that exists on one machine only."""
    places = re.compile(r"(?<![\w.:/])(/(work|farm|home|root|tmp|Users)/|[A-Z]:\\Users\\)")
    wrong = []
    for path in files_of_the_project(root):
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if places.search(line):
                wrong.append(f"{path.relative_to(root)}:{number} names a path: {line.strip()[:80]}")
    return wrong


def readme_command(readme: str, name: str) -> str:
    """The one line between the markers `<!-- command: NAME -->` and `<!-- end -->`."""
    blocks = re.findall(rf"<!-- command: {name} -->\n(.*?)<!-- end -->", readme, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line and line[:3] != "```"]
    if len(lines) != 1:
        raise ValueError(f"README.md has {len(lines)} lines marked `command: {name}`, not one")
    return lines[0]


def python_blocks(page: str) -> str:
    """The Python code of a Markdown page, every line at its own line number."""
    code, inside = [], False
    for line in page.splitlines():
        if line.startswith("```"):
            inside = line == "```python"
            code.append("")
        else:
            code.append(line if inside else "")
    return "\n".join(code)


# --- symgrad keeps them ----------------------------------------------------------------------


@pytest.mark.parametrize("rule", [wrong_imports, too_long, undocumented])
def test_the_package_keeps_the_rule(rule):
    assert not rule(PACKAGE), "\n".join([rule.__doc__ or "", *rule(PACKAGE)])


def test_no_file_names_a_path_of_one_machine():
    assert not machine_paths(ROOT), "\n".join(machine_paths(ROOT))


def test_every_public_name_exists_and_is_documented():
    assert len(set(symgrad.__all__)) == len(symgrad.__all__)
    missing = [name for name in symgrad.__all__ if not hasattr(symgrad, name)]
    assert not missing, f"in __all__, but not there: {missing}"
    bare = [
        name
        for name in symgrad.__all__
        if name != "__version__" and not (getattr(symgrad, name).__doc__ or "").strip()
    ]
    assert not bare, f"public, but without a docstring: {bare}"


def test_the_public_names_load_sympy_and_numpy_alone():
    code = (
        "import sys; before = set(sys.modules); from symgrad import *; "
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    owners = packages_distributions()
    loaded = {owner for name in run.stdout.split() for owner in owners.get(name, [])}
    assert "sympy" in loaded
    assert loaded <= CORE, f"`from symgrad import *` also loads {sorted(loaded - CORE)}"


def test_the_version_is_written_once():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" not in project["project"]
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"]["path"] == "symgrad/__init__.py"
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+|rc\d+)?", symgrad.__version__)
    written = [
        str(path.relative_to(ROOT))
        for path in files_of_the_project(ROOT)
        if path.suffix == ".py"
        and re.search(
            r"^(__version__|version|release) = [\"']", path.read_text(encoding="utf-8"), re.M
        )
    ]
    assert written == ["symgrad/__init__.py"]


def test_the_changelog_begins_with_this_version():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    heading = re.search(r"^## (.*)$", changelog, re.MULTILINE)
    assert heading is not None
    assert symgrad.__version__ in heading[1]


def test_dependencies_are_sympy_and_numpy_alone():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.split(r"[^\w-]", line)[0] for line in project["dependencies"]}
    assert names == {"sympy", "numpy"}


def test_the_readme_has_its_two_commands():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme_command(readme, "demo").endswith("symgrad demo")
    assert "-m pytest" in readme_command(readme, "tests")


PAGES = [
    path
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if python_blocks(path.read_text(encoding="utf-8")).strip()
]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_code_on_the_page_runs(path, tmp_path, monkeypatch):
    """From top to bottom in one namespace, as a reader would type it."""
    monkeypatch.chdir(tmp_path)
    code = python_blocks(path.read_text(encoding="utf-8"))
    exec(compile(code, str(path), "exec"), {"__name__": "page"})


# --- A breach of each rule is found ----------------------------------------------------------


@pytest.fixture
def scratch(tmp_path):
    """Writes files into a scratch package, which is in order until a breach is planted."""

    def write(files: dict[str, str]) -> Path:
        package = tmp_path / "symgrad"
        for name, text in {"__init__.py": '"""Doc."""\n', **files}.items():
            path = package / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return package

    return write


BREACHES = {
    "from-below": ("graph.py", "from symgrad.gradient import gradient"),
    "room-from-the-package": ("graph.py", "from symgrad import errors, cli"),
    "plain-import": ("graph.py", "import symgrad.formats.latex"),
    "relative": ("graph.py", "from .rules import RULES"),
    "relative-room": ("graph.py", "from . import layers"),
    "relative-from-a-folder": ("reading/text.py", "from ..training import loop"),
    "from-the-front-door": ("graph.py", "from symgrad import Formula"),
    "the-front-door": ("graph.py", "import symgrad"),
    "under-a-condition": (
        "graph.py",
        "try:\n    import symgrad.cli\nexcept OSError:\n    pass",
    ),
    "in-a-class": ("graph.py", "class A:\n    from symgrad import cli"),
    "beside-type-checking": (
        "graph.py",
        "if TYPE_CHECKING:\n  pass\nelse:\n  import symgrad.cli",
    ),
    "no-place": ("surprise.py", "import sympy"),
}


@pytest.mark.parametrize(("file", "text"), BREACHES.values(), ids=BREACHES)
def test_a_wrong_import_is_found(scratch, file, text):
    assert len(wrong_imports(scratch({file: text}))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "from symgrad.errors import ShapeError",
        "from symgrad import errors, functions",
        "from . import errors",
        "from symgrad.graph import Graph",
        "import sympy\nimport symgradient\nfrom symgradient import cli",
        "def save(self):\n    from symgrad.formats import latex",
        "class A:\n    def save(self):\n        import symgrad.cli",
        "if TYPE_CHECKING:\n    from symgrad.gradient import Gradient",
    ],
)
def test_a_right_import_is_not_complained_about(scratch, text):
    assert wrong_imports(scratch({"graph.py": text, "__main__.py": "import symgrad.cli"})) == []


@pytest.mark.parametrize(("lines", "complaints"), [(60, 0), (61, 1)])
def test_a_long_function_is_found(scratch, lines, complaints):
    text = "class A:\n    def f(self):\n" + "        pass\n" * (lines - 1)
    assert len(too_long(scratch({"graph.py": text}))) == complaints


@pytest.mark.parametrize(("lines", "complaints"), [(500, 0), (501, 1)])
def test_a_long_file_is_found(scratch, lines, complaints):
    assert len(too_long(scratch({"graph.py": "pass\n" * lines}))) == complaints


def test_a_missing_docstring_is_found(scratch):
    text = "def f(): ...\nclass A: ...\ndef _private(): ...\ndef g():\n    'Doc.'\n"
    assert len(undocumented(scratch({"graph.py": text}))) == 3


@pytest.mark.parametrize("place", ["work", "home", "root", "tmp", "Users"])
def test_a_path_of_one_machine_is_found(tmp_path, place):
    (tmp_path / "a.md").write_text(f"fine: https://example.org/{place}/x and a/{place}/b\n")
    assert machine_paths(tmp_path) == []
    (tmp_path / "b.py").write_text(f'open("/{place}/data.csv")\n')
    assert len(machine_paths(tmp_path)) == 1


@pytest.mark.parametrize(
    "readme",
    [
        "no markers",
        "<!-- command: demo -->\n```\n```\n<!-- end -->",
        "<!-- command: demo -->\n```\none\ntwo\n```\n<!-- end -->",
        "<!-- command: demo -->\none\n<!-- end -->\n<!-- command: demo -->\ntwo\n<!-- end -->",
    ],
)
def test_a_readme_without_exactly_one_line_is_refused(readme):
    with pytest.raises(ValueError, match="marked `command: demo`, not one"):
        readme_command(readme, "demo")


def test_code_of_a_page_keeps_its_line_numbers():
    page = "# A\n\n```python\nx = 1\n```\n\n```text\nnot code\n```\n```python\ny = 1 / 0\n```\n"
    with pytest.raises(ZeroDivisionError) as caught:
        exec(compile(python_blocks(page), "page", "exec"), {})
    assert caught.traceback[-1].lineno + 1 == 11

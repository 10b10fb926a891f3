"""C source compiled by the system's compiler and loaded; kept in a cache by its hash."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import importlib.machinery
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from symgrad.backends import c_functions
from symgrad.errors import UnsupportedError

#: A door for Python: `bind` returns a function of one vector, which costs less than half of a
#: call through ctypes. It computes into memory that the caller keeps alive.
DOOR = Template("""
#define PY_SSIZE_T_CLEAN
#include <Python.h>

typedef struct {
    void **table;
    real *parameters, *value;
    Py_ssize_t size;
    size_t samples;
    PyObject *own, *gradient, *kept;
} sg_task;

static void sg_release(PyObject *capsule)
{
    sg_task *task = PyCapsule_GetPointer(capsule, "symgrad.task");
    if (task) {
        Py_XDECREF(task->own);
        Py_XDECREF(task->gradient);
        Py_XDECREF(task->kept);
        PyMem_Free(task);
    }
}

/* (value, gradient) at a vector; NotImplemented for what is no vector of the right kind. */
static PyObject *sg_at(PyObject *self, PyObject *p)
{
    sg_task *task = PyCapsule_GetPointer(self, "symgrad.task");
    if (!task) return NULL;
    if (p != task->own) {
        Py_buffer view;
        if (PyObject_GetBuffer(p, &view, PyBUF_CONTIG_RO | PyBUF_FORMAT)) {
            PyErr_Clear();
            Py_RETURN_NOTIMPLEMENTED;
        }
        const int fits = view.ndim == 1 && view.len == task->size * (Py_ssize_t)sizeof(real)
            && view.format && view.format[0] == '$format' && !view.format[1];
        if (fits) memcpy(task->parameters, view.buf, (size_t)view.len);
        PyBuffer_Release(&view);
        if (!fits) Py_RETURN_NOTIMPLEMENTED;
    }
    if (task->samples > 2000) {
        Py_BEGIN_ALLOW_THREADS
        $name(task->table);
        Py_END_ALLOW_THREADS
    } else {
        $name(task->table);
    }
    PyObject *value = task->value ? PyFloat_FromDouble((double)*task->value) : Py_NewRef(Py_None);
    if (!value) return NULL;
    PyObject *result = PyTuple_New(2);
    if (!result) {
        Py_DECREF(value);
        return NULL;
    }
    PyTuple_SET_ITEM(result, 0, value);
    PyTuple_SET_ITEM(result, 1, Py_NewRef(task->gradient));
    return result;
}

static PyMethodDef sg_method = {"at", sg_at, METH_O, "Return value and gradient at a vector."};

static PyObject *sg_bind(PyObject *module, PyObject *arguments)
{
    unsigned long long table, parameters, value, samples;
    Py_ssize_t size;
    PyObject *own, *gradient, *kept;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "KKKKnOOO", &table, &parameters, &value, &samples, &size,
                          &own, &gradient, &kept))
        return NULL;
    sg_task *task = PyMem_Malloc(sizeof(sg_task));
    if (!task) return PyErr_NoMemory();
    task->table = (void **)(uintptr_t)table;
    task->parameters = (real *)(uintptr_t)parameters;
    task->value = (real *)(uintptr_t)value;
    task->samples = (size_t)samples;
    task->size = size;
    task->own = Py_NewRef(own);
    task->gradient = Py_NewRef(gradient);
    task->kept = Py_NewRef(kept);
    PyObject *capsule = PyCapsule_New(task, "symgrad.task", sg_release);
    if (!capsule) {
        Py_DECREF(own);
        Py_DECREF(gradient);
        Py_DECREF(kept);
        PyMem_Free(task);
        return NULL;
    }
    PyObject *made = PyCFunction_New(&sg_method, capsule);
    Py_DECREF(capsule);
    return made;
}

static PyMethodDef sg_methods[] = {
    {"bind", sg_bind, METH_VARARGS, "Return a function of one vector."},
    {NULL, NULL, 0, NULL},
};
static PyModuleDef_Slot sg_slots[] = {{0, NULL}};
static struct PyModuleDef sg_module = {
    PyModuleDef_HEAD_INIT, "symgrad_native", NULL, 0, sg_methods, sg_slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit_symgrad_native(void)
{
    return PyModuleDef_Init(&sg_module);
}
""")


@dataclass(frozen=True)
class Library:
    """A loaded library.

    Attributes:
        functions: Its functions, through ctypes.
        door: The module with `bind`; None where Python's headers are missing.
    """

    functions: Any
    door: Any


def compiler() -> list[str]:
    """Return the command of the system's C compiler.

    Raises:
        UnsupportedError: There is none.
    """
    given = os.environ.get("CC", "").split()
    for command in (given, ["cc"], ["gcc"], ["clang"]):
        if command and shutil.which(command[0]):
            return command
    raise UnsupportedError(
        "backend='c' loads its code through a C compiler, and none was found; install gcc or "
        "clang, or name one in the environment variable CC. f.save('name.c') writes the source"
    )


def cache_folder() -> Path:
    """Return the folder where compiled libraries are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "symgrad"


@functools.lru_cache(maxsize=64)
def library(source: str, entry: str, single: bool) -> Library:
    """Compile a source, unless that was done before, and load it.

    Args:
        source: The text.
        entry: The function that takes a table of pointers.
        single: Whether the numbers are float32.

    Raises:
        UnsupportedError: There is no compiler, or it refuses.
    """
    headers = Path(sysconfig.get_path("include"))
    if (headers / "Python.h").exists():
        door = DOOR.substitute(name=entry, format="f" if single else "d")
        try:
            path = _compiled(source + door, (f"-I{headers}",))
            return Library(ctypes.CDLL(str(path)), _door(path))
        except (UnsupportedError, ImportError):
            pass  # ctypes does without
    return Library(ctypes.CDLL(str(_compiled(source, ()))), None)


def _door(path: Path) -> Any:
    loader = importlib.machinery.ExtensionFileLoader("symgrad_native", str(path))
    spec = importlib.util.spec_from_file_location("symgrad_native", path, loader=loader)
    if spec is None:
        raise ImportError(f"no module in {path}")
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@functools.lru_cache(maxsize=4)
def _version(command: tuple[str, ...]) -> str:
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
    return done.stdout


def _compiled(source: str, more: Sequence[str]) -> Path:
    """Return the library of a source, compiled now or before."""
    command = compiler()
    flags = [*c_functions.FLAGS, "-march=native", "-fopenmp-simd", "-std=c99", "-shared", "-fPIC"]
    parts = [source, *command, *flags, *more, _version(tuple(command)), sys.version]
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
    folder = cache_folder()
    target = folder / f"{digest}.so"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            made = Path(scratch) / "code.so"
            _compile(command, [*flags, *more], source, made)
            # Another process may have made the same file meanwhile: either is as good.
            os.replace(made, target)
    return target


def _compile(command: Sequence[str], flags: Sequence[str], source: str, made: Path) -> None:
    text = made.with_suffix(".c")
    text.write_text(source, encoding="utf-8")
    said = ""
    # Some machines do not know -march=native.
    for chosen in (flags, [flag for flag in flags if flag != "-march=native"]):
        parts = [*command, *chosen, str(text), "-o", str(made), "-lm"]
        done = subprocess.run(parts, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        said = " ".join(done.stderr.strip().splitlines()[:3])
    raise UnsupportedError(f"the C compiler `{command[0]}` refused the code: {said}")

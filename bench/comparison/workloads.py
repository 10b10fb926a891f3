"""What is measured: the networks, their data, and the order in which parameters are laid flat."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np


def flat(arrays):
    """Several arrays as one vector of float64, one after the other, row by row."""
    return np.concatenate([np.asarray(array, dtype=float).ravel() for array in arrays])


@dataclass(frozen=True)
class Perceptron:
    """(tanh(w x + b) - y)^2, trained one sample after the other, in order."""

    name: str
    epochs: int
    weight: float = 0.3
    bias: float = -0.7
    rate: float = 0.05
    kind: str = "perceptron"
    dtype: str = "float64"
    tolerance: float = 1e-9

    @property
    def title(self):
        return f"tanh perceptron, per-sample descent, {self.epochs:,} epochs of 14; an update"

    @property
    def units(self):
        return self.epochs * 14

    @cached_property
    def x(self):
        ages = np.linspace(18.0, 66.0, 14)
        return (ages - ages.mean()) / ages.std()

    @cached_property
    def y(self):
        return 0.3 + 0.3 * np.tanh(1.4 * self.x + 0.1 * np.sin(5 * self.x))

    @property
    def count(self):
        return 2


@dataclass(frozen=True)
class Network:
    """A dense network under the mean squared error: over all samples and all outputs.

    The flat order of parameters is W1 (inputs x units, row by row), b1, W2, b2, ...
    """

    name: str
    sizes: tuple
    samples: int
    hidden: str = "tanh"
    output: str = "linear"
    biased: bool = True
    dtype: str = "float64"
    kind: str = "network"
    rate: float = 0.01

    @property
    def title(self):
        shape = "-".join(map(str, self.sizes))
        what = (
            "per-sample descent, one epoch; an update"
            if self.kind == "descent"
            else ("loss and all gradients")
        )
        many = f"{self.samples:,} sample{'s' * (self.samples > 1)}"
        return f"{shape} {self.hidden}, {many}, {self.dtype}: {what}"

    @property
    def units(self):
        return self.samples if self.kind == "descent" else 1

    @property
    def tolerance(self):
        return 1e-9 if self.dtype == "float64" else 1e-3

    @property
    def narrow(self):
        """Whether tools with one symbol a number can take it."""
        return max(self.sizes) <= 16

    @property
    def activations(self):
        return (self.hidden,) * (len(self.sizes) - 2) + (self.output,)

    @cached_property
    def _drawn(self):
        random = np.random.default_rng(7)
        parameters = {}
        for k, (i, o) in enumerate(zip(self.sizes, self.sizes[1:], strict=False), 1):
            parameters[f"W{k}"] = (random.normal(size=(i, o)) / np.sqrt(i)).astype(self.dtype)
            if self.biased:
                parameters[f"b{k}"] = (0.1 * random.normal(size=o)).astype(self.dtype)
        X = random.normal(size=(self.samples, self.sizes[0])).astype(self.dtype)
        Y = random.uniform(0.1, 0.9, size=(self.samples, self.sizes[-1])).astype(self.dtype)
        return parameters, X, Y

    @property
    def parameters(self):
        """Arrays by name, in the flat order."""
        return self._drawn[0]

    @property
    def X(self):
        return self._drawn[1]

    @property
    def Y(self):
        return self._drawn[2]

    @property
    def vector(self):
        return np.concatenate([array.ravel() for array in self.parameters.values()])

    @property
    def outputs(self):
        return self.sizes[-1]

    @property
    def errors(self):
        """How many squares the loss is the mean of."""
        return self.samples * self.outputs

    @property
    def count(self):
        return sum(array.size for array in self.parameters.values())

    def parted(self, vector):
        """A flat vector (an array of any library) cut into arrays of the parameters' shapes."""
        parts, start = [], 0
        for array in self.parameters.values():
            parts.append(vector[start : start + array.size].reshape(array.shape))
            start += array.size
        return parts

    @property
    def layers(self):
        """A triple a layer: the weights, the biases or None, the activation's name."""
        given = self.parameters
        return [
            (given[f"W{k}"], given.get(f"b{k}"), activation)
            for k, activation in enumerate(self.activations, 1)
        ]


SIGMOID = {"sizes": (3, 2, 2), "hidden": "sigmoid", "output": "sigmoid", "biased": False}
TANH = {"sizes": (3, 4, 4, 1)}
COUNTS = (1, 100, 10_000, 1_000_000)


def all_workloads():
    """Every timed workload, in the order of the report."""
    works = [Perceptron("perceptron-10", 10), Perceptron("perceptron-10000", 10_000)]
    for stem, shape in (("3-2-2", SIGMOID), ("3-4-4-1", TANH)):
        works += [Network(f"{stem}-n{n}", samples=n, **shape) for n in COUNTS]
    works.append(Network("descent-3-4-4-1", samples=100, kind="descent", **TANH))
    for dtype in ("float64", "float32"):
        works.append(Network(f"784-128-10-{dtype}", (784, 128, 10), 128, dtype=dtype))
    for dtype in ("float64", "float32"):
        works.append(Network(f"64-64-64-64-1-{dtype}", (64, 64, 64, 64, 1), 32, dtype=dtype))
    return {work.name: work for work in works}

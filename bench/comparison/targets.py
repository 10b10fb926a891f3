"""What symgrad has set itself, as ratios of times; kept beside the figures, met or not."""

from dataclasses import dataclass

from .contenders.symgrad_side import COMPILED

NUMPY, ANY = ("symgrad",), ("symgrad", *COMPILED)


@dataclass(frozen=True)
class Target:
    """The best of `subjects` takes at most `most` of the time of the fastest of `against`."""

    workload: str
    subjects: tuple
    against: str  # a group of contenders, or one of them
    most: float

    @property
    def who(self):
        return {NUMPY: "NumPy code", COMPILED: "compiled", ANY: "any backend"}[self.subjects]


def by_size(stem):
    bounds = {"n100": 0.65, "n10000": 0.8, "n1000000": 0.4}
    return (
        Target(f"{stem}-n1", NUMPY, "jax jit", 0.3),
        Target(f"{stem}-n1", COMPILED, "casadi compiled", 0.8),
        *[Target(f"{stem}-{n}", NUMPY, "jax jit", most) for n, most in bounds.items()],
        *[Target(f"{stem}-{n}", ANY, "symbolic", 1.0) for n in bounds],
        *[Target(f"{stem}-{n}", ANY, "casadi compiled", 1.0) for n in bounds],
    )


TARGETS = (
    Target("perceptron-10", NUMPY, "jax scan", 1.05),
    Target("perceptron-10", NUMPY, "math loop", 0.6),
    Target("perceptron-10", COMPILED, "jax scan", 0.5),
    Target("perceptron-10000", COMPILED, "jax scan", 1.0),
    *by_size("3-2-2"),
    *by_size("3-4-4-1"),
    Target("descent-3-4-4-1", COMPILED, "jax scan", 0.3),
    Target("784-128-10-float64", NUMPY, "jax jit", 0.8),
    Target("784-128-10-float64", NUMPY, "torch eager", 1.05),
    Target("784-128-10-float64", NUMPY, "products", 1.06),
    Target("784-128-10-float32", NUMPY, "jax jit", 0.92),
    Target("784-128-10-float32", NUMPY, "torch eager", 0.8),
    Target("784-128-10-float32", NUMPY, "products", 1.06),
    Target("64-64-64-64-1-float64", NUMPY, "jax jit", 0.75),
    Target("64-64-64-64-1-float64", NUMPY, "torch eager", 0.4),
    Target("64-64-64-64-1-float32", NUMPY, "jax jit", 0.75),
    Target("64-64-64-64-1-float32", NUMPY, "torch eager", 0.4),
)


def reached(target, result):
    """The ratio of the best subject to the fastest of those it is held against.

    None where one side was not measured. A ratio is (time of the subject) / (time of the other),
    so the fastest other is the one with the largest.
    """
    rows = result["contenders"]
    others = [n for n, group in result["groups"].items() if target.against == group]
    best = []
    for subject in target.subjects:
        ratios = [rows[n]["ratios"][subject] for n in others if subject in rows[n]["ratios"]]
        if ratios:
            best.append(max(ratios))
    return min(best) if best else None

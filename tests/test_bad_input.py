"""Bad input ends in one clear sentence that says what was given and what is accepted."""

import numpy as np
import pytest
import sympy as sp

import symgrad as sg

NET = sg.Network(2, [sg.Dense(3, activation="tanh"), sg.Dense(1)])
X, Y = np.ones((4, 2)) * np.arange(4)[:, None], np.arange(4.0)
F = sg.compile(sg.mse(NET), wrt="parameters")
P = {name: np.ones(shape) for name, shape in NET.parameters.items()}
w, z = sp.symbols("w z", real=True)

CASES = {
    # what is done: (call, kind of error, words of the message)
    "activation": (lambda: sg.Dense(2, activation="tahn"), sg.OptionError,
                   "unknown activation `tahn`; did you mean `tanh`?"),
    "option": (lambda: sg.Dense(2, activaton="tanh"), sg.OptionError,
               "unknown option of Dense `activaton`; did you mean `activation`?"),
    "option of train": (lambda: sg.train(sg.mse(NET), (X, Y), learnig_rate=1), sg.OptionError,
                        "unknown option of train `learnig_rate`; did you mean `learning_rate`?"),
    "option of fit": (lambda: NET.fit(X, Y, epoch=3), sg.OptionError, "did you mean `epochs`?"),
    "units": (lambda: sg.Dense(0), sg.OptionError, "positive whole number of units, not 0"),
    "units as text": (lambda: sg.Dense("3"), sg.OptionError, "not '3'"),
    "inputs": (lambda: sg.Network(-1, [sg.Dense(1)]), sg.OptionError, "number of inputs, not -1"),
    "no layers": (lambda: sg.Network(2, []), sg.OptionError, "at least one layer"),
    "no layer": (lambda: sg.Network(2, ["tanh"]), sg.OptionError, "a layer is an sg.Dense"),
    "orientation": (lambda: sg.Network(2, [sg.Dense(1)], orientation="row"), sg.OptionError,
                    "unknown orientation `row`; did you mean `rows`?"),
    "inner sizes": (lambda: F(**{**P, "X": np.ones((4, 3)), "Y": np.ones((4, 1))}), sg.ShapeError,
                    "`X` must be (n, 2), but it is (4, 3)"),
    "target": (lambda: F(**P, X=X, Y=np.ones((3, 1))), sg.ShapeError,
               "`Y` must be (n, 1), but it is (3, 1) with n = 4"),
    "rank": (lambda: F(**P, X=np.ones((4, 2, 1)), Y=Y), sg.ShapeError,
             "`X` must be (n, 2), but it is (4, 2, 1)"),
    "missing argument": (lambda: F(**P, X=X), sg.OptionError, "missing `Y`"),
    "unknown argument": (lambda: F(**P, X=X, Y=Y, Z=1), sg.OptionError, "unknown argument `Z`"),
    "text as numbers": (lambda: F(**P, X=X, Y=["a", "b", "c", "d"]), sg.DataError, "`Y` holds"),
    "target of the wrong shape": (lambda: NET.fit(X, np.ones((4, 2))), sg.ShapeError,
                                  "`Y` must be (n, 1), but it is (4, 2)"),
    "columns": (lambda: NET.fit(np.ones((4, 3)), Y), sg.ShapeError,
                "`X` must be (n, 2), but it is (4, 3)"),
    "NaN": (lambda: NET.fit([[1, 2], [np.nan, 3]], [1, 2]), sg.DataError, "NaN"),
    "infinity": (lambda: NET.fit([[1, 2], [np.inf, 3]], [1, 2]), sg.DataError, "`X`"),
    "no samples": (lambda: NET.fit(np.empty((0, 2)), []), sg.DataError, "no samples"),
    "samples that differ": (lambda: NET.fit(X, Y[:3]), sg.DataError,
                            "X has 4 samples, but y has 3"),
    "words in the data": (lambda: NET.fit([["a", "b"]], [1]), sg.DataError, "real numbers"),
    "ragged rows": (lambda: NET.fit([[1, 2], [3]], [1, 2]), sg.DataError, "`X`"),
    "start": (lambda: NET.fit(X, Y, start={"W9": 1}), sg.OptionError, "unknown parameter `W9`"),
    "start of the wrong shape": (lambda: NET.fit(X, Y, start={"W1": np.ones((3, 2))}),
                                 sg.ShapeError, "start of `W1` must be (2, 3), but it is (3, 2)"),
    "optimizer": (lambda: NET.fit(X, Y, optimizer="sgdd"), sg.OptionError, "did you mean `sgd`?"),
    "rate": (lambda: NET.fit(X, Y, learning_rate=-1), sg.OptionError, "learning_rate"),
    "epochs": (lambda: NET.fit(X, Y, epochs=1.5), sg.OptionError, "epochs"),
    "batch size": (lambda: NET.fit(X, Y, batch_size=0), sg.OptionError, "batch_size"),
    "update": (lambda: NET.fit(X, Y, update="parallel"), sg.OptionError, "unknown update order"),
    "standardize": (lambda: NET.fit(X, Y, standardize="all"), sg.OptionError, "Accepted: `inputs`"),
    "constant column": (lambda: NET.fit(np.ones((4, 2)), Y, standardize="inputs"), sg.DataError,
                        "constant"),
    "seed": (lambda: NET.fit(X, Y, seed="a"), sg.OptionError, "seed is a whole number"),
    "negative seed": (lambda: NET.fit(X, Y, seed=-1), sg.OptionError,
                      "seed is a whole number of at least 0, or None"),
    "network as loss": (lambda: sg.train(NET, (X, Y)), sg.OptionError, "such as sg.mse(net)"),
    "function as loss": (lambda: sg.train(sg.mse, (X, Y)), sg.OptionError,
                         "not the function `mse` itself; call it, as in sg.mse(net)"),
    "batch above the only sample": (lambda: NET.fit(X[:1], Y[:1], batch_size=2), sg.OptionError,
                                    "there is 1 sample, and"),
    "no samples in a call": (lambda: F(**P, X=X[:0], Y=Y[:0]), sg.DataError,
                             "`X` has no samples: it is (0, 2), and the sizes with a name in"),
    "no samples in a batch": (lambda: sg.compile(w * z, batch=["z"])(w=1, z=[]), sg.DataError,
                              "`z` has no samples"),
    "missing data": (lambda: sg.train(sg.mse(NET), {"X": X}), sg.DataError, "data lacks `Y`"),
    "unknown data": (lambda: sg.train(sg.mse(NET), {"X": X, "y": Y}), sg.OptionError,
                     "unknown input `y`"),
    "no parameters": (lambda: sg.train((w * z - 1) ** 2, {"z": [1, 2]}), sg.OptionError,
                      "declares no parameters"),
    "vector as loss": (lambda: sg.train(NET.output, {"X": X}), sg.ShapeError,
                       "make it one with sg.mse"),
    "backend": (lambda: sg.compile(w, backend="nump"), sg.OptionError, "did you mean `numpy`?"),
    "batch as text": (lambda: sg.compile(w, batch="w"), sg.OptionError, "batch is a list"),
    "shape of a name": (lambda: sg.Formula.of(w, shapes={"v": (2,)}), sg.OptionError,
                        "unknown input `v`"),
    "shape of a scalar": (lambda: sg.Formula.of(w, shapes={"w": (2,)}), sg.ShapeError,
                          "`w` is declared as (2,)"),
    "assumption": (lambda: sg.Formula.of(w, assumptions={"w": "psd"}), sg.OptionError,
                   "unknown assumption `psd`"),
    "parameter": (lambda: sg.Formula.of(w, parameters=["v"]), sg.OptionError,
                  "unknown parameter `v`"),
    "entry": (lambda: NET.columns().output[3], sg.OptionError, "outside"),
    "axes of an entry": (lambda: NET.columns().output[0, 0], sg.OptionError, "takes 1 integers"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_messages(name):
    call, kind, words = CASES[name]
    with pytest.raises(kind) as raised:
        call()
    message = str(raised.value)
    assert words in message
    assert isinstance(raised.value, sg.SymgradError)
    assert "\n" not in message
    assert len(message) < 400


def test_a_failed_call_spoils_nothing():
    with pytest.raises(sg.ShapeError):
        F(**P, X=X, Y=np.ones((3, 1)))
    value, _ = F(**P, X=X, Y=Y)
    assert np.isfinite(value)


@pytest.mark.parametrize("batch", [["x", "y"], []], ids=["batched", "one sample"])
@pytest.mark.parametrize("wrt", [None, "parameters"], ids=["value", "gradients"])
def test_empty_arrays_are_refused_in_every_form(batch, wrt):
    # The loop over samples, stacks of matrices and plain matrices each divided by n in their way.
    if batch:
        net = NET.columns()
        loss, given = sg.mse(net), {"x": np.ones((0, 2)), "y": np.ones((0, 1))}
    else:
        net, loss, given = NET, sg.mse(NET), {"X": np.ones((0, 2)), "Y": np.ones((0, 1))}
    parameters = {name: np.ones(shape) for name, shape in net.parameters.items()}
    with pytest.raises(sg.DataError, match="has no samples"):
        sg.compile(loss, wrt, batch=batch)({**parameters, **given})


def test_a_start_that_is_not_finite_is_not_the_learning_rates_fault():
    with pytest.raises(sg.DivergenceError, match="smaller start values, or data on a smaller") as e:
        NET.fit(X * 1e300, Y * 1e300)
    assert "learning rate" not in str(e.value)
    assert e.value.fit.epochs == 0


@pytest.fixture(scope="module")
def fit():
    return NET.fit(X, Y, epochs=1, seed=0)


@pytest.mark.parametrize("verb", ["save", "export"])
def test_a_missing_folder_is_named(fit, verb, tmp_path):
    with pytest.raises(sg.OptionError, match=r"there is no folder .*models; make it first"):
        getattr(fit, verb)(tmp_path / "models" / "model")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", ["save", "export"])
def test_a_folder_is_no_file(fit, verb, tmp_path):
    with pytest.raises(sg.OptionError, match="it is a folder; add the name of a file"):
        getattr(fit, verb)(tmp_path)


def test_a_system_that_refuses_to_write_is_quoted(fit, tmp_path):
    with pytest.raises(sg.OptionError, match=r"cannot write .*: File name too long"):
        fit.save(tmp_path / ("m" * 5000))

"""A perceptron with one input and a tanh: the squared error of one sample."""

import symgrad as sg


def write(folder):
    """Write the derivation of both gradients as LaTeX and Markdown."""
    net = sg.Network(1, [sg.Dense(1, activation="tanh")]).scalars()
    derivation = sg.derive(sg.mse(net))
    return [derivation.save(folder / f"perceptron.{ending}") for ending in ("tex", "md")]

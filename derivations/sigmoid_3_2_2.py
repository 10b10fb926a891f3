"""A 3-2-2 sigmoid net without biases, loss the sum of squares: one sample, a batch, entries."""

import symgrad as sg


def write(folder):
    """Write the derivation in columns, rows and scalars."""
    layers = [sg.Dense(2, activation="sigmoid", bias=False) for _ in range(2)]
    net = sg.Network(3, layers, orientation="columns")
    written = []
    for form in (net.columns(), net.rows(), net.scalars()):
        derivation = sg.derive(sg.sse(form))
        for ending in ("tex", "md"):
            written.append(derivation.save(folder / f"sigmoid_3_2_2_{form.form}.{ending}"))
    return written

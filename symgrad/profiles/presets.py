r"""How known texts write networks: one profile for each, with what was read for it.

A text has no network of every kind: where it says nothing, the profile goes on as it does
elsewhere, and `text` says so. To add one, call `register` with a `Profile`; it then renders every
network, and the tests hold it to that.
"""

from __future__ import annotations

from symgrad.profiles import Profile, register

register(
    Profile(
        name="nielsen",
        text="Nielsen, Neural Networks and Deep Learning, chapters 1 to 3, which were read for "
        "this profile. There the loss is the mean of half the squared error (`sg.half_sse` of"
        " one sample), residuals are target minus output, and derivatives by single weights "
        "are given in place of those by matrices.",
        notation="samples",
        letters={"activation": "a", "weight": ("w", "w", "w"), "loss": "C"},
        layer="^{@}",
        input_layer=1,
        input_as_activation=True,
        prediction_as_activation=True,
        sample="^{@}",
        index="x",
        counted=False,
        transpose="T",
        update="to",
        function=r"\sigma",
    )
)
register(
    Profile(
        name="ufldl",
        text="UFLDL tutorial (Ng and others), Multi-Layer Neural Network and Backpropagation "
        "Algorithm, which were read for this profile. There the loss has a factor 1/2 "
        "(`sg.half_sse`), the prediction is also called h, and only the deltas and the "
        "gradients of parameters are written down.",
        notation="columns",
        letters={"activation": "a", "loss": "J"},
        input_layer=1,
        weights="source",
        input_as_activation=True,
        prediction_as_activation=True,
        sample="^{(@)}",
        count="m",
        transpose="T",
        joined=False,
        entrywise=r"\bullet",
        rate=r"\alpha",
        update="equal",
        gradient="nabla",
        function="f",
    )
)
register(
    Profile(
        name="cs231n",
        text="CS231n notes (Stanford), optimization 2 and the case study, which were read for this"
        " profile. The text writes code: it has no letter for pre-activations (here S, its "
        "scores), none for the learning rate (here the Greek eta), and * for entrywise "
        "products.",
        notation="rows",
        letters={"pre-activation": ("s", "s", "S")},
        layer="_{@}",
        first_unit=0,
        count="N",
        transpose="T",
        gradient="d",
        delta=False,
        comma=True,
    )
)
register(
    Profile(
        name="cs224n",
        text="CS224n, Computing Neural Network Gradients (Clark), edition of 2019, which was read "
        "for this profile. The text has one hidden layer and a letter for every matrix; here "
        "they are numbered, the derivatives by pre-activations are rows as there, and so are "
        "all others: the text transposes its final answers to the shape of the parameter. It "
        "prints no update.",
        notation="columns",
        letters={"loss": "J"},
        column=r"\boldsymbol{@}",
        matrix=r"\boldsymbol{@}",
        layer="_{@}",
        transpose="T",
        entrywise=r"\circ",
        layout="numerator",
    )
)
register(
    Profile(
        name="parr-howard",
        text="Parr and Howard, The Matrix Calculus You Need For Deep Learning, which was read in "
        "its authors' source for this profile. The text has one neuron; layers are an "
        "extension.",
        notation="samples",
        letters={"activation": ("u", "u", "U"), "loss": "C"},
        column=r"\mathbf{@}",
        count="N",
        prediction_as_activation=True,
        transpose="T",
        entrywise=r"\otimes",
        update="time",
        layout="numerator",
        delta=False,
    )
)
register(
    Profile(
        name="goodfellow",
        text="Goodfellow, Bengio and Courville, Deep Learning, algorithms 6.3 and 6.4, which were "
        "read for this profile. The text overwrites one running gradient g, writes the bias "
        "first, and calls the input the activation of layer 0.",
        notation="columns",
        letters={"pre-activation": ("a", "a", "A"), "loss": "J"},
        column=r"\boldsymbol{@}",
        matrix=r"\boldsymbol{@}",
        sample="^{(@)}",
        count="m",
        rate=r"\epsilon",
        gradient="nabla",
        delta=False,
        comma=True,
        function="f",
    )
)
register(
    Profile(
        name="article-perceptron",
        text="The article on a perceptron of ages, which was read, but for its formulas, which are"
        " pictures: names are those of its code.",
        notation="scalars",
        letters={"prediction": "p", "loss": r"\mathrm{MSE}"},
        layer="_{@}",
        rate=r"\mathrm{lr}",
        update="new",
        delta=False,
    )
)
register(
    Profile(
        name="article-network",
        text="The article on a network of three layers, which was read. It has no letter for pre-"
        "activations, and prints no gradients.",
        notation="columns",
        letters={
            "activation": ("x", "x", "X"),
            "weight": ("w", "w", "w"),
            "loss": r"\mathrm{MSE}",
        },
        column=r"\vec{@}",
        matrix=r"\underline{@}",
        input_layer=1,
        weights="source",
        input_as_activation=True,
        prediction_as_activation=True,
    )
)
register(
    Profile(
        name="article-line",
        text="The article on a line through points, which was read. It has no hidden layers and no"
        " letter for the learning rate in formulas (here the Greek alpha).",
        notation="samples",
        letters={"prediction": "y_{w,b}(x#)", "loss": "L"},
        rate=r"\alpha",
        delta=False,
    )
)
register(
    Profile(
        name="article-overview",
        text="The article with an overview of networks, which was read. It prints formulas of the "
        "forward pass only.",
        notation="columns",
        letters={"activation": "a"},
        function="f",
    )
)

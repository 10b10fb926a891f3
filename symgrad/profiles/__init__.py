r"""Profiles: how a text writes a network and its gradients.

A profile says which letters stand for what, how layers, entries and samples are marked, how a
transpose and an entrywise product are written, and where the text starts to count. Any profile
prints any network; what it prints is read back with the same profile, and proved.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

from symgrad.errors import OptionError, listed, unknown

#: The forms in which a network can be written.
NOTATIONS = ("scalars", "columns", "rows", "samples")
#: What has a letter of its own, and the letters of a scalar, a column and a matrix.
LETTERS = {
    "input": ("x", "x", "X"),
    "target": ("y", "y", "Y"),
    "prediction": (r"\hat{y}", r"\hat{y}", r"\hat{Y}"),
    "pre-activation": ("z", "z", "Z"),
    "activation": ("h", "h", "H"),
    "weight": ("w", "w", "W"),
    "bias": ("b", "b", "B"),
    "loss": ("L", "L", "L"),
    "adjoint": (r"\delta", r"\delta", r"\delta"),
}
#: What the options of a profile may be.
_CHOICES = {
    "notation": ("", *NOTATIONS),
    "input_layer": (0, 1),
    "weights": ("target", "source"),
    "first_unit": (0, 1),
    "update": ("arrow", "to", "equal", "prime", "new", "time"),
    "gradient": ("partial", "nabla", "d"),
    "layout": ("parameter", "numerator"),
}
#: Signs of entrywise products that a document may use.
ENTRYWISE = (r"\odot", r"\circ", r"\bullet", r"\otimes", r"\ast")
#: Marks of a transpose.
TRANSPOSES = (r"\top", "T", r"\mathsf{T}", r"\intercal", r"\prime")


@dataclass(frozen=True)
class Profile:
    r"""How a text writes a network; every option has a default, symgrad's own.

    Attributes:
        name: Its name, `"nielsen"`.
        text: The text that writes so, and whether it was read for this profile.
        notation: The form of the network: `"scalars"`, `"columns"`, `"rows"` or `"samples"`;
            empty: that of the loss that is given.
        letters: By what they stand for (see `LETTERS`): one letter, whose capital is the
            matrix, or three, of a scalar, of a column and of a matrix. A `#` in it is where the
            index of the sample goes.
        column: How a column's letter is printed: `@` is the letter, `"\mathbf{@}"`.
        matrix: How a matrix's letter is printed.
        layer: How the number of the layer is put to a letter, `"^{(@)}"`.
        input_layer: The number of the layer of the inputs, 0 or 1.
        input_as_activation: Whether the input is the activation of that layer.
        prediction_as_activation: Whether the prediction is the activation of the last layer.
        weights: Whether weights have the number of the layer that they lead to (`"target"`) or
            come from (`"source"`).
        first_unit: The number of the first unit, 1 or 0.
        sample: How the index of a sample is put to a letter, `"_{@}"`.
        index: The letter of that index.
        counted: Whether samples are numbered from 1 to their count; otherwise the index stands for
            a sample itself, and the sum runs over all of them.
        count: The letter of the number of samples.
        comma: Whether the indices of an entry are parted by commas even below 10.
        transpose: The mark of a transpose, `"\top"` or `"T"`.
        joined: Whether it joins the mark of a layer, h^{(1)T}; otherwise brackets part them.
        entrywise: The sign of an entrywise product, `"\odot"`.
        rate: The letter of the learning rate.
        update: `"arrow"`: w <- w - ..., `"to"`: w -> w - ..., `"equal"`: w = w - ...,
            `"prime"`: w -> w' = w - ..., `"new"` and `"time"`: with marks for before and after.
        gradient: `"partial"`: dL/dw as a fraction, `"nabla"`, or `"d"`: dw.
        layout: `"parameter"`: a gradient has the shape of its parameter; `"numerator"`: the
            transposed shape.
        delta: Whether derivatives by pre-activations have a letter.
        function: A letter for the activation, where all layers have the same.

    Raises:
        OptionError: A value that is not accepted.

    >>> Profile(name="mine", layer="^{[@]}").layer
    '^{[@]}'
    """

    name: str = "symgrad"
    text: str = ""
    notation: str = ""
    letters: Mapping[str, Any] = field(default_factory=dict)
    column: str = "@"
    matrix: str = "@"
    layer: str = "^{(@)}"
    input_layer: int = 0
    input_as_activation: bool = False
    prediction_as_activation: bool = False
    weights: str = "target"
    first_unit: int = 1
    sample: str = "_{@}"
    index: str = "i"
    counted: bool = True
    count: str = "n"
    comma: bool = False
    transpose: str = r"\top"
    joined: bool = True
    entrywise: str = r"\odot"
    rate: str = r"\eta"
    update: str = "arrow"
    gradient: str = "partial"
    layout: str = "parameter"
    delta: bool = True
    function: str = ""

    def __post_init__(self) -> None:
        """Check the options, and freeze the letters."""
        for name, accepted in _CHOICES.items():
            if getattr(self, name) not in accepted:
                raise unknown(name, getattr(self, name), [a for a in accepted if a != ""])
        for name, known in (("entrywise", ENTRYWISE), ("transpose", TRANSPOSES)):
            if getattr(self, name) not in known:
                raise unknown(f"sign `{name}`", getattr(self, name), known)
        for name in self.letters:
            if name not in LETTERS:
                raise unknown("letter for", name, LETTERS)
        for name in ("column", "matrix", "layer", "sample"):
            if getattr(self, name).count("@") != 1:
                raise OptionError(
                    f"{name} has one @ in the place of what it is put to, like `^{{(@)}}`"
                )
        for name in ("layer", "sample"):
            if not re.fullmatch(r"[_^]\{[^{}]*@[^{}]*\}", getattr(self, name)):
                raise OptionError(
                    f"{name} is a superscript or a subscript, like `^{{(@)}}`, not "
                    f"`{getattr(self, name)}`"
                )
        object.__setattr__(self, "letters", MappingProxyType(dict(self.letters)))

    def __reduce__(self) -> Any:
        # A mapping proxy does not pickle; the dictionary behind it does.
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return _again, ({**values, "letters": dict(self.letters)},)

    def letter(self, role: str, rank: int) -> str:
        r"""Return the decorated letter of a scalar (rank 0), a column (1) or a matrix (2).

        >>> Profile(letters={"activation": "a"}, matrix=r"\mathbf{@}").letter("activation", 2)
        '\\mathbf{A}'
        """
        given = self.letters.get(role, LETTERS[role])
        if isinstance(given, str):
            given = (given, given, given.upper() if len(given) == 1 else given)
        template = ("@", self.column, self.matrix)[rank]
        text: str = given[rank]
        if role == "loss":
            return text
        greek = text.startswith("\\") and "{" not in text
        return template.replace(r"\mathbf", r"\boldsymbol" if greek else r"\mathbf").replace(
            "@", text
        )

    def number(self, role: str, layer: int) -> int:
        """Return the number that a layer's letter is marked with; dense layers count from 1.

        >>> Profile(input_layer=1, weights="source").number("weight", 2)
        2
        """
        own = layer + self.input_layer
        leaves = self.weights == "source" and role in ("weight", "bias")
        return own - 1 if leaves else own


def _again(values: dict[str, Any]) -> Profile:
    return Profile(**values)


#: How symgrad writes where nothing else is asked for.
STANDARD = Profile()
#: The profiles that have a name.
PROFILES: dict[str, Profile] = {}


def profile_of(given: Any) -> Profile:
    r"""Return a profile by its name, or the one that is given.

    Raises:
        OptionError: An unknown name, or no profile.

    >>> profile_of("ufldl").weights, profile_of(None) is STANDARD
    ('source', True)
    """
    if given is None:
        return STANDARD
    if isinstance(given, Profile):
        return given
    if isinstance(given, str):
        if given not in PROFILES:
            raise unknown("profile", given, PROFILES)
        return PROFILES[given]
    raise OptionError(
        f"a profile is one of {listed(PROFILES)}, or an sg.Profile(...), not {given!r}"
    )


def register(profile: Profile) -> Profile:
    """Let a profile be known by its name, and return it.

    >>> register(PROFILES["nielsen"]).name
    'nielsen'
    """
    PROFILES[profile.name] = profile
    return profile


# The profiles of known texts register themselves.
from symgrad.profiles import presets  # noqa: E402, F401

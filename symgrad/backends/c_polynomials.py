"""The polynomials under the C functions: coefficients, and their C text.

Every one is the best of its degree on its interval; bench/c_coefficients.py computes and prints
this table, and the tests measure its errors again.
"""

from __future__ import annotations

#: Coefficients by function and type, the constant one first.
COEFFICIENTS: dict[str, dict[str, tuple[str, ...]]] = {
    "exp_tail": {
        "double": (
            "0x1.000000000000bp-1",
            "0x1.5555555555561p-3",
            "0x1.555555555002fp-5",
            "0x1.111111110d642p-7",
            "0x1.6c16c185a7728p-10",
            "0x1.a01a01badf7d5p-13",
            "0x1.a0199693790d2p-16",
            "0x1.71dddfd15a92ap-19",
            "0x1.28b0494d25b8ep-22",
            "0x1.af85802d17f8p-26",
        ),
        "float": (
            "0x1p-1",
            "0x1.55548ep-3",
            "0x1.55545ep-5",
            "0x1.123b54p-7",
            "0x1.6db42p-10",
        ),
    },
    "coth_tail": {
        "double": (
            "0x1.555555555554dp-2",
            "-0x1.6c16c16c13e77p-6",
            "0x1.1566abbd501b4p-9",
            "-0x1.bbd7769fb41dp-13",
            "0x1.66a847d10ab41p-16",
            "-0x1.22667946e5d24p-19",
            "0x1.d2471c1102a87p-23",
            "-0x1.450ab245fa362p-26",
        ),
        "float": (
            "0x1.555554p-2",
            "-0x1.6c142ap-6",
            "0x1.14b6d8p-9",
            "-0x1.96bfeep-13",
        ),
    },
    "atanh_tail": {
        "double": (
            "0x1.555555555554fp-2",
            "0x1.999999999c0f7p-3",
            "0x1.24924921ec11fp-3",
            "0x1.c71c7488d5f91p-4",
            "0x1.745c4c7b6f85ap-4",
            "0x1.3b358ba1a9fd7p-4",
            "0x1.0dcf145a1808ap-4",
            "0x1.1b69e9a1d7997p-4",
        ),
        "float": (
            "0x1.5555b4p-2",
            "0x1.992b0cp-3",
            "0x1.36e462p-3",
        ),
    },
    "tanh_tail": {
        "double": (
            "-0x1.5555555555555p-2",
            "0x1.11111111110aap-3",
            "-0x1.ba1ba1ba16732p-5",
            "0x1.664f4881b11fep-6",
            "-0x1.226e353d0fd8dp-7",
            "0x1.d6d3cb839018p-9",
            "-0x1.7da317a2e6639p-10",
            "0x1.35550ef29189bp-11",
            "-0x1.f54e9076e3d19p-13",
            "0x1.95729042face5p-14",
            "-0x1.44faa388178cp-15",
            "0x1.f894c4529b87bp-17",
            "-0x1.6783ccf584998p-18",
            "0x1.aa633ec4797ep-20",
            "-0x1.666d0b47ce76bp-22",
            "0x1.34056e7ed051fp-25",
        ),
        "float": (
            "-0x1.555554p-2",
            "0x1.1110dep-3",
            "-0x1.ba1078p-5",
            "0x1.65b466p-6",
            "-0x1.1db666p-7",
            "0x1.aab136p-9",
            "-0x1.fd5edcp-11",
            "0x1.506ccap-13",
        ),
    },
    "erfc_body": {
        "double": (
            "0x1.43cc6f6c9672cp0",
            "-0x1.13a5336bc601p-3",
            "-0x1.b3a7039ce7e7cp-4",
            "0x1.dc00d1916473ap-3",
            "-0x1.bcbc1f91f8a93p-3",
            "0x1.0249e6b26e96p-3",
            "-0x1.57c0ad6d2f143p-5",
            "0x1.c32f370a5d94p-10",
            "0x1.450603f6a8b02p-8",
            "-0x1.68e757db8337ep-10",
            "-0x1.178aa5e058bc4p-11",
            "0x1.24dff29e95e97p-12",
            "0x1.421cb69dc9923p-14",
            "-0x1.aa4fe4af04975p-15",
            "-0x1.11ef2bf63b5dbp-16",
            "0x1.25494f7b46eb7p-17",
            "0x1.1f17e61b002c6p-18",
            "-0x1.4af5337a102dp-20",
            "-0x1.2a083cfca22ffp-20",
            "0x1.22939081e9879p-24",
            "0x1.f853537683f92p-23",
            "0x1.d66051474128bp-26",
            "-0x1.edec28cc24e1p-26",
            "-0x1.e450dd2620469p-28",
        ),
        "float": (
            "0x1.43cc7p0",
            "-0x1.13a53p-3",
            "-0x1.b3a6cp-4",
            "0x1.dc0068p-3",
            "-0x1.bcbe78p-3",
            "0x1.024e3ep-3",
            "-0x1.5783ep-5",
            "0x1.b93796p-10",
            "0x1.3f6086p-8",
            "-0x1.523b76p-10",
            "-0x1.ae4366p-12",
            "0x1.7ac33p-13",
        ),
    },
    "erf_tail": {
        "double": (
            "0x1.06eba8214db68p-3",
            "-0x1.812746b0379b5p-2",
            "0x1.ce2f21a03d8aap-4",
            "-0x1.b82ce30f2fd27p-6",
            "0x1.565bcbfa05347p-8",
            "-0x1.c02d4fbc67359p-11",
            "0x1.f98dbed84e9f4p-14",
            "-0x1.f225c2f2ffeb5p-17",
            "0x1.8b5279afbe2p-20",
        ),
        "float": (
            "0x1.06eba8p-3",
            "-0x1.812732p-2",
            "0x1.ce2522p-4",
            "-0x1.b667d6p-6",
            "0x1.355342p-8",
        ),
    },
}


def polynomial(variable: str, coefficients: tuple[str, ...], suffix: str) -> str:
    """Print a polynomial by Estrin's scheme: pairs at once, so that the chain of sums is short.

    >>> polynomial("z", ("1.0", "2.0", "3.0"), "")
    '((1.0 + 2.0 * z) + 3.0 * z2)'
    """
    if len(coefficients) == 1:
        return f"{coefficients[0]}{suffix}"
    if len(coefficients) == 2:
        sign, size = (
            ("-", coefficients[1][1:]) if coefficients[1][0] == "-" else ("+", coefficients[1])
        )
        return f"({coefficients[0]}{suffix} {sign} {size}{suffix} * {variable})"
    half = 1 << (len(coefficients) - 1).bit_length() - 1
    low = polynomial(variable, coefficients[:half], suffix)
    high = polynomial(variable, coefficients[half:], suffix)
    return f"({low} + {high} * {variable}{half})"


def polynomial_text(name: str, real: str) -> str:
    """Return the C function of one polynomial of `COEFFICIENTS` in a type.

    >>> print(polynomial_text("atanh_tail", "float"), end="")
    static inline float sg_atanh_tailf(float z) {
        const float z2 = z * z;
        return ((0x1.5555b4p-2f + 0x1.992b0cp-3f * z) + 0x1.36e462p-3f * z2);
    }
    """
    coefficients, suffix = COEFFICIENTS[name][real], "f" if real == "float" else ""
    lines = [f"static inline {real} sg_{name}{suffix}({real} z) {{"]
    power = 2
    while power < len(coefficients):
        root = "z" if power == 2 else f"z{power // 2}"
        lines.append(f"    const {real} z{power} = {root} * {root};")
        power *= 2
    return "\n".join([*lines, f"    return {polynomial('z', coefficients, suffix)};", "}", ""])

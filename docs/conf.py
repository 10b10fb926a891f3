"""The site: `sphinx-build -W -n docs docs/_build`, without network and without LaTeX."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

import symgrad  # noqa: E402 - after the path, so that a checkout documents itself

project = "symgrad"
author = "the symgrad developers"
copyright = "2026, the symgrad developers"
release = symgrad.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "mathml",
]
exclude_patterns = ["_build", "_ext"]

# A broken reference is an error of the build (-W). Without the network the pages of Python, NumPy
# and SymPy cannot be asked, so references are checked where they point into symgrad's public face.
nitpicky = True
nitpick_ignore_regex = [
    (r"py:.*", r"(?!symgrad).*"),
    (r"py:.*", r"symgrad\.\w+\.(.*)"),
]

# `name` in a docstring is code, as it is in the pages.
default_role = "code"
autodoc_member_order = "bysource"  # for a package: the order of its __all__
autodoc_typehints = "signature"
napoleon_numpy_docstring = False

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# MathML, made by _ext/mathml.py. The other ways were weighed: sphinx.ext.mathjax has every reader
# fetch a script from elsewhere, imgmath needs LaTeX wherever the site is built, KaTeX ahead of
# time needs Node.js, and latex2mathml passes an unknown command through without a word, where
# math-core gives an error.
html_math_renderer = "mathml"

html_theme = "furo"
html_title = f"symgrad {release}"
html_static_path = ["_static"]
html_css_files = ["formulas.css"]
html_copy_source = False

"""PDF, by pdflatex where it is installed; the documents need texlive-latex-base alone."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from symgrad.errors import UnsupportedError
from symgrad.formats import latex

#: Seconds that pdflatex may take.
TIME = 120


def derivation(derived: Any, *, detail: str) -> bytes:
    """Print a derivation as PDF.

    Raises:
        UnsupportedError: There is no pdflatex, or it does not accept the document.
    """
    return compiled(latex.derivation(derived, document=True, detail=detail))


def compiled(document: str) -> bytes:
    """Return a LaTeX document as PDF.

    Raises:
        UnsupportedError: There is no pdflatex, or it does not accept the document.
    """
    program = shutil.which("pdflatex")
    if program is None:
        raise UnsupportedError(
            "PDF needs pdflatex (on Debian the package texlive-latex-base); save as .tex, .md or "
            ".html instead"
        )
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "document.tex"
        source.write_text(document, encoding="utf-8")
        # No shell escape: a document runs nothing, whatever is in its names.
        command = [program, "-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error"]
        try:
            # The second run knows the numbers of the lines that the text refers to.
            for _ in range(2 if "\\eqref" in document else 1):
                done = subprocess.run(
                    [*command, source.name],
                    cwd=folder,
                    capture_output=True,
                    timeout=TIME,
                    check=False,
                )
        except subprocess.TimeoutExpired:
            raise UnsupportedError(f"pdflatex took more than {TIME} seconds") from None
        result = source.with_suffix(".pdf")
        if done.returncode or not result.exists():
            raise UnsupportedError(f"pdflatex stopped: {_complaint(done.stdout)}")
        return result.read_bytes()


def _complaint(log: bytes) -> str:
    lines = log.decode("utf-8", "replace").splitlines()
    found = [line for line in lines if line.startswith("!")]
    return found[0] if found else "no PDF was written"

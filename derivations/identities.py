"""Gradients as the reference books have them: derived, and the known form proved equal."""
# ruff: noqa: E501 (a line is a row of a table)

from functools import cache

from _page import Page

import symgrad as sg

#: Shapes by name: small letters are vectors or numbers, capital letters matrices.
SHAPES = {
    **dict.fromkeys("abxyz", "n"),
    **dict.fromkeys("ABCPSX", ("n", "n")),
    **dict.fromkeys("cpt", ()),
    **dict.fromkeys("uv", "m"),
    "M": ("m", "n"),
    "N": ("m", "n"),
    "W": ("n", "k"),
    "V": ("n", "k"),
    "Y": ("m", "k"),
    "d": "k",
}
#: Sections: a title, and lines of an expression, a variable and the form that is known.
SECTIONS = {
    "Vectors": """
        a @ x | x | a
        x @ a | x | a
        x @ x | x | 2 * x
        sum(x) | x | ones(n)
        mean(x) | x | ones(n) / n
        t * (a @ x) | t | a @ x
        (a @ x)**2 | x | 2 * (a @ x) * a
        (a @ x) * (b @ x) | x | (b @ x) * a + (a @ x) * b
        (a @ x) / (b @ x) | x | a / (b @ x) - (a @ x) * b / (b @ x)**2
        exp(a @ x) | x | exp(a @ x) * a
        log(a @ x) | x | a / (a @ x)
        tanh(a @ x + t) | x | (1 - tanh(a @ x + t)**2) * a
        tanh(a @ x + t) | t | 1 - tanh(a @ x + t)**2
        sigmoid(a @ x) | x | sigmoid(a @ x) * (1 - sigmoid(a @ x)) * a
        norm(x) | x | x / norm(x)
        norm(x)**2 | x | 2 * x
        norm(x)**3 | x | 3 * norm(x) * x
        norm(x - a) | x | (x - a) / norm(x - a)
        1 / norm(x) | x | -x / norm(x)**3
        log(norm(x)) | x | x / (x @ x)
        exp(-norm(x)**2) | x | -2 * exp(-(x @ x)) * x
        exp(-(x - a) @ (x - a) / (2 * t**2)) | x | -exp(-(x - a) @ (x - a) / (2 * t**2)) * (x - a) / t**2
        norm(x, 1) | x | sign(x)
        norm(x - a, 1) | x | sign(x - a)
        a @ x / norm(x) | x | a / norm(x) - (a @ x) * x / norm(x)**3
        sum((x - mean(x))**2) | x | 2 * (x - mean(x))
        var(x) | x | 2 / n * (x - mean(x))
        std(x) | x | (x - mean(x)) / (n * std(x))
        sum(a * x * b) | x | a * b
        sum(a * x**2) | x | 2 * a * x
        cumsum(x) @ a | x | cumsum(a[::-1])[::-1]
        x[::-1] @ a | x | a[::-1]
        outer(x, a) @ b @ y | x | (a @ b) * y
    """,
    "Functions of the entries": """
        sum(exp(x)) | x | exp(x)
        sum(log(x)) | x | 1 / x
        sum(x**3) | x | 3 * x**2
        sum(x**p) | x | p * x**(p - 1)
        sum(sqrt(x)) | x | 1 / (2 * sqrt(x))
        sum(1 / x) | x | -1 / x**2
        sum(x * log(x)) | x | log(x) + 1
        sum(sin(x)) | x | cos(x)
        sum(cos(x)) | x | -sin(x)
        sum(tan(x)) | x | 1 + tan(x)**2
        sum(arcsin(x)) | x | 1 / sqrt(1 - x**2)
        sum(arccos(x)) | x | -1 / sqrt(1 - x**2)
        sum(arctan(x)) | x | 1 / (1 + x**2)
        sum(sinh(x)) | x | cosh(x)
        sum(cosh(x)) | x | sinh(x)
        sum(tanh(x)) | x | 1 - tanh(x)**2
        sum(arcsinh(x)) | x | 1 / sqrt(1 + x**2)
        sum(arctanh(x)) | x | 1 / (1 - x**2)
        sum(abs(x)) | x | sign(x)
        sum(sigmoid(x)) | x | sigmoid(x) * (1 - sigmoid(x))
        sum(softplus(x)) | x | sigmoid(x)
        sum(relu(x)) | x | where(x > 0, 1, 0)
        sum(leaky_relu(x)) | x | where(x > 0, 1, 1 / 100)
        sum(silu(x)) | x | sigmoid(x) + x * sigmoid(x) * (1 - sigmoid(x))
        sum(softsign(x)) | x | 1 / (1 + abs(x))**2
        sum(log_sigmoid(x)) | x | sigmoid(-x)
        sum(erf(x)) | x | 2 / sqrt(pi) * exp(-x**2)
        sum(gelu(x)) | x | (1 + erf(x / sqrt(2))) / 2 + x * exp(-x**2 / 2) / sqrt(2 * pi)
        sum(log(1 + exp(-a * x))) | x | -a / (1 + exp(a * x))
        sum(maximum(x, a)) | x | where(x > a, 1, 0)
        sum(maximum(1 - a * x, 0)) | x | -a * where(a * x < 1, 1, 0)
        sum(sin(a * x)) | x | a * cos(a * x)
        sum(exp(-x**2 / 2)) | x | -x * exp(-x**2 / 2)
        sum(log(cosh(x - a))) | x | tanh(x - a)
        sum(sqrt(1 + (x - a)**2)) | x | (x - a) / sqrt(1 + (x - a)**2)
    """,
    "Linear and quadratic forms": """
        a @ X @ b | X | outer(a, b)
        a @ X.T @ b | X | outer(b, a)
        a @ X @ a | X | outer(a, a)
        x @ A @ x | x | (A + A.T) @ x
        x @ A @ x | A | outer(x, x)
        a @ A @ x | x | A.T @ a
        x @ A @ a | x | A @ a
        (x - a) @ A @ (x - b) | x | A @ (x - b) + A.T @ (x - a)
        x @ A @ x + b @ x + c | x | (A + A.T) @ x + b
        u @ M @ x | x | M.T @ u
        u @ M @ x | M | outer(u, x)
        (M @ x) @ (N @ x) | x | M.T @ (N @ x) + N.T @ (M @ x)
        (M @ x - u) @ (M @ x - u) | x | 2 * M.T @ (M @ x - u)
        (M @ x - u) @ (M @ x - u) | M | 2 * outer(M @ x - u, x)
        (M @ x - u) @ (M @ x - u) | u | -2 * (M @ x - u)
        norm(M @ x - u) | x | M.T @ (M @ x - u) / norm(M @ x - u)
        a @ X.T @ X @ b | X | X @ (outer(a, b) + outer(b, a))
        a @ X @ X.T @ b | X | (outer(a, b) + outer(b, a)) @ X
        a @ X.T @ A @ X @ b | X | A.T @ X @ outer(a, b) + A @ X @ outer(b, a)
        (X @ a + b) @ (X @ a + b) | X | 2 * outer(X @ a + b, a)
        (X @ a + b) @ A @ (X @ a + b) | X | outer((A + A.T) @ (X @ a + b), a)
        x @ A @ x / (x @ x) | x | ((A + A.T) @ x - 2 * (x @ A @ x) / (x @ x) * x) / (x @ x)
        exp(x @ A @ x) | x | exp(x @ A @ x) * (A + A.T) @ x
        log(x @ A @ x) | x | (A + A.T) @ x / (x @ A @ x)
        sqrt(x @ A @ x) | x | (A + A.T) @ x / (2 * sqrt(x @ A @ x))
        a @ X @ X @ b | X | outer(a, X @ b) + outer(X.T @ a, b)
        a @ matrix_power(X, 3) @ b | X | outer(a, X @ X @ b) + outer(X.T @ a, X @ b) + outer(X.T @ X.T @ a, b)
    """,
    "Traces": """
        trace(X) | X | eye(n)
        trace(X @ A) | X | A.T
        trace(A @ X) | X | A.T
        trace(X.T @ A) | X | A
        trace(A @ X.T) | X | A
        trace(A @ X @ B) | X | A.T @ B.T
        trace(A @ X.T @ B) | X | B @ A
        trace(X @ X) | X | 2 * X.T
        trace(X @ X.T) | X | 2 * X
        trace(X.T @ X) | X | 2 * X
        trace(X @ X @ A) | X | (X @ A + A @ X).T
        trace(X.T @ A @ X) | X | (A + A.T) @ X
        trace(X @ A @ X.T) | X | X @ (A + A.T)
        trace(A @ X @ X.T) | X | (A + A.T) @ X
        trace(A @ X @ B @ X) | X | A.T @ X.T @ B.T + B.T @ X.T @ A.T
        trace(A @ X @ B @ X.T) | X | A @ X @ B + A.T @ X @ B.T
        trace(A @ X @ B @ X.T @ C) | X | A.T @ C.T @ X @ B.T + C @ A @ X @ B
        trace((A @ X @ B + C) @ (A @ X @ B + C).T) | X | 2 * A.T @ (A @ X @ B + C) @ B.T
        trace(matrix_power(X, 3)) | X | 3 * (X @ X).T
        trace(A @ matrix_power(X, 3)) | X | (A @ X @ X + X @ A @ X + X @ X @ A).T
        trace(X)**2 | X | 2 * trace(X) * eye(n)
        trace(A * X) | X | A * eye(n)
        trace(kron(X, X)) | X | 2 * trace(X) * eye(n)
        trace(sin(X)) | X | cos(X) * eye(n)
    """,
    "Norms and least squares": """
        sum(X**2) | X | 2 * X
        norm(X) | X | X / norm(X)
        norm(X - A)**2 | X | 2 * (X - A)
        norm(X - A) | X | (X - A) / norm(X - A)
        sum(abs(X)) | X | sign(X)
        norm(M @ W - Y)**2 | W | 2 * M.T @ (M @ W - Y)
        norm(M @ W - Y)**2 / 2 + t / 2 * norm(W)**2 | W | M.T @ (M @ W - Y) + t * W
        norm(A - V @ W.T)**2 | V | -2 * (A - V @ W.T) @ W
        norm(A - V @ W.T)**2 | W | -2 * (A - V @ W.T).T @ V
        norm(X @ X.T - A)**2 | X | 2 * (X @ X.T - A + (X @ X.T - A).T) @ X
        sum((A @ X - X @ A)**2) | X | 2 * (A.T @ (A @ X - X @ A) - (A @ X - X @ A) @ A.T)
        sum(a * (M.T @ u - x)**2) | u | 2 * M @ (a * (M.T @ u - x))
        norm(X.T @ X - eye(n))**2 | X | 4 * X @ (X.T @ X - eye(n))
        norm(A - A @ V @ V.T)**2 | V | -2 * (A.T @ (A - A @ V @ V.T) + (A - A @ V @ V.T).T @ A) @ V
    """,
    "Determinants and inverses": """
        det(X) | X | det(X) * inv(X).T
        logdet(X) | X | inv(X).T
        log(det(S)) | S | inv(S).T
        det(X)**2 | X | 2 * det(X)**2 * inv(X).T
        1 / det(X) | X | -inv(X).T / det(X)
        sqrt(det(S)) | S | sqrt(det(S)) / 2 * inv(S).T
        det(A @ X @ B) | X | det(A @ X @ B) * inv(X).T
        det(X @ X) | X | 2 * det(X @ X) * inv(X).T
        logdet(X.T @ X) | X | 2 * inv(X).T
        logdet(X @ X.T + eye(n)) | X | 2 * inv(X @ X.T + eye(n)) @ X
        logdet(A + outer(x, y)) | x | inv(A + outer(x, y)).T @ y
        a @ inv(X) @ b | X | -inv(X).T @ outer(a, b) @ inv(X).T
        trace(inv(X)) | X | -(inv(X) @ inv(X)).T
        trace(inv(X) @ A) | X | -(inv(X) @ A @ inv(X)).T
        trace(A @ inv(X) @ B) | X | -(inv(X) @ B @ A @ inv(X)).T
        trace(inv(X + A)) | X | -(inv(X + A) @ inv(X + A)).T
        sum(inv(X)) | X | -inv(X).T @ ones((n, n)) @ inv(X).T
        x @ solve(S, y) | x | inv(S) @ y
        x @ solve(S, y) | y | inv(S).T @ x
        x @ solve(S, x) | S | -inv(S).T @ outer(x, x) @ inv(S).T
        logdet(S) + x @ solve(S, x) | S | inv(S).T - inv(S).T @ outer(x, x) @ inv(S).T
        trace(inv(X.T @ X)) | X | -2 * X @ inv(X.T @ X) @ inv(X.T @ X)
        trace(X @ inv(A + X)) | X | inv(A + X).T - (inv(A + X) @ X @ inv(A + X)).T
        t**2 * logdet(X) | t | 2 * t * logdet(X)
    """,
    "Entry by entry, and along axes": """
        sum(A * X) | X | A
        sum(A * X * B) | X | A * B
        a @ (X * A) @ b | X | outer(a, b) * A
        sum(exp(X)) | X | exp(X)
        sum((A @ X) * B) | X | A.T @ B
        sum(sum(X, axis=0)**2) | X | 2 * broadcast_to(sum(X, axis=0), (n, n))
        sum(sum(X, axis=1)**2) | X | 2 * broadcast_to(sum(X, axis=1)[:, None], (n, n))
        sum(X, axis=0) @ a | X | outer(ones(n), a)
        sum(X, axis=1) @ a | X | outer(a, ones(n))
        mean(X, axis=1) @ a | X | outer(a, ones(n)) / n
        sum((X - mean(X, axis=0))**2) | X | 2 * (X - mean(X, axis=0))
        diag(X) @ a | X | diag(a)
        a @ diag(x) @ b | x | a * b
        trace(diag(x) @ A) | x | diag(A)
        sum(diag(x) @ A @ diag(y)) | x | A @ y
        sum(tril(X)**2) | X | 2 * tril(X)
        sum(triu(A @ X)) | X | A.T @ triu(ones((n, n)))
        sum(kron(A, X)) | X | sum(A) * ones((n, n))
        logsumexp(x) | x | softmax(x)
        log(sum(exp(x))) | x | softmax(x)
        logsumexp(A @ x) | x | A.T @ softmax(A @ x)
        sum(logsumexp(X, axis=1)) | X | softmax(X, axis=1)
        a @ softmax(x) | x | softmax(x) * (a - a @ softmax(x))
        a @ log_softmax(x) | x | a - sum(a) * softmax(x)
        sum(softmax(x) * log(softmax(x))) | x | softmax(x) * (log(softmax(x)) - sum(softmax(x) * log(softmax(x))))
        concatenate([x, y]) @ concatenate([a, b]) | x | a
        convolve(x, y) @ convolve(x, y) | x | 2 * convolve(convolve(x, y), y[::-1])[n - 1:2 * n - 1]
        einsum("ij,jk,ki", A, X, B) | X | (B @ A).T
    """,
    "Learning": """
        mean((M @ x - u)**2) | x | 2 / m * M.T @ (M @ x - u)
        sum((tanh(M @ W + d) - Y)**2) | W | 2 * M.T @ ((tanh(M @ W + d) - Y) * (1 - tanh(M @ W + d)**2))
        sum((tanh(M @ W + d) - Y)**2) | d | 2 * sum((tanh(M @ W + d) - Y) * (1 - tanh(M @ W + d)**2), axis=0)
        sum((sigmoid(M @ W) - Y)**2) | W | 2 * M.T @ ((sigmoid(M @ W) - Y) * sigmoid(M @ W) * (1 - sigmoid(M @ W)))
        sum(relu(M @ W) * Y) | W | M.T @ (Y * where(M @ W > 0, 1, 0))
        mean(log(1 + exp(-u * (M @ x)))) | x | -M.T @ (u * sigmoid(-u * (M @ x))) / m
        -mean(u * log(sigmoid(M @ x)) + (1 - u) * log(1 - sigmoid(M @ x))) | x | M.T @ (sigmoid(M @ x) - u) / m
        sum(maximum(1 - u * (M @ x), 0)) + t * x @ x | x | 2 * t * x - M.T @ (u * where(u * (M @ x) < 1, 1, 0))
        sum(logsumexp(M @ W, axis=1)) - sum(Y * (M @ W)) | W | M.T @ (softmax(M @ W, axis=1) - Y)
        sum(exp(M @ x)) - u @ M @ x | x | M.T @ (exp(M @ x) - u)
        sum(u * log(u / v)) | v | -u / v
        sum(u * log(u / v)) | u | log(u / v) + 1
        n * log(t) + (x - a) @ (x - a) / (2 * t**2) | t | n / t - (x - a) @ (x - a) / t**3
        logdet(S) + (x - a) @ solve(S, x - a) | a | -(inv(S) + inv(S).T) @ (x - a)
        trace(W.T @ A @ W @ inv(W.T @ B @ W)) | W | A @ W @ inv(W.T @ B @ W) + A.T @ W @ inv(W.T @ B @ W).T - B @ W @ inv(W.T @ B @ W) @ W.T @ A @ W @ inv(W.T @ B @ W) - (inv(W.T @ B @ W) @ W.T @ A @ W @ inv(W.T @ B @ W) @ W.T @ B).T
    """,
}
WORDS = {"S": "positive definite"}


@cache
def rows():
    """The identities: by number a section, a text, a variable and the known form."""
    lines = [
        (title, *(part.strip() for part in line.split(" | ")))
        for title, block in SECTIONS.items()
        for line in block.strip().splitlines()
    ]
    return dict(enumerate(lines, 1))


def loss_of(text):
    """The formula of a text, its inputs declared by the convention of names."""
    used = {name for name in SHAPES if _occurs(name, text)}
    shapes = {name: SHAPES[name] for name in used}
    return sg.parse(text, shapes, {name: words for name, words in WORDS.items() if name in used})


def _occurs(name, text):
    spaced = "".join(c if c.isalnum() or c in "_.'\"" else " " for c in text)
    return name in spaced.replace(".T", " ").split()


def one_line(formula):
    """The right side of the last definition, and then the others that it names."""
    lines = [line.strip() for line in formula.latex().splitlines() if "=" in line]
    *others, last = (line.removesuffix("\\\\").replace("&=", "=").strip() for line in lines)
    own = [line for line in others if "convention" not in line]
    if "convention" in last:
        *own, last = own
    value = last.split("=", 1)[1].strip()
    return value + "".join(rf",\; {line}" for line in own)


def write(folder):
    """Write one table a section."""
    page = Page("identities", "Gradients of the reference books")
    count = len(rows())
    page.text(
        f"{count} gradients. Each is derived here; that the form in which it is known, written in "
        "NumPy's language, is equal to it, is proved by a test of each row. $x$, $a$, ... are columns, capital letters matrices; the derivative by a matrix "
        "has the shape of that matrix. $S$ is positive definite: that is used where it makes a "
        "result shorter, and all its entries are differentiated by as if each were by itself. $\\odot$ multiplies and "
        "$\\oslash$ divides entry by entry, $\\mathbf{1}$ is a column of ones, and functions of a "
        "matrix are taken of every entry."
    )
    for title in SECTIONS:
        page.section(title)
        lines = ["| | formula | by | derivative | known as |", "|---:|---|---|---|---|"]
        for number, (section, text, by, known) in rows().items():
            if section == title:
                loss = loss_of(text)
                derived, value = one_line(sg.gradient(loss, by)), one_line(loss)
                cells = [number, f"${value}$", f"${by}$", f"${derived}$", f"`{known}`"]
                lines.append("| " + " | ".join(map(str, cells)) + " |")
        page.text("\n".join(lines))
    return page.write(folder)

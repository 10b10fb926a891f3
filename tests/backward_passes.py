"""Losses with gradients written by hand in plain NumPy, as people write them; all are right.

`CASES` holds them by name. What the arguments are is said by `shapes`: a tuple is the shape of an
array of any numbers (`()` a number), an array or a number is a constant that has to be as it is, a
list is a list of such arguments, and a dictionary is a dictionary of them. `wrt` names what `grad`
returns the gradients of: arguments, or entries of an argument that is a dictionary.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    """A loss and its gradient; with `upstream`, a forward pass and the backward pass to it.

    Without `upstream`, `loss` and `grad` take the same arguments. With it, `loss` returns the
    output and a cache, and `grad` takes the gradient at the output and that cache. `grad` returns
    a dictionary by the names in `wrt`, or a tuple in their order. `helpers` are the functions and
    classes of this module that `grad` calls.
    """

    loss: Callable[..., Any]
    grad: Callable[..., Any]
    shapes: dict[str, Any]
    wrt: tuple[str, ...]
    upstream: str | None = None
    helpers: tuple[Any, ...] = ()

    def arguments(self, rng: np.random.Generator) -> dict[str, Any]:
        """The arguments of the loss at a random point."""
        return {name: drawn(shape, rng) for name, shape in self.shapes.items()}

    def inputs(self, rng: np.random.Generator) -> tuple[Any, ...]:
        """The arguments of the gradient at a random point."""
        arguments = self.arguments(rng)
        if self.upstream is None:
            return tuple(arguments.values())
        out, cache = self.loss(**arguments)
        return rng.normal(size=out.shape), cache

    def by_name(self, gradient: Any) -> dict[str, Any]:
        """What `grad` returned, by the names in `wrt`, in their order."""
        if not isinstance(gradient, dict):
            return dict(zip(self.wrt, gradient, strict=True))
        if set(gradient) != set(self.wrt):
            raise ValueError(f"gradients of {list(gradient)}, not of {list(self.wrt)}")
        return {name: gradient[name] for name in self.wrt}


def drawn(shape: Any, rng: np.random.Generator) -> Any:
    """An argument of the kind that an entry of `shapes` describes."""
    if isinstance(shape, tuple):
        return rng.normal(size=shape) if shape else float(rng.normal())
    if isinstance(shape, list):
        return [drawn(one, rng) for one in shape]
    if isinstance(shape, dict):
        return {name: drawn(one, rng) for name, one in shape.items()}
    return shape.copy() if isinstance(shape, np.ndarray) else shape


def arrays_of(value: Any) -> list[np.ndarray]:
    """The arrays of an argument or of a gradient, in order."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [array for one in value for array in arrays_of(one)]
    return [np.asarray(value, dtype=float)]


# ---------------------------------------------------------------- numbers, in plain Python


def tanh_by_hand(t):
    up = math.exp(t)
    down = math.exp(-t)
    return (up - down) / (up + down)


def tanh_slope(t):
    return 1 - tanh_by_hand(t) ** 2


def perceptron_output(w, z, b):
    return tanh_by_hand(w * z + b)


def perceptron_loss(w, z, b, y):
    return (perceptron_output(w, z, b) - y) ** 2 / 2


def perceptron_grad(w, z, b, y):
    error = perceptron_output(w, z, b) - y
    slope = tanh_slope(w * z + b)
    dw = error * slope * z
    db = error * slope
    return dw, db


def sigmoid_number(t):
    return 1 / (1 + math.exp(-t))


def neuron_loss(w1, w2, b, x1, x2, y):
    p = sigmoid_number(w1 * x1 + w2 * x2 + b)
    return -(y * math.log(p) + (1 - y) * math.log(1 - p))


def neuron_grad(w1, w2, b, x1, x2, y):
    # The chain rule, link by link.
    p = sigmoid_number(w1 * x1 + w2 * x2 + b)
    dL_dp = -(y / p - (1 - y) / (1 - p))
    dp_dt = p * (1 - p)
    dL_dt = dL_dp * dp_dt
    return {"w1": dL_dt * x1, "w2": dL_dt * x2, "b": dL_dt}


def gaussian_loss(x, mu, s):
    # A negative log likelihood; s is the logarithm of the standard deviation.
    sigma = math.exp(s)
    return 0.5 * math.log(2 * math.pi) + s + (x - mu) ** 2 / (2 * sigma**2)


def gaussian_grad(x, mu, s):
    sigma = math.exp(s)
    distance = (x - mu) / sigma
    dmu = -distance / sigma
    ds = 1 - distance**2
    dx = distance / sigma
    return {"x": dx, "mu": dmu, "s": ds}


def bell_loss(x, mu, sigma):
    return math.exp(-0.5 * ((x - mu) / sigma) ** 2) / (abs(sigma) * math.sqrt(2 * math.pi))


def bell_grad(x, mu, sigma):
    density = bell_loss(x, mu, sigma)
    z = (x - mu) / sigma
    return (-density * z / sigma, density * z / sigma, density * (z * z - 1) / sigma)


def gates_loss(x, y, z):
    # Sums and products as a circuit of gates, walked backwards.
    q = x + y
    f = q * z
    return f * f + math.sin(x * y)


def gates_grad(x, y, z):
    q = x + y
    f = q * z
    df = 2 * f
    dq = df * z
    dz = df * q
    dx = 1 * dq
    dy = 1 * dq
    cosine = math.cos(x * y)
    dx += cosine * y
    dy += cosine * x
    return {"x": dx, "y": dy, "z": dz}


def two_neurons_loss(w1, b1, w2, b2, x, y):
    h = tanh_by_hand(w1 * x + b1)
    out = w2 * h + b2
    return 0.5 * (y - out) ** 2


def two_neurons_grad(w1, b1, w2, b2, x, y):
    h = tanh_by_hand(w1 * x + b1)
    out = w2 * h + b2
    delta2 = -(y - out)
    delta1 = delta2 * w2 * (1 - h * h)
    return delta1 * x, delta1, delta2 * h, delta2


# ---------------------------------------------------------------- lines, by loops over the points


def line_loss(w, b, xs, ys):
    total = 0.0
    for x, y in zip(xs, ys, strict=True):
        total += (w * x + b - y) ** 2
    return total / 2


def line_grad(w, b, xs, ys):
    dw = 0.0
    db = 0.0
    for x, y in zip(xs, ys, strict=True):
        residual = w * x + b - y
        dw += residual * x
        db += residual
    return dw, db


def line_mean_loss(m, c, points):
    total = 0
    for k in range(len(points)):
        x = points[k, 0]
        y = points[k, 1]
        total += (y - (m * x + c)) ** 2
    return total / float(len(points))


def line_mean_grad(m, c, points):
    m_gradient = 0
    c_gradient = 0
    n = float(len(points))
    for k in range(len(points)):
        x = points[k, 0]
        y = points[k, 1]
        m_gradient += -(2 / n) * x * (y - ((m * x) + c))
        c_gradient += -(2 / n) * (y - ((m * x) + c))
    return {"m": m_gradient, "c": c_gradient}


def polynomial_loss(a, b, c, d, x, y):
    y_pred = a + b * x + c * x**2 + d * x**3
    return np.square(y_pred - y).sum()


def polynomial_grad(a, b, c, d, x, y):
    y_pred = a + b * x + c * x**2 + d * x**3
    grad_y_pred = 2.0 * (y_pred - y)
    grad_a = grad_y_pred.sum()
    grad_b = (grad_y_pred * x).sum()
    grad_c = (grad_y_pred * x**2).sum()
    grad_d = (grad_y_pred * x**3).sum()
    return grad_a, grad_b, grad_c, grad_d


# ---------------------------------------------------------------- linear models


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def linear_loss(w, b, X, y):
    n = X.shape[0]
    return np.sum((X @ w + b - y) ** 2) / n


def linear_grad(w, b, X, y):
    n = X.shape[0]
    error = X @ w + b - y
    dw = (2 / n) * X.T @ error
    db = (2 / n) * np.sum(error)
    return {"w": dw, "b": db}


def linear_out_loss(X, W, b, Y):
    return np.mean((X @ W + b - Y) ** 2)


def linear_out_grad(X, W, b, Y):
    Y_hat = X.dot(W) + b
    dY_hat = 2 * (Y_hat - Y) / Y.size
    dW = X.T.dot(dY_hat)
    db = dY_hat.sum(axis=0)
    dX = dY_hat.dot(W.T)
    return dX, dW, db


def ridge_loss(w, X, y, lam):
    r = X @ w - y
    return 0.5 * np.mean(r**2) + 0.5 * lam * np.sum(w**2)


def ridge_grad(w, X, y, lam):
    r = X @ w - y
    return (X.T @ r / len(y) + lam * w,)


def elastic_loss(w, X, y):
    r = y - X @ w
    return r @ r / (2 * len(y)) + 0.3 * np.abs(w).sum() + 0.1 * (w @ w)


def elastic_grad(w, X, y):
    r = y - X @ w
    smooth = -X.T @ r / len(y)
    return {"w": smooth + 0.3 * np.sign(w) + 2 * 0.1 * w}


def l1_loss(w, b, X, y):
    return np.mean(np.abs(X @ w + b - y))


def l1_grad(w, b, X, y):
    s = np.sign(X @ w + b - y)
    dw = X.T @ s / y.shape[0]
    db = s.mean()
    return dw, db


def huber_where_loss(w, b, X, y):
    delta = 0.8
    r = X @ w + b - y
    small = np.abs(r) <= delta
    return np.where(small, 0.5 * r**2, delta * (np.abs(r) - 0.5 * delta)).sum()


def huber_where_grad(w, b, X, y):
    delta = 0.8
    r = X @ w + b - y
    small = np.abs(r) <= delta
    dr = np.where(small, r, delta * np.sign(r))
    return {"w": X.T @ dr, "b": dr.sum()}


def huber_clip_loss(w, X, y):
    r = y - X @ w
    q = np.clip(r, -1.0, 1.0)
    return np.mean(q * (r - 0.5 * q))


def huber_clip_grad(w, X, y):
    r = y - X @ w
    q = np.clip(r, -1.0, 1.0)
    dw = -np.mean(q[:, None] * X, axis=0)
    return (dw,)


def log_cosh_loss(w, X, y):
    return np.sum(np.log(np.cosh(X @ w - y)))


def log_cosh_grad(w, X, y):
    return {"w": X.T @ np.tanh(X @ w - y)}


def pinball_loss(w, X, y):
    tau = 0.7
    e = y - X @ w
    return np.maximum(tau * e, (tau - 1) * e).mean()


def pinball_grad(w, X, y):
    tau = 0.7
    e = y - X @ w
    de = np.where(e > 0, tau, tau - 1) / len(e)
    return {"w": -(X.T @ de)}


# ---------------------------------------------------------------- logistic and softmax regression


def logistic_loss(w, b, X, y):
    p = sigmoid(X @ w + b)
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))


def logistic_grad(w, b, X, y):
    n = len(y)
    p = sigmoid(X @ w + b)
    dw = X.T @ (p - y) / n
    db = np.sum(p - y) / n
    return {"w": dw, "b": db}


def logistic_columns_loss(w, b, X, Y):
    # The samples are the columns of X.
    m = X.shape[1]
    A = sigmoid(np.dot(w.T, X) + b)
    return -1 / m * np.sum(Y * np.log(A) + (1 - Y) * np.log(1 - A))


def logistic_columns_grad(w, b, X, Y):
    m = X.shape[1]
    A = sigmoid(np.dot(w.T, X) + b)
    dZ = A - Y
    dw = 1 / m * np.dot(X, dZ.T)
    db = 1 / m * np.sum(dZ)
    return {"w": dw, "b": db}


def logistic_signs_loss(w, X, y, lam):
    # The classes are -1 and 1, and the loss is log(1 + exp(-margin)).
    margin = y * (X @ w)
    return np.logaddexp(0, -margin).sum() + lam / 2 * np.dot(w, w)


def logistic_signs_grad(w, X, y, lam):
    margin = y * (X @ w)
    weight = 1 / (1 + np.exp(margin))
    return (-(y * weight) @ X + lam * w,)


def bce_logits_loss(W, b, X, T):
    # Written so that no logarithm is taken of a probability.
    logits = X @ W + b
    return np.mean(np.maximum(logits, 0) - logits * T + np.log(1 + np.exp(-np.abs(logits))))


def bce_logits_grad(W, b, X, T):
    logits = X @ W + b
    dlogits = (1 / (1 + np.exp(-logits)) - T) / T.size
    return {"W": X.T @ dlogits, "b": np.sum(dlogits, axis=0)}


def softmax(Z):
    E = np.exp(Z - Z.max(axis=1, keepdims=True))
    return E / E.sum(axis=1, keepdims=True)


def softmax_onehot_loss(W, b, X, Y):
    P = softmax(X @ W + b)
    return -np.sum(Y * np.log(P)) / X.shape[0]


def softmax_onehot_grad(W, b, X, Y):
    P = softmax(X @ W + b)
    dZ = (P - Y) / X.shape[0]
    dW = X.T @ dZ
    db = dZ.sum(axis=0)
    return dW, db


def softmax_labels_loss(W, X, y, reg):
    n = X.shape[0]
    scores = X.dot(W)
    scores -= np.max(scores, axis=1, keepdims=True)
    p = np.exp(scores)
    p /= np.sum(p, axis=1, keepdims=True)
    return np.sum(-np.log(p[np.arange(n), y])) / n + reg * np.sum(W * W)


def softmax_labels_grad(W, X, y, reg):
    n = X.shape[0]
    scores = X.dot(W)
    scores -= np.max(scores, axis=1, keepdims=True)
    p = np.exp(scores)
    p /= np.sum(p, axis=1, keepdims=True)
    p[np.arange(n), y] -= 1
    dW = X.T.dot(p)
    dW /= n
    dW += 2 * reg * W
    return {"W": dW}


def softmax_naive_loss(W, X, y):
    loss = 0.0
    for i in range(X.shape[0]):
        f = X[i].dot(W)
        loss += -f[y[i]] + np.log(np.sum(np.exp(f)))
    return loss / X.shape[0]


def softmax_naive_grad(W, X, y):
    dW = np.zeros_like(W)
    num_train, num_classes = X.shape[0], W.shape[1]
    for i in range(num_train):
        f = X[i].dot(W)
        f = f - np.max(f)
        sum_exp = np.sum(np.exp(f))
        for j in range(num_classes):
            p = np.exp(f[j]) / sum_exp
            dW[:, j] += (p - (j == y[i])) * X[i]
    dW /= num_train
    return (dW,)


def label_smoothing_loss(W, X, y):
    n, k = X.shape[0], W.shape[1]
    target = np.full((n, k), 0.1 / k)
    target[np.arange(n), y] += 0.9
    Z = X @ W
    log_p = Z - np.log(np.exp(Z).sum(axis=1, keepdims=True))
    return -(target * log_p).sum() / n


def label_smoothing_grad(W, X, y):
    n, k = X.shape[0], W.shape[1]
    target = np.full((n, k), 0.1 / k)
    target[np.arange(n), y] += 0.9
    Z = X @ W
    P = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
    return {"W": X.T @ (P - target) / n}


def temperature_loss(Z, t, Y):
    P = softmax(Z / t)
    return -np.mean(np.sum(Y * np.log(P), axis=1))


def temperature_grad(Z, t, Y):
    n = Z.shape[0]
    P = softmax(Z / t)
    dS = (P * Y.sum(axis=1, keepdims=True) - Y) / n
    dZ = dS / t
    dt = -np.sum(dS * Z) / t**2
    return {"Z": dZ, "t": dt}


def svm_loss(W, X, y, reg):
    n = X.shape[0]
    scores = X @ W
    correct = scores[np.arange(n), y].reshape(-1, 1)
    margins = np.maximum(0, scores - correct + 1)
    margins[np.arange(n), y] = 0
    return margins.sum() / n + reg * np.sum(W * W)


def svm_grad(W, X, y, reg):
    n = X.shape[0]
    scores = X @ W
    correct = scores[np.arange(n), y].reshape(-1, 1)
    margins = np.maximum(0, scores - correct + 1)
    margins[np.arange(n), y] = 0
    mask = (margins > 0).astype(float)
    mask[np.arange(n), y] = -np.sum(mask, axis=1)
    dW = X.T @ mask / n + 2 * reg * W
    return {"W": dW}


def poisson_loss(w, b, X, counts):
    eta = X @ w + b
    return np.sum(np.exp(eta) - counts * eta)


def poisson_grad(w, b, X, counts):
    rate = np.exp(X @ w + b)
    return X.T @ (rate - counts), np.sum(rate - counts)


# ---------------------------------------------------------------- networks of two layers


def columns_loss(x, W1, W2, y):
    # Three inputs, two hidden, two outputs; x and y are columns.
    h = sigmoid(W1 @ x)
    o = sigmoid(W2 @ h)
    return 0.5 * np.sum((o - y) ** 2)


def columns_grad(x, W1, W2, y):
    h = sigmoid(W1 @ x)
    o = sigmoid(W2 @ h)
    delta_o = (o - y) * o * (1 - o)
    delta_h = (W2.T @ delta_o) * h * (1 - h)
    return {"W1": delta_h @ x.T, "W2": delta_o @ h.T}


def relu_softmax_loss(X, y, W1, b1, W2, b2):
    h = np.maximum(0, X @ W1 + b1)
    scores = h @ W2 + b2
    shifted = scores - scores.max(axis=1, keepdims=True)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -log_probs[np.arange(len(y)), y].mean()


def relu_softmax_grad(X, y, W1, b1, W2, b2):
    n = X.shape[0]
    h = np.maximum(0, X @ W1 + b1)
    scores = h @ W2 + b2
    shifted = scores - scores.max(axis=1, keepdims=True)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    dscores = np.exp(log_probs)
    dscores[np.arange(n), y] -= 1
    dscores /= n
    grads = {}
    grads["W2"] = h.T @ dscores
    grads["b2"] = dscores.sum(axis=0)
    dh = dscores @ W2.T
    dh[h <= 0] = 0
    grads["W1"] = X.T @ dh
    grads["b1"] = dh.sum(axis=0)
    return grads


def relu_mse_loss(x, y, w1, w2):
    return np.square(np.maximum(x.dot(w1), 0).dot(w2) - y).sum()


def relu_mse_grad(x, y, w1, w2):
    h = x.dot(w1)
    h_relu = np.maximum(h, 0)
    y_pred = h_relu.dot(w2)
    grad_y_pred = 2.0 * (y_pred - y)
    grad_w2 = h_relu.T.dot(grad_y_pred)
    grad_h_relu = grad_y_pred.dot(w2.T)
    grad_h = grad_h_relu.copy()
    grad_h[h < 0] = 0
    grad_w1 = x.T.dot(grad_h)
    return grad_w1, grad_w2


def tanh_einsum_loss(X, Y, A, B):
    H = np.tanh(np.einsum("ni,ij->nj", X, A))
    out = np.einsum("nj,jk->nk", H, B)
    return np.mean((out - Y) ** 2)


def tanh_einsum_grad(X, Y, A, B):
    H = np.tanh(np.einsum("ni,ij->nj", X, A))
    out = np.einsum("nj,jk->nk", H, B)
    G = 2 * (out - Y) / out.size
    dB = np.einsum("nj,nk->jk", H, G)
    dH = np.einsum("nk,jk->nj", G, B)
    dA = np.einsum("ni,nj->ij", X, dH * (1 - H**2))
    return {"A": dA, "B": dB}


def outer_loop_loss(X, T, V, b, W, c):
    total = 0.0
    for x, t in zip(X, T, strict=True):
        h = sigmoid(V @ x + b)
        o = sigmoid(W @ h + c)
        total += 0.5 * np.sum((t - o) ** 2)
    return total


def outer_loop_grad(X, T, V, b, W, c):
    dV, db = np.zeros_like(V), np.zeros_like(b)
    dW, dc = np.zeros_like(W), np.zeros_like(c)
    for x, t in zip(X, T, strict=True):
        h = sigmoid(V @ x + b)
        o = sigmoid(W @ h + c)
        delta = -(t - o) * o * (1 - o)
        dW += np.outer(delta, h)
        dc += delta
        back = W.T @ delta * h * (1 - h)
        dV += np.outer(back, x)
        db += back
    return dV, db, dW, dc


def column_network_loss(X, Y, W1, b1, W2, b2):
    # Samples in columns, a bias is a column.
    m = X.shape[1]
    A1 = np.tanh(np.dot(W1, X) + b1)
    A2 = sigmoid(np.dot(W2, A1) + b2)
    return -np.sum(np.multiply(Y, np.log(A2)) + np.multiply(1 - Y, np.log(1 - A2))) / m


def column_network_grad(X, Y, W1, b1, W2, b2):
    m = X.shape[1]
    A1 = np.tanh(np.dot(W1, X) + b1)
    A2 = sigmoid(np.dot(W2, A1) + b2)
    dZ2 = A2 - Y
    dW2 = np.dot(dZ2, A1.T) / m
    db2 = np.sum(dZ2, axis=1, keepdims=True) / m
    dZ1 = np.multiply(np.dot(W2.T, dZ2), 1 - np.power(A1, 2))
    dW1 = np.dot(dZ1, X.T) / m
    db1 = np.sum(dZ1, axis=1, keepdims=True) / m
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}


def leaky_loss(X, Y, W1, W2):
    Z = X @ W1
    A = np.where(Z > 0, Z, 0.01 * Z)
    return 0.5 * ((A @ W2 - Y) ** 2).sum()


def leaky_grad(X, Y, W1, W2):
    Z = X @ W1
    A = np.where(Z > 0, Z, 0.01 * Z)
    delta = A @ W2 - Y
    dW2 = A.T @ delta
    dZ = (delta @ W2.T) * np.where(Z > 0, 1.0, 0.01)
    dW1 = X.T @ dZ
    return dW1, dW2


def elu_loss(X, W1, w2, y):
    Z = X @ W1
    A = np.where(Z > 0, Z, np.exp(Z) - 1)
    return np.mean((A @ w2 - y) ** 2)


def elu_grad(X, W1, w2, y):
    n = len(y)
    Z = X @ W1
    A = np.where(Z > 0, Z, np.exp(Z) - 1)
    r = 2 / n * (A @ w2 - y)
    dw2 = A.T @ r
    dA = np.outer(r, w2)
    dZ = np.where(Z > 0, dA, dA * (A + 1))
    return {"W1": X.T @ dZ, "w2": dw2}


def gelu(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def gelu_loss(X, W, b):
    return 0.5 * np.sum(gelu(X @ W + b) ** 2)


def gelu_grad(X, W, b):
    x = X @ W + b
    k = np.sqrt(2 / np.pi)
    t = np.tanh(k * (x + 0.044715 * x**3))
    out = 0.5 * x * (1 + t)
    dt = 1 - t**2
    dx = 0.5 * (1 + t) + 0.5 * x * dt * k * (1 + 3 * 0.044715 * x**2)
    dx = out * dx
    return {"W": X.T @ dx, "b": dx.sum(0), "X": dx @ W.T}


def softplus_loss(X, W, v):
    return np.sum(np.logaddexp(0, X @ W) @ v)


def softplus_grad(X, W, v):
    Z = X @ W
    H = np.logaddexp(0, Z)
    ones = np.ones(X.shape[0])
    dv = H.T @ ones
    dZ = np.outer(ones, v) * sigmoid(Z)
    dW = X.T @ dZ
    return dW, dv


def swish_loss(X, W, beta):
    Z = X @ W
    return np.mean(Z / (1 + np.exp(-beta * Z)))


def swish_grad(X, W, beta):
    Z = X @ W
    S = 1 / (1 + np.exp(-beta * Z))
    dZ = (S + beta * Z * S * (1 - S)) / Z.size
    dbeta = np.mean(Z * Z * S * (1 - S))
    return {"W": X.T @ dZ, "beta": dbeta}


def residual_loss(X, W1, W2, Y):
    H = X + np.maximum(X @ W1, 0) @ W2
    return np.sum((H - Y) ** 2)


def residual_grad(X, W1, W2, Y):
    R = np.maximum(X @ W1, 0)
    H = X + R @ W2
    dH = 2 * (H - Y)
    dW2 = R.T @ dH
    dR = dH @ W2.T
    dR *= R > 0
    dW1 = X.T @ dR
    dX = dH + dR @ W1.T
    return {"X": dX, "W1": dW1, "W2": dW2}


def autoencoder_loss(X, W, b, c):
    # One matrix encodes and, transposed, decodes.
    H = np.tanh(X @ W + b)
    return 0.5 * np.sum((H @ W.T + c - X) ** 2)


def autoencoder_grad(X, W, b, c):
    H = np.tanh(X @ W + b)
    R = H @ W.T + c - X
    dA = R @ W * (1 - H * H)
    dW = X.T @ dA + R.T @ H
    db = dA.sum(axis=0)
    dc = R.sum(axis=0)
    return dW, db, dc


# ---------------------------------------------------------------- networks of any depth, classes


def deep_loss(Ws, bs, X, Y):
    a = X
    for W, b in zip(Ws, bs, strict=True):
        a = np.tanh(a @ W + b)
    return 0.5 * np.sum((a - Y) ** 2)


def deep_grad(Ws, bs, X, Y):
    activations = [X]
    for W, b in zip(Ws, bs, strict=True):
        activations.append(np.tanh(activations[-1] @ W + b))
    dWs = [None] * len(Ws)
    dbs = [None] * len(bs)
    delta = activations[-1] - Y
    for k in range(len(Ws) - 1, -1, -1):
        delta = delta * (1 - activations[k + 1] ** 2)
        dWs[k] = activations[k].T @ delta
        dbs[k] = delta.sum(axis=0)
        delta = delta @ Ws[k].T
    return {"Ws": dWs, "bs": dbs}


def sigmoid_prime(z):
    return sigmoid(z) * (1 - sigmoid(z))


def cost_derivative(output, y):
    return output - y


def backprop_loss(weights, biases, x, y):
    a = x
    for w, b in zip(weights, biases, strict=True):
        a = sigmoid(np.dot(w, a) + b)
    return 0.5 * np.linalg.norm(a - y) ** 2


def backprop_grad(weights, biases, x, y):
    nabla_w = [np.zeros(w.shape) for w in weights]
    nabla_b = [np.zeros(b.shape) for b in biases]
    activation = x
    activations = [x]
    zs = []
    for w, b in zip(weights, biases, strict=True):
        z = np.dot(w, activation) + b
        zs.append(z)
        activation = sigmoid(z)
        activations.append(activation)
    delta = cost_derivative(activations[-1], y) * sigmoid_prime(zs[-1])
    nabla_b[-1] = delta
    nabla_w[-1] = np.dot(delta, activations[-2].T)
    for layer in range(2, len(weights) + 1):
        delta = np.dot(weights[-layer + 1].T, delta) * sigmoid_prime(zs[-layer])
        nabla_b[-layer] = delta
        nabla_w[-layer] = np.dot(delta, activations[-layer - 1].T)
    return nabla_w, nabla_b


class SmallNet:
    def __init__(self, W1, b1, W2, b2):
        self.params = {"W1": W1, "b1": b1, "W2": W2, "b2": b2}
        self.grads = {}
        self.cache = None

    def forward(self, X):
        p = self.params
        z = X @ p["W1"] + p["b1"]
        a = np.maximum(z, 0.1 * z)
        out = a @ p["W2"] + p["b2"]
        self.cache = (X, z, a, out)
        return out

    def backward(self, dout):
        X, z, a, _ = self.cache
        self.grads["W2"] = a.T @ dout
        self.grads["b2"] = dout.sum(axis=0)
        da = dout @ self.params["W2"].T
        dz = np.where(z > 0, da, 0.1 * da)
        self.grads["W1"] = X.T @ dz
        self.grads["b1"] = dz.sum(axis=0)
        return self.grads


def class_loss(X, T, W1, b1, W2, b2):
    return 0.5 * np.mean(np.sum((SmallNet(W1, b1, W2, b2).forward(X) - T) ** 2, axis=1))


def class_grad(X, T, W1, b1, W2, b2):
    net = SmallNet(W1, b1, W2, b2)
    out = net.forward(X)
    return net.backward((out - T) / X.shape[0])


class DenseLayer:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, grad):
        self.dW = self.x.T @ grad
        self.db = grad.sum(axis=0)
        return grad @ self.W.T


class TanhLayer:
    def forward(self, x):
        self.y = np.tanh(x)
        return self.y

    def backward(self, grad):
        return grad * (1 - self.y**2)


class SigmoidLayer:
    def forward(self, x):
        self.y = sigmoid(x)
        return self.y

    def backward(self, grad):
        return grad * self.y * (1 - self.y)


def layers_loss(x, y, W1, b1, W2, b2):
    for layer in [DenseLayer(W1, b1), TanhLayer(), DenseLayer(W2, b2), SigmoidLayer()]:
        x = layer.forward(x)
    return ((x - y) ** 2).sum() / len(y)


def layers_grad(x, y, W1, b1, W2, b2):
    layers = [DenseLayer(W1, b1), TanhLayer(), DenseLayer(W2, b2), SigmoidLayer()]
    for layer in layers:
        x = layer.forward(x)
    grad = 2 * (x - y) / len(y)
    for layer in reversed(layers):
        grad = layer.backward(grad)
    return grad, layers[0].dW, layers[0].db, layers[2].dW, layers[2].db


# ---------------------------------------------------------------- forward and backward passes


def affine_forward(x, w, b):
    out = x.reshape(x.shape[0], -1) @ w + b
    cache = (x, w, b)
    return out, cache


def affine_backward(dout, cache):
    x, w, _ = cache
    dx = dout.dot(w.T).reshape(x.shape)
    dw = x.reshape(x.shape[0], -1).T.dot(dout)
    db = np.sum(dout, axis=0)
    return dx, dw, db


def relu_forward(x):
    return np.maximum(0, x), x


def relu_backward(dout, cache):
    return dout * (cache > 0)


def affine_relu_forward(x, w1, b1, w2, b2):
    a, first = affine_forward(x, w1, b1)
    r, mask = relu_forward(a)
    out, second = affine_forward(r, w2, b2)
    return out, (first, mask, second)


def affine_relu_backward(dout, cache):
    first, mask, second = cache
    dr, dw2, db2 = affine_backward(dout, second)
    da = relu_backward(dr, mask)
    dx, dw1, db1 = affine_backward(da, first)
    return {"x": dx, "w1": dw1, "b1": db1, "w2": dw2, "b2": db2}


def sigmoid_forward(z):
    s = 1 / (1 + np.exp(-z))
    return s, s


def sigmoid_backward(dout, cache):
    s = cache
    return {"z": dout * s * (1 - s)}


def softmax_forward(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    p = e / e.sum(axis=-1, keepdims=True)
    return p, p


def softmax_backward(dout, cache):
    p = cache
    return (p * (dout - np.sum(dout * p, axis=-1, keepdims=True)),)


def softmax_jacobian_backward(dout, cache):
    p = cache
    dz = np.zeros_like(p)
    for i in range(p.shape[0]):
        column = p[i].reshape(-1, 1)
        jacobian = np.diagflat(column) - column @ column.T
        dz[i] = jacobian @ dout[i]
    return {"z": dz}


def batchnorm_forward(x, gamma, beta, eps=1e-5):
    N, _ = x.shape
    mu = 1.0 / N * np.sum(x, axis=0)
    xmu = x - mu
    sq = xmu**2
    var = 1.0 / N * np.sum(sq, axis=0)
    sqrtvar = np.sqrt(var + eps)
    ivar = 1.0 / sqrtvar
    xhat = xmu * ivar
    out = gamma * xhat + beta
    return out, (xhat, gamma, xmu, ivar, sqrtvar, var, eps)


def batchnorm_staged_backward(dout, cache):
    xhat, gamma, xmu, ivar, sqrtvar, var, eps = cache
    N, D = dout.shape
    dbeta = np.sum(dout, axis=0)
    dgamma = np.sum(dout * xhat, axis=0)
    dxhat = dout * gamma
    divar = np.sum(dxhat * xmu, axis=0)
    dxmu1 = dxhat * ivar
    dsqrtvar = -1.0 / (sqrtvar**2) * divar
    dvar = 0.5 * 1.0 / np.sqrt(var + eps) * dsqrtvar
    dsq = 1.0 / N * np.ones((N, D)) * dvar
    dxmu2 = 2 * xmu * dsq
    dx1 = dxmu1 + dxmu2
    dmu = -1 * np.sum(dxmu1 + dxmu2, axis=0)
    dx2 = 1.0 / N * np.ones((N, D)) * dmu
    dx = dx1 + dx2
    return {"x": dx, "gamma": dgamma, "beta": dbeta}


def batchnorm_compact_backward(dout, cache):
    xhat, gamma, _, ivar, *_ = cache
    N = dout.shape[0]
    dgamma, dbeta = (dout * xhat).sum(0), dout.sum(0)
    dx = gamma * ivar / N * (N * dout - dbeta - xhat * dgamma)
    return dx, dgamma, dbeta


def layernorm_forward(x, gamma, beta):
    mu = x.mean(axis=1, keepdims=True)
    std = np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)
    xhat = (x - mu) / std
    return gamma * xhat + beta, (xhat, std, gamma)


def layernorm_backward(dout, cache):
    xhat, std, gamma = cache
    dgamma = np.sum(dout * xhat, axis=0)
    dbeta = np.sum(dout, axis=0)
    dxhat = dout * gamma
    mean1 = np.mean(dxhat, axis=1, keepdims=True)
    mean2 = np.mean(dxhat * xhat, axis=1, keepdims=True)
    dx = (dxhat - mean1 - xhat * mean2) / std
    return {"x": dx, "gamma": dgamma, "beta": dbeta}


def rmsnorm_forward(x, g):
    rms = np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-6)
    return x / rms * g, (x, g, rms)


def rmsnorm_backward(dout, cache):
    x, g, rms = cache
    d = x.shape[-1]
    dn = dout * g
    dx = dn / rms - x * (dn * x).sum(axis=-1, keepdims=True) / (d * rms**3)
    dg = (dout * x / rms).sum(axis=0)
    return dx, dg


def conv1d_forward(x, w, b):
    # One channel, no padding.
    k = len(w)
    steps = len(x) - k + 1
    out = np.array([x[i : i + k] @ w + b for i in range(steps)])
    return out, (x, w)


def conv1d_backward(dout, cache):
    x, w = cache
    k = len(w)
    dx, dw = np.zeros(len(x)), np.zeros(k)
    for i in range(len(dout)):
        dw += dout[i] * x[i : i + k]
        dx[i : i + k] += dout[i] * w
    db = np.sum(dout)
    return {"x": dx, "w": dw, "b": db}


def conv_channels_forward(x, w, b):
    # x is (batch, channels, length), w is (filters, channels, width).
    n, _, length = x.shape
    f, _, k = w.shape
    out = np.zeros((n, f, length - k + 1))
    for t in range(length - k + 1):
        window = x[:, :, t : t + k]
        out[:, :, t] = np.tensordot(window, w, axes=([1, 2], [1, 2])) + b
    return out, (x, w)


def conv_channels_backward(dout, cache):
    x, w = cache
    k = w.shape[2]
    dx = np.zeros_like(x)
    dw = np.zeros_like(w)
    for t in range(dout.shape[2]):
        g = dout[:, :, t]
        dw += np.einsum("nf,nck->fck", g, x[:, :, t : t + k])
        dx[:, :, t : t + k] += np.einsum("nf,fck->nck", g, w)
    db = dout.sum(axis=(0, 2))
    return dx, dw, db


def conv2d_forward(img, ker):
    kh, kw = ker.shape
    oh, ow = img.shape[0] - kh + 1, img.shape[1] - kw + 1
    out = np.zeros((oh, ow))
    for i in range(oh):
        for j in range(ow):
            out[i, j] = np.sum(img[i : i + kh, j : j + kw] * ker)
    return out, (img, ker)


def conv2d_backward(dout, cache):
    img, ker = cache
    kh, kw = ker.shape
    dimg = np.zeros_like(img)
    dker = np.zeros_like(ker)
    for i in range(dout.shape[0]):
        for j in range(dout.shape[1]):
            dimg[i : i + kh, j : j + kw] += dout[i, j] * ker
            dker += dout[i, j] * img[i : i + kh, j : j + kw]
    return {"img": dimg, "ker": dker}


def maxpool_forward(x):
    # Pairs of neighbours along the rows.
    left, right = x[:, 0::2], x[:, 1::2]
    return np.maximum(left, right), (left, right)


def maxpool_backward(dout, cache):
    left, right = cache
    dx = np.zeros((dout.shape[0], 2 * dout.shape[1]))
    dx[:, 0::2] = dout * (left > right)
    dx[:, 1::2] = dout * (left < right)
    return {"x": dx}


def maxpool_loop_forward(x):
    h, w = x.shape[0] // 2, x.shape[1] // 2
    out = np.zeros((h, w))
    for i in range(h):
        for j in range(w):
            out[i, j] = np.max(x[2 * i : 2 * i + 2, 2 * j : 2 * j + 2])
    return out, x


def maxpool_loop_backward(dout, cache):
    x = cache
    dx = np.zeros_like(x)
    for i in range(dout.shape[0]):
        for j in range(dout.shape[1]):
            window = x[2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
            r, c = np.unravel_index(np.argmax(window), window.shape)
            dx[2 * i + r, 2 * j + c] += dout[i, j]
    return (dx,)


def embedding_forward(table, ids):
    return table[ids], (ids, table.shape)


def embedding_backward(dout, cache):
    ids, shape = cache
    dtable = np.zeros(shape)
    np.add.at(dtable, ids, dout)
    return {"table": dtable}


def rnn_step_forward(x, prev_h, Wx, Wh, b):
    next_h = np.tanh(x @ Wx + prev_h @ Wh + b)
    return next_h, (x, prev_h, Wx, Wh, next_h)


def rnn_step_backward(dnext_h, cache):
    x, prev_h, Wx, Wh, next_h = cache
    dz = dnext_h * (1 - next_h * next_h)
    dx = dz @ Wx.T
    dprev_h = dz @ Wh.T
    dWx = x.T @ dz
    dWh = prev_h.T @ dz
    db = np.sum(dz, axis=0)
    return dx, dprev_h, dWx, dWh, db


def lstm_step_forward(x, h, c, Wx, Wh, b):
    # The gates are side by side; the next h and c are put side by side too.
    n = h.shape[1]
    a = x @ Wx + h @ Wh + b
    i, f = sigmoid(a[:, :n]), sigmoid(a[:, n : 2 * n])
    o, g = sigmoid(a[:, 2 * n : 3 * n]), np.tanh(a[:, 3 * n :])
    next_c = f * c + i * g
    t = np.tanh(next_c)
    next_h = o * t
    return np.concatenate([next_h, next_c], axis=1), (x, h, c, Wx, Wh, i, f, o, g, t)


def lstm_step_backward(dout, cache):
    x, h, c, Wx, Wh, i, f, o, g, t = cache
    n = h.shape[1]
    dnext_h, dnext_c = dout[:, :n], dout[:, n:]
    do = dnext_h * t
    dc_total = dnext_c + dnext_h * o * (1 - t**2)
    di = dc_total * g
    df = dc_total * c
    dg = dc_total * i
    dc = dc_total * f
    da = np.hstack([di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dg * (1 - g**2)])
    return {
        "x": da @ Wx.T,
        "h": da @ Wh.T,
        "c": dc,
        "Wx": x.T @ da,
        "Wh": h.T @ da,
        "b": da.sum(axis=0),
    }


def gru_step_forward(x, h, Wz, Wr, Wn, Uz, Ur, Un):
    z = sigmoid(x @ Wz + h @ Uz)
    r = sigmoid(x @ Wr + h @ Ur)
    n = np.tanh(x @ Wn + (r * h) @ Un)
    out = (1 - z) * n + z * h
    return out, (x, h, z, r, n, Wz, Wr, Wn, Uz, Ur, Un)


def gru_step_backward(dout, cache):
    x, h, z, r, n, Wz, Wr, Wn, Uz, Ur, Un = cache
    dn = dout * (1 - z)
    dz = dout * (h - n)
    dh = dout * z
    dan = dn * (1 - n**2)
    dWn = x.T @ dan
    dUn = (r * h).T @ dan
    drh = dan @ Un.T
    dr = drh * h
    dh = dh + drh * r
    daz = dz * z * (1 - z)
    dar = dr * r * (1 - r)
    dWz, dUz = x.T @ daz, h.T @ daz
    dWr, dUr = x.T @ dar, h.T @ dar
    dh = dh + daz @ Uz.T + dar @ Ur.T
    dx = dan @ Wn.T + daz @ Wz.T + dar @ Wr.T
    return dx, dh, dWz, dWr, dWn, dUz, dUr, dUn


# ---------------------------------------------------------------- through time, and attention


def rnn_loss(params, xs, ys):
    h = np.zeros(params["Wh"].shape[0])
    loss = 0.0
    for t in range(len(xs)):
        h = np.tanh(params["Wx"] @ xs[t] + params["Wh"] @ h + params["b"])
        loss += 0.5 * np.sum((params["Wy"] @ h - ys[t]) ** 2)
    return loss


def rnn_grad(params, xs, ys):
    Wx, Wh, Wy, b = params["Wx"], params["Wh"], params["Wy"], params["b"]
    hs = {-1: np.zeros(Wh.shape[0])}
    outs = {}
    T = len(xs)
    for t in range(T):
        hs[t] = np.tanh(Wx @ xs[t] + Wh @ hs[t - 1] + b)
        outs[t] = Wy @ hs[t]
    grads = {name: np.zeros_like(value) for name, value in params.items()}
    dh_next = np.zeros_like(hs[0])
    for t in reversed(range(T)):
        dy = outs[t] - ys[t]
        grads["Wy"] += np.outer(dy, hs[t])
        dh = Wy.T @ dy + dh_next
        draw = (1 - hs[t] ** 2) * dh
        grads["b"] += draw
        grads["Wx"] += np.outer(draw, xs[t])
        grads["Wh"] += np.outer(draw, hs[t - 1])
        dh_next = Wh.T @ draw
    return grads


def char_rnn_loss(Wxh, Whh, Why, bh, by, h0, inputs, targets):
    h, loss = h0, 0
    for char, target in zip(inputs, targets, strict=True):
        x = np.zeros((Wxh.shape[1], 1))
        x[char] = 1
        h = np.tanh(np.dot(Wxh, x) + np.dot(Whh, h) + bh)
        y = np.dot(Why, h) + by
        loss += np.log(np.sum(np.exp(y))) - y[target, 0]
    return loss


def char_rnn_grad(Wxh, Whh, Why, bh, by, h0, inputs, targets):
    xs, hs, ps = {}, {-1: h0}, {}
    for t in range(len(inputs)):
        xs[t] = np.zeros((Wxh.shape[1], 1))
        xs[t][inputs[t]] = 1
        hs[t] = np.tanh(np.dot(Wxh, xs[t]) + np.dot(Whh, hs[t - 1]) + bh)
        y = np.dot(Why, hs[t]) + by
        ps[t] = np.exp(y) / np.sum(np.exp(y))
    dWxh, dWhh, dWhy = np.zeros_like(Wxh), np.zeros_like(Whh), np.zeros_like(Why)
    dbh, dby = np.zeros_like(bh), np.zeros_like(by)
    dhnext = np.zeros_like(hs[0])
    for t in reversed(range(len(inputs))):
        dy = np.copy(ps[t])
        dy[targets[t]] -= 1
        dWhy += np.dot(dy, hs[t].T)
        dby += dy
        dh = np.dot(Why.T, dy) + dhnext
        dhraw = (1 - hs[t] * hs[t]) * dh
        dbh += dhraw
        dWxh += np.dot(dhraw, xs[t].T)
        dWhh += np.dot(dhraw, hs[t - 1].T)
        dhnext = np.dot(Whh.T, dhraw)
    return dWxh, dWhh, dWhy, dbh, dby


def lstm_loss(x1, x2, W, b):
    # Two steps; W takes the input and the state, one below the other, to the four gates.
    size = len(b) // 4
    h, c = np.zeros(size), np.zeros(size)
    for x in (x1, x2):
        a = np.concatenate([x, h]) @ W + b
        i, f, o = np.split(sigmoid(a[: 3 * size]), 3)
        c = f * c + i * np.tanh(a[3 * size :])
        h = o * np.tanh(c)
    return np.sum(h**2)


def lstm_grad(x1, x2, W, b):
    size = len(b) // 4
    h, c = np.zeros(size), np.zeros(size)
    steps = []
    for x in (x1, x2):
        v = np.concatenate([x, h])
        a = v @ W + b
        i, f, o = np.split(sigmoid(a[: 3 * size]), 3)
        g = np.tanh(a[3 * size :])
        before = c
        c = f * c + i * g
        h = o * np.tanh(c)
        steps.append((v, i, f, o, g, before, c))
    dW, db = np.zeros_like(W), np.zeros_like(b)
    dxs = []
    dh, dc = 2 * h, np.zeros(size)
    for v, i, f, o, g, before, after in reversed(steps):
        t = np.tanh(after)
        dc = dc + dh * o * (1 - t**2)
        da = np.concatenate(
            [
                dc * g * i * (1 - i),
                dc * before * f * (1 - f),
                dh * t * o * (1 - o),
                dc * i * (1 - g**2),
            ]
        )
        dW += np.outer(v, da)
        db += da
        dv = W @ da
        dxs.append(dv[:-size])
        dh = dv[-size:]
        dc = dc * f
    return {"x1": dxs[1], "x2": dxs[0], "W": dW, "b": db}


def attention_loss(X, Wq, Wk, Wv):
    Q, K, V = X @ Wq, X @ Wk, X @ Wv
    A = softmax(Q @ K.T / np.sqrt(Q.shape[1]))
    return 0.5 * np.sum((A @ V) ** 2)


def attention_grad(X, Wq, Wk, Wv):
    Q, K, V = X @ Wq, X @ Wk, X @ Wv
    scale = np.sqrt(Q.shape[1])
    A = softmax(Q @ K.T / scale)
    dO = A @ V
    dA = dO @ V.T
    dV = A.T @ dO
    dS = A * (dA - (dA * A).sum(axis=1, keepdims=True))
    dQ = dS @ K / scale
    dK = dS.T @ Q / scale
    dX = dQ @ Wq.T + dK @ Wk.T + dV @ Wv.T
    return {"X": dX, "Wq": X.T @ dQ, "Wk": X.T @ dK, "Wv": X.T @ dV}


def causal_attention_forward(Q, K, V):
    t, d = Q.shape
    scores = Q @ K.T / math.sqrt(d)
    scores = np.where(np.tril(np.ones((t, t))) == 1, scores, -1e9)
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    att = e / e.sum(axis=-1, keepdims=True)
    return att @ V, (Q, K, V, att)


def causal_attention_backward(dout, cache):
    Q, K, V, att = cache
    datt = dout @ V.T
    dV = att.T @ dout
    dscores = att * (datt - np.sum(datt * att, axis=-1, keepdims=True))
    dscores = dscores / math.sqrt(Q.shape[1])
    dQ = dscores @ K
    dK = dscores.T @ Q
    return dQ, dK, dV


# ---------------------------------------------------------------- linear algebra and statistics


def normal_loss(mu, S, X):
    # A Gaussian's negative log likelihood; S is any matrix that can be inverted.
    n = X.shape[0]
    R = X - mu
    _, logdet = np.linalg.slogdet(S)
    return 0.5 * n * logdet + 0.5 * np.sum(R * np.linalg.solve(S, R.T).T)


def normal_grad(mu, S, X):
    n = X.shape[0]
    R = X - mu
    left = np.linalg.solve(S, R.T)
    right = np.linalg.solve(S.T, R.T)
    dmu = -0.5 * (left + right).sum(axis=1)
    dS = 0.5 * n * np.linalg.inv(S).T - 0.5 * right @ left.T
    return {"mu": dmu, "S": dS}


def covariance_loss(A, x):
    S = A @ A.T + np.eye(A.shape[0])
    return 0.5 * np.linalg.slogdet(S)[1] + 0.5 * x @ np.linalg.solve(S, x)


def covariance_grad(A, x):
    S = A @ A.T + np.eye(A.shape[0])
    v = np.linalg.solve(S, x)
    dS = 0.5 * (np.linalg.inv(S) - np.outer(v, v))
    dA = 2 * dS @ A
    return dA, v


def norm_loss(A, x, b):
    return np.linalg.norm(A @ x - b)


def norm_grad(A, x, b):
    r = A @ x - b
    u = r / np.linalg.norm(r)
    return {"A": np.outer(u, x), "x": A.T @ u, "b": -u}


def quadratic_loss(x, A, b):
    return 0.5 * x @ A @ x - b @ x


def quadratic_grad(x, A, b):
    dx = 0.5 * (A + A.T) @ x - b
    dA = 0.5 * np.outer(x, x)
    return dx, dA


def inverse_trace_loss(A, B):
    return np.trace(np.linalg.inv(A.T @ A + np.eye(2)) @ B)


def inverse_trace_grad(A, B):
    M = np.linalg.inv(A.T @ A + np.eye(2))
    dM = -M.T @ B.T @ M.T
    dA = A @ (dM + dM.T)
    return {"A": dA, "B": M.T}


def factorization_loss(U, V, R, mask):
    E = mask * (R - U @ V.T)
    return np.sum(E**2) + 0.1 * (np.sum(U**2) + np.sum(V**2))


def factorization_grad(U, V, R, mask):
    E = mask * (R - U @ V.T)
    dU = -2 * E @ V + 0.2 * U
    dV = -2 * E.T @ U + 0.2 * V
    return dU, dV


def bilinear_loss(x, W, y):
    score = x @ W @ y
    return np.log1p(np.exp(-score))


def bilinear_grad(x, W, y):
    score = x @ W @ y
    ds = -1 / (1 + np.exp(score))
    return {"x": ds * W @ y, "W": ds * np.outer(x, y), "y": ds * W.T @ x}


def cosine_loss(a, b):
    return 1 - a @ b / (np.linalg.norm(a) * np.linalg.norm(b))


def cosine_grad(a, b):
    na, nb = np.linalg.norm(a), np.linalg.norm(b)
    cos = a @ b / (na * nb)
    da = -(b / (na * nb) - cos * a / na**2)
    db = -(a / (na * nb) - cos * b / nb**2)
    return da, db


def triplet_loss(anchor, near, far):
    margin = np.sum((anchor - near) ** 2) - np.sum((anchor - far) ** 2) + 20.0
    return max(margin, 0.0)


def triplet_grad(anchor, near, far):
    margin = np.sum((anchor - near) ** 2) - np.sum((anchor - far) ** 2) + 20.0
    if margin <= 0:
        return {"anchor": 0 * anchor, "near": 0 * near, "far": 0 * far}
    danchor = 2 * (anchor - near) - 2 * (anchor - far)
    return {"anchor": danchor, "near": -2 * (anchor - near), "far": 2 * (anchor - far)}


def kernel_loss(X, C, w, y):
    D = ((X[:, None, :] - C[None, :, :]) ** 2).sum(axis=2)
    return 0.5 * np.sum((np.exp(-0.5 * D) @ w - y) ** 2)


def kernel_grad(X, C, w, y):
    diff = X[:, None, :] - C[None, :, :]
    K = np.exp(-0.5 * (diff**2).sum(axis=2))
    r = K @ w - y
    dw = K.T @ r
    dK = np.outer(r, w)
    dD = -0.5 * dK * K
    dC = -2 * (dD[:, :, None] * diff).sum(axis=0)
    return {"C": dC, "w": dw}


def variational_loss(mu, logvar, noise, W, x):
    z = mu + np.exp(0.5 * logvar) * noise
    kl = -0.5 * np.sum(1 + logvar - mu**2 - np.exp(logvar))
    return 0.5 * np.sum((W @ z - x) ** 2) + kl


def variational_grad(mu, logvar, noise, W, x):
    sigma = np.exp(0.5 * logvar)
    z = mu + sigma * noise
    r = W @ z - x
    dz = W.T @ r
    dW = np.outer(r, z)
    dmu = dz + mu
    dlogvar = dz * noise * 0.5 * sigma - 0.5 * (1 - np.exp(logvar))
    return dmu, dlogvar, dW


def log_sum_exp_loss(Z):
    m = Z.max()
    return m + np.log(np.sum(np.exp(Z - m)))


def log_sum_exp_grad(Z):
    e = np.exp(Z - Z.max())
    return (e / e.sum(),)


def variance_loss(x):
    return np.var(x)


def variance_grad(x):
    return {"x": 2 / len(x) * (x - np.mean(x))}


# ---------------------------------------------------------------- parts, views, indices


def branches_loss(X, Wa, Wb, V, y):
    both = np.concatenate([np.tanh(X @ Wa), np.maximum(X @ Wb, 0)], axis=1)
    return 0.5 * np.sum((both @ V - y) ** 2)


def branches_grad(X, Wa, Wb, V, y):
    A, B = np.tanh(X @ Wa), np.maximum(X @ Wb, 0)
    both = np.concatenate([A, B], axis=1)
    r = both @ V - y
    dV = both.T @ r
    dboth = np.outer(r, V)
    k = Wa.shape[1]
    dA, dB = dboth[:, :k], dboth[:, k:]
    dWa = X.T @ (dA * (1 - A**2))
    dWb = X.T @ (dB * (B > 0))
    return {"Wa": dWa, "Wb": dWb, "V": dV}


def stack_loss(a, b, c, w):
    M = np.stack([a * b, b * c, np.sin(c)])
    return np.sum((w @ M) ** 2)


def stack_grad(a, b, c, w):
    M = np.stack([a * b, b * c, np.sin(c)])
    v = w @ M
    dM = 2 * np.outer(w, v)
    d1, d2, d3 = dM
    da = d1 * b
    db = d1 * a + d2 * c
    dc = d2 * b + d3 * np.cos(c)
    dw = M @ (2 * v)
    return da, db, dc, dw


def split_loss(theta, X, y):
    # One vector holds all parameters.
    w1, w2, b = np.split(theta, [4, 6])
    h = np.tanh(X @ w1.reshape(2, 2))
    return np.mean((h @ w2 + b - y) ** 2)


def split_grad(theta, X, y):
    w1, w2, b = np.split(theta, [4, 6])
    h = np.tanh(X @ w1.reshape(2, 2))
    r = 2 * (h @ w2 + b - y) / len(y)
    g1 = X.T @ (np.outer(r, w2) * (1 - h**2))
    g2 = h.T @ r
    return {"theta": np.concatenate([g1.ravel(), g2, [r.sum()]])}


def glu_loss(X, W):
    # The first half of the columns is gated by the second.
    A, B = np.split(X @ W, 2, axis=1)
    return np.sum(A * sigmoid(B))


def glu_grad(X, W):
    A, B = np.split(X @ W, 2, axis=1)
    S = sigmoid(B)
    dZ = np.hstack((S, A * S * (1 - S)))
    return {"W": X.T @ dZ, "X": dZ @ W.T}


def weighted_columns_loss(W, X, Y):
    E = X @ W - Y
    return np.sum(E[:, 0] ** 2) + 0.5 * np.sum(E[:, 1:] ** 2)


def weighted_columns_grad(W, X, Y):
    dZ = X @ W - Y
    dZ[:, 0] *= 2
    return (X.T @ dZ,)


def bias_row_loss(W, X, Y):
    # The last row of W is the bias, and the penalty leaves it out.
    Z = X @ W[:-1] + W[-1]
    return 0.5 * np.sum((Z - Y) ** 2) + 0.05 * np.sum(W[:-1] ** 2)


def bias_row_grad(W, X, Y):
    E = X @ W[:-1] + W[-1] - Y
    dW = np.empty_like(W)
    top = dW[:-1]
    top[...] = X.T @ E
    top += 0.1 * W[:-1]
    dW[-1] = E.sum(axis=0)
    return {"W": dW}


def words_loss(E, W, ids, y):
    # The mean of the words' vectors, then a softmax.
    v = E[ids].mean(axis=0)
    s = v @ W
    return np.log(np.exp(s).sum()) - s[y]


def words_grad(E, W, ids, y):
    v = E[ids].mean(axis=0)
    s = v @ W
    ds = np.exp(s) / np.exp(s).sum()
    ds[y] -= 1.0
    dW = np.outer(v, ds)
    dv = W @ ds
    dE = np.zeros_like(E)
    for i in ids:
        dE[i] += dv / len(ids)
    return dE, dW


def skip_gram_loss(v, U, target, negatives):
    loss = -np.log(sigmoid(U[target] @ v))
    for k in negatives:
        loss -= np.log(sigmoid(-U[k] @ v))
    return loss


def skip_gram_grad(v, U, target, negatives):
    dv = np.zeros_like(v)
    dU = np.zeros_like(U)
    g = sigmoid(U[target] @ v) - 1
    dv += g * U[target]
    dU[target] += g * v
    for k in negatives:
        g = sigmoid(U[k] @ v)
        dv += g * U[k]
        dU[k] += g * v
    return {"v": dv, "U": dU}


def smoothness_loss(x, y):
    return 0.5 * np.sum((x - y) ** 2) + np.sum((x[1:] - x[:-1]) ** 2)


def smoothness_grad(x, y):
    d = x[1:] - x[:-1]
    g = x - y
    g[1:] += 2 * d
    g[:-1] -= 2 * d
    return {"x": g}


def attention_pool_loss(H, q, Wo):
    a = np.exp(H @ q)
    a = a / a.sum()
    return np.sum(np.tanh((a @ H) @ Wo))


def attention_pool_grad(H, q, Wo):
    a = np.exp(H @ q)
    a = a / a.sum()
    context = a @ H
    t = np.tanh(context @ Wo)
    dt = 1 - t * t
    dWo = np.outer(context, dt)
    dcontext = Wo @ dt
    da = H @ dcontext
    ds = a * (da - a @ da)
    dq = H.T @ ds
    dH = np.outer(a, dcontext) + np.outer(ds, q)
    return dH, dq, dWo


def kl_loss(Z, target_logits):
    P = softmax(target_logits)
    Q = softmax(Z)
    return (P * (np.log(P) - np.log(Q))).sum(axis=1).mean()


def kl_grad(Z, target_logits):
    P = softmax(target_logits)
    Q = softmax(Z)
    return {"Z": (Q - P) / Z.shape[0]}


def focal_loss(w, X, y):
    p = sigmoid(X @ w)
    pt = np.where(y == 1, p, 1 - p)
    return -np.sum((1 - pt) ** 2 * np.log(pt))


def focal_grad(w, X, y):
    p = sigmoid(X @ w)
    pt = np.where(y == 1, p, 1 - p)
    dpt = 2 * (1 - pt) * np.log(pt) - (1 - pt) ** 2 / pt
    sign = np.where(y == 1, 1, -1)
    dz = dpt * sign * p * (1 - p)
    return (X.T @ dz,)


def mixture_loss(x, mu, logits):
    pi = np.exp(logits) / np.exp(logits).sum()
    density = np.exp(-0.5 * (x[:, None] - mu) ** 2) @ pi
    return -np.log(density).sum()


def mixture_grad(x, mu, logits):
    pi = np.exp(logits) / np.exp(logits).sum()
    joint = np.exp(-0.5 * (x[:, None] - mu) ** 2) * pi
    resp = joint / joint.sum(axis=1, keepdims=True)
    dmu = -(resp * (x[:, None] - mu)).sum(axis=0)
    dlogits = len(x) * pi - resp.sum(axis=0)
    return {"mu": dmu, "logits": dlogits}


# ---------------------------------------------------------------- the registry

BINARY = np.array([1.0, 0.0, 1.0])
LABELS = np.array([1, 0, 2])
ONE_HOT = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])

CASES: dict[str, Case] = {
    "perceptron": Case(
        perceptron_loss,
        perceptron_grad,
        {"w": (), "z": (), "b": (), "y": ()},
        ("w", "b"),
        helpers=(tanh_by_hand, tanh_slope, perceptron_output),
    ),
    "neuron": Case(
        neuron_loss,
        neuron_grad,
        {"w1": (), "w2": (), "b": (), "x1": (), "x2": (), "y": ()},
        ("w1", "w2", "b"),
        helpers=(sigmoid_number,),
    ),
    "gaussian": Case(gaussian_loss, gaussian_grad, {"x": (), "mu": (), "s": ()}, ("x", "mu", "s")),
    "bell": Case(bell_loss, bell_grad, {"x": (), "mu": (), "sigma": ()}, ("x", "mu", "sigma")),
    "gates": Case(gates_loss, gates_grad, {"x": (), "y": (), "z": ()}, ("x", "y", "z")),
    "two_neurons": Case(
        two_neurons_loss,
        two_neurons_grad,
        {"w1": (), "b1": (), "w2": (), "b2": (), "x": (), "y": ()},
        ("w1", "b1", "w2", "b2"),
        helpers=(tanh_by_hand,),
    ),
    "line": Case(
        line_loss, line_grad, {"w": (), "b": (), "xs": [()] * 4, "ys": [()] * 4}, ("w", "b")
    ),
    "line_mean": Case(
        line_mean_loss, line_mean_grad, {"m": (), "c": (), "points": (4, 2)}, ("m", "c")
    ),
    "polynomial": Case(
        polynomial_loss,
        polynomial_grad,
        {"a": (), "b": (), "c": (), "d": (), "x": (5,), "y": (5,)},
        ("a", "b", "c", "d"),
    ),
    "linear": Case(
        linear_loss, linear_grad, {"w": (2,), "b": (), "X": (3, 2), "y": (3,)}, ("w", "b")
    ),
    "linear_out": Case(
        linear_out_loss,
        linear_out_grad,
        {"X": (3, 2), "W": (2, 4), "b": (4,), "Y": (3, 4)},
        ("X", "W", "b"),
    ),
    "ridge": Case(ridge_loss, ridge_grad, {"w": (2,), "X": (3, 2), "y": (3,), "lam": 0.3}, ("w",)),
    "elastic": Case(elastic_loss, elastic_grad, {"w": (2,), "X": (3, 2), "y": (3,)}, ("w",)),
    "l1": Case(l1_loss, l1_grad, {"w": (2,), "b": (), "X": (3, 2), "y": (3,)}, ("w", "b")),
    "huber_where": Case(
        huber_where_loss,
        huber_where_grad,
        {"w": (2,), "b": (), "X": (5, 2), "y": (5,)},
        ("w", "b"),
    ),
    "huber_clip": Case(
        huber_clip_loss, huber_clip_grad, {"w": (2,), "X": (5, 2), "y": (5,)}, ("w",)
    ),
    "log_cosh": Case(log_cosh_loss, log_cosh_grad, {"w": (2,), "X": (3, 2), "y": (3,)}, ("w",)),
    "pinball": Case(pinball_loss, pinball_grad, {"w": (2,), "X": (5, 2), "y": (5,)}, ("w",)),
    "logistic": Case(
        logistic_loss,
        logistic_grad,
        {"w": (2,), "b": (), "X": (3, 2), "y": BINARY},
        ("w", "b"),
        helpers=(sigmoid,),
    ),
    "logistic_columns": Case(
        logistic_columns_loss,
        logistic_columns_grad,
        {"w": (2, 1), "b": (), "X": (2, 3), "Y": (1, 3)},
        ("w", "b"),
        helpers=(sigmoid,),
    ),
    "logistic_signs": Case(
        logistic_signs_loss,
        logistic_signs_grad,
        {"w": (2,), "X": (3, 2), "y": np.array([1.0, -1.0, 1.0]), "lam": 0.2},
        ("w",),
    ),
    "bce_logits": Case(
        bce_logits_loss,
        bce_logits_grad,
        {"W": (2, 4), "b": (4,), "X": (3, 2), "T": (3, 4)},
        ("W", "b"),
    ),
    "softmax_onehot": Case(
        softmax_onehot_loss,
        softmax_onehot_grad,
        {"W": (2, 3), "b": (3,), "X": (3, 2), "Y": ONE_HOT},
        ("W", "b"),
        helpers=(softmax,),
    ),
    "softmax_labels": Case(
        softmax_labels_loss,
        softmax_labels_grad,
        {"W": (2, 4), "X": (3, 2), "y": LABELS, "reg": 0.1},
        ("W",),
    ),
    "softmax_naive": Case(
        softmax_naive_loss, softmax_naive_grad, {"W": (2, 4), "X": (3, 2), "y": LABELS}, ("W",)
    ),
    "label_smoothing": Case(
        label_smoothing_loss,
        label_smoothing_grad,
        {"W": (2, 4), "X": (3, 2), "y": LABELS},
        ("W",),
    ),
    "temperature": Case(
        temperature_loss,
        temperature_grad,
        {"Z": (2, 3), "t": (), "Y": (2, 3)},
        ("Z", "t"),
        helpers=(softmax,),
    ),
    "svm": Case(svm_loss, svm_grad, {"W": (2, 4), "X": (3, 2), "y": LABELS, "reg": 0.1}, ("W",)),
    "poisson": Case(
        poisson_loss,
        poisson_grad,
        {"w": (2,), "b": (), "X": (3, 2), "counts": np.array([2.0, 0.0, 3.0])},
        ("w", "b"),
    ),
    "columns": Case(
        columns_loss,
        columns_grad,
        {"x": (3, 1), "W1": (2, 3), "W2": (2, 2), "y": (2, 1)},
        ("W1", "W2"),
        helpers=(sigmoid,),
    ),
    "relu_softmax": Case(
        relu_softmax_loss,
        relu_softmax_grad,
        {"X": (3, 2), "y": LABELS, "W1": (2, 4), "b1": (4,), "W2": (4, 3), "b2": (3,)},
        ("W1", "b1", "W2", "b2"),
    ),
    "relu_mse": Case(
        relu_mse_loss,
        relu_mse_grad,
        {"x": (3, 2), "y": (3, 5), "w1": (2, 4), "w2": (4, 5)},
        ("w1", "w2"),
    ),
    "tanh_einsum": Case(
        tanh_einsum_loss,
        tanh_einsum_grad,
        {"X": (3, 2), "Y": (3, 5), "A": (2, 4), "B": (4, 5)},
        ("A", "B"),
    ),
    "outer_loop": Case(
        outer_loop_loss,
        outer_loop_grad,
        {"X": (3, 2), "T": (3, 2), "V": (4, 2), "b": (4,), "W": (2, 4), "c": (2,)},
        ("V", "b", "W", "c"),
        helpers=(sigmoid,),
    ),
    "column_network": Case(
        column_network_loss,
        column_network_grad,
        {"X": (2, 3), "Y": (1, 3), "W1": (4, 2), "b1": (4, 1), "W2": (1, 4), "b2": (1, 1)},
        ("W1", "b1", "W2", "b2"),
        helpers=(sigmoid,),
    ),
    "leaky": Case(
        leaky_loss,
        leaky_grad,
        {"X": (3, 2), "Y": (3, 5), "W1": (2, 4), "W2": (4, 5)},
        ("W1", "W2"),
    ),
    "elu": Case(
        elu_loss, elu_grad, {"X": (3, 2), "W1": (2, 4), "w2": (4,), "y": (3,)}, ("W1", "w2")
    ),
    "gelu": Case(gelu_loss, gelu_grad, {"X": (3, 2), "W": (2, 4), "b": (4,)}, ("W", "b", "X")),
    "softplus": Case(
        softplus_loss,
        softplus_grad,
        {"X": (3, 2), "W": (2, 4), "v": (4,)},
        ("W", "v"),
        helpers=(sigmoid,),
    ),
    "swish": Case(swish_loss, swish_grad, {"X": (3, 2), "W": (2, 4), "beta": ()}, ("W", "beta")),
    "residual": Case(
        residual_loss,
        residual_grad,
        {"X": (3, 2), "W1": (2, 4), "W2": (4, 2), "Y": (3, 2)},
        ("X", "W1", "W2"),
    ),
    "autoencoder": Case(
        autoencoder_loss,
        autoencoder_grad,
        {"X": (3, 4), "W": (4, 2), "b": (2,), "c": (4,)},
        ("W", "b", "c"),
    ),
    "deep": Case(
        deep_loss,
        deep_grad,
        {"Ws": [(2, 3), (3, 4), (4, 2)], "bs": [(3,), (4,), (2,)], "X": (3, 2), "Y": (3, 2)},
        ("Ws", "bs"),
    ),
    "backprop": Case(
        backprop_loss,
        backprop_grad,
        {
            "weights": [(4, 3), (3, 4), (2, 3)],
            "biases": [(4, 1), (3, 1), (2, 1)],
            "x": (3, 1),
            "y": (2, 1),
        },
        ("weights", "biases"),
        helpers=(sigmoid, sigmoid_prime, cost_derivative),
    ),
    "class": Case(
        class_loss,
        class_grad,
        {"X": (3, 2), "T": (3, 3), "W1": (2, 4), "b1": (4,), "W2": (4, 3), "b2": (3,)},
        ("W1", "b1", "W2", "b2"),
        helpers=(SmallNet,),
    ),
    "layers": Case(
        layers_loss,
        layers_grad,
        {"x": (3, 2), "y": (3, 3), "W1": (2, 4), "b1": (4,), "W2": (4, 3), "b2": (3,)},
        ("x", "W1", "b1", "W2", "b2"),
        helpers=(DenseLayer, TanhLayer, SigmoidLayer, sigmoid),
    ),
    "affine": Case(
        affine_forward,
        affine_backward,
        {"x": (3, 2, 2), "w": (4, 5), "b": (5,)},
        ("x", "w", "b"),
        "dout",
    ),
    "affine_relu": Case(
        affine_relu_forward,
        affine_relu_backward,
        {"x": (3, 2), "w1": (2, 4), "b1": (4,), "w2": (4, 5), "b2": (5,)},
        ("x", "w1", "b1", "w2", "b2"),
        "dout",
        helpers=(affine_backward, relu_backward),
    ),
    "sigmoid_layer": Case(sigmoid_forward, sigmoid_backward, {"z": (3, 2)}, ("z",), "dout"),
    "softmax_layer": Case(softmax_forward, softmax_backward, {"z": (2, 4)}, ("z",), "dout"),
    "softmax_jacobian": Case(
        softmax_forward, softmax_jacobian_backward, {"z": (2, 4)}, ("z",), "dout"
    ),
    "batchnorm_staged": Case(
        batchnorm_forward,
        batchnorm_staged_backward,
        {"x": (4, 3), "gamma": (3,), "beta": (3,)},
        ("x", "gamma", "beta"),
        "dout",
    ),
    "batchnorm_compact": Case(
        batchnorm_forward,
        batchnorm_compact_backward,
        {"x": (4, 3), "gamma": (3,), "beta": (3,)},
        ("x", "gamma", "beta"),
        "dout",
    ),
    "layernorm": Case(
        layernorm_forward,
        layernorm_backward,
        {"x": (2, 4), "gamma": (4,), "beta": (4,)},
        ("x", "gamma", "beta"),
        "dout",
    ),
    "rmsnorm": Case(
        rmsnorm_forward, rmsnorm_backward, {"x": (2, 4), "g": (4,)}, ("x", "g"), "dout"
    ),
    "conv1d": Case(
        conv1d_forward, conv1d_backward, {"x": (6,), "w": (3,), "b": ()}, ("x", "w", "b"), "dout"
    ),
    "conv_channels": Case(
        conv_channels_forward,
        conv_channels_backward,
        {"x": (2, 3, 5), "w": (4, 3, 2), "b": (4,)},
        ("x", "w", "b"),
        "dout",
    ),
    "conv2d": Case(
        conv2d_forward, conv2d_backward, {"img": (4, 5), "ker": (2, 3)}, ("img", "ker"), "dout"
    ),
    "maxpool": Case(maxpool_forward, maxpool_backward, {"x": (3, 4)}, ("x",), "dout"),
    "maxpool_loop": Case(
        maxpool_loop_forward, maxpool_loop_backward, {"x": (4, 6)}, ("x",), "dout"
    ),
    "embedding": Case(
        embedding_forward,
        embedding_backward,
        {"table": (4, 3), "ids": np.array([2, 0, 2, 3, 2])},
        ("table",),
        "dout",
    ),
    "rnn_step": Case(
        rnn_step_forward,
        rnn_step_backward,
        {"x": (3, 2), "prev_h": (3, 4), "Wx": (2, 4), "Wh": (4, 4), "b": (4,)},
        ("x", "prev_h", "Wx", "Wh", "b"),
        "dnext_h",
    ),
    "lstm_step": Case(
        lstm_step_forward,
        lstm_step_backward,
        {"x": (2, 3), "h": (2, 2), "c": (2, 2), "Wx": (3, 8), "Wh": (2, 8), "b": (8,)},
        ("x", "h", "c", "Wx", "Wh", "b"),
        "dout",
    ),
    "gru_step": Case(
        gru_step_forward,
        gru_step_backward,
        {"x": (3, 2), "h": (3, 4)}
        | dict.fromkeys(("Wz", "Wr", "Wn"), (2, 4))
        | dict.fromkeys(("Uz", "Ur", "Un"), (4, 4)),
        ("x", "h", "Wz", "Wr", "Wn", "Uz", "Ur", "Un"),
        "dout",
    ),
    "rnn": Case(
        rnn_loss,
        rnn_grad,
        {
            "params": {"Wx": (4, 2), "Wh": (4, 4), "Wy": (3, 4), "b": (4,)},
            "xs": (3, 2),
            "ys": (3, 3),
        },
        ("Wx", "Wh", "Wy", "b"),
    ),
    "char_rnn": Case(
        char_rnn_loss,
        char_rnn_grad,
        {
            "Wxh": (4, 3),
            "Whh": (4, 4),
            "Why": (3, 4),
            "bh": (4, 1),
            "by": (3, 1),
            "h0": (4, 1),
            "inputs": np.array([0, 2, 1]),
            "targets": np.array([2, 1, 1]),
        },
        ("Wxh", "Whh", "Why", "bh", "by"),
    ),
    "lstm": Case(
        lstm_loss,
        lstm_grad,
        {"x1": (3,), "x2": (3,), "W": (5, 8), "b": (8,)},
        ("x1", "x2", "W", "b"),
        helpers=(sigmoid,),
    ),
    "attention": Case(
        attention_loss,
        attention_grad,
        {"X": (3, 2), "Wq": (2, 4), "Wk": (2, 4), "Wv": (2, 5)},
        ("X", "Wq", "Wk", "Wv"),
        helpers=(softmax,),
    ),
    "causal_attention": Case(
        causal_attention_forward,
        causal_attention_backward,
        {"Q": (3, 2), "K": (3, 2), "V": (3, 4)},
        ("Q", "K", "V"),
        "dout",
    ),
    "normal": Case(normal_loss, normal_grad, {"mu": (2,), "S": (2, 2), "X": (3, 2)}, ("mu", "S")),
    "covariance": Case(covariance_loss, covariance_grad, {"A": (3, 2), "x": (3,)}, ("A", "x")),
    "norm": Case(norm_loss, norm_grad, {"A": (3, 2), "x": (2,), "b": (3,)}, ("A", "x", "b")),
    "quadratic": Case(
        quadratic_loss, quadratic_grad, {"x": (3,), "A": (3, 3), "b": (3,)}, ("x", "A")
    ),
    "inverse_trace": Case(
        inverse_trace_loss, inverse_trace_grad, {"A": (3, 2), "B": (2, 2)}, ("A", "B")
    ),
    "factorization": Case(
        factorization_loss,
        factorization_grad,
        {
            "U": (3, 2),
            "V": (4, 2),
            "R": (3, 4),
            "mask": np.array([[1.0, 0, 1, 1], [0, 1, 1, 0], [1, 1, 0, 1]]),
        },
        ("U", "V"),
    ),
    "bilinear": Case(
        bilinear_loss, bilinear_grad, {"x": (3,), "W": (3, 2), "y": (2,)}, ("x", "W", "y")
    ),
    "cosine": Case(cosine_loss, cosine_grad, {"a": (3,), "b": (3,)}, ("a", "b")),
    "triplet": Case(
        triplet_loss,
        triplet_grad,
        {"anchor": (3,), "near": (3,), "far": (3,)},
        ("anchor", "near", "far"),
    ),
    "kernel": Case(
        kernel_loss,
        kernel_grad,
        {"X": (3, 2), "C": (4, 2), "w": (4,), "y": (3,)},
        ("C", "w"),
    ),
    "variational": Case(
        variational_loss,
        variational_grad,
        {"mu": (2,), "logvar": (2,), "noise": (2,), "W": (3, 2), "x": (3,)},
        ("mu", "logvar", "W"),
    ),
    "log_sum_exp": Case(log_sum_exp_loss, log_sum_exp_grad, {"Z": (2, 3)}, ("Z",)),
    "variance": Case(variance_loss, variance_grad, {"x": (4,)}, ("x",)),
    "branches": Case(
        branches_loss,
        branches_grad,
        {"X": (3, 2), "Wa": (2, 3), "Wb": (2, 4), "V": (7,), "y": (3,)},
        ("Wa", "Wb", "V"),
    ),
    "stack": Case(
        stack_loss,
        stack_grad,
        {"a": (4,), "b": (4,), "c": (4,), "w": (3,)},
        ("a", "b", "c", "w"),
    ),
    "split": Case(split_loss, split_grad, {"theta": (7,), "X": (3, 2), "y": (3,)}, ("theta",)),
    "glu": Case(glu_loss, glu_grad, {"X": (3, 2), "W": (2, 4)}, ("W", "X"), helpers=(sigmoid,)),
    "weighted_columns": Case(
        weighted_columns_loss,
        weighted_columns_grad,
        {"W": (2, 4), "X": (3, 2), "Y": (3, 4)},
        ("W",),
    ),
    "bias_row": Case(bias_row_loss, bias_row_grad, {"W": (3, 4), "X": (3, 2), "Y": (3, 4)}, ("W",)),
    "words": Case(
        words_loss,
        words_grad,
        {"E": (4, 2), "W": (2, 3), "ids": np.array([0, 3, 0]), "y": 1},
        ("E", "W"),
    ),
    "skip_gram": Case(
        skip_gram_loss,
        skip_gram_grad,
        {"v": (3,), "U": (4, 3), "target": 1, "negatives": np.array([3, 0, 3])},
        ("v", "U"),
        helpers=(sigmoid,),
    ),
    "smoothness": Case(smoothness_loss, smoothness_grad, {"x": (5,), "y": (5,)}, ("x",)),
    "attention_pool": Case(
        attention_pool_loss,
        attention_pool_grad,
        {"H": (4, 3), "q": (3,), "Wo": (3, 2)},
        ("H", "q", "Wo"),
    ),
    "kl": Case(
        kl_loss, kl_grad, {"Z": (2, 3), "target_logits": (2, 3)}, ("Z",), helpers=(softmax,)
    ),
    "focal": Case(
        focal_loss, focal_grad, {"w": (2,), "X": (3, 2), "y": BINARY}, ("w",), helpers=(sigmoid,)
    ),
    "mixture": Case(
        mixture_loss,
        mixture_grad,
        {"x": (4,), "mu": (3,), "logits": (3,)},
        ("mu", "logits"),
    ),
}

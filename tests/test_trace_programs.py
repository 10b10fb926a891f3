"""Programs as people write them by hand, read entry by entry and compared with NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from test_trace import agrees

RNG = np.random.default_rng(11)


def uniform(*shape):
    return RNG.uniform(-1, 1, shape)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def softmax(z, axis=-1):
    e = np.exp(z - np.max(z, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


class Dense:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return np.dot(x, self.W) + self.b

    def backward(self, grad):
        self.dW = np.dot(self.x.T, grad)
        self.db = np.sum(grad, axis=0)
        return np.dot(grad, self.W.T)


class Relu:
    def forward(self, x):
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out

    def backward(self, grad):
        grad = np.array(grad, copy=True)
        grad[self.mask] = 0
        return grad


class Network:
    def __init__(self, *layers):
        self.layers = list(layers)

    def step(self, x, labels):
        for layer in self.layers:
            x = layer.forward(x)
        p = softmax(x)
        n = x.shape[0]
        loss = -np.log(p[np.arange(n), labels] + 1e-7).sum() / n
        grad = p.copy()
        grad[np.arange(n), labels] -= 1
        grad /= n
        for layer in reversed(self.layers):
            grad = layer.backward(grad)
        return loss, self.layers[0].dW, self.layers[0].db


LABELS = np.array([1, 0, 1])


def by_classes(X, W1, b1, W2, b2):
    network = Network(Dense(W1, b1), Relu(), Dense(W2, b2))
    return network.step(X, LABELS)


def recurrent(x, W, U, b):
    h = np.zeros(U.shape[0])
    states = []
    for t in range(len(x)):
        h = np.tanh(W @ x[t] + U @ h + b)
        states.append(h)
    return np.array(states)


def gated(x, W, b):
    h, c = np.zeros((1, 2)), np.zeros((1, 2))
    for row in x:
        z = np.hstack([row[None], h]) @ W + b
        i, f, o, g = np.split(z, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
    return h


def convolution(x, k):
    out = np.zeros((x.shape[0] - 1, x.shape[1] - 1))
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = np.sum(x[i : i + 2, j : j + 2] * k)
    return out


def convolution_by_windows(x, k):
    padded = np.pad(x, 1, mode="constant")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (2, 2))
    return np.einsum("ijab,ab->ij", windows, k)


def pooled(x):
    return x.reshape(2, 2, 2, 2).max(axis=(1, 3))


def batch_norm(x, gamma, beta):
    mu, var = np.mean(x, axis=0), np.var(x, axis=0)
    x_hat = (x - mu) / np.sqrt(var + 1e-5)
    out = gamma * x_hat + beta
    dx_hat = out * gamma
    n = x.shape[0]
    dx = (n * dx_hat - dx_hat.sum(0) - x_hat * (dx_hat * x_hat).sum(0)) / (n * np.sqrt(var + 1e-5))
    return out, dx


def attention(q, k, v):
    scores = q @ k.T / np.sqrt(k.shape[-1])
    mask = np.triu(np.ones((3, 3), dtype=bool), k=1)
    scores[mask] = -np.inf
    return softmax(scores) @ v


def attention_by_constants(q, k, v):
    mask = (1.0 - np.tril(np.ones((3, 3)))) * -1e9
    return softmax(q @ k.T + mask) @ v


def adam(w, g):
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t in range(1, 3):
        m = 0.9 * m + (1 - 0.9) * g
        v = 0.999 * v + (1 - 0.999) * g**2
        w = w - 0.01 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return w


class Value:
    """A small engine of automatic differentiation."""

    def __init__(self, data, parents=(), back=None):
        self.data, self.grad = data, 0.0
        self.parents, self.back = set(parents), back or (lambda: None)

    def __mul__(self, other):
        out = Value(self.data * other.data, (self, other))

        def back():
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad

        out.back = back
        return out

    def tanh(self):
        t = np.tanh(self.data)
        out = Value(t, (self,))

        def back():
            self.grad += (1 - t**2) * out.grad

        out.back = back
        return out

    def backward(self):
        order, seen = [], set()

        def visit(v):
            if v not in seen:
                seen.add(v)
                for parent in v.parents:
                    visit(parent)
                order.append(v)

        visit(self)
        self.grad = 1.0
        for v in reversed(order):
            v.back()


def by_engine(x):
    a, b = Value(x[0]), Value(x[1])
    out = (a * b).tanh() * a
    out.backward()
    return np.array([out.data, a.grad, b.grad])


def dictionary(X, W1, W2):
    cache, grads = {}, {}
    params = {"W1": W1, "W2": W2}
    A = X
    for k in range(1, 3):
        cache[f"A{k - 1}"] = A
        A = np.tanh(A.dot(params["W" + str(k)]))
    delta = (A - 1) * (1 - np.power(A, 2))
    for k in (2, 1):
        grads[f"W{k}"] = cache[f"A{k - 1}"].T.dot(delta) / len(X)
        if k > 1:
            delta = delta.dot(params[f"W{k}"].T) * (1 - cache[f"A{k - 1}"] ** 2)
    return grads["W1"], grads["W2"]


def loops(X, w):
    n, d = X.shape
    grad = [0.0] * d
    for i in range(n):
        z = sum(X[i][j] * w[j] for j in range(d))
        p = 1.0 / (1.0 + np.exp(-z))
        for j in range(d):
            grad[j] += (p - float(i % 2)) * X[i, j] / n
    return np.array(grad)


def gaussian(x, mu, L):
    sigma = L @ L.T + 0.1 * np.eye(2)
    d = x - mu
    quad = np.einsum("ni,ij,nj->n", d, np.linalg.inv(sigma), d)
    return -0.5 * (quad + np.log(np.linalg.det(sigma)) + 2 * np.log(2 * np.pi))


def kernel(X, y, scale):
    d2 = np.sum((X[:, None, :] - X[None, :, :]) ** 2, axis=-1)
    K = np.exp(-d2 / (2 * scale**2)) + 0.1 * np.eye(len(X))
    L = np.linalg.cholesky(K)
    alpha = np.linalg.solve(L.T, np.linalg.solve(L, y))
    return 0.5 * y @ alpha + np.sum(np.log(np.diag(L)))


def huber(r):
    small = np.abs(r) <= 0.5
    return np.where(small, 0.5 * r**2, 0.5 * (np.abs(r) - 0.25)).mean(), np.clip(r, -0.5, 0.5)


def hinge(X, W):
    scores = X.dot(W)
    correct = scores[np.arange(len(X)), LABELS][:, np.newaxis]
    margins = np.maximum(0, scores - correct + 1)
    margins[np.arange(len(X)), LABELS] = 0
    binary = np.zeros(margins.shape)
    binary[margins > 0] = 1
    binary[np.arange(len(X)), LABELS] = -np.sum(binary, axis=1)
    return np.sum(margins) / len(X), X.T.dot(binary) / len(X)


def accumulated(X, labels):
    totals = np.zeros((2, X.shape[1]))
    for row, label in zip(X, labels, strict=True):
        totals[label] += row
    counts = np.bincount(labels, minlength=2)
    return totals / counts[:, None]


def sizes(x):
    n = x.shape[0]
    half = int(n / 2)
    levels = int(np.ceil(np.log2(n))) + int(np.sqrt(n)) + round(n * 0.4) + math.floor(np.pi)
    if np.sqrt(n) > 1.5 and 2 * math.pi < 7:
        x = x * 2
    return x[:half].sum() * levels


def small_things(x):
    eps = np.finfo(float).eps
    total = 0.0
    for place, value in np.ndenumerate(x):
        total += value * (place[0] + 1)
    y = x.astype(np.float64).astype("float64")
    z = np.asarray(x, dtype=float).reshape((x.size,))
    a, *rest = z
    mean: float = z.mean().item()
    print(f"{mean:.3f}", end="")
    return total + eps + y.sum() + a + sum(rest) + mean + np.float64(2) + int(True) + bool(1)


PROGRAMS = {
    "classes": (by_classes, uniform(3, 4), uniform(4, 5), uniform(5), uniform(5, 2), uniform(2)),
    "recurrent": (recurrent, uniform(4, 3), uniform(2, 3), uniform(2, 2), uniform(2)),
    "gated": (gated, uniform(3, 3), uniform(5, 8), uniform(8)),
    "convolution": (convolution, uniform(4, 5), uniform(2, 2)),
    "windows": (convolution_by_windows, uniform(3, 4), uniform(2, 2)),
    "pooled": (pooled, uniform(4, 4)),
    "batch norm": (batch_norm, uniform(4, 3), uniform(3), uniform(3)),
    "attention": (attention, uniform(3, 2), uniform(3, 2), uniform(3, 2)),
    "attention by constants": (attention_by_constants, uniform(3, 2), uniform(3, 2), uniform(3, 2)),
    "adam": (adam, uniform(3), uniform(3)),
    "engine": (by_engine, uniform(2)),
    "dictionary": (dictionary, uniform(3, 4), uniform(4, 2), uniform(2, 1)),
    "loops": (loops, uniform(3, 2), uniform(2)),
    "gaussian": (gaussian, uniform(3, 2), uniform(2), uniform(2, 2)),
    "kernel": (kernel, uniform(4, 2), uniform(4), 0.8),
    "huber": (huber, uniform(6)),
    "hinge": (hinge, uniform(3, 4), uniform(4, 3)),
    "accumulated": (lambda X: accumulated(X, LABELS), uniform(3, 2)),
    "sizes": (sizes, uniform(8)),
    "small things": (small_things, uniform(2, 3)),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name):
    function, *arrays = PROGRAMS[name]
    agrees(function, *arrays)

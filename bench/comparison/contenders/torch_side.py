"""PyTorch: eager with its tape, and torch.compile of the functional gradient."""

from ..contender import Contender, Ready
from ..workloads import flat


def prepared():
    import torch

    torch.set_num_threads(1)
    return torch


def loss_of(work, torch):
    functions = {"tanh": torch.tanh, "sigmoid": torch.sigmoid, "linear": lambda z: z}

    def loss(parameters, X, Y):
        rest = iter(parameters)
        for kind in work.activations:
            W = next(rest)
            X = functions[kind](torch.addmm(next(rest), X, W) if work.biased else X @ W)
        return torch.nn.functional.mse_loss(X, Y)

    return loss


def tensors(work, torch):
    parameters = [torch.from_numpy(a.copy()) for a in work.parameters.values()]
    return parameters, torch.from_numpy(work.X), torch.from_numpy(work.Y)


def read(out):
    return float(out[0]), flat([g.detach().numpy() for g in out[1]])


def eager(work):
    torch = prepared()
    parameters, X, Y = tensors(work, torch)
    for p in parameters:
        p.requires_grad_()
    loss = loss_of(work, torch)

    def call():
        value = loss(parameters, X, Y)
        return value, torch.autograd.grad(value, parameters)

    return Ready(call, read)


def compiled(work):
    torch = prepared()
    loss = loss_of(work, torch)
    parameters, X, Y = tensors(work, torch)
    step = torch.compile(
        torch.func.grad_and_value(loss), dynamic=False, fullgraph=True, options=OPTIONS
    )

    def call():
        gradients, value = step(parameters, X, Y)
        return value, gradients

    return Ready(call, read)


#: The wide-vector code of inductor, no threads; `cpp_wrapper` has C++ call its kernels.
OPTIONS = {"cpp.threads": 1, "cpp_wrapper": True}


def descent(work):
    torch = prepared()
    loss = loss_of(work, torch)
    start, X, Y = tensors(work, torch)
    samples = list(zip(X.split(1), Y.split(1), strict=True))

    def call():
        parameters = [p.clone().requires_grad_() for p in start]
        for x, y in samples:
            gradients = torch.autograd.grad(loss(parameters, x, y), parameters)
            with torch.no_grad():
                torch._foreach_add_(parameters, gradients, alpha=-work.rate)
        return parameters

    return Ready(call, lambda out: (None, flat([p.detach().numpy() for p in out])))


def perceptron(work):
    torch = prepared()
    xs = [torch.tensor(v, dtype=torch.float64) for v in work.x]
    ys = [torch.tensor(v, dtype=torch.float64) for v in work.y]

    def call():
        w = torch.tensor(work.weight, dtype=torch.float64, requires_grad=True)
        b = torch.tensor(work.bias, dtype=torch.float64, requires_grad=True)
        for _ in range(work.epochs):
            for x, y in zip(xs, ys, strict=True):
                dw, db = torch.autograd.grad((torch.tanh(w * x + b) - y) ** 2, (w, b))
                with torch.no_grad():
                    w -= work.rate * dw
                    b -= work.rate * db
        return w, b

    return Ready(call, lambda out: (None, flat([v.detach().numpy() for v in out])))


def compiled_perceptron(work):
    """One epoch, its 14 updates unrolled, is the compiled unit."""
    torch = prepared()
    gradient = torch.func.grad(lambda p, x, y: (torch.tanh(p[0] * x + p[1]) - y) ** 2)
    pairs = list(zip(work.x.tolist(), work.y.tolist(), strict=True))

    def epoch(p):
        for x, y in pairs:
            p = p - work.rate * gradient(p, x, y)
        return p

    step = torch.compile(epoch, dynamic=False, fullgraph=True, options=OPTIONS)
    start = torch.tensor([work.weight, work.bias], dtype=torch.float64)

    def call():
        p = start
        with torch.no_grad():
            for _ in range(work.epochs):
                p = step(p)
        return p

    return Ready(call, lambda out: (None, out.numpy()))


EAGER = "autograd.grad, addmm, set_num_threads(1)"
COMPILED = "torch.compile(func.grad_and_value), inductor, static shapes, full graph, C++ wrapper"
CONTENDERS = (
    Contender("torch eager", "network", eager, EAGER),
    Contender("torch.compile", "network", compiled, COMPILED),
    Contender("torch eager", "descent", descent, f"{EAGER}, updates by _foreach_add_"),
    Contender("torch eager", "perceptron", perceptron, EAGER),
    Contender(
        "torch.compile",
        "perceptron",
        compiled_perceptron,
        "an epoch of 14 updates unrolled, torch.compile as above",
    ),
)

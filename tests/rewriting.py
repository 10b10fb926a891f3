"""Other ways to write a SymPy expression, by identities drawn at random.

The value stays for real variables at generic points, that is wherever both ways are defined and no
argument of a step or of an absolute value is zero. What is written is often not what SymPy would
have kept by itself: many results have sums and products that were not evaluated.
"""

import itertools
import random
from collections.abc import Callable, Iterator

import sympy as sp

LARGEST = 2000  # nodes
Rewrites = Iterator[sp.Basic]


def rewritten(expression: sp.Expr, seed: int, steps: int = 6) -> sp.Expr:
    """A scalar expression written in another way, the same for the same seed."""
    return rewrite(expression, seed, steps, SCALAR)


def rewritten_matrix(expression: sp.Expr, seed: int, steps: int = 6) -> sp.Expr:
    """A matrix expression, or a scalar with traces of some, written in another way."""
    return rewrite(expression, seed, steps, MATRIX)


def rewrite(
    expression: sp.Expr, seed: int, steps: int, identities: dict[str, Callable[..., Rewrites]]
) -> sp.Expr:
    rng = random.Random(seed)
    for _ in range(steps):
        # Drawn by identity first, else those that fit everywhere would crowd out the others.
        for name in rng.sample(sorted(identities), len(identities)):
            candidate = rewritten_by(identities[name], expression, rng)
            if candidate is not None:
                expression = candidate
                break
    return expression


def rewritten_by(
    identity: Callable[..., Rewrites], expression: sp.Expr, rng: random.Random
) -> sp.Expr | None:
    """The expression with the identity used at a random place, if there is one where it fits."""
    found = places(expression)
    for place in rng.sample(found, len(found)):
        others = list(identity(part_at(expression, place), rng))
        for other in rng.sample(others, len(others)):
            candidate = with_part(expression, place, other)
            if candidate == expression or size_of(candidate) >= LARGEST:
                continue
            if not candidate.has(sp.ITE):  # a condition inside a condition
                return candidate
    return None


def size_of(expression: sp.Basic) -> int:
    return sum(1 for _ in sp.preorder_traversal(expression))


def places(expression: sp.Basic) -> list[tuple[int, ...]]:
    """The ways down to every part that is a number or a matrix."""
    found: list[tuple[int, ...]] = []

    def walk(part: sp.Basic, way: tuple[int, ...]) -> None:
        if isinstance(part, sp.Expr) and not part.is_Boolean:
            found.append(way)
        if isinstance(part, sp.MatrixSymbol | sp.Indexed | sp.MatrixBase):
            return
        for number, child in enumerate(part.args):
            if isinstance(part, sp.Sum) and number:
                continue  # the limits
            if isinstance(part, sp.matrices.expressions.matexpr.MatrixElement) and number:
                continue
            walk(child, (*way, number))

    walk(expression, ())
    return found


def part_at(expression: sp.Basic, way: tuple[int, ...]) -> sp.Basic:
    for number in way:
        expression = expression.args[number]
    return expression


def with_part(expression: sp.Basic, way: tuple[int, ...], new: sp.Basic) -> sp.Basic:
    """The expression with the part there replaced; what is around it is not evaluated again."""
    if not way:
        return new
    arguments = list(expression.args)
    arguments[way[0]] = with_part(arguments[way[0]], way[1:], new)
    # SymPy's own steps on sines of sums that were not evaluated are wrong at times, if pi is there.
    if isinstance(expression, sp.Add | sp.Mul | sp.Pow | sp.sin | sp.cos | sp.exp | sp.log):
        return expression.func(*arguments, evaluate=False)
    return expression.func(*arguments)


def add(*terms: sp.Expr) -> sp.Expr:
    return sp.Add(*terms, evaluate=False)


def mul(*factors: sp.Expr) -> sp.Expr:
    return sp.Mul(*factors, evaluate=False)


def power(base: sp.Expr, exponent: sp.Expr) -> sp.Expr:
    return base if exponent == 1 else sp.Pow(base, exponent, evaluate=False)


def bounded(part: sp.Basic) -> bool:
    """Small enough to be handed to SymPy's own simplifications."""
    return size_of(part) < 60 and not part.has(sp.MatrixExpr)


# ---------------------------------------------------------------- functions


def sigma(z: sp.Expr) -> sp.Expr:
    return power(add(1, sp.exp(-z)), -1)


def of_tanh(part: sp.Expr, rng: random.Random) -> Rewrites:
    if not isinstance(part, sp.tanh):
        return
    (z,) = part.args
    up, down = sp.exp(z), sp.exp(-z)
    yield mul(add(up, -down), power(add(up, down), -1))
    yield add(1, mul(-2, power(add(sp.exp(2 * z), 1), -1)))
    yield mul(sp.sinh(z), power(sp.cosh(z), -1))
    yield add(mul(2, sigma(2 * z)), -1)
    yield mul(add(sp.exp(2 * z), -1), power(add(sp.exp(2 * z), 1), -1))
    yield -sp.tanh(-z, evaluate=False)


def logistic_argument(part: sp.Expr) -> sp.Expr | None:
    """The z of 1/(1 + exp(-z))."""
    if not (isinstance(part, sp.Pow) and part.exp == -1 and isinstance(part.base, sp.Add)):
        return None
    terms = list(part.base.args)
    if len(terms) != 2 or sp.S.One not in terms:
        return None
    terms.remove(sp.S.One)
    return -terms[0].args[0] if isinstance(terms[0], sp.exp) else None


def of_logistic(part: sp.Expr, rng: random.Random) -> Rewrites:
    z = logistic_argument(part)
    if z is None:
        return
    yield mul(sp.exp(z), power(add(1, sp.exp(z)), -1))
    yield mul(sp.Rational(1, 2), add(1, sp.tanh(z / 2)))
    yield add(1, -power(add(1, sp.exp(z)), -1))
    half = sp.exp(z / 2)
    yield mul(half, power(add(half, sp.exp(-z / 2)), -1))


def of_hyperbolic(part: sp.Expr, rng: random.Random) -> Rewrites:
    half = sp.Rational(1, 2)
    if isinstance(part, sp.sinh):
        (z,) = part.args
        yield mul(half, add(sp.exp(z), -sp.exp(-z)))
        yield mul(sp.tanh(z), sp.cosh(z))
    elif isinstance(part, sp.cosh):
        (z,) = part.args
        yield mul(half, add(sp.exp(z), sp.exp(-z)))
        yield sp.sqrt(add(1, power(sp.sinh(z), 2)))
    elif isinstance(part, sp.sech):
        (z,) = part.args
        yield power(sp.cosh(z), -1)
        yield mul(2, power(add(sp.exp(z), sp.exp(-z)), -1))


def of_sech_squared(part: sp.Expr, rng: random.Random) -> Rewrites:
    """1 - tanh(z)**2, also with other terms, and the squares that it is the same as."""
    if isinstance(part, sp.Add) and sp.S.One in part.args:
        for term in part.args:
            if isinstance(-term, sp.Pow) and (-term).exp == 2 and isinstance((-term).base, sp.tanh):
                z = (-term).base.args[0]
                rest = without(part.args, sp.S.One, term)
                forms = [
                    power(sp.sech(z), 2),
                    power(sp.cosh(z), -2),
                    mul(add(1, -sp.tanh(z)), add(1, sp.tanh(z))),
                    mul(4, power(add(sp.exp(z), sp.exp(-z)), -2)),
                ]
                for form in forms:
                    yield add(form, *rest) if rest else form
    if isinstance(part, sp.Pow) and (part.exp, part.base.func) in ((2, sp.sech), (-2, sp.cosh)):
        (z,) = part.base.args
        yield add(1, -power(sp.tanh(z), 2))
        yield mul(add(1, -sp.tanh(z)), add(1, sp.tanh(z)))


def of_exp(part: sp.Expr, rng: random.Random) -> Rewrites:
    if not isinstance(part, sp.exp):
        return
    (z,) = part.args
    if isinstance(z, sp.Add):
        first = rng.choice(z.args)
        yield mul(sp.exp(first), sp.exp(z - first))
        yield mul(sp.exp(z - first), power(sp.exp(-first), -1))
    yield power(sp.exp(-z), -1)
    yield power(sp.exp(z / 2), 2)
    yield add(sp.cosh(z), sp.sinh(z))


def of_exp_product(part: sp.Expr, rng: random.Random) -> Rewrites:
    if isinstance(part, sp.Mul):
        exponents = [one for one in part.args if isinstance(one, sp.exp)]
        if len(exponents) > 1:
            rest = without(part.args, *exponents)
            joined = sp.exp(add(*(one.args[0] for one in exponents)))
            yield mul(joined, *rest) if rest else joined
    if isinstance(part, sp.Pow) and isinstance(part.base, sp.exp):
        yield sp.exp(part.base.args[0] * part.exp)


def positive(part: sp.Expr) -> bool:
    """Known to be positive for real variables."""
    if isinstance(part, sp.exp | sp.cosh | sp.sech):
        return True
    if part.is_Number:
        return bool(part > 0)
    if isinstance(part, sp.Pow) and part.exp.is_Integer and part.exp % 2 and part.exp != 1:
        return positive(part.base)
    if isinstance(part, sp.Add):
        squares = [one for one in part.args if isinstance(one, sp.Pow) and one.exp == 2]
        return any(map(positive, part.args)) and all(
            positive(one) or one in squares for one in part.args
        )
    if isinstance(part, sp.Mul | sp.Pow):
        return all(map(positive, part.args[:1] if isinstance(part, sp.Pow) else part.args))
    return isinstance(part, sp.Symbol) and part.is_positive is True


def of_log(part: sp.Expr, rng: random.Random) -> Rewrites:
    if not isinstance(part, sp.log):
        return
    (inner,) = part.args
    if isinstance(inner, sp.Mul):
        known = [one for one in inner.args if positive(one)]
        if known and len(inner.args) > 1:
            one = rng.choice(known)
            rest = without(inner.args, one)
            yield add(sp.log(one), sp.log(mul(*rest) if len(rest) > 1 else rest[0]))
    if isinstance(inner, sp.Pow) and positive(inner.base):
        yield mul(inner.exp, sp.log(inner.base))
    if isinstance(inner, sp.exp):
        yield inner.args[0]
    if isinstance(inner, sp.Add):
        raised = [one for one in inner.args if isinstance(one, sp.exp)]
        if raised and len(inner.args) > 1:
            # The greatest term of a log-sum-exp is taken out, or any other.
            z = rng.choice(raised).args[0]
            terms = [
                sp.exp(one.args[0] - z) if one in raised else mul(one, sp.exp(-z))
                for one in inner.args
            ]
            yield add(z, sp.log(add(*terms)))
    if positive(inner):
        yield -sp.log(power(inner, -1))
        yield mul(sp.Rational(1, 2), sp.log(power(inner, 2)))


def of_two_logs(part: sp.Expr, rng: random.Random) -> Rewrites:
    if not isinstance(part, sp.Add):
        return
    logs = [one for one in part.args if isinstance(one, sp.log) and positive(one.args[0])]
    if len(logs) > 1:
        one, other = rng.sample(logs, 2)
        rest = without(part.args, one, other)
        joined = sp.log(mul(one.args[0], other.args[0]))
        yield add(joined, *rest) if rest else joined


def of_trigonometric(part: sp.Expr, rng: random.Random) -> Rewrites:
    if not isinstance(part, sp.sin | sp.cos):
        return
    (z,) = part.args
    half_sin, half_cos = sp.sin(z / 2, evaluate=False), sp.cos(z / 2, evaluate=False)
    if isinstance(part, sp.sin):
        yield mul(2, half_sin, half_cos)
    else:
        yield add(1, mul(-2, power(half_sin, 2)))
        yield add(power(half_cos, 2), -power(half_sin, 2))


# ---------------------------------------------------------------- corners


def ramp(z: sp.Expr) -> sp.Expr:
    return sp.Piecewise((z, z > 0), (0, True))


def of_ramp(part: sp.Expr, rng: random.Random) -> Rewrites:
    z = None
    if isinstance(part, sp.Max) and len(part.args) == 2 and sp.S.Zero in part.args:
        z = next(one for one in part.args if one != 0)
        yield ramp(z)
    elif isinstance(part, sp.Piecewise) and len(part.args) == 2:
        (value, test), (other, _) = part.args
        if other == 0 and test == (value > 0):
            z = value
            yield sp.Max(0, z)
    if z is not None:
        yield mul(sp.Rational(1, 2), add(z, sp.Abs(z)))
        yield mul(z, step(z))
        yield sp.Piecewise((0, z <= 0), (z, True))
        yield add(z, sp.Max(0, -z))


def step(z: sp.Expr) -> sp.Expr:
    return sp.Piecewise((1, z > 0), (0, True))


def of_step(part: sp.Expr, rng: random.Random) -> Rewrites:
    if isinstance(part, sp.Piecewise) and len(part.args) == 2:
        (value, test), (other, _) = part.args
        if isinstance(test, sp.StrictGreaterThan) and test.rhs == 0 and not value.has(sp.nan):
            z = test.lhs
            yield sp.Piecewise((other, z <= 0), (value, True))
            if (value, other) == (1, 0):
                yield mul(sp.Rational(1, 2), add(1, sp.sign(z)))
                yield sp.Heaviside(z)
            elif bounded(part) and not value.has(sp.log, sp.Pow) and not other.has(sp.log, sp.Pow):
                yield add(mul(value, step(z)), mul(other, add(1, -step(z))))
    if isinstance(part, sp.Heaviside):
        yield step(part.args[0])
        yield mul(sp.Rational(1, 2), add(1, sp.sign(part.args[0])))
    if isinstance(part, sp.sign):
        (z,) = part.args
        yield add(mul(2, step(z)), -1)
        yield mul(z, power(sp.Abs(z), -1))


def of_abs(part: sp.Expr, rng: random.Random) -> Rewrites:
    if isinstance(part, sp.Abs):
        (z,) = part.args
        yield sp.Piecewise((z, z >= 0), (-z, True))
        yield mul(z, sp.sign(z))
        yield sp.sqrt(power(z, 2), evaluate=False)
        yield sp.Max(z, -z)
        yield add(mul(2, sp.Max(0, z)), -z)


def of_max(part: sp.Expr, rng: random.Random) -> Rewrites:
    if isinstance(part, sp.Max | sp.Min) and len(part.args) == 2:
        a, b = part.args
        up = isinstance(part, sp.Max)
        yield sp.Piecewise((a, a > b if up else a < b), (b, True))
        half = sp.Rational(1, 2)
        distance = sp.Abs(a - b) if up else -sp.Abs(a - b)
        yield mul(half, add(a, b, distance))
        yield add(a, sp.Max(0, b - a)) if up else add(a, -sp.Max(0, a - b))


# ---------------------------------------------------------------- sums and products


def of_square(part: sp.Expr, rng: random.Random) -> Rewrites:
    if isinstance(part, sp.Pow) and part.exp.is_Integer and part.exp >= 2:
        yield mul(part.base, power(part.base, part.exp - 1))
        yield mul(*[part.base] * min(int(part.exp), 6)) if part.exp <= 6 else part
    if isinstance(part, sp.Pow) and part.exp.is_Integer and part.exp <= -1:
        yield mul(1, power(power(part.base, -part.exp), -1))
        yield mul(part.base, power(part.base, part.exp - 1))


def of_own_simplifications(part: sp.Expr, rng: random.Random) -> Rewrites:
    if not bounded(part) or not isinstance(part, sp.Add | sp.Mul | sp.Pow):
        return
    if part.has(sp.Sum, sp.Piecewise, sp.Indexed):
        yield sp.expand_mul(part)
        return
    yield sp.expand(part, power_base=False, power_exp=False, log=False, complex=False)
    yield sp.factor_terms(part)
    yield sp.together(part)
    symbols = sorted(part.free_symbols, key=str)
    if symbols and isinstance(part, sp.Add):
        yield sp.collect(part, rng.choice(symbols))


def of_distribution(part: sp.Expr, rng: random.Random) -> Rewrites:
    if not isinstance(part, sp.Mul):
        return
    sums = [one for one in part.args if isinstance(one, sp.Add)]
    if sums:
        chosen = rng.choice(sums)
        rest = without(part.args, chosen)
        yield add(*(mul(*rest, term) for term in chosen.args))


def of_common_factor(part: sp.Expr, rng: random.Random) -> Rewrites:
    """x*a + x*b -> x*(a + b) for some two terms that share a factor."""
    if not isinstance(part, sp.Add):
        return
    for one, other in itertools.combinations(part.args, 2):
        first, second = list(sp.Mul.make_args(one)), list(sp.Mul.make_args(other))
        shared = [factor for factor in first if factor in second]
        if shared:
            factor = rng.choice(shared)
            first.remove(factor)
            second.remove(factor)
            inside = add(*(mul(*rest) if rest else sp.S.One for rest in (first, second)))
            terms = without(part.args, one, other)
            yield add(mul(factor, inside), *terms) if terms else mul(factor, inside)


def without(parts: tuple[sp.Expr, ...], *left_out: sp.Expr) -> list[sp.Expr]:
    rest = list(parts)
    for one in left_out:
        rest.remove(one)
    return rest


def of_order(part: sp.Expr, rng: random.Random) -> Rewrites:
    if isinstance(part, sp.Add | sp.Mul) and not part.has(sp.MatrixExpr):
        arguments = list(part.args)
        rng.shuffle(arguments)
        yield part.func(*arguments, evaluate=False)
        if len(arguments) > 2:
            inner = part.func(*arguments[:2], evaluate=False)
            yield part.func(inner, *arguments[2:], evaluate=False)


def of_additions(part: sp.Expr, rng: random.Random) -> Rewrites:
    """A term added and subtracted, a positive factor multiplied and divided."""
    found = [one for one in sorted(part.free_symbols, key=str) if one.is_Symbol and plain(one)]
    if not found or isinstance(part, sp.Piecewise):
        return
    x, y = rng.choice(found), rng.choice(found)
    if isinstance(part, sp.Add):
        first, rest = part.args[0], part.args[1:]
        yield add(add(first, mul(x, y)), *rest, mul(-1, x, y))
    yield add(part, mul(x, add(y, 1)), mul(-1, x, y), -x)
    yield mul(part, add(1, power(x, 2)), power(add(1, power(x, 2)), -1))
    yield mul(part, add(power(sp.sin(x), 2), power(sp.cos(x), 2)))
    if isinstance(part, sp.Add) and not part.has(sp.Sum):
        factor = add(1, power(x, 2))
        yield mul(add(*(mul(factor, term) for term in part.args)), power(factor, -1))


def plain(symbol: sp.Symbol) -> bool:
    """A variable, not an index or a size."""
    return not symbol.is_integer and not isinstance(symbol, sp.Idx) and symbol.is_real is True


# ---------------------------------------------------------------- sums with an index


def of_sum(part: sp.Expr, rng: random.Random) -> Rewrites:
    if not (isinstance(part, sp.Sum) and len(part.limits) == 1 and len(part.limits[0]) == 3):
        return
    body, (index, low, high) = part.function, part.limits[0]
    shift = rng.choice([1, -1, 2])
    yield sp.Sum(body.subs(index, index + shift), (index, low - shift, high - shift))
    other = sp.Symbol(index.name + "_", integer=True)
    if other not in body.free_symbols:
        yield sp.Sum(body.subs(index, other), (other, low, high))
    yield sp.Sum(body.subs(index, low + high - index), (index, low, high))
    factors = sp.Mul.make_args(body)
    outside = [one for one in factors if index not in one.free_symbols]
    inside = [one for one in factors if index in one.free_symbols]
    if outside and inside:
        yield mul(*outside, sp.Sum(mul(*inside) if len(inside) > 1 else inside[0], part.limits[0]))
    if isinstance(body, sp.Add):
        yield add(*(sp.Sum(term, part.limits[0]) for term in body.args))
    # Without the first round: the range must have one.
    yield add(body.subs(index, low), sp.Sum(body, (index, low + 1, high)))


def of_factor_into_sum(part: sp.Expr, rng: random.Random) -> Rewrites:
    if isinstance(part, sp.Mul):
        sums = [one for one in part.args if isinstance(one, sp.Sum)]
        if sums:
            chosen = rng.choice(sums)
            rest = without(part.args, chosen)
            bound = {limit[0] for limit in chosen.limits}
            if rest and not any(bound & one.free_symbols for one in rest):
                yield sp.Sum(mul(*rest, chosen.function), *chosen.limits)
    if isinstance(part, sp.Add):
        sums = [one for one in part.args if isinstance(one, sp.Sum)]
        if len(sums) > 1 and sums[0].limits == sums[1].limits:
            rest = without(part.args, *sums[:2])
            yield add(sp.Sum(add(sums[0].function, sums[1].function), *sums[0].limits), *rest)


# ---------------------------------------------------------------- matrices


def is_matrix(part: sp.Basic) -> bool:
    return isinstance(part, sp.MatrixExpr)


def of_transpose(part: sp.Expr, rng: random.Random) -> Rewrites:
    if not is_matrix(part):
        return
    if isinstance(part, sp.MatMul):
        factors = [one for one in part.args if is_matrix(one)]
        scalars = [one for one in part.args if not is_matrix(one)]
        turned = [sp.Transpose(one).doit(deep=False) for one in reversed(factors)]
        yield sp.Transpose(sp.MatMul(*scalars, *turned, evaluate=False))
    elif isinstance(part, sp.MatAdd):
        yield sp.Transpose(
            sp.MatAdd(*(sp.Transpose(one).doit(deep=False) for one in part.args), evaluate=False)
        )
    elif isinstance(part, sp.HadamardProduct):
        yield sp.Transpose(sp.HadamardProduct(*(sp.Transpose(one) for one in part.args)))
    elif isinstance(part, sp.Transpose):
        inner = part.arg
        if isinstance(inner, sp.MatMul):
            factors = [one for one in inner.args if is_matrix(one)]
            scalars = [one for one in inner.args if not is_matrix(one)]
            yield sp.MatMul(*scalars, *map(sp.Transpose, reversed(factors)), evaluate=False)
        elif isinstance(inner, sp.MatAdd):
            yield sp.MatAdd(*map(sp.Transpose, inner.args), evaluate=False)
        elif isinstance(inner, sp.Transpose):
            yield inner.arg
        elif isinstance(inner, sp.Inverse):
            yield sp.Inverse(sp.Transpose(inner.arg))
    elif isinstance(part, sp.MatrixSymbol):
        yield sp.Transpose(sp.Transpose(part))


def of_matrix_distribution(part: sp.Expr, rng: random.Random) -> Rewrites:
    if not isinstance(part, sp.MatMul):
        return
    places = [k for k, one in enumerate(part.args) if isinstance(one, sp.MatAdd | sp.Add)]
    if places:
        k = rng.choice(places)
        before, chosen, after = part.args[:k], part.args[k], part.args[k + 1 :]
        yield sp.MatAdd(
            *(sp.MatMul(*before, term, *after, evaluate=False) for term in chosen.args),
            evaluate=False,
        )


def of_matrix_factor(part: sp.Expr, rng: random.Random) -> Rewrites:
    """A*B + A*C -> A*(B + C), and B*A + C*A -> (B + C)*A."""
    if not isinstance(part, sp.MatAdd) or len(part.args) < 2:
        return
    for one, other in itertools.combinations(part.args, 2):
        a, b = factors_of(one), factors_of(other)
        if len(a) < 2 or len(b) < 2:
            continue
        terms = without(part.args, one, other)
        joined: list[sp.Expr] = []
        if a[0] == b[0] and is_matrix(a[0]):
            joined.append(sp.MatMul(a[0], matrix_sum(a[1:], b[1:]), evaluate=False))
        if a[-1] == b[-1] and matrices_in(a[:-1], b[:-1]):
            joined.append(sp.MatMul(matrix_sum(a[:-1], b[:-1]), a[-1], evaluate=False))
        for new in joined:
            yield sp.MatAdd(new, *terms, evaluate=False) if terms else new


def factors_of(term: sp.Expr) -> tuple[sp.Expr, ...]:
    return term.args if isinstance(term, sp.MatMul) else (term,)


def matrices_in(*products: tuple[sp.Expr, ...]) -> bool:
    return all(any(map(is_matrix, product)) for product in products)


def matrix_sum(*products: tuple[sp.Expr, ...]) -> sp.Expr:
    terms = [one[0] if len(one) == 1 else sp.MatMul(*one, evaluate=False) for one in products]
    return sp.MatAdd(*terms, evaluate=False)


def of_matrix_order(part: sp.Expr, rng: random.Random) -> Rewrites:
    if isinstance(part, sp.MatAdd | sp.HadamardProduct):
        arguments = list(part.args)
        rng.shuffle(arguments)
        yield part.func(*arguments, evaluate=False)
        if len(arguments) > 2:
            inner = part.func(*arguments[:2], evaluate=False)
            yield part.func(inner, *arguments[2:], evaluate=False)
    if isinstance(part, sp.MatMul):
        factors = [one for one in part.args if is_matrix(one)]
        scalars = [one for one in part.args if not is_matrix(one)]
        if len(factors) > 2:
            k = rng.randrange(len(factors) - 1)
            inner = sp.MatMul(*factors[k : k + 2], evaluate=False)
            yield sp.MatMul(*scalars, *factors[:k], inner, *factors[k + 2 :], evaluate=False)


def of_scalars(part: sp.Expr, rng: random.Random) -> Rewrites:
    """A number moves to another factor or term."""
    if isinstance(part, sp.MatMul):
        factors = [one for one in part.args if is_matrix(one)]
        scalars = [one for one in part.args if not is_matrix(one)]
        if scalars:
            k = rng.randrange(len(factors))
            scaled = sp.MatMul(*scalars, factors[k], evaluate=False)
            if len(factors) > 1:
                yield sp.MatMul(*factors[:k], scaled, *factors[k + 1 :], evaluate=False)
        for k, factor in enumerate(factors):
            inner = factors_of(factor)
            if len(inner) > 1 and not is_matrix(inner[0]):
                moved = inner[1] if len(inner) == 2 else sp.MatMul(*inner[1:], evaluate=False)
                rest = [*factors[:k], moved, *factors[k + 1 :]]
                yield sp.MatMul(*scalars, inner[0], *rest, evaluate=False)
    if is_matrix(part):
        yield sp.MatMul(sp.Rational(1, 2), sp.MatAdd(part, part, evaluate=False), evaluate=False)
        yield sp.MatMul(2, sp.MatMul(sp.Rational(1, 2), part, evaluate=False), evaluate=False)


def of_identity(part: sp.Expr, rng: random.Random) -> Rewrites:
    if is_matrix(part):
        yield sp.MatMul(part, sp.Identity(part.shape[1]), evaluate=False)
        yield sp.MatMul(sp.Identity(part.shape[0]), part, evaluate=False)


def of_trace(part: sp.Expr, rng: random.Random) -> Rewrites:
    if not isinstance(part, sp.Trace):
        return
    inner = part.arg
    factors = list(factors_of(inner))
    if len(factors) > 1 and all(map(is_matrix, factors)):
        k = rng.randrange(1, len(factors))
        yield sp.Trace(sp.MatMul(*factors[k:], *factors[:k], evaluate=False))
    if isinstance(inner, sp.MatAdd):
        yield add(*map(sp.Trace, inner.args))
    yield sp.Trace(sp.Transpose(inner))


def of_inverse(part: sp.Expr, rng: random.Random) -> Rewrites:
    if isinstance(part, sp.Inverse):
        yield sp.Transpose(sp.Inverse(sp.Transpose(part.arg)))
        inner = part.arg
        if isinstance(inner, sp.MatMul) and all(
            is_matrix(one) and one.shape[0] == one.shape[1] for one in inner.args
        ):
            yield sp.MatMul(*map(sp.Inverse, reversed(inner.args)), evaluate=False)


SCALAR: dict[str, Callable[..., Rewrites]] = {
    "tanh": of_tanh,
    "logistic": of_logistic,
    "hyperbolic": of_hyperbolic,
    "sech squared": of_sech_squared,
    "exp": of_exp,
    "product of exp": of_exp_product,
    "log": of_log,
    "two logs": of_two_logs,
    "trigonometric": of_trigonometric,
    "ramp": of_ramp,
    "step": of_step,
    "abs": of_abs,
    "max": of_max,
    "square": of_square,
    "own": of_own_simplifications,
    "distribution": of_distribution,
    "common factor": of_common_factor,
    "order": of_order,
    "additions": of_additions,
    "sum": of_sum,
    "factor into sum": of_factor_into_sum,
}

MATRIX: dict[str, Callable[..., Rewrites]] = {
    "transpose": of_transpose,
    "distribution": of_matrix_distribution,
    "factor": of_matrix_factor,
    "order": of_matrix_order,
    "scalars": of_scalars,
    "identity": of_identity,
    "trace": of_trace,
    "inverse": of_inverse,
}

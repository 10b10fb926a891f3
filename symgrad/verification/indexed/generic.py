"""Which factors and polynomials are zero on no open set: those may be divided by and cancelled."""

from __future__ import annotations

from collections.abc import Callable

from symgrad.verification.indexed.forms import Forms, Key, Poly

#: Functions that are zero where their argument is, and nowhere else.
VANISH_AT_ZERO = frozenset({"tanh", "erf", "atan", "asinh"})


class Generic(Forms):
    """Indexed polynomials of which some are known not to vanish.

    Args:
        check: Called now and then; raises when time is up.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        super().__init__(check)
        #: Names of symbols that are positive, such as sizes.
        self.positive: set[str] = set()
        #: The inputs that a name depends on, by name; an input depends on itself.
        self.inputs: dict[str, frozenset[str]] = {}

    # ------------------------------------------------------------ what is not zero

    def generic(self, fid: int) -> bool:
        """Tell whether a factor is surely not zero at generic points, so that it cancels."""
        tag, name, _, args = self.factors[fid]
        if tag in ("sym", "at") or (tag, name) == ("fun", "exp"):
            return True
        below = [self.polys[a] for a in args]
        if tag == "root":
            return below[0].keys() == {((), ())} or self.nonzero(below[0])
        if tag == "paren" or (tag == "fun" and name in VANISH_AT_ZERO):
            return self.nonzero(below[0])
        return False

    def nonzero(self, poly: Poly) -> bool:
        """Tell whether a polynomial is surely zero on no open set of the inputs."""
        if len(poly) == 1 and all(
            self._is_nonzero_unit(f) for powers, _ in poly for f, _ in powers
        ):
            (_, bound), *_ = poly
            return not bound or self._is_of_inputs(poly)
        return self._is_of_inputs(poly) or any(map(self._is_private, [poly] * len(poly), poly))

    def _is_nonzero_unit(self, fid: int) -> bool:
        return self.factors[fid].tag in ("sym", "at") or self.is_exp(fid)

    def _is_of_inputs(self, poly: Poly) -> bool:
        """Tell whether it is one of inputs and exponentials of them, which are independent."""
        for fid in {fid for powers, _ in poly for fid, _ in powers}:
            tag, name, _, args = self.factors[fid]
            if tag in ("sym", "at"):
                if self.inputs.get(name) != frozenset({name}):
                    return False
            elif not self.is_exp(fid) or not self._is_of_inputs(self.polys[args[0]]):
                return False
        return bool(poly)

    def _is_private(self, poly: Poly, key: Key) -> bool:
        """Tell whether a term is a multiple of an input that nothing else depends on."""
        powers, _ = key
        others = [f for k in poly if k != key for f, _ in k[0]]
        for fid, exponent in powers:
            tag, name, *_ = self.factors[fid]
            rest = [f for f, _ in powers if f != fid]
            if (
                tag in ("sym", "at")
                and exponent == 1
                and self.inputs.get(name) == frozenset({name})
            ):
                alone = not any(name in self._dependence(f) for f in (*others, *rest))
                if alone and all(self._is_simple(f) for f in rest):
                    return True
        return False

    def _is_simple(self, fid: int) -> bool:
        """Tell whether a factor is a unit or tanh of a product of units."""
        if self._is_nonzero_unit(fid):
            return True
        tag, name, _, args = self.factors[fid]
        if (tag, name) != ("fun", "tanh") or len(self.polys[args[0]]) != 1:
            return False
        ((powers, bound), *_) = self.polys[args[0]]
        return not bound and all(self._is_nonzero_unit(f) for f, _ in powers)

    def _dependence(self, fid: int) -> frozenset[str]:
        found = (self.inputs.get(name, frozenset({name})) for name in self.mentions(fid))
        return frozenset().union(*found)

    def mentions(self, fid: int) -> frozenset[str]:
        """Return the names of the symbols in a factor."""
        key = ("mentions", fid)
        if key not in self._memo:
            tag, name, _, args = self.factors[fid]
            below = [*args, int(name.split(":")[0])] if tag in ("inv", "det") else list(args)
            own = {name} if tag in ("sym", "at") else set()
            self._memo[key] = frozenset(own.union(*(self.names(self.polys[a]) for a in below)))
        return self._memo[key]  # type: ignore[no-any-return]

    def names(self, poly: Poly) -> set[str]:
        """Return the names of the symbols in a polynomial."""
        fids = {fid for powers, _ in poly for fid, _ in powers}
        return set().union(*map(self.mentions, fids))

    def is_exp(self, fid: int) -> bool:
        """Tell whether a factor is an exponential."""
        return self.factors[fid][:2] == ("fun", "exp")

"""Names that are taken in C: by the language, by its library, by the files written here."""

from __future__ import annotations

import re
from collections.abc import Iterable

from symgrad.backends.source import identifiers

#: Words of the language, and what a generated function calls its own variables.
KEYWORDS = tuple(
    re.findall(
        r"\w+",
        """
auto break case char const continue default do double else enum extern float for goto if inline int
long register restrict return short signed sizeof static struct switch typedef union unsigned void
volatile while _Bool _Complex _Imaginary real n s k epoch epochs order learning_rate value samples
size_t
""",
    )
)
#: Functions of math.h, each also with an `f` or an `l` at its end.
_MATHEMATICS = """
acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh erf erfc exp exp2 exp10 expm1
fabs fdim floor fma fmax fmin fmod frexp gamma hypot ilogb j0 j1 jn ldexp lgamma llrint llround log
log10 log1p log2 logb lrint lround modf nan nearbyint nextafter nexttoward pow remainder remquo
rint round scalbln scalbn sin sinh sqrt tan tanh tgamma trunc y0 y1 yn
"""
#: Macros and functions of the headers that programs around a net include.
_LIBRARY = """
main errno assert complex bool true false offsetof ptrdiff_t wchar_t
fpclassify isfinite isgreater isgreaterequal isinf isless islessequal islessgreater isnan isnormal
isunordered signbit
abort abs atexit atof atoi atol atoll bsearch calloc div exit free getenv labs ldiv llabs lldiv
malloc qsort rand realloc srand strtod strtof strtol strtold strtoll strtoul strtoull system
memchr memcmp memcpy memmove memset strcat strchr strcmp strcoll strcpy strcspn strerror strlen
strncat strncmp strncpy strpbrk strrchr strspn strstr strtok strxfrm
clearerr fclose feof ferror fflush fgetc fgetpos fgets fopen fprintf fputc fputs fread freopen
fscanf fseek fsetpos ftell fwrite getc getchar gets perror printf putc putchar puts remove rename
rewind scanf setbuf setvbuf snprintf sprintf sscanf stderr stdin stdout tmpfile tmpnam ungetc
vfprintf vprintf vsnprintf vsprintf asctime clock ctime difftime gmtime localtime mktime strftime
time raise signal longjmp setjmp index rindex linux unix asm typeof
"""
LIBRARY = (
    *(f"{word}{end}" for word in _MATHEMATICS.split() for end in ("", "f", "l")),
    *_LIBRARY.split(),
)
#: Names of our functions, and what headers may define.
_TAKEN = re.compile(r"sg_|[A-Z]{3}|M_|FP_|__|_[A-Z]|I$")


def taken(names: Iterable[str]) -> list[str]:
    """Return those of the names that a header, or a file that is written here, may define.

    >>> taken(["NAN", "W1", "sg_tanh"])
    ['NAN', 'sg_tanh']
    """
    return [name for name in names if _TAKEN.match(name)]


def function_name(stem: str) -> str:
    """Return the name of a function for a file's name: itself wherever a program can hold it.

    >>> function_name("net"), function_name("exp"), function_name("a"), function_name("my-net")
    ('net', 'exp_', 'a_', 'my_net')
    """
    # `a` is what the table of pointers is called.
    reserved = [*KEYWORDS, *LIBRARY, *taken([stem]), "a"]
    return identifiers([stem], reserved=reserved)[stem]

"""What the fixtures of this folder share: rows, labels, grids of cases.

A fixture is a module with
- `LOSS`: the loss's name, in the native registry as in sentence-transformers;
- `ORDER`: "free" where exchanging the first two columns leaves the value as it is, "matters" where it does not, None for
  losses of one column;
- `CASES`: a list of `case(...)`, among them batches of 1, 2, 7 and 32 rows and one of repeated texts;
- `build(model, options)`: the loss of sentence-transformers for the options of a case, which are those of the class in
  lib/losses. An option `{"$loss": [name, options]}` stands for another loss, made by that one's fixture.
"""

import zlib
from importlib import import_module
from pathlib import Path

BATCHES = (1, 2, 7, 32)


def case(options, columns, batch, labels=None, rows="distinct", **more):
    """`labels`: a function of (batch, columns), or None. `rows`: distinct texts; "repeated": row 1 is row 0 again;
    "equal columns": in row 0 all columns hold one text. `more`: kept as it is, for `build`, `prepare` and the test."""
    return dict(options=options, columns=columns, batch=batch, rows=rows,
                labels=labels(batch, columns) if labels else None, **more)


def grid(variants, columns, labels=None, batches=BATCHES, repeated=("repeated", "equal columns"), **more):
    """The first of `variants` (options) at all numbers of columns and all batches, the others at 7 rows; then repeated
    texts for each of them."""
    found = [case(variants[0], c, b, labels, **more) for c in columns for b in batches]
    found += [case(options, c, 7, labels, **more) for options in variants[1:] for c in columns]
    kinds = [kind for kind in repeated if kind == "repeated" or max(columns) > 1]
    return found + [case(options, columns[-1], 6, labels, rows=kind, **more) for options in variants for kind in kinds]


# Labels: exact in float32, their edges among them.


def scores(batch, columns):
    """0 to 1 in eighths, with equal ones."""
    return [0.125 * ((5 * i + 8) % 9) for i in range(batch)]


def signed(batch, columns):
    """-1 to 1."""
    return [0.25 * ((5 * i + 8) % 9) - 1 for i in range(batch)]


def classes(count):
    return lambda batch, columns: [(2 * i + i // 3 + 1) % count for i in range(batch)]


def probabilities(classes):
    """[batch, classes] of eighths; 0 and 1 are among them."""
    def row(i):
        parts = [(5 * i + 3 * j) % 9 for j in range(classes - 1)]
        cuts = sorted([0, *parts, 8])
        return [0.125 * (b - a) for a, b in zip(cuts, cuts[1:])]
    return lambda batch, columns: [row(i) for i in range(batch)]


def all_but(row, value):
    """`value` in one row, 1 - value in the others."""
    return lambda batch, columns: [value if i == row else 1 - value for i in range(batch)]


def same(value):
    return lambda batch, columns: [value] * batch


def distinct(batch, columns):
    """A class for each row."""
    return list(range(batch))


def number(*place):
    """A multiple of 1/16 from -2 to 2 that depends on `place` alone."""
    return (zlib.crc32(repr(place).encode()) % 65 - 32) / 16


def numbers(width):
    """[batch, width(columns)]"""
    return lambda batch, columns: [[number(i, j) for j in range(width(columns))] for i in range(batch)]


def tables(width):
    """[batch, columns, width]"""
    return lambda batch, columns: [[[number(i, c, j) for j in range(width)] for c in range(columns)] for i in range(batch)]


def fixture_of(name):
    for path in Path(__file__).parent.glob("*.py"):
        found = import_module(f"losses.{path.stem}")
        if getattr(found, "LOSS", None) == name:
            return found
    raise KeyError(name)


def inner(model, option):
    """The loss that `{"$loss": [name, options]}` stands for."""
    name, options = option["$loss"]
    return fixture_of(name).build(model, options)

# SPDX-License-Identifier: MIT
"""What the drivers share. A driver runs before the program, in its process; `program`, `input`
(bytes) and `reply` are given. No expected output ever comes here: values go home as text.
"""
import builtins
import decimal
import fractions
import io
import json
import os
import sys
import types

STARRED = ("string re datetime collections heapq bisect copy math random statistics itertools "
           "functools operator io sys json builtins typing").split()
# what LiveCodeBench puts before every program
PREAMBLE = ("".join("from %s import *\n" % name for name in STARRED) +
            "".join("import %s\n" % name for name in STARRED[:-2]) +
            "sys.setrecursionlimit(50000)\n")
DIGITS_MAX = 10 ** 4000  # larger integers are sent in base 16, which has no limit
leave = os._exit


def literal(value, depth=0):
    """Python source for a value of the built-in types; "?" inside it for what has none. A subclass
    counts as its base where it compares as that."""
    kind = type(value)
    if value is None or value is True or value is False or value is Ellipsis:
        return "..." if value is Ellipsis else str(value)
    if depth > 190:
        return "?"
    if issubclass(kind, int) and kind.__eq__ is int.__eq__:
        value = int.__add__(value, 0)
        return repr(value) if -DIGITS_MAX < value < DIGITS_MAX else hex(value)
    if issubclass(kind, float) and kind.__eq__ is float.__eq__:
        return repr(float.__add__(value, 0.0))
    if issubclass(kind, str) and kind.__eq__ is str.__eq__:
        return ascii(str.__str__(value))
    if kind in (bytes, bytearray):
        return repr(bytes(value))
    if kind is complex:
        return repr(value)
    if issubclass(kind, list) and kind.__eq__ is list.__eq__:
        return "[" + ",".join([literal(x, depth + 1) for x in list.__iter__(value)]) + "]"
    if issubclass(kind, tuple) and kind.__eq__ is tuple.__eq__:
        return "(" + "".join([literal(x, depth + 1) + "," for x in tuple.__iter__(value)]) + ")"
    if kind in (set, frozenset):
        inner = [literal(x, depth + 1) for x in kind.__iter__(value)]
        return "{" + ",".join(inner) + "}" if inner else "set()"
    if issubclass(kind, dict) and (kind.__eq__ is dict.__eq__ or kind.__module__ == "collections"):
        return "{" + ",".join([literal(k, depth + 1) + ":" + literal(v, depth + 1)
                               for k, v in dict.items(value)]) + "}"
    if kind in (fractions.Fraction, decimal.Decimal):
        if value == int(value):
            return literal(int(value), depth)
        return repr(float(value)) if fractions.Fraction(float(value)) == value else "?"
    return "?"


def send_value(value):
    try:
        text = literal(value)
    except Exception:
        text = "?"
    reply(b"v" + text.encode("utf-8", "surrogatepass"))


def source_text():
    return program.decode("utf-8", "surrogatepass")

"""Syntax and texts of source files, for tests of what is written in them.

Knows Python's syntax tree. Knows nothing of what a test looks for.
"""

import ast
from functools import cache


@cache
def texts_of(file):
    """Its text constants: messages, help, docstrings and SQL."""
    return tuple(
        node.value
        for node in nodes_of(file)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def nodes_of(file):
    """Every node but those that say whether a name is read or set.

    In the order of `ast.walk`, in less time.
    """
    found = [ast.parse(file.read_text(encoding="utf-8"))]
    for node in found:
        for value in node.__dict__.values():
            if isinstance(value, list):
                found += [each for each in value if isinstance(each, ast.AST)]
            elif isinstance(value, ast.AST) and not isinstance(value, ast.expr_context):
                found.append(value)
    return found

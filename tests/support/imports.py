"""The imports of a module, read from its source without running it."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Import:
    """One imported module, by its full dotted name.

    `nested` tells whether the import runs only when a function is called.
    """

    target: str
    line: int
    nested: bool


def imports_of(module: str, source: str, modules: Collection[str]) -> Iterator[Import]:
    """Yield the imports of a module, those by `import_module("literal")` too.

    Args:
        module: its dotted name; a package's is "package.__init__".
        source: its text.
        modules: every dotted name of our own, to tell `from package import module` from
            `from package import name`.
    """
    for node, nested in _walk(ast.parse(source), nested=False):
        for target in _targets(node, module, modules):
            if f"{target}.__init__" in modules:
                target += ".__init__"
            yield Import(target, getattr(node, "lineno", 0), nested)


def _walk(node: ast.AST, *, nested: bool) -> Iterator[tuple[ast.AST, bool]]:
    for child in ast.iter_child_nodes(node):
        yield child, nested
        is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from _walk(child, nested=nested or is_function)


def _targets(node: ast.AST, module: str, modules: Collection[str]) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = module.split(".")[: -node.level] if node.level else []  # relative to the package
        source = ".".join([*base, *([node.module] if node.module else [])])
        names = [f"{source}.{alias.name}" for alias in node.names]
        inner = [n for n in names if n in modules or f"{n}.__init__" in modules]
        return inner + ([source] if len(inner) < len(names) else [])
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
        literal = node.args[0] if node.args else None
        if isinstance(literal, ast.Constant) and isinstance(literal.value, str):
            return [literal.value]
    return []

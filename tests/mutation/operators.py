"""Small changes to a function, each of which some test ought to notice: conditions turned, statements and arguments dropped, …

Texts for people, assertions for the type checker, docstrings and annotations are left alone.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

_COMPARISONS: dict[type[ast.cmpop], tuple[str, ...]] = {
    ast.Lt: ("<=", ">="),
    ast.LtE: ("<", ">"),
    ast.Gt: (">=", "<="),
    ast.GtE: (">", "<"),
    ast.Eq: ("!=",),
    ast.NotEq: ("==",),
    ast.Is: ("is not",),
    ast.IsNot: ("is",),
    ast.In: ("not in",),
    ast.NotIn: ("in",),
}
_ARITHMETIC: dict[type[ast.operator], str] = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "//",
    ast.FloorDiv: "*",
    ast.Mod: "*",
    ast.LShift: ">>",
    ast.RShift: "<<",
    ast.BitOr: "&",
    ast.BitAnd: "|",
}
LONG = 50
"""Characters from which on only the difference is shown."""
_TWINS = {"min": "max", "max": "min", "any": "all", "all": "any", "reversed": "iter"}
_OPERATIONS = (ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.Compare, ast.IfExp, ast.Lambda)


@dataclass(frozen=True)
class Mutant:
    """One change at one place: bytes ``start`` to ``end`` of the file become ``after``."""

    file: str
    """Path below the mutated folder."""
    function: str
    """Qualified name of the outermost function."""
    digest: str
    """Of the function as it is: a result holds as long as it stays."""
    line: int
    lines: frozenset[int]
    """A test that runs none of these cannot notice."""
    place: str
    """Where in the function, whatever stands before it in the file."""
    start: int
    end: int
    before: str
    after: str

    @property
    def key(self) -> str:
        """What a result is remembered by."""
        return f"{self.file}::{self.function}::{self.digest}::{self.place}::{self.after}"

    @property
    def words(self) -> str:
        """The change, on one line: of long ones, what differs."""
        before, after = _one_line(self.before), _one_line(self.after)
        if len(before) > LONG:
            before, after = _difference(before, after)
        return f"{before}  →  {after}"

    def applied(self, source: bytes) -> bytes:
        """The file with this change."""
        return source[: self.start] + self.after.encode() + source[self.end :]


def _one_line(text: str) -> str:
    try:
        return ast.unparse(ast.parse(text))
    except SyntaxError:  # part of a statement, such as ``break``
        return " ".join(text.split())


def _difference(before: str, after: str) -> tuple[str, str]:
    """Both without what they begin and end with alike, but for a few characters."""
    start = _alike(before, after)
    rest = min(len(before), len(after)) - start
    end = _alike(before[::-1][:rest], after[::-1][:rest])
    return _cut(before, start - 20, end - 20), _cut(after, start - 20, end - 20)


def _alike(first: str, second: str) -> int:
    """How many characters they begin with alike."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))


def _cut(text: str, start: int, end: int) -> str:
    return f"{'…' if start > 0 else ''}{text[max(start, 0) : len(text) - max(end, 0)]}{'…' if end > 0 else ''}"


def mutants(file: str, source: str) -> list[Mutant]:
    """Every mutant of the functions in a file, in the order of the file."""
    found = []
    for name, function in _functions(ast.parse(source)):
        found += _Function(file, name, function, source).mutants()
    return found


def _functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef):
            yield prefix + node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node, f"{prefix}{node.name}.")


class _Function:
    """The mutants of one function."""

    def __init__(self, file: str, name: str, node: ast.FunctionDef, source: str) -> None:
        self.file, self.name, self.node = file, name, node
        self.source = source.encode()
        self.digest = hashlib.sha256(ast.dump(node).encode()).hexdigest()[:12]
        self.starts = [0]
        for line in self.source.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))

    def mutants(self) -> list[Mutant]:
        found = {}
        for statement in self.node.body:
            for node, parent, within in _walk(statement, self.node, statement):
                for target, after in _changes(node, parent):
                    mutant = self._mutant(target, within, after)
                    if mutant.after != mutant.before:
                        found[mutant.key] = mutant
        return list(found.values())

    def _mutant(self, node: ast.expr | ast.stmt, within: ast.stmt, after: str) -> Mutant:
        start, end = self._offset(node.lineno, node.col_offset), self._offset(node.end_lineno or 0, node.end_col_offset or 0)
        lines = frozenset({within.lineno, *range(node.lineno, (node.end_lineno or node.lineno) + 1)})
        place = f"{node.lineno - self.node.lineno}:{node.col_offset}-{end - start}"
        before = self.source[start:end].decode()
        return Mutant(self.file, self.name, self.digest, node.lineno, lines, place, start, end, before, after)

    def _offset(self, line: int, column: int) -> int:
        return self.starts[line - 1] + column


def _walk(node: ast.AST, parent: ast.AST, within: ast.stmt) -> Iterator[tuple[ast.AST, ast.AST, ast.stmt]]:
    if isinstance(node, ast.JoinedStr | ast.Assert | ast.Raise) or _is_docstring(node):
        return
    within = node if isinstance(node, ast.stmt) else within
    yield node, parent, within
    skipped = {id(getattr(node, "annotation", None)), id(getattr(node, "returns", None))}
    for child in ast.iter_child_nodes(node):
        if id(child) not in skipped:
            yield from _walk(child, node, within)


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _changes(node: ast.AST, parent: ast.AST) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    """What is replaced, and by which text."""
    if isinstance(node, ast.stmt):
        yield from _statement(node)
    elif isinstance(node, ast.expr):
        for after in _expression(node, parent):
            yield node, f"({after})" if isinstance(parent, _OPERATIONS) and " " in after else after
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        yield node.test, "False"
        if not isinstance(node, ast.While):
            yield node.test, "True"
    elif isinstance(node, ast.comprehension):
        for condition in node.ifs:
            yield condition, "False"
            yield condition, "True"


def _statement(node: ast.stmt) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    if isinstance(node, ast.Expr | ast.AugAssign | ast.Continue | ast.Break):
        yield node, "pass"
    elif isinstance(node, ast.Return):
        if node.value is None:
            yield node, "pass"
        elif not (isinstance(node.value, ast.Constant) and node.value.value is None):
            yield node.value, "None"


def _expression(node: ast.expr, parent: ast.AST) -> Iterator[str]:
    match node:
        case ast.Compare():
            yield from _compared(node)
        case ast.BoolOp():
            yield from _joined(node)
        case ast.UnaryOp(ast.Not() | ast.USub(), operand):
            yield ast.unparse(operand)
        case ast.BinOp(left, op, right) if type(op) in _ARITHMETIC:
            yield f"({ast.unparse(left)}) {_ARITHMETIC[type(op)]} ({ast.unparse(right)})"
        case ast.Constant(value) if not isinstance(parent, ast.UnaryOp):
            yield from _other_values(value)
        case ast.Call():
            yield from _called(node)
        case ast.Subscript(value, ast.Slice()):
            yield ast.unparse(value)
        case ast.Tuple(elements, ast.Load()) | ast.List(elements, ast.Load()) | ast.Set(elements):
            yield from _shortened(node, elements, parent)
        case ast.Dict():
            yield from _shortened_dict(node)


def _other_values(value: object) -> Iterator[str]:
    if isinstance(value, bool):
        yield str(not value)
    elif isinstance(value, int):
        yield from (str(value + 1), str(value - 1))


def _joined(node: ast.BoolOp) -> Iterator[str]:
    """The other operator, and each operand left out."""
    yield f" {'or' if isinstance(node.op, ast.And) else 'and'} ".join(f"({ast.unparse(value)})" for value in node.values)
    for left_out in range(len(node.values)):
        rest = [value for index, value in enumerate(node.values) if index != left_out]
        yield ast.unparse(ast.BoolOp(node.op, rest) if len(rest) > 1 else rest[0])


def _compared(node: ast.Compare) -> Iterator[str]:
    if len(node.ops) > 1:
        for index in range(len(node.ops)):
            for other in _COMPARISONS[type(node.ops[index])][:1]:
                yield _chain(node, index, other)
        return
    for other in _COMPARISONS[type(node.ops[0])]:
        yield _chain(node, 0, other)


def _chain(node: ast.Compare, changed: int, other: str) -> str:
    text = f"({ast.unparse(node.left)})" if isinstance(node.left, _OPERATIONS) else ast.unparse(node.left)
    for index, (op, value) in enumerate(zip(node.ops, node.comparators, strict=True)):
        sign = other if index == changed else _SIGNS[type(op)]
        text += f" {sign} " + (f"({ast.unparse(value)})" if isinstance(value, _OPERATIONS) else ast.unparse(value))
    return text


_SIGNS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
}


def _called(node: ast.Call) -> Iterator[str]:
    if isinstance(node.func, ast.Name) and node.func.id in _TWINS:
        yield ast.unparse(ast.Call(ast.Name(_TWINS[node.func.id]), node.args, node.keywords))
    for left_out, keyword in enumerate(node.keywords):
        if keyword.arg:
            rest = [other for index, other in enumerate(node.keywords) if index != left_out]
            yield ast.unparse(ast.Call(node.func, node.args, rest))


def _shortened(node: ast.expr, elements: list[ast.expr], parent: ast.AST) -> Iterator[str]:
    if isinstance(parent, ast.Subscript | ast.Assign | ast.For | ast.comprehension | ast.withitem):
        return
    for left_out in range(len(elements)):
        rest = [value for index, value in enumerate(elements) if index != left_out]
        yield ast.unparse(ast.Set(rest) if isinstance(node, ast.Set) else type(node)(rest, ast.Load()))  # type: ignore[call-arg, arg-type]


def _shortened_dict(node: ast.Dict) -> Iterator[str]:
    for left_out in range(len(node.keys)):
        pairs = [pair for index, pair in enumerate(zip(node.keys, node.values, strict=True)) if index != left_out]
        yield ast.unparse(ast.Dict([key for key, _ in pairs], [value for _, value in pairs]))

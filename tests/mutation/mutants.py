"""Mutants of one source file: each is the file with one small change.

Most operators are mutmut's. Its own runner is not used, because it leaves decorated functions out, and here every
method, metric and property is one.
"""

from __future__ import annotations

import ast
import difflib
import random
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import libcst as cst
import libcst.matchers as m
from libcst.metadata import MetadataWrapper, ParentNodeProvider, PositionProvider
from mutmut.mutation import mutators

__all__ = ["Mutant", "mutants_of"]


@dataclass(frozen=True)
class Mutant:
    """A file with one change.

    Attributes:
        source: the file, relative to the repository.
        where: the qualified name of the function or class that holds the change; empty at the top of the module.
        line: the first changed line of the original.
        old: the changed lines of the original, stripped.
        new: what stands there instead.
        operator: which kind of change.
        lines: first and last line of the code whose execution the change needs.
        at_import: whether that code runs when the module is imported, and not when a test calls it.
        code: the whole mutated file.
    """

    source: str
    where: str
    line: int
    old: str
    new: str
    operator: str
    lines: tuple[int, int]
    at_import: bool
    code: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What names the mutant, also after lines above it were added."""
        return self.source, self.where, self.old, self.new


Nodes = Iterable[cst.CSTNode]


# -- operators ---------------------------------------------------------------------------------


def _number(node: cst.BaseNumber) -> Nodes:
    """A number a little larger and, if it is whole, by one smaller."""
    if isinstance(node, cst.Integer):
        yield cst.Integer(str(node.evaluated_value + 1))
        if node.evaluated_value > 0:
            yield cst.Integer(str(node.evaluated_value - 1))
    elif isinstance(node, cst.Float):
        value = node.evaluated_value
        yield cst.Float(repr(value * 1.15 if value else 0.15))


def _string(node: cst.SimpleString) -> Nodes:
    """A key is changed; prose, with a space in it, is not."""
    if node.value[0] in "\"'" and " " not in node.value:
        yield cst.SimpleString('"XX"')


def _negated(node: cst.CSTNode) -> Nodes:
    """A condition, turned round."""
    test = node.test  # type: ignore[attr-defined]
    if m.matches(test, m.UnaryOperation(operator=m.Not())):
        return  # mutmut takes the ``not`` away
    parenthesised = test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
    yield node.with_changes(test=cst.UnaryOperation(cst.Not(), parenthesised))


def _keyword_dropped(node: cst.Call) -> Nodes:
    """A call without one of its keyword arguments, or without what is unpacked into it."""
    for index, argument in enumerate(node.args):
        if (argument.keyword is not None or argument.star) and not m.matches(argument, SKIPPED):
            yield node.with_changes(args=[*node.args[:index], *node.args[index + 1 :]])


def _returned(node: cst.Return) -> Nodes:
    if node.value is not None and not m.matches(node.value, m.Name("None")):
        yield node.with_changes(
            value=cst.Name("None"), whitespace_after_return=cst.SimpleWhitespace(" ")
        )


def _deleted(node: cst.SimpleStatementLine) -> Nodes:
    """A statement taken away that is there for what it does: a call, a raise, an assignment to a part, a del."""
    (statement, *others) = node.body
    done = (
        m.Expr()
        | m.Raise()
        | m.Del()
        | m.AugAssign()
        | m.Assign(targets=[m.AssignTarget(m.Attribute() | m.Subscript())])
    )
    if (
        not others
        and m.matches(statement, done)
        and not m.matches(statement, m.Expr(m.SimpleString() | m.ConcatenatedString()))
    ):
        yield node.with_changes(body=[cst.Pass()])


#: By name: the type of node, and what makes changed nodes of one.
OPERATORS: dict[str, tuple[type | tuple[type, ...], Callable[[Any], Nodes]]] = {
    "number": (cst.BaseNumber, _number),
    "string": (cst.SimpleString, _string),
    "true and false": (cst.Name, mutators.operator_name),
    "operator": (cst.CSTNode, mutators.operator_swap_op),
    "keyword": (cst.CSTNode, mutators.operator_keywords),
    "unary": (cst.UnaryOperation, mutators.operator_remove_unary_ops),
    "assigned, not added": (cst.AugAssign, mutators.operator_augmented_assignment),
    "string method": (cst.Call, mutators.operator_symmetric_string_methods_swap),
    "case": (cst.Match, mutators.operator_match),
    "condition": ((cst.If, cst.While, cst.IfExp, cst.CompIf), _negated),
    "argument": (cst.Call, _keyword_dropped),
    "return": (cst.Return, _returned),
    "statement": (cst.SimpleStatementLine, _deleted),
}

#: What is not changed, with all below it: types, texts, what is only for the type checker or narrows a type.
SKIPPED = (
    m.Annotation()
    | m.Decorator()
    | m.Import()
    | m.ImportFrom()
    | m.Assert()
    | m.Arg(keyword=m.Name("strict"))  # an assertion too
    | m.Arg(keyword=m.Name("repr"))
    | m.Call(func=m.Name("TypeVar"))
    | m.If(test=m.Name("TYPE_CHECKING"))
    | m.AnnAssign(annotation=m.Annotation(m.Name("TypeAlias")))
    | m.Assign(targets=[m.AssignTarget(m.Name("__all__"))])
    | m.FunctionDef(decorators=[m.AtLeastN(m.Decorator(m.Name("overload")), n=1)])
    | m.ClassDef(bases=[m.Arg(m.Name("Protocol"))])
    | m.ClassDef(bases=[m.Arg(m.Name("TypedDict")), m.ZeroOrMore()])
)


# -- mutants ------------------------------------------------------------------------------------


def mutants_of(
    source: str, text: str, number: int = 0, seed: int = 0, olds: Collection[str] | None = None
) -> tuple[list[Mutant], int]:
    """Mutants of a file, in the order of its lines, and of how many they are drawn.

    Args:
        source: the file's path, relative to the repository.
        text: what is in it.
        number: how many are drawn by chance; 0 for all.
        seed: of the draw.
        olds: makes mutants of these lines only (``Mutant.old``); of all if None.
    """
    wrapper = MetadataWrapper(cst.parse_module(text))
    positions = wrapper.resolve(PositionProvider)
    parents = wrapper.resolve(ParentNodeProvider)
    changes = [
        (name, node, changed)
        for node in _walked(wrapper.module)
        for name, (kind, operator) in OPERATORS.items()
        if isinstance(node, kind) and not (name == "string" and _is_text(node, parents))
        for changed in operator(node)
    ]
    random.Random(f"{seed} {source}").shuffle(changes)
    if olds is not None:
        texts = [" ".join(line.split()) for line in text.splitlines()]
        known = " ".join(olds)

        def is_near(node: cst.CSTNode) -> bool:
            span = positions[node]
            return any(line in known for line in texts[span.start.line - 1 : span.end.line] if line)

        changes = [change for change in changes if is_near(change[1])]
    tree = ast.dump(ast.parse(text))
    found: dict[str, Mutant] = {}
    for name, node, changed in changes:
        if number and len(found) >= number:
            break
        code = _replaced(wrapper.module, node, changed)
        if code is None or ast.dump(ast.parse(code)) == tree:
            continue
        where, lines, at_import = _place(node, positions, parents)
        line, old, new = _difference(text, code)
        found.setdefault(code, Mutant(source, where, line, old, new, name, lines, at_import, code))
    return sorted(found.values(), key=lambda mutant: mutant.line), len(changes)


def _walked(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    if not m.matches(node, SKIPPED):
        yield node
        for child in node.children:
            yield from _walked(child)


def _replaced(module: cst.Module, node: cst.CSTNode, changed: cst.CSTNode) -> str | None:
    """The module's code with another node in the place of one, None where that is no Python."""
    try:
        made = module.deep_replace(node, changed)
        code = made.code  # type: ignore[union-attr]
        compile(code, "mutant", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, TypeError, cst.CSTValidationError):
        return None
    return code


def _is_text(node: cst.CSTNode, parents: Any) -> bool:
    """Whether a string is a docstring or part of an error's message."""
    while not isinstance(node, cst.Module):
        if isinstance(node, cst.Raise) or (
            isinstance(node, cst.Expr)
            and isinstance(node.value, cst.BaseString | cst.ConcatenatedString)
        ):
            return True
        node = parents[node]
    return False


def _place(node: cst.CSTNode, positions: Any, parents: Any) -> tuple[str, tuple[int, int], bool]:
    """Where a node is: the qualified name around it, the lines that have to be executed, whether at import."""
    names: list[str] = []
    lines: tuple[int, int] | None = None
    in_body = False
    child = node
    while True:
        if isinstance(node, cst.FunctionDef | cst.ClassDef):
            names.insert(0, node.name.value)
            if isinstance(node, cst.FunctionDef) and child is node.body:
                in_body = True
        if lines is None and isinstance(node, cst.SimpleStatementLine):
            lines = positions[node].start.line, positions[node].end.line
        elif lines is None and isinstance(node, cst.BaseCompoundStatement):
            span = positions[node]
            if isinstance(node, cst.FunctionDef | cst.ClassDef | cst.Match):
                # A default value or a base class: whatever executes the body sees them.
                lines = span.start.line, span.end.line
            else:
                body = positions[node.body].start.line  # type: ignore[attr-defined]
                lines = span.start.line, max(span.start.line, body - 1)
        if isinstance(node, cst.Module):
            break
        child, node = node, parents[node]
    return ".".join(names), lines or (1, 1), not in_body


def _difference(before: str, after: str) -> tuple[int, str, str]:
    """The first changed line, and the changed lines before and after."""
    a, b = before.splitlines(), after.splitlines()
    blocks = [
        o
        for o in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes()
        if o[0] != "equal"
    ]
    joined: Callable[[Sequence[str]], str] = lambda lines: " ".join(" ".join(lines).split())  # noqa: E731
    old = joined([line for block in blocks for line in a[block[1] : block[2]]])
    new = joined([line for block in blocks for line in b[block[3] : block[4]]])
    return blocks[0][1] + 1, old, new

"""The grammar of conditions (see `condition`): text to syntax tree and back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NoReturn

from neuroflame.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator

Node = tuple[Any, ...]  # ("number", x) | ("text", s) | ("name", s) | (operator, node, …)

COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
ARITHMETIC = ("+", "-", "*", "/")
REMEDY = "write comparisons of columns joined by and/or, such as bump.E.ratio > 0.1 and status == ok"

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))"
    r"|(?P<name>[A-Za-z_]\w*(?:\.\w+)*)"
    r"|(?P<text>'[^']*'|\"[^\"]*\")"
    r"|(?P<sign><=|>=|==|!=|[<>+\-*/(),\[\]]))"
)
_WORDS = ("and", "or", "not", "in", "abs")
_DEEPEST, _LONGEST = 40, 300  # levels, tokens: far below the interpreter's recursion limit


def parse_tree(text: str) -> Node:
    """Parse a text to the tree of a condition; `SpecError` if it is none."""
    reader = _Reader(text)
    root = reader.disjunction(0)
    if reader.peek() is not None:
        reader.fail(f"a condition must end or go on with and/or before {reader.peek()!r}")
    _must_be_logical(root, text)
    return root


class _Reader:
    """Recursive descent over the tokens of one text."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.tokens = list(self._split())
        if len(self.tokens) > _LONGEST:
            self.fail(f"a condition must not be longer than {_LONGEST} words and signs")

    def _split(self) -> Iterator[tuple[str, str]]:
        at = 0
        while self.text[at:].strip():
            found = _TOKEN.match(self.text, at)
            if found is None:
                rest = self.text[at:].strip()
                self.fail(f"a condition cannot hold {rest[:12]!r}")
            at = found.end()
            kind = str(found.lastgroup)
            yield kind, found[kind]

    def fail(self, rule: str) -> NoReturn:
        raise SpecError(rule, got=self.text, remedy=REMEDY)

    def peek(self) -> str | None:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else None

    def take(self, *wanted: str) -> str | None:
        token = self.peek()
        if token in wanted:
            self.at += 1
            return token
        return None

    def need(self, wanted: str) -> None:
        if self.take(wanted) is None:
            self.fail(f"a condition needs {wanted!r} before {self.peek() or 'its end'!r}")

    def disjunction(self, depth: int) -> Node:
        if depth > _DEEPEST:
            self.fail(f"a condition must not be nested deeper than {_DEEPEST}")
        parts = [self.conjunction(depth)]
        while self.take("or"):
            parts.append(self.conjunction(depth))
        return parts[0] if len(parts) == 1 else ("or", *parts)

    def conjunction(self, depth: int) -> Node:
        parts = [self.term(depth)]
        while self.take("and"):
            parts.append(self.term(depth))
        return parts[0] if len(parts) == 1 else ("and", *parts)

    def term(self, depth: int) -> Node:
        if depth > _DEEPEST:
            self.fail(f"a condition must not be nested deeper than {_DEEPEST}")
        if self.take("not"):
            return ("not", self.term(depth + 1))
        left = self.sum(depth)
        pairs: list[Node] = []
        while sign := self.take(*COMPARISONS):
            right = self.sum(depth)
            pairs.append((sign, left, right))
            left = right
        if pairs:
            return pairs[0] if len(pairs) == 1 else ("and", *pairs)
        if self.peek() == "not" and self.at + 1 < len(self.tokens) and self.tokens[self.at + 1][1] == "in":
            self.take("not")
            return ("not", self.membership(left, depth))
        return self.membership(left, depth) if self.peek() == "in" else left

    def membership(self, left: Node, depth: int) -> Node:
        self.need("in")
        self.need("[")
        items = [self.sum(depth)]
        while self.take(","):
            items.append(self.sum(depth))
        self.need("]")
        return ("or", *(("==", left, item) for item in items))

    def sum(self, depth: int) -> Node:
        left = self.product(depth)
        while sign := self.take("+", "-"):
            left = (sign, left, self.product(depth))
        return left

    def product(self, depth: int) -> Node:
        left = self.factor(depth)
        while sign := self.take("*", "/"):
            left = (sign, left, self.factor(depth))
        return left

    def factor(self, depth: int) -> Node:
        if depth > _DEEPEST:
            self.fail(f"a condition must not be nested deeper than {_DEEPEST}")
        if self.take("-"):
            return ("minus", self.factor(depth + 1))
        if self.take("("):
            inner = self.disjunction(depth + 1)
            self.need(")")
            return inner
        if self.take("abs"):
            self.need("(")
            inner = self.sum(depth + 1)
            self.need(")")
            return ("abs", inner)
        if self.at >= len(self.tokens):
            self.fail("a condition must not end here")
        kind, token = self.tokens[self.at]
        if kind == "sign" or token in _WORDS:
            self.fail(f"a condition needs a column or a number before {token!r}")
        self.at += 1
        if kind == "name" and self.peek() == "(":
            self.fail(f"a condition may call abs only, not {token}")
        if kind == "number":
            return ("number", float(token))
        return ("text", token[1:-1]) if kind == "text" else ("name", token)


def names(node: Node) -> Iterator[str]:
    """Yield the names in a tree, in order."""
    if node[0] == "name":
        yield node[1]
    elif node[0] not in ("number", "text"):
        for child in node[1:]:
            yield from names(child)


def compared(node: Node, column: str) -> Iterator[str]:
    """Yield the texts that a column is compared with by == and != in a tree."""
    if node[0] in ("==", "!=") and ("name", column) in node[1:]:
        yield from (side[1] for side in node[1:] if side[0] in ("name", "text") and side[1] != column)
    elif node[0] in ("and", "or", "not"):
        for child in node[1:]:
            yield from compared(child, column)


def conjuncts(node: Node) -> list[Node]:
    """Return the parts that a tree joins by ``and``."""
    return [leaf for part in node[1:] for leaf in conjuncts(part)] if node[0] == "and" else [node]


def _must_be_logical(node: Node, text: str) -> None:
    if node[0] in ("and", "or", "not"):
        for child in node[1:]:
            _must_be_logical(child, text)
    elif node[0] not in (*COMPARISONS, "name"):
        raise SpecError("a condition must compare something", got=text, remedy=REMEDY)


def show(node: Node) -> str:
    """Return a node as text that parses back to it."""
    kind = node[0]
    if kind in ("number", "text", "name"):
        return f"{node[1]:.12g}" if kind == "number" else repr(node[1]) if kind == "text" else node[1]
    inner = [show(child) for child in node[1:]]
    if kind in ("and", "or"):
        logical = [child[0] in ("and", "or") for child in node[1:]]
        return f" {kind} ".join(
            f"({text})" if nest else text for nest, text in zip(logical, inner, strict=True)
        )
    if kind in ("abs", "not", "minus"):
        return {"abs": f"abs({inner[0]})", "not": f"not ({inner[0]})", "minus": f"-({inner[0]})"}[kind]
    pair = [
        f"({text})" if child[0] in ARITHMETIC else text for child, text in zip(node[1:], inner, strict=True)
    ]
    return f"{pair[0]} {kind} {pair[1]}"

# SPDX-License-Identifier: GPL-2.0
"""Parse C expressions of the kernel, as far as mutating them requires.

The preprocessor does not run, so a macro looks like a function.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"(?P<skip>\s+|\\\n|/\*.*?\*/|//[^\n]*)"
    r"|(?P<word>[A-Za-z_]\w*)"
    r"|(?P<number>0[xX][0-9a-fA-F]+[uUlL]*|\d[\w.]*)"
    r"|(?P<text>\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')"
    r"|(?P<sign><<=|>>=|\.\.\.|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|[^\s\w])",
    re.DOTALL,
)
_DIRECTIVE = re.compile(r"^#(?:[^\n]*\\\n)*[^\n]*", re.MULTILINE)
TYPE_WORDS = frozenset(
    "struct union enum const volatile unsigned signed static register int long short char bool "
    "void float double __always_unused __maybe_unused".split()
)
_TYPE = re.compile(r"(?:\w+_t|[us](?:8|16|32|64)|__\w+)$")
_LEVELS = (
    ("||",),
    ("&&",),
    ("|",),
    ("^",),
    ("&",),
    ("==", "!="),
    ("<", "<=", ">", ">="),
    ("<<", ">>"),
    ("+", "-"),
    ("*", "/", "%"),
)
_ASSIGN = frozenset(("=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="))
# The compiler evaluates these. Their operands do not run.
_CONSTANT = frozenset(("sizeof", "typeof", "__typeof__", "offsetof", "IS_ENABLED", "BUILD_BUG_ON"))


@dataclass(frozen=True)
class Token:
    """A token and its place in the file."""

    kind: str
    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Node:
    """A node of the syntax tree: its kind, its place, its operator or name, and its parts.

    is_body: it is a statement in a block, so another one may follow.
    """

    kind: str
    start: int
    end: int
    name: str = ""
    parts: tuple["Node", ...] = ()
    is_body: bool = False

    def walk(self) -> Iterator["Node"]:
        """Yield this node and all nodes below it."""
        yield self
        for part in self.parts:
            yield from part.walk()


class Unknown(Exception):
    """The parser does not know this syntax."""


def tokenize(source: str) -> list[Token]:
    """The tokens of a file, without comments and preprocessor directives."""
    blank = _DIRECTIVE.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), source)
    found, at = [], 0
    while at < len(blank):
        match = _TOKEN.match(blank, at)
        if not match:
            raise ValueError(f"no token at {at}: {blank[at:at + 20]!r}")
        if match.lastgroup != "skip":
            found.append(Token(str(match.lastgroup), match.group(), at, match.end()))
        at = match.end()
    return found


def matching(tokens: list[Token], at: int) -> int:
    """The index after the bracket that closes the one at an index."""
    depth = 0
    for place in range(at, len(tokens)):
        depth += {"{": 1, "(": 1, "[": 1, "}": -1, ")": -1, "]": -1}.get(tokens[place].text, 0)
        if depth == 0:
            return place + 1
    return len(tokens)


class ExpressionParser:
    """Parses expressions in the tokens of a function's body."""

    def __init__(self, source: str, tokens: list[Token]) -> None:
        self._source = source
        self._tokens = tokens
        self._at = 0
        self.types: dict[str, str] = {}

    # --- Tokens ---

    def _text(self, ahead: int = 0) -> str:
        at = self._at + ahead
        return self._tokens[at].text if at < len(self._tokens) else ""

    def _take(self, text: str = "") -> Token:
        if self._at >= len(self._tokens) or (text and self._text() != text):
            raise Unknown
        self._at += 1
        return self._tokens[self._at - 1]

    @property
    def _start(self) -> int:
        if self._at >= len(self._tokens):
            raise Unknown
        return self._tokens[self._at].start

    @property
    def _end(self) -> int:
        return self._tokens[self._at - 1].end

    # --- Expressions ---

    def expression(self, comma: bool = False) -> Node:
        first = self.assignment()
        parts = [first]
        while comma and self._text() == ",":
            self._take()
            parts.append(self.assignment())
        return first if len(parts) == 1 else Node("comma", first.start, self._end, "", tuple(parts))

    def assignment(self) -> Node:
        left = self._conditional()
        if self._text() in _ASSIGN:
            name = self._take().text
            right = self.assignment()
            return Node("assign", left.start, self._end, name, (left, right))
        return left

    def _conditional(self) -> Node:
        condition = self._binary(0)
        if self._text() != "?":
            return condition
        self._take()
        parts = [condition]
        if self._text() != ":":
            parts.append(self.expression())
        self._take(":")
        parts.append(self._conditional())
        return Node("choice", condition.start, self._end, "?", tuple(parts))

    def _binary(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while self._text() in _LEVELS[level]:
            name = self._take().text
            right = self._binary(level + 1)
            left = Node("binary", left.start, self._end, name, (left, right))
        return left

    def _unary(self) -> Node:
        start, word = self._start, self._text()
        if word in ("!", "~", "-", "+", "&", "*", "++", "--"):
            self._take()
            inner = self._unary()
            return Node("unary", start, self._end, word, (inner,))
        if word == "(" and self._is_cast():
            self._at = matching(self._tokens, self._at)
            inner = self._unary()
            return Node("cast", start, self._end, "", (inner,))
        return self._postfix()

    def _is_cast(self) -> bool:
        inside = self._tokens[self._at + 1 : matching(self._tokens, self._at) - 1]
        words = [token.text for token in inside]
        is_type = all(t.kind == "word" or t.text == "*" for t in inside)
        return (
            bool(words)
            and is_type
            and (words[0] in TYPE_WORDS or words[-1] == "*" or _TYPE.match(words[0]) is not None)
        )

    def _postfix(self) -> Node:
        start = self._start
        token = self._take()
        if token.text == "(":
            if self._text() == "{":
                raise Unknown
            inner = self.expression(comma=True)
            self._take(")")
            node = Node("brackets", start, self._end, "", (inner,))
        elif token.kind in ("word", "number", "text"):
            while (
                token.kind == "text"
                and self._at < len(self._tokens)
                and self._tokens[self._at].kind == "text"
            ):
                self._take()
            node = Node(token.kind, start, self._end, token.text)
        else:
            raise Unknown
        while True:
            sign = self._text()
            if sign == "(":
                node = self._call(node)
            elif sign == "[":
                self._take()
                inner = self.expression()
                self._take("]")
                node = Node("index", start, self._end, "", (node, inner))
            elif sign in (".", "->"):
                self._take()
                name = self._take().text
                node = Node("member", start, self._end, name, (node,))
            elif sign in ("++", "--"):
                self._take()
                node = Node("step", start, self._end, sign, (node,))
            else:
                return node

    def _call(self, callee: Node) -> Node:
        name = callee.name if callee.kind == "word" else ""
        if name in _CONSTANT:
            self._at = matching(self._tokens, self._at)
            return Node("constant", callee.start, self._end, name)
        self._take("(")
        parts = []
        while self._text() != ")":
            parts.append(self.assignment())
            if self._text() != ")":
                self._take(",")
        self._take(")")
        return Node("call", callee.start, self._end, name, tuple(parts))

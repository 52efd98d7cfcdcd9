# SPDX-License-Identifier: GPL-2.0
"""Parse C functions of the kernel, as far as mutating them requires.

A statement with unknown syntax becomes an opaque node, which no operator changes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from harness.mutation.expressions import (
    TYPE_WORDS,
    ExpressionParser,
    Node,
    Token,
    Unknown,
    matching,
    tokenize,
)

_DECLARES = re.compile(r"DECLARE_|DEFINE_|LIST_HEAD$")


@dataclass(frozen=True)
class Function:
    """A function: its name, its body, and the types of its parameters and local variables."""

    name: str
    body: Node
    types: dict[str, str] = field(default_factory=dict)


def functions(source: str) -> list[Function]:
    """The functions of a file."""
    tokens = tokenize(source)
    found, begin, at = [], 0, 0
    while at < len(tokens):
        token = tokens[at]
        if token.text == "{":
            after = matching(tokens, at)
            is_line = source.rfind("\n", 0, token.start) == token.start - 1
            head = tokens[begin:at]
            name = next(
                (a.text for a, b in zip(head, head[1:]) if a.kind == "word" and b.text == "("), ""
            )
            if is_line and name:
                parser = _StatementParser(source, tokens[at:after])
                types = dict(_parameters(head))
                body = parser.block()
                found.append(Function(name, body, {**types, **parser.types}))
            begin = at = after
        else:
            at += 1
            if token.text == ";":
                begin = at
    return found


def _parameters(head: list[Token]) -> Iterator[tuple[str, str]]:
    first = next(at for at, token in enumerate(head) if token.text == "(")
    words: list[str] = []
    for token in head[first + 1 : matching(head, first)]:
        if token.text in (",", ")"):
            if len(words) > 1:
                yield words[-1], " ".join(w for w in words[:-1] if w != "const")
            words = []
        else:
            words.append(token.text)


class _StatementParser(ExpressionParser):
    """Parses the statements of a function's body."""

    def block(self) -> Node:
        """Parse a block with its braces."""
        start = self._take("{").start
        parts = []
        while self._text() != "}":
            parts.append(self._statement(True))
        self._take("}")
        return Node("block", start, self._end, "", tuple(parts))

    def _statement(self, is_body: bool = False) -> Node:
        start, at = self._start, self._at
        try:
            kind, name, parts = self._known()
        except Unknown:
            self._at = at
            kind, name, parts = "opaque", "", ()
            self._skip()
        has_directive = "\n#" in self._source[start : self._end]
        if has_directive and kind not in ("if", "loop", "block", "switch"):
            # Preprocessor directives must stay on their lines.
            kind, parts = "opaque", ()
        return Node(kind, start, self._end, name, parts, is_body)

    def _skip(self) -> None:
        """Skip a statement of any kind."""
        while self._text() != ";":
            if self._text() == "{":
                self._at = matching(self._tokens, self._at)
                return
            if self._text() == "}":
                return
            self._at = matching(self._tokens, self._at) if self._text() in "([" else self._at + 1
            if self._at >= len(self._tokens):
                return
        self._at += 1

    def _known(self) -> tuple[str, str, tuple[Node, ...]]:
        word = self._text()
        if word == "{":
            return "block", "", (self.block(),)
        if word in ("if", "while", "switch"):
            self._take()
            condition = self._in_brackets("condition")
            parts: tuple[Node, ...] = (condition, self._statement())
            if word == "if" and self._text() == "else":
                self._take()
                parts = (*parts, self._statement())
            return ("loop" if word == "while" else word), word, parts
        if word == "do":
            self._take()
            body = self._statement()
            self._take("while")
            condition = self._in_brackets("condition")
            self._take(";")
            return "loop", word, (body, condition)
        if word == "for":
            return self._for()
        if word in ("case", "default") or (
            self._tokens[self._at].kind == "word" and self._text(1) == ":"
        ):
            while self._take().text != ":":
                pass
            return "label", word, ()
        if word in ("goto", "break", "continue", "asm"):
            self._skip()
            return ("jump" if word != "asm" else "opaque"), word, ()
        if word == "return":
            self._take()
            parts = () if self._text() == ";" else (self.expression(),)
            self._take(";")
            return "return", "", parts
        if self._is_declaration():
            return "declaration", "", self._declaration()
        expression = self.expression()
        if expression.kind == "call" and _DECLARES.match(expression.name):
            raise Unknown
        if self._text() != ";":
            # for_each_something(...)
            if expression.kind != "call":
                raise Unknown
            return "loop", expression.name, (self._statement(),)
        self._take(";")
        return "expression", "", (expression,)

    def _in_brackets(self, kind: str) -> Node:
        self._take("(")
        inner = self.expression(comma=True)
        self._take(")")
        *before, last = inner.parts if inner.kind == "comma" else (inner,)
        tested = Node(kind, last.start, last.end, "", (last,))
        return Node("comma", inner.start, inner.end, "", (*before, tested)) if before else tested

    def _for(self) -> tuple[str, str, tuple[Node, ...]]:
        self._take()
        self._take("(")
        parts: list[Node] = []
        if self._is_declaration():
            parts += self._declaration()
        else:
            parts += [] if self._text() == ";" else [self.expression(comma=True)]
            self._take(";")
        if self._text() != ";":
            inner = self.expression()
            parts.append(Node("condition", inner.start, inner.end, "", (inner,)))
        self._take(";")
        parts += [] if self._text() == ")" else [self.expression(comma=True)]
        self._take(")")
        return "loop", "for", (*parts, self._statement())

    def _is_declaration(self) -> bool:
        first = self._tokens[self._at]
        if first.kind != "word":
            return False
        if first.text in TYPE_WORDS:
            return True
        ahead = 1
        while self._text(ahead) == "*":
            ahead += 1
        token = self._tokens[self._at + ahead] if self._text(ahead) else first
        return (
            token is not first
            and token.kind == "word"
            and self._text(ahead + 1) in ("=", ";", ",", "[")
        )

    def _declaration(self) -> tuple[Node, ...]:
        words: list[str] = []
        while self._text() not in ("=", ";", ",", "["):
            words.append(self._take().text)
        is_static = "static" in words
        base = " ".join(w for w in words[:-1] if w not in ("const", "*"))
        found: list[Node] = []
        while True:
            if words:
                self.types[words[-1]] = f"{base} *" if "*" in words else base
            if self._text() == "[":
                self._at = matching(self._tokens, self._at)
            if self._text() == "=":
                self._take()
                if self._text() == "{":
                    self._at = matching(self._tokens, self._at)
                else:
                    value = self.assignment()
                    if not is_static:
                        found.append(Node("value", value.start, value.end, words[-1], (value,)))
            if self._take().text == ";":
                return tuple(found)
            words = []
            while self._text() not in ("=", ";", ",", "["):
                words.append(self._take().text)

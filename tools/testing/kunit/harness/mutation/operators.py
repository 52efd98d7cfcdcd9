# SPDX-License-Identifier: GPL-2.0
"""The mutation operators: the changes that can be made to a function."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.mutation import names
from harness.mutation.expressions import Node
from harness.mutation.syntax import Function

# The kinds of nodes that are statements.
_STATEMENTS = frozenset(
    "block expression if loop switch return jump label opaque declaration".split()
)
_BOUNDS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
_EQUALS = {"==": "!=", "!=": "=="}
_LOGIC = {"&&": "and", "||": "or", "|": "flag", "&": "mask"}


@dataclass(frozen=True)
class Change:
    """A change to one place of a file.

    text replaces the expression from start to end. With is_statement, text is a statement that
    is inserted before the one from start to end, and the statement at skipped does not run.
    """

    operator: str
    start: int
    end: int
    text: str = ""
    is_statement: bool = False
    skipped: tuple[int, int] | None = None
    # The expression is only tested for being true.
    is_boolean: bool = False


def changes(source: str, function: Function) -> list[Change]:
    """All changes that the operators make to a function."""
    return list(_Changer(source, function).statement(function.body, None))


def _change(operator: str, node: Node, text: str) -> Change:
    """Replace an expression."""
    return Change(operator, node.start, node.end, text)


def _others(name: str, groups: Sequence[tuple[str, ...]]) -> list[str]:
    """The other names in each group that has this one."""
    return [other for group in groups if name in group for other in group if other != name]


class _Changer:
    def __init__(self, source: str, function: Function) -> None:
        self._source = source
        self._types = function.types
        # The return statements that must stay. Without the last one, a function would return
        # a random value.
        last = function.body.parts[-1] if function.body.parts else function.body
        self._needed = {id(n) for n in function.body.parts if n.kind == "return"}
        if last.kind != "return":
            self._needed |= {id(n) for n in function.body.walk() if n.kind == "return" and n.parts}

    def _text(self, node: Node) -> str:
        text = re.sub(r"/\*.*?\*/", "", self._source[node.start : node.end], flags=re.DOTALL)
        return " ".join(text.split())

    # --- Statements ---

    def statement(self, node: Node, following: Node | None) -> Iterator[Change]:
        """The changes to a statement and to its parts."""
        if node.kind == "block":
            for part, after in zip(node.parts, [*node.parts[1:], None]):
                yield from self.statement(part, after)
            return
        if node.kind in ("expression", "jump", "return"):
            yield from self._whole_statement(node, following)
        for part in node.parts:
            if part.kind in _STATEMENTS:
                yield from self.statement(part, None)
            elif part.kind == "condition":
                yield from self._condition(part, node)
            elif part.kind == "comma" and part.parts[-1].kind == "condition":
                yield from (c for p in part.parts[:-1] for c in self._expression(p, True))
                yield from self._condition(part.parts[-1], node)
            elif part.kind == "value":
                yield from self._assigned(part.parts[0], part.name)
                yield from self._expression(part.parts[0])
            else:
                is_statement = node.kind in ("expression", "loop")
                yield from self._expression(part, is_statement, node.kind == "return")

    def _whole_statement(self, node: Node, following: Node | None) -> Iterator[Change]:
        """Drop a statement, run it twice, or swap it with the one that follows."""
        inner = node.parts[0] if node.parts else node
        if inner.kind == "call" and names.NO_EFFECT.match(inner.name):
            return
        span = (node.start, node.end)
        if id(node) not in self._needed:
            yield Change("drop", *span, is_statement=True, skipped=span)
        if node.kind != "expression":
            return
        called = inner.parts[1] if inner.kind == "assign" and inner.name == "=" else inner
        is_idempotent = called.name in ("|=", "&=") or names.IDEMPOTENT.match(called.name)
        if called.kind in ("call", "step", "assign") and not is_idempotent:
            yield Change("double", *span, self._text(node), is_statement=True)
        if following and following.kind == "expression" and node.is_body:
            other = following.parts[0]
            if not (other.kind == "call" and names.NO_EFFECT.match(other.name)):
                skipped, text = (following.start, following.end), self._text(following)
                yield Change("swap", *span, text, is_statement=True, skipped=skipped)

    # --- Expressions ---

    def _condition(self, node: Node, parent: Node) -> Iterator[Change]:
        new = {}
        if parent.kind == "loop":
            new = {"never": "false"}
        elif parent.kind == "if":
            new = {"negate": f"!({self._text(node)})", "always": "true", "never": "false"}
        for operator, text in new.items():
            yield Change(operator, node.start, node.end, text, is_boolean=True)
        yield from self._expression(node.parts[0])

    def _expression(
        self, node: Node, is_statement: bool = False, is_returned: bool = False
    ) -> Iterator[Change]:
        if is_returned:
            yield from self._returned(node)
        if node.kind == "binary":
            yield from self._binary(node)
        elif node.kind == "unary" and node.name == "!":
            yield _change("negate", node, f"!!({self._text(node.parts[0])})")
        elif node.kind == "choice" and len(node.parts) == 3:
            condition, yes, no = map(self._text, node.parts)
            yield _change("other", node, f"({condition}) ? ({no}) : ({yes})")
        elif node.kind == "number" and not is_statement:
            value = node.name.rstrip("uUlL")
            if value.isdecimal():
                other = {"0": "1", "1": "0"}.get(value, str(int(value) + 1))
                yield _change("constant", node, other)
        elif node.kind == "word":
            for other in _others(node.name, names.CONSTANTS) if node.name != "0" else ():
                yield _change(f"constant-{other}", node, other)
        elif node.kind == "member":
            head = self._source[node.start : node.end].removesuffix(node.name)
            for other in _others(node.name, names.MEMBERS):
                yield _change(f"member-{other}", node, head + other)
        elif node.kind == "call":
            yield from self._call(node)
        if node.kind == "assign":
            yield from self._assigned(node.parts[1], self._text(node.parts[0]))
            yield from self._expression(node.parts[1])
            return
        if node.kind == "constant" or (node.kind == "unary" and node.name in ("&", "++", "--")):
            return
        for part in node.parts:
            if not (node.kind == "member" and part.kind == "word"):
                yield from self._expression(part, is_statement and node.kind == "comma")

    def _binary(self, node: Node) -> Iterator[Change]:
        left, right = map(self._text, node.parts)
        sign = node.name
        if sign in _BOUNDS:
            yield _change("bound", node, f"({left}) {_BOUNDS[sign]} ({right})")
            if self._is_address(node.parts[0]) or self._is_address(node.parts[1]):
                yield _change("bound-page", node, f"({left}) {sign} ({right}) + PAGE_SIZE")
                yield _change("bound-page-less", node, f"({left}) + PAGE_SIZE {sign} ({right})")
            else:
                yield _change("bound-less", node, f"({left}) + 1 {sign} ({right})")
        elif sign in _EQUALS:
            yield _change("negate", node, f"({left}) {_EQUALS[sign]} ({right})")
        elif sign in _LOGIC:
            sides = {"left": left, "right": right} if sign != "&" else {"left": left}
            for side, text in sides.items():
                operator, is_boolean = f"{_LOGIC[sign]}-{side}", len(sign) == 2
                yield Change(operator, node.start, node.end, f"({text})", is_boolean=is_boolean)
        elif sign in ("+", "-"):
            yield _change("operand", node, f"({left})")
            yield _change("sign", node, f"({left}) {'-' if sign == '+' else '+'} ({right})")
        elif sign in ("*", "/", "<<", ">>", "%"):
            yield _change("operand", node, f"({left})")

    def _call(self, node: Node) -> Iterator[Change]:
        arguments = ", ".join(map(self._text, node.parts))
        for other in _others(node.name, names.CALLS):
            yield _change(f"call-{other}", node, f"{other}({arguments})")
        if not names.NO_EFFECT.match(node.name):
            for part in node.parts:
                yield from self._argument(part)

    def _argument(self, node: Node) -> Iterator[Change]:
        text = self._text(node)
        kind = self._types.get(text) if node.kind == "word" else None
        if kind:
            others = [name for name, other in self._types.items() if other == kind and name != text]
            for other in others[:4]:
                yield _change(f"argument-{other}", node, other)
            if kind.endswith("*"):
                yield _change("argument-NULL", node, "NULL")
            if kind == "bool":
                yield _change("argument-not", node, f"!{text}")
        yield from self._off_by_one(node, text)

    def _off_by_one(self, node: Node, name: str = "") -> Iterator[Change]:
        """Make a value larger and smaller: an address by a page, a number by one.

        name is the variable or member that the value is for.
        """
        text = self._text(node)
        last = re.split(r"->|\.", name or text)[-1]
        if node.kind in ("number", "text", "cast", "assign") or not text:
            return
        if node.kind == "word" and self._types.get(text, "").endswith("*"):
            return
        if names.ADDRESS.match(last) or self._is_address(node):
            yield _change("page-more", node, f"({text}) + PAGE_SIZE")
            yield _change("page-less", node, f"({text}) - PAGE_SIZE")
        elif names.COUNT.match(last) or (node.kind == "binary" and node.name in "+-*/>><<"):
            yield _change("one-more", node, f"({text}) + 1")
            yield _change("one-less", node, f"({text}) - 1")

    def _is_address(self, node: Node) -> bool:
        """Whether the value is an address or a size, by the names in it."""
        if node.kind in ("member", "word"):
            numbers = ("pfn",) if node.kind == "member" else ("pfn", "nr", "pages")
            return bool(names.ADDRESS.match(node.name)) and not node.name.endswith(numbers)
        is_sum = node.kind == "binary" and node.name in "+-|"
        return is_sum and any(map(self._is_address, node.parts))

    def _assigned(self, value: Node, name: str) -> Iterator[Change]:
        """Change the value that is assigned to a variable or member."""
        if self._types.get(name, "").endswith("*"):
            return
        if names.ERRORS.match(name) and value.kind not in ("number", "unary"):
            yield _change("error-ignored", value, f"(({self._text(value)}), 0)")
            if value.kind == "call":
                yield _change("error-made", value, f"(({self._text(value)}), -EBUSY)")
        elif value.kind != "choice":
            yield from self._off_by_one(value, name)

    def _returned(self, node: Node) -> Iterator[Change]:
        """Change the value that a function returns."""
        text = self._text(node)
        if node.kind == "unary" and node.name == "-":
            yield _change("error-ignored", node, "0")
            yield _change("error-other", node, "-ENXIO" if text != "-ENXIO" else "-EIO")
        elif text == "NULL":
            return
        elif node.kind == "word" and names.ERRORS.match(text):
            yield _change("error-ignored", node, "0")
            yield _change("error-turned", node, f"-({text})")
        elif text == "0":
            yield _change("error-made", node, "-EBUSY")
        elif node.kind != "number":
            kind = self._types.get(text, "") if node.kind == "word" else ""
            yield _change("return-none", node, "NULL" if kind.endswith("*") else "0")
            yield from self._off_by_one(node)

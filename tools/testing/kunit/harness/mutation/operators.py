# SPDX-License-Identifier: GPL-2.0
"""What can be changed in a function: each operator finds its places in the syntax tree."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.mutation import names
from harness.mutation.expressions import Node
from harness.mutation.syntax import Function


@dataclass(frozen=True)
class Change:
    """A change to one place of a file.

    text replaces the expression from start to end. With is_statement, text is a statement
    that is put in front of the one from start to end, and the one at skipped does not run.
    """

    operator: str
    start: int
    end: int
    text: str = ""
    is_statement: bool = False
    skipped: tuple[int, int] | None = None
    # Only whether the expression is true counts.
    is_truth: bool = False


def changes(source: str, function: Function) -> list[Change]:
    """All changes to a function that the operators know."""
    return list(_Changer(source, function).statement(function.body, None))


class _Changer:
    def __init__(self, source: str, function: Function) -> None:
        self._source = source
        self._types = function.types
        # Without its last return, a function would return nothing in particular.
        last = function.body.parts[-1] if function.body.parts else function.body
        self._lasting = {id(n) for n in function.body.parts if n.kind == "return"}
        if last.kind != "return":
            self._lasting |= {id(n) for n in function.body.walk() if n.kind == "return" and n.parts}

    def _text(self, node: Node) -> str:
        text = re.sub(r"/\*.*?\*/", "", self._source[node.start : node.end], flags=re.DOTALL)
        return " ".join(text.split())

    # --- Statements ---

    def statement(self, node: Node, following: Node | None) -> Iterator[Change]:
        """The changes to a statement and to all in it."""
        if node.kind == "block":
            after = [*node.parts[1:], None]
            for part, next_one in zip(node.parts, after):
                yield from self.statement(part, next_one)
            return
        if node.kind in ("expression", "jump", "return"):
            yield from self._whole(node, following)
        for part in node.parts:
            if part.kind in (
                "block",
                "expression",
                "if",
                "loop",
                "switch",
                "return",
                "jump",
                "label",
                "opaque",
                "declaration",
            ):
                yield from self.statement(part, None)
            elif part.kind == "condition":
                yield from self._condition(part, node)
            elif part.kind == "comma" and part.parts[-1].kind == "condition":
                yield from (c for p in part.parts[:-1] for c in self._expression(p, True))
                yield from self._condition(part.parts[-1], node)
            elif part.kind == "value":
                yield from self._assigned(part, part.parts[0], part.name)
                yield from self._expression(part.parts[0])
            else:
                yield from self._expression(
                    part, node.kind in ("expression", "loop"), node.kind == "return"
                )

    def _whole(self, node: Node, following: Node | None) -> Iterator[Change]:
        inner = node.parts[0] if node.parts else node
        if inner.kind == "call" and names.SAID.match(inner.name):
            return
        span = (node.start, node.end)
        if id(node) not in self._lasting:
            yield Change("drop", *span, is_statement=True, skipped=span)
        if node.kind != "expression":
            return
        text = self._text(node)
        called = inner.parts[1] if inner.kind == "assign" and inner.name == "=" else inner
        is_same = called.name in ("|=", "&=") or names.SAME_TWICE.match(called.name)
        if called.kind in ("call", "step", "assign") and not is_same:
            yield Change("double", *span, text, is_statement=True)
        if following and following.kind == "expression" and node.is_body:
            other = following.parts[0]
            if not (other.kind == "call" and names.SAID.match(other.name)):
                skipped = (following.start, following.end)
                yield Change(
                    "swap", *span, self._text(following), is_statement=True, skipped=skipped
                )

    # --- Expressions ---

    def _condition(self, node: Node, parent: Node) -> Iterator[Change]:
        inner = node.parts[0]
        text = self._text(node)
        new = {"negate": f"!({text})", "always": "true", "never": "false"}
        if parent.kind == "loop":
            new = {"never": "false"}
        elif parent.kind != "if":
            new = {}
        for operator, truth in new.items():
            yield Change(operator, node.start, node.end, truth, is_truth=True)
        yield from self._expression(inner)

    def _expression(
        self, node: Node, is_statement: bool = False, is_returned: bool = False
    ) -> Iterator[Change]:
        start, end = node.start, node.end

        def change(operator: str, text: str) -> Change:
            return Change(operator, start, end, text)

        if is_returned:
            yield from self._returned(node)
        if node.kind == "binary":
            yield from self._binary(node)
        elif node.kind == "unary" and node.name == "!":
            yield change("negate", f"!!({self._text(node.parts[0])})")
        elif node.kind == "choice" and len(node.parts) == 3:
            condition, yes, no = map(self._text, node.parts)
            yield change("other", f"({condition}) ? ({no}) : ({yes})")
        elif node.kind == "number" and not is_statement:
            value = node.name.rstrip("uUlL")
            if value.isdecimal():
                other = {"0": "1", "1": "0"}.get(value, str(int(value) + 1))
                yield change("constant", other)
        elif node.kind == "word":
            yield from self._word(node)
        elif node.kind == "member":
            yield from self._member(node)
        elif node.kind == "call":
            yield from self._call(node, is_statement)
        if node.kind == "assign":
            yield from self._assigned(node, node.parts[1], self._text(node.parts[0]))
            yield from self._expression(node.parts[1])
            return
        if node.kind == "constant" or (node.kind == "unary" and node.name in ("&", "++", "--")):
            return
        for part in node.parts:
            if node.kind == "member" and part.kind == "word":
                continue
            yield from self._expression(part, is_statement and node.kind in ("comma",))

    def _binary(self, node: Node) -> Iterator[Change]:
        left, right = map(self._text, node.parts)
        start, end, sign = node.start, node.end, node.name

        def change(operator: str, text: str) -> Change:
            return Change(operator, start, end, text)

        others = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
        if sign in others:
            names = {"<": "bound", "<=": "bound", ">": "bound", ">=": "bound"}
            yield change(names.get(sign, "negate"), f"({left}) {others[sign]} ({right})")
        if sign in ("<", "<=", ">", ">="):
            if self._is_address(node.parts[0]) or self._is_address(node.parts[1]):
                yield change("bound-page", f"({left}) {sign} ({right}) + PAGE_SIZE")
                yield change("bound-page-less", f"({left}) + PAGE_SIZE {sign} ({right})")
            else:
                yield change("bound-less", f"({left}) + 1 {sign} ({right})")
        elif sign in ("&&", "||", "|", "&"):
            words = {"&&": "and", "||": "or", "|": "flag", "&": "mask"}
            is_truth = len(sign) == 2
            yield Change(f"{words[sign]}-left", start, end, f"({left})", is_truth=is_truth)
            if sign != "&":
                yield Change(f"{words[sign]}-right", start, end, f"({right})", is_truth=is_truth)
        elif sign in ("+", "-"):
            yield change("operand", f"({left})")
            yield change("sign", f"({left}) {'-' if sign == '+' else '+'} ({right})")
        elif sign in ("*", "/", "<<", ">>", "%"):
            yield change("operand", f"({left})")

    def _word(self, node: Node) -> Iterator[Change]:
        for group in names.CONSTANTS:
            if node.name in group and node.name != "0":
                for other in group:
                    if other != node.name:
                        yield Change(f"constant-{other}", node.start, node.end, other)

    def _member(self, node: Node) -> Iterator[Change]:
        for group in names.MEMBERS:
            if node.name in group:
                head = self._source[node.start : node.end].removesuffix(node.name)
                for other in group:
                    if other != node.name:
                        yield Change(f"member-{other}", node.start, node.end, head + other)

    def _call(self, node: Node, is_statement: bool) -> Iterator[Change]:
        arguments = [self._text(part) for part in node.parts]
        for group in names.CALLS:
            if node.name in group:
                for other in group:
                    if other != node.name:
                        yield Change(
                            f"call-{other}",
                            node.start,
                            node.end,
                            f"{other}({', '.join(arguments)})",
                        )
        if names.SAID.match(node.name):
            return
        for part in node.parts:
            yield from self._argument(part, arguments)

    def _argument(self, part: Node, arguments: Sequence[str]) -> Iterator[Change]:
        text = self._text(part)

        def change(operator: str, new: str) -> Change:
            return Change(operator, part.start, part.end, new)

        kind = self._types.get(text) if part.kind == "word" else None
        if kind:
            others = [name for name, other in self._types.items() if other == kind and name != text]
            for other in others[:4]:
                yield change(f"argument-{other}", other)
            if kind.endswith("*"):
                yield change("argument-NULL", "NULL")
            if kind == "bool":
                yield change("argument-not", f"!{text}")
        yield from self._off(part, text)

    def _off(self, node: Node, name: str = "") -> Iterator[Change]:
        """A value by one or by a page too large or too small."""
        text = self._text(node)
        last = re.split(r"->|\.", name or text)[-1]
        if node.kind in ("number", "text", "cast", "assign") or not text:
            return
        kind = self._types.get(text, "") if node.kind == "word" else ""
        if kind.endswith("*"):
            return
        if names.ADDRESS.match(last) or self._is_address(node):
            yield Change("page-more", node.start, node.end, f"({text}) + PAGE_SIZE")
            yield Change("page-less", node.start, node.end, f"({text}) - PAGE_SIZE")
        elif names.COUNT.match(last) or (node.kind == "binary" and node.name in "+-*/>><<"):
            yield Change("one-more", node.start, node.end, f"({text}) + 1")
            yield Change("one-less", node.start, node.end, f"({text}) - 1")

    def _is_address(self, node: Node) -> bool:
        if node.kind == "member":
            return names.ADDRESS.match(node.name) is not None and not node.name.endswith("pfn")
        if node.kind == "word":
            return names.ADDRESS.match(node.name) is not None and not node.name.endswith(
                ("pfn", "nr", "pages")
            )
        return (
            node.kind == "binary" and node.name in "+-|" and any(map(self._is_address, node.parts))
        )

    def _assigned(self, whole: Node, value: Node, name: str) -> Iterator[Change]:
        if self._types.get(name, "").endswith("*"):
            return
        if names.ERRORS.match(name) and value.kind not in ("number", "unary"):
            yield Change("error-ignored", value.start, value.end, f"(({self._text(value)}), 0)")
            if value.kind == "call":
                yield Change(
                    "error-made", value.start, value.end, f"(({self._text(value)}), -EBUSY)"
                )
        elif value.kind not in ("choice",):
            yield from self._off(value, name)

    def _returned(self, node: Node) -> Iterator[Change]:
        text = self._text(node)
        if node.kind == "unary" and node.name == "-":
            yield Change("error-ignored", node.start, node.end, "0")
            yield Change(
                "error-other", node.start, node.end, "-ENXIO" if text != "-ENXIO" else "-EIO"
            )
        elif text == "NULL":
            return
        elif node.kind == "word" and names.ERRORS.match(text):
            yield Change("error-ignored", node.start, node.end, "0")
            yield Change("error-turned", node.start, node.end, f"-({text})")
        elif text == "0":
            yield Change("error-made", node.start, node.end, "-EBUSY")
        elif node.kind != "number":
            kind = self._types.get(text, "") if node.kind == "word" else ""
            yield Change("return-none", node.start, node.end, "NULL" if kind.endswith("*") else "0")
            yield from self._off(node)

# SPDX-License-Identifier: GPL-2.0
"""Mutants generated from each line that a diff adds, so that they do not depend on
anyone's imagination.

An operator changes one token, or deletes one statement, and keeps the number of
lines, for those are in the object code where there is a WARN.
"""

import difflib
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from harness.mutation.mutant import Mutant

_SWAPS = {
    "<": "<=",
    "<=": "<",
    ">": ">=",
    ">=": ">",
    "==": "!=",
    "!=": "==",
    "&&": "||",
    "||": "&&",
    "+": "-",
    "-": "+",
    "/": "*",
    "*": "/",
    "<<": ">>",
    ">>": "<<",
    "+=": "-=",
    "-=": "+=",
    "true": "false",
    "false": "true",
}
# What they are called in a name that a shell may see.
_WORDS = {
    "<": "lt",
    "<=": "le",
    ">": "gt",
    ">=": "ge",
    "==": "eq",
    "!=": "ne",
    "&&": "and",
    "||": "or",
    "+": "plus",
    "-": "minus",
    "/": "div",
    "*": "mul",
    "<<": "shl",
    ">>": "shr",
    "+=": "add",
    "-=": "sub",
}
# A binary operator has blanks on both sides in kernel style; a unary one has not.
_BINARY = re.compile(r"(?<= )(<=|>=|==|!=|&&|\|\||<<|>>|\+=|-=|<|>|\+|-|/|\*)(?= |$)")
_BOOLEAN = re.compile(r"\b(?:true|false)\b")
_NUMBER = re.compile(r"(?<![\w.])(\d+)(U?L?)\b")
_ALTMAP = re.compile(r"(?<=[(\s])altmap(?=[,)])")
_CONDITION = re.compile(r"^(\s*(?:\} else )?if \()(.*)(\)(?: \{)?)$")
_DECLARATION = re.compile(r"^\s*(?!return\b|goto\b)(?:\w+ )+\**\w+(?:\[.*\])?(?: = |;|, )")
_FUNCTION = re.compile(r"^\w[^;=]*?(\w+)\(")


@dataclass(frozen=True)
class _Line:
    """A line of code: its number from 0 on, what it says, what it says but for comments."""

    number: int
    text: str
    code: str


def generate(path: str, before: str, after: str) -> list[Mutant]:
    """A mutant for each operator that suits a line of after that before has not."""
    lines = after.splitlines()
    code = _without_comments(lines)
    changed = _added(before.splitlines(), lines)
    functions = _functions(code)
    found: list[Mutant] = []
    seen: dict[str, int] = {}
    for number in sorted(changed):
        function = functions.get(number)
        if function is None or not code[number].strip():
            continue
        line = _Line(number, lines[number], code[number])
        for operator, mutated in _mutate(line, code):
            name = f"{path.rsplit('/', 1)[-1]}:{function}:{_hash(line.text)}:{operator}"
            seen[name] = seen.get(name, 0) + 1
            if seen[name] > 1:
                name += f".{seen[name]}"
            new = list(lines)
            for at, text in mutated.items():
                new[at] = text
            title = f"{line.code.strip()}  =>  {mutated[number].strip() or '(deleted)'}"
            found.append(Mutant(name, title, _diff(path, lines, new), everywhere=False))
    return found


def _hash(text: str) -> str:
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:6]


def _diff(path: str, old: list[str], new: list[str]) -> bytes:
    body = "\n".join(difflib.unified_diff(old, new, f"a/{path}", f"b/{path}", n=2, lineterm=""))
    return f"diff --git a/{path} b/{path}\n{body}\n".encode()


def _added(before: list[str], after: list[str]) -> set[int]:
    """The lines of after that are not from before."""
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    return {
        number
        for tag, _, _, start, end in matcher.get_opcodes()
        if tag in ("insert", "replace")
        for number in range(start, end)
    }


def _without_comments(lines: list[str]) -> list[str]:
    found: list[str] = []
    inside = False
    for line in lines:
        text = line
        if inside:
            end = text.find("*/")
            text = "" if end < 0 else text[end + 2 :]
            inside = end < 0
        text = re.sub(r"/\*.*?\*/", "", text)
        begin = text.find("/*")
        if begin >= 0:
            text, inside = text[:begin], True
        found.append(text.rstrip())
    return found


def _functions(code: list[str]) -> dict[int, str]:
    """The function that each line inside one belongs to."""
    found: dict[int, str] = {}
    name, inside = "", False
    for number, line in enumerate(code):
        if line == "{":
            inside = True
        elif line.startswith("}"):
            inside = False
        elif inside and not line.startswith("#"):
            found[number] = name
        elif not line.startswith((" ", "\t", "#")):
            match = _FUNCTION.match(line)
            name = match.group(1) if match else name
    return found


def _mutate(line: _Line, code: list[str]) -> Iterator[tuple[str, dict[int, str]]]:
    """Each operator with the lines that it changes, by number."""
    text = line.code
    condition = _CONDITION.match(text)
    if condition and _balanced(condition.group(2)):
        negated = f"{condition.group(1)}!({condition.group(2)}){condition.group(3)}"
        yield "negate", {line.number: negated}
    for match in _BINARY.finditer(text):
        old = match.group()
        yield f"{_WORDS[old]}-{_WORDS[_SWAPS[old]]}", {line.number: _put(text, match, _SWAPS[old])}
    for match in _BOOLEAN.finditer(text):
        yield "flip", {line.number: _put(text, match, _SWAPS[match.group()])}
    for match in _NUMBER.finditer(text if not _is_plain_declaration(text) else ""):
        other = "0" if match.group(1) == "1" else str(int(match.group(1)) + 1)
        yield "constant", {line.number: _put(text, match, other + match.group(2))}
    if not _DECLARATION.match(text):
        for match in _ALTMAP.finditer(text):
            yield "null", {line.number: _put(text, match, "NULL")}
        deleted = _deletion(line.number, code)
        if deleted:
            yield "delete", deleted


def _is_plain_declaration(text: str) -> bool:
    """Whether a line says only how large something is."""
    return _DECLARATION.match(text) is not None and "=" not in text


def _put(text: str, match: "re.Match[str]", new: str) -> str:
    return text[: match.start()] + new + text[match.end() :]


def _deletion(number: int, code: list[str]) -> dict[int, str]:
    """The statement that begins on a line made an empty one; nothing if none does."""
    text = code[number]
    before = next((c.strip() for c in reversed(code[:number]) if c.strip()), "")
    begins = before.endswith((";", "{", "}", ":", "else")) or (
        before.startswith(("if (", "} else if (", "for (")) and _balanced(before)
    )
    if not begins or text.strip().startswith(("if ", "for ", "while ", "do ", "}", "else")):
        return {}
    indent = text[: len(text) - len(text.lstrip())]
    deleted = {number: f"{indent};"}
    statement = text
    while not (statement.endswith(";") and _balanced(statement)):
        number += 1
        if number >= len(code) or "{" in statement or not code[number].strip():
            return {}
        statement += code[number]
        deleted[number] = ""
    return deleted


def _balanced(text: str) -> bool:
    depth = 0
    for character in text:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth < 0:
            return False
    return depth == 0

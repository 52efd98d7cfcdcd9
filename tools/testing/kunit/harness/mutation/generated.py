# SPDX-License-Identifier: GPL-2.0
"""Generate mutants: apply each operator at each place in some functions."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.base import archive
from harness.base.errors import UsageError
from harness.mutation import operators, syntax
from harness.mutation.mutant import PATCHES, Mutant, declare, read_equivalent
from harness.mutation.operators import Change
from harness.mutation.syntax import Function
from harness.mutation.tree import MutatedTree
from harness.trees.stack import Patch

FUNCTIONS = PATCHES / "functions"
SUITES = PATCHES / "suites"
# Every run takes the same sample.
_SEED = "2026-11"
# The lines of context in a diff.
_CONTEXT = 2


@dataclass(frozen=True)
class Generated:
    """A generated mutant, and the file and function that it changes."""

    mutant: Mutant
    change: Change
    path: str
    function: str


def read_functions() -> dict[tuple[str, str], tuple[str, ...]]:
    """The rules that each function serves, by file and function. Raises UsageError."""
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for line in archive.read_list(FUNCTIONS):
        words = line.split()
        if len(words) < 3:
            raise UsageError(f"{FUNCTIONS}: '{line}' lacks a rule", "write: file function rules")
        found[words[0], words[1]] = tuple(words[2:])
    return found


def read_suites() -> dict[str, list[str]]:
    """The suites that check the rules of each letter."""
    lines = map(str.split, archive.read_list(SUITES))
    return {letter: names for letter, *names in lines}


def ours(tree: MutatedTree) -> list[Generated]:
    """The mutants of the listed functions. Marks equivalent ones. Raises UsageError."""
    made = of_functions(read_functions(), tree.original)
    declared = declare([one.mutant for one in made], read_equivalent())
    return [replace(one, mutant=mutant) for one, mutant in zip(made, declared)]


def of_series(tree: MutatedTree, patches: Sequence[Patch]) -> list[Generated]:
    """The mutants of the lines that the user's patches add to C files, except tests."""
    touched = {path for patch in patches for path in patch.touched}
    found: list[Generated] = []
    for path, lines in sorted(tree.added().items()):
        if path in touched and path.endswith(".c") and "/tests/" not in path:
            found += of_lines(path, tree.original(path), lines)
    return found


def of_functions(
    wanted: dict[tuple[str, str], tuple[str, ...]], read: Callable[[str], str]
) -> list[Generated]:
    """The mutants of functions. Raises UsageError if a function is missing."""
    found: list[Generated] = []
    for path in dict.fromkeys(path for path, _ in wanted):
        source = read(path)
        there = {function.name: function for function in syntax.functions(source)}
        for name in (name for at, name in wanted if at == path):
            if name not in there:
                raise UsageError(
                    f"{FUNCTIONS} names {name}(), which {path} does not have",
                    "correct the name, or remove the line",
                )
            changes = operators.changes(source, there[name])
            found += _name(path, source, there[name], changes, wanted[path, name])
    return found


def of_lines(path: str, source: str, lines: Iterable[int]) -> list[Generated]:
    """The mutants of some lines of a file. The first line is 1."""
    wanted, found = set(lines), []
    for function in syntax.functions(source):
        changes = [
            change
            for change in operators.changes(source, function)
            if source.count("\n", 0, change.start) + 1 in wanted
        ]
        found += _name(path, source, function, changes, ())
    return found


def sample(mutants: Sequence[Generated], most: int) -> list[Generated]:
    """A sample of this size. A new mutant does not change the choice among the others."""

    def place(one: Generated) -> str:
        return hashlib.sha256(f"{_SEED} {one.mutant.name}".encode()).hexdigest()

    chosen = {one.mutant.name for one in sorted(mutants, key=place)[:most]}
    return [one for one in mutants if one.mutant.name in chosen]


def _name(
    path: str, source: str, function: Function, changes: Sequence[Change], rules: tuple[str, ...]
) -> list[Generated]:
    found, seen = [], Counter[str]()
    for change in changes:
        old = source[change.start : change.end]
        line = source[source.rfind("\n", 0, change.start) + 1 :].partition("\n")[0]
        digest = hashlib.sha256(" ".join(f"{line}|{old}".split()).encode()).hexdigest()[:6]
        name = f"{Path(path).name}:{function.name}:{digest}:{change.operator}"
        seen[name] += 1
        name += f".{seen[name]}" if seen[name] > 1 else ""
        mutant = Mutant(
            name, _title(source, change), _diff(path, source, change), rules, everywhere=False
        )
        found.append(Generated(mutant, change, path, function.name))
    return found


def _replacement(source: str, change: Change) -> tuple[int, int, str]:
    """The range of the source that a change replaces, and the new text."""
    start, end, text = change.start, change.end, change.text
    if not change.is_statement:
        return start, end, text
    old, indent = source[start:end], source[source.rfind("\n", 0, start) + 1 : start]
    if change.skipped and change.skipped != (start, end):
        return start, change.skipped[1], f"{text}\n{indent}{old}"
    return start, end, ";" if change.skipped else f"{text}\n{indent}{old}"


def _title(source: str, change: Change) -> str:
    start, end, new = _replacement(source, change)
    old = " ".join(re.sub(r"/\*.*?\*/", "", source[start:end], flags=re.DOTALL).split())
    new = " ".join(new.split())
    return f"{old}  =>  {'(dropped)' if new == ';' else new}"


def _diff(path: str, source: str, change: Change) -> bytes:
    start, end, text = _replacement(source, change)
    first = source.rfind("\n", 0, start) + 1
    last = source.find("\n", end)
    old = source[first:last].split("\n")
    new = (source[first:start] + text + source[end:last]).split("\n")
    before = source[:first].split("\n")[-_CONTEXT - 1 : -1]
    after = source[last + 1 :].split("\n")[:_CONTEXT]
    number = source.count("\n", 0, first) + 1 - len(before)
    sizes = [len(before) + len(part) + len(after) for part in (old, new)]
    lines = [
        *(f"diff --git a/{path} b/{path}", f"--- a/{path}", f"+++ b/{path}"),
        f"@@ -{number},{sizes[0]} +{number},{sizes[1]} @@",
        *(f" {line}" for line in before),
        *(f"-{line}" for line in old),
        *(f"+{line}" for line in new),
        *(f" {line}" for line in after),
    ]
    return ("\n".join(lines) + "\n").encode()

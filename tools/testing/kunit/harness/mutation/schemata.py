# SPDX-License-Identifier: GPL-2.0
"""Put all mutants into one kernel, whose command line turns on one of them.

An expression becomes "MUTANT(17) ? changed : original", and a statement becomes
"if (!MUTANT(18)) call();". Only one mutant is on at a time, so the parts of a changed expression
are the original ones. Each change has a line of its own, so that a compiler error identifies it.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from harness.mutation.operators import Change

# The kernel parameters that turn on a mutant: after the boot, or from the start.
PARAMETER, AT_BOOT = "mutant", "mutant_at_boot"
# With this number no mutant is on. At its end, the kernel prints which mutants it reached.
TRACE = 65535
SECTION = ".discard.mutants"

_GUARD = """\
extern int mutant_on; extern unsigned char mutant_seen[]; \
__attribute__((__unused__)) static inline __attribute__((__always_inline__)) int mutant_is(int n) \
{ mutant_seen[n] = 1; return __builtin_expect(mutant_on == n, 0); }
#define MUTANT(n) ({ asm volatile(".pushsection .discard.mutants\\n.hword %0\\n.popsection" \
:: "i" (n)); mutant_is(n); })
"""
_STATE = """
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/moduleparam.h>
#include <linux/reboot.h>

int mutant_on;
unsigned char mutant_seen[65536];
static int mutant_wanted;

static int __init mutant_setup(char *arg)
{
	return kstrtoint(arg, 0, &mutant_wanted);
}
early_param("mutant", mutant_setup);

static int __init mutant_at_boot_setup(char *arg)
{
	return kstrtoint(arg, 0, &mutant_on);
}
early_param("mutant_at_boot", mutant_at_boot_setup);

static void mutant_report(const char *when)
{
	char line[64 + 1];
	int n, i;

	for (n = 0; mutant_wanted == 65535 && n < 65536; n += 64) {
		if (!memchr(mutant_seen + n, 1, 64))
			continue;
		for (i = 0; i < 64; i++)
			line[i] = mutant_seen[n + i] ? '1' : '0';
		line[64] = 0;
		pr_info("mutants seen %s: %d %s\\n", when, n, line);
	}
}

static int mutant_end(struct notifier_block *nb, unsigned long action, void *data)
{
	mutant_report("later");
	return NOTIFY_DONE;
}

static struct notifier_block mutant_nb = { .notifier_call = mutant_end };

static int __init mutant_init(void)
{
	mutant_report("at boot");
	memset(mutant_seen, 0, sizeof(mutant_seen));
	if (mutant_wanted)
		mutant_on = mutant_wanted;
	return register_reboot_notifier(&mutant_nb);
}
late_initcall(mutant_init);
"""


@dataclass
class _Place:
    """All changes to one expression or statement, by number."""

    start: int
    end: int
    alternatives: list[tuple[int, str]] = field(default_factory=list)
    before: list[tuple[int, str]] = field(default_factory=list)
    skips: list[int] = field(default_factory=list)
    is_boolean: bool = False


@dataclass(frozen=True)
class Mutated:
    """A file with mutants in it. lines has the mutant of each line, if any, and origin the original
    line of each other line.
    """

    text: str
    lines: Mapping[int, int]
    origin: Mapping[int, int]


def apply(source: str, changes: Mapping[int, Change], is_first: bool) -> Mutated:
    """Put numbered changes into a file. The first file also gets the state and its parameters."""
    places: dict[tuple[int, int], _Place] = {}

    def place(start: int, end: int) -> _Place:
        return places.setdefault((start, end), _Place(start, end))

    for number, change in sorted(changes.items()):
        if not change.is_statement:
            here = place(change.start, change.end)
            here.alternatives.append((number, change.text))
            here.is_boolean |= change.is_boolean
            continue
        if change.text:
            place(change.start, change.end).before.append((number, change.text))
        if change.skipped:
            place(*change.skipped).skips.append(number)
    writer = _Writer(source, sorted(places.values(), key=lambda p: (p.start, -p.end)))
    writer.write(0, len(source))
    text = _GUARD + "".join(writer.pieces) + (_STATE if is_first else "")
    shift = _GUARD.count("\n")
    lines = {number + shift: mutant for number, mutant in writer.lines.items()}
    return Mutated(text, lines, {at + shift: origin for at, origin in writer.origin.items()})


class _Writer:
    """Writes a file with the changes, and counts its lines."""

    def __init__(self, source: str, places: Sequence[_Place]) -> None:
        self._source = source
        self._places = list(places)
        self._at = 0
        self._line, self._original = 1, 1
        self.pieces: list[str] = []
        self.lines: dict[int, int] = {}
        self.origin: dict[int, int] = {}

    def write(self, start: int, end: int) -> None:
        """Write a part of the source with the changes in it."""
        while self._at < len(self._places) and self._places[self._at].start < end:
            place = self._places[self._at]
            self._at += 1
            self._copy(start, place.start)
            self._place(place)
            start = place.end
        self._copy(start, end)

    def _place(self, place: _Place) -> None:
        is_statement = bool(place.before or place.skips)
        self._put("{" if is_statement else "(" if place.alternatives else "")
        for number, text in place.before:
            self._own(number, f"if (MUTANT({number})) {text}")
        for number in place.skips:
            self._own(number, f"if (!MUTANT({number}))")
        truth = "!!" if place.is_boolean else ""
        for number, text in place.alternatives:
            self._own(number, f"MUTANT({number}) ? {truth}({text}) :")
        self._put(f"{truth}(" if place.alternatives else "")
        self.write(place.start, place.end)
        self._put("))" if place.alternatives else "")
        self._put("}" if is_statement else "")

    def _copy(self, start: int, end: int) -> None:
        text = self._source[start:end]
        for at in range(text.count("\n") + 1):
            self.origin.setdefault(self._line + at, self._original + at)
        self._original += text.count("\n")
        self._put(text)

    def _put(self, text: str) -> None:
        self.pieces.append(text)
        self._line += text.count("\n")

    def _own(self, number: int, text: str) -> None:
        """Write the text of one mutant on a line of its own."""
        self._put("\n")
        self.lines[self._line] = number
        self._put(f"{text}\n")


def seen(console: str, when: str) -> frozenset[int]:
    """The mutants that a kernel with TRACE reached "at boot" or "later"."""
    found: set[int] = set()
    for first, bits in re.findall(rf"mutants seen {when}: (\d+) ([01]+)", console):
        found |= {int(first) + at for at, bit in enumerate(bits) if bit == "1"}
    return frozenset(found)


_MESSAGE = re.compile(r"(\S+):(\d+):(\d+): (error|warning|note|fatal error): (.*)")
# The call that brought the code of the next message into a function, if it is not its own.
_INLINED = re.compile(r"inlined from .* at (\S+):(\d+):\d+[:,]")
# A label is farther to the left than what it belongs to.
_LABEL = re.compile(r"\s*|\w+:")
_REJECTED = re.compile(
    r"mismatch in conditional|makes (?:integer|pointer) from|null where non-null"
)


def blamed(log: str, path: str, mutated: Mutated) -> tuple[set[int], set[int]]:
    """The mutants in a file that the compiler rejects, and the original lines that it rejects.

    An error in a header counts for the line that the compiler names as its origin.
    """
    mutants: set[int] = set()
    originals: set[int] = set()
    numbers: list[int] = []
    calls: list[int] = []

    def close() -> None:
        own = {mutated.lines[n] for n in numbers if n in mutated.lines}
        mutants.update(own)
        if not own:
            originals.update(mutated.origin[n] for n in numbers if n in mutated.origin)
        numbers.clear()

    is_open = False
    for text_line in log.splitlines():
        inlined = _INLINED.search(text_line)
        if inlined and inlined[1].endswith(path):
            calls.append(int(inlined[2]))
        message = _MESSAGE.search(text_line)
        if not message:
            continue
        name, line, _, kind, text = message.groups()
        if kind != "note":
            close()
            is_open = "error" in kind or _REJECTED.search(text) is not None
            numbers += calls[:1] if is_open else []
            calls.clear()
        if is_open and name.endswith(path):
            numbers.append(int(line))
    close()
    return mutants, originals


def by_line(source: str, changes: Mapping[int, Change]) -> dict[int, set[int]]:
    """The mutants of expressions that begin or end on each original line."""
    found: dict[int, set[int]] = defaultdict(set)
    for number, change in changes.items():
        if change.is_statement:
            continue
        for at in (change.start, change.end):
            found[source.count("\n", 0, at) + 1].add(number)
    return found


def enclosing(source: str, mutants: Mapping[int, Set[int]], line: int) -> Set[int]:
    """The mutants on an original line or, if it has none, on the closest line around it that has.

    A condition may be constant in some configs, and the code that depends on it may then not
    compile. Once a mutant changes the condition, the compiler meets that code.
    """
    lines = source.split("\n")
    depth = _depth(lines[line - 1])
    while depth and not mutants.get(line):
        line -= 1
        while _LABEL.fullmatch(lines[line - 1]) or _depth(lines[line - 1]) >= depth:
            line -= 1
        # An else belongs to the "if" above, which is as far to the left.
        depth = _depth(lines[line - 1]) + lines[line - 1].lstrip().startswith("}")
    return mutants.get(line, frozenset())


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip("\t"))

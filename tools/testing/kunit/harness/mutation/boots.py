# SPDX-License-Identifier: GPL-2.0
"""Boot each generated mutant with the suites that reach it, until a case fails.

First, each suite boots without a mutant and records which mutants it reaches. The first failure
ends a guest, so a mutant that is caught takes little longer than the boot.
"""

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.base import archive, tasks
from harness.base.archive import Archive
from harness.base.console import say
from harness.kernel.qemu import Ran
from harness.matrix import rows
from harness.matrix.rows import Boot
from harness.mutation import generated, guest, schemata
from harness.mutation.generated import Generated
from harness.mutation.mutant_kernel import Built, MutantKernel
from harness.mutation.notice import FirstFailure, never
from harness.mutation.outcomes import MutantVerdict, Tried, expectation_from, judge_boot, not_green
from harness.verdict import judge, kernelrun, ktap
from harness.verdict.judge import Expectation

# The time limit of a guest, from the time of its suite without a mutant: a factor, and seconds.
_FACTOR, _EXTRA = 4, 15
# In seconds: the limits without a mutant, and for a console that prints nothing.
_FIRST_TIME, _SILENCE = 300, 20
# An older CPU has one level of page tables fewer. With rodata=on, the linear mapping has blocks.
_BOOTS = (Boot(rows.MAX), Boot(rows.OLD, "rodata=on", 2))
# The number of suites that boot alone. After them, all suites share a boot if that is faster.
_ONE_BY_ONE = 2
_ALL = "*"


@dataclass(frozen=True)
class SuiteBoot:
    """A boot of a suite without a mutant: its duration, its cases in order, and the numbers of
    the mutants that it reaches (seen).
    """

    boot: Boot
    name: str
    seconds: float
    cases: tuple[str, ...]
    seen: frozenset[int]


def boots_of(config: str) -> tuple[Boot, ...]:
    """The boots of a kernel. One with NUMA gets two nodes."""
    nodes = rows.TWO_NODES if "numa" in config.split("-") else ""
    return tuple(replace(boot, arguments=f"{boot.arguments} {nodes}".strip()) for boot in _BOOTS)


class MutantBoots:
    """Boots the mutants of one kernel."""

    def __init__(self, kernel: MutantKernel, built: Built, is_ours: bool, out: Archive) -> None:
        """is_ours: expected/ has the results without a mutant. If not, a first boot shows them."""
        self._kernel = kernel
        self._built = built
        self._is_ours = is_ours
        self._expected = Expectation(frozenset())
        self._kept = out
        self._basis = kernel.basis()
        self._boots = boots_of(kernel.wanted.config)
        self._of_rules = generated.read_suites()
        self._suites: dict[tuple[Boot, str], SuiteBoot] = {}
        self._order: list[str] = []
        self._at_boot: frozenset[int] = frozenset()
        self._catches: dict[str, Counter[str]] = {}

    def known(self, one: Generated) -> Tried | None:
        """The stored result of a mutant."""
        found = self._kept.find(self._key(one))
        if found is None:
            return None
        by, log = tuple(found["by"]), tuple(found["log"])
        return Tried(MutantVerdict(found["verdict"]), by, log, found["seconds"], is_kept=True)

    def run(self, mutants: Sequence[Generated], done: Callable[[Generated, Tried], None]) -> None:
        """Try mutants. Call done with each result, in any order. Raises CommandError."""
        self._trace()
        tries = (functools.partial(self._try, one) for one in mutants)
        for one, tried in tasks.as_they_end(tries, self._kernel.wanted.at_once):
            self._keep(one, tried)
            done(one, tried)

    def _key(self, one: Generated) -> str:
        return archive.key(one.mutant.identity, *self._basis)

    def _keep(self, one: Generated, tried: Tried) -> None:
        record = {"verdict": tried.verdict.value, "by": tried.by, "log": tried.log}
        with self._kept.adding(self._key(one)) as part:
            archive.write_record(part, {**record, "seconds": round(tried.seconds, 1)})
        suite = tried.by[0].partition(".")[0] if tried.by else ""
        for place in (one.path, one.function):
            self._catches.setdefault(place, Counter())[suite] += 1

    # --- Which suites reach which mutants ---

    def _trace(self) -> None:
        """Find out which suites reach which mutants. Raises CommandError."""
        self._expected = self._expectation()
        names = sorted({name.partition(".")[0] for name in self._expected.cases})
        for boot in self._boots:
            self._trace_boot(boot, names)
        every = [suite for (boot, _), suite in self._suites.items() if boot == self._boots[0]]
        self._order = [f"{suite.name}.{case}" for suite in every for case in suite.cases]

    def _trace_boot(self, boot: Boot, names: Sequence[str]) -> None:
        key = archive.key("trace", str(boot), self._built.image.parent.name, *self._basis)
        if self._kept.find(key) is None:
            with self._kept.adding(key) as part:
                archive.write_record(part, {"suites": self._boot_each(boot, names)})
        known: dict[str, Any] = (self._kept.find(key) or {})["suites"]
        found = []
        for name, (seconds, cases, at_boot, later) in known.items():
            found.append(SuiteBoot(boot, name, seconds, tuple(cases), frozenset(later)))
            self._at_boot |= frozenset(at_boot)
        every = frozenset[int]().union(*(suite.seen for suite in found))
        times = [suite.seconds for suite in found]
        # All suites in one boot save the other boots, which take most of the shortest time.
        whole = sum(times) - 0.8 * min(times) * (len(times) - 1)
        found.append(SuiteBoot(boot, _ALL, whole, (), every))
        self._suites |= {(boot, suite.name): suite for suite in found}

    def _expectation(self) -> Expectation:
        if self._is_ours:
            return kernelrun.expectation(self._kernel.wanted, self._boots[0].arguments)
        ran = self._boot(schemata.TRACE, self._boots[0], _ALL, _FIRST_TIME)
        expected = expectation_from(ran.console)
        verdict = judge.judge(ran.console, expected)
        if verdict.findings or ran.is_late:
            raise not_green(self._kernel.wanted, verdict.complaints)
        return expected

    def _boot_each(self, boot: Boot, names: Sequence[str]) -> dict[str, tuple[object, ...]]:
        """Boot each suite without a mutant. Raises CommandError if a case fails."""
        config = self._kernel.wanted.config
        found: dict[str, tuple[object, ...]] = {}
        say(f"{config}: finding out which mutants each of {len(names)} suites reaches ...")
        boots = [
            functools.partial(self._boot, schemata.TRACE, boot, name, _FIRST_TIME) for name in names
        ]
        for name, ran in zip(names, tasks.in_turn(boots, self._kernel.wanted.at_once)):
            verdict = judge.judge(ran.console, self._only(name))
            if verdict.unexpected or ran.is_late:
                raise not_green(self._kernel.wanted, verdict.complaints, name)
            at_boot, later = (schemata.seen(ran.console, when) for when in ("at boot", "later"))
            cases = [case.name for case in ktap.read(ran.console.splitlines()).suites[0].children]
            found[name] = (round(ran.seconds, 1), cases, sorted(at_boot), sorted(later))
        return found

    def _only(self, suite: str) -> Expectation:
        """The expected results of one suite."""
        if suite == _ALL:
            return self._expected
        cases = frozenset(n for n in self._expected.cases if n.startswith(f"{suite}."))
        skips = {name: why for name, why in self._expected.skips.items() if name in cases}
        return Expectation(cases, self._expected.failing & cases, skips)

    def _suites_for(self, one: Generated, number: int) -> list[SuiteBoot]:
        """The suites to boot a mutant with, those that probably catch it first."""
        rules = {name for rule in one.mutant.breaks for name in self._of_rules.get(rule[0], ())}
        if not any(number in self._suites[boot, _ALL].seen for boot in self._boots):
            if number not in self._at_boot:
                return []
            # Only boot code reaches it. Cases can notice only what that code leaves behind.
            named = [self._suites.get((self._boots[0], name)) for name in sorted(rules)]
            return [*filter(None, named), self._suites[self._boots[0], _ALL]]
        # Suites that caught mutants of the same function probably catch this one, too. So do the
        # suites that check its rules.
        catches = Counter(self._catches.get(one.path, Counter()))
        for name, count in self._catches.get(one.function, Counter()).items():
            catches[name] += 9 * count
        for name in rules:
            catches[name] += 100
        found: list[SuiteBoot] = []
        for boot in self._boots:
            there = [s for (at, _), s in self._suites.items() if at == boot and number in s.seen]
            there = [suite for suite in there if suite.name != _ALL]
            there.sort(key=lambda s: (catches[s.name] + 1) / max(s.seconds, 0.1), reverse=True)
            whole = self._suites[boot, _ALL]
            is_quicker = sum(suite.seconds for suite in there[_ONE_BY_ONE:]) > whole.seconds
            found += [*there[:_ONE_BY_ONE], whole] if is_quicker else there
        return found

    # --- One mutant ---

    def _try(self, one: Generated) -> tuple[Generated, Tried]:
        number = self._built.numbers[one.mutant.name]
        suites = self._suites_for(one, number)
        if not suites:
            return one, Tried(MutantVerdict.UNREACHED)
        seconds = 0.0
        for suite in suites:
            limit = _FACTOR * suite.seconds + _EXTRA
            ran = self._boot(number, suite.boot, suite.name, limit)
            seconds += ran.seconds
            tried = judge_boot(ran, self._only(suite.name), self._order)
            if tried.verdict is not MutantVerdict.MISSED:
                return one, tried
        log = " ".join(dict.fromkeys(suite.name for suite in suites))
        return one, Tried(MutantVerdict.MISSED, (), (f"suites: {log}",), seconds)

    def _boot(self, number: int, boot: Boot, suites: str, timeout: float) -> Ran:
        is_enough: Callable[[str], bool] = never
        parameter = schemata.PARAMETER
        if number != schemata.TRACE:
            is_enough = FirstFailure(self._expected.failing)
            # If boot code runs the change, too, most mutants would kill the kernel before any
            # suite starts. Turn it on after the boot then.
            is_reached = any(number in self._suites[at, _ALL].seen for at in self._boots)
            parameter = schemata.PARAMETER if is_reached else schemata.AT_BOOT
        call = self._kernel.call(self._built, number, suites, parameter, boot)
        return guest.boot(call, timeout, _SILENCE, is_enough)

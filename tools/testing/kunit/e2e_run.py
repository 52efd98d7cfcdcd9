# SPDX-License-Identifier: GPL-2.0
"""Runs scenarios: a kernel is built once and booted for each of them."""

import contextlib
import functools
import itertools
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Iterator, List, Optional, Sequence, Tuple

import e2e_host
import e2e_judge
import e2e_root
import e2e_scenario
import image
import lock
import proc
import tree
from e2e_guest import Guest, Memory
from e2e_judge import DIED, FAILED, PASSED, SPLAT, Outcome
from e2e_scenario import Case, Scenario
from errors import KunitError, WorkTreeError
from kernel import Kernel
from proc import say
from results import CaseResult, RunResult
from settings import Settings

FRAGMENT = "e2e"
# What machines with firmware need besides.
SLOTS = "slots"
STATUSES = (PASSED, FAILED, SPLAT, DIED)

# The cases that stand for all others when there was nothing to boot.
PREPARATION = "preparation"
NOT_BOOTED = frozenset({PREPARATION, "config", "build"})

# What make check runs.
SMOKE = "e2e, the smoke test"
SMOKE_PAGE = "4k"
SMOKE_SCENARIO = "ram-spent"


@dataclass(frozen=True)
class Plan:
    """A kernel and the scenarios that it is booted for."""

    flavour: str
    page: str
    scenarios: Tuple[Scenario, ...]
    # What its config is made of besides the page size, and what make is told.
    fragments: Tuple[str, ...] = (FRAGMENT,)
    make_options: Tuple[str, ...] = ()
    # The kernel tree, unless it is the one that is prepared for the flavour.
    source: Optional[Path] = None

    @property
    def name(self) -> str:
        """What tells it from all others."""
        return f"{self.flavour} {self.page}"

    @property
    def directory(self) -> str:
        """Where its logs are, below the results."""
        return f"{self.flavour}-{self.page}"

    @property
    def config(self) -> str:
        """Its CONFIG."""
        slots = (SLOTS,) if any(s.has_firmware for s in self.scenarios) else ()
        return "-".join(dict.fromkeys((self.page, *self.fragments, *slots)))


@dataclass(frozen=True)
class Built:
    """A kernel and a user space for a plan, or what came in between."""

    plan: Plan
    seconds: float
    failed: Optional[CaseResult] = None
    image: Path = Path()
    root: Path = Path()
    mapped: Path = Path()


def run(wanted: Settings, plans: Sequence[Plan], out: Path) -> Iterator[RunResult]:
    """Build kernels, boot each for its scenarios; whatever goes wrong is in the results.

    The guests of one run while the next is built.
    """
    watch = proc.Stopwatch()
    try:
        with lock.alone(out / "lock", "make e2e"):
            steps = (
                functools.partial(_build, wanted, plan, out, f"{number}/{len(plans)}: {plan.name}")
                for number, plan in enumerate(plans, 1)
            )
            with contextlib.closing(proc.ahead(steps)) as kernels:
                for built in kernels:
                    yield from _boot(wanted, built, out, watch)
    except WorkTreeError as error:
        yield RunResult(plans[0].name, (preparation(error),), watch.seconds)


def _build(wanted: Settings, plan: Plan, out: Path, title: str) -> Built:
    watch = proc.Stopwatch()
    say(f"{title}: building the kernel ...")
    wanted = replace(wanted, flavour=plan.flavour, config=plan.config)
    try:
        source = plan.source or tree.prepare(wanted)
        kernel = Kernel(source, wanted, out, plan.directory, make_options=plan.make_options)
        failed = kernel.build()
        root, mapped = e2e_root.base(wanted), e2e_root.compile_mapped(wanted)
    except (KunitError, proc.CommandFailed, proc.TimedOut) as error:
        return Built(plan, watch.seconds, preparation(error))
    if not failed:
        say(f"{title}: the kernel is there after {watch.seconds:.0f} s")
    return Built(plan, watch.seconds, failed, kernel.build_dir / image.IMAGE, root, mapped)


def _boot(
    wanted: Settings, built: Built, out: Path, watch: proc.Stopwatch
) -> Iterator[RunResult]:
    plan = built.plan
    if built.failed:
        yield RunResult(plan.name, (built.failed,), built.seconds)
        return
    logs = out / plan.directory
    logs.mkdir(exist_ok=True)
    guests = (
        Guest(built.image, built.root, scenario, wanted.build / "e2e") for scenario in plan.scenarios
    )
    trials = [
        Trial(guest, scenario, plan, built.mapped, logs)
        for guest, scenario in zip(guests, plan.scenarios)
    ]
    # A guest keeps one CPU busy, most of the time.
    runs = proc.in_turn([t.run for t in trials], wanted.jobs or os.cpu_count() or 1)
    told = zip(plan.scenarios, runs)
    for title, variants in itertools.groupby(told, key=lambda entry: entry[0].name):
        cases: List[CaseResult] = []
        seconds = 0.0
        for _, ran in variants:
            cases += ran.cases
            seconds += ran.seconds
        result = RunResult(f"{plan.name} {title}", tuple(cases), seconds)
        say(f"[{watch.seconds:4.0f} s] {result.name}: {_in_short(cases)}")
        for case in result.wrong:
            say(f"    {case.failure}")
        yield result


def _in_short(cases: Sequence[CaseResult]) -> str:
    counts = {status: sum(c.status == status for c in cases) for status in STATUSES}
    return ", ".join(f"{n} {status}" for status, n in counts.items() if n)


def preparation(error: Exception) -> CaseResult:
    """What stands in the results in the place of a run that did not come about."""
    cause, *detail = str(error).splitlines()
    return CaseResult(PREPARATION, FAILED, cause, tuple(detail))


class Trial:
    """One scenario with one kernel: all its boots."""

    def __init__(
        self, guest: Guest, scenario: Scenario, plan: Plan, mapped: Path, logs: Path
    ) -> None:
        self._guest = guest
        self._scenario = scenario
        self._plan = plan
        self._mapped = mapped
        self._logs = logs
        self._boots = 0
        self._judged = plan.flavour not in scenario.recorded

    def run(self) -> RunResult:
        """A result for each case; what belongs to none is told beside them."""
        watch = proc.Stopwatch()
        try:
            with self._guest.memory() as memory:
                cases = self._run(memory)
        except (KunitError, proc.CommandFailed) as error:
            cases = [preparation(error)]
        return RunResult(self._scenario.variant, tuple(cases), watch.seconds)

    def _run(self, memory: Memory) -> List[CaseResult]:
        found: List[CaseResult] = []
        boots = self._scenario.boots(self._plan.page)
        for number, cases in enumerate(boots):
            rest = cases
            while rest:
                seen = self._boot(memory, rest, cut=number + 1 < len(boots))
                found += [self._verdict(outcome) for outcome in seen.outcomes]
                found += [
                    CaseResult(f"{self._scenario.variant}: the boot", FAILED if self._judged else SPLAT,
                               f.what if self._judged else "", f.log)
                    for f in seen.trouble
                ]  # fmt: skip
                if not seen.outcomes:
                    break
                # A case that took the guest down does not hide those behind it.
                rest = rest[len(seen.outcomes) :]
        return found

    def _boot(self, memory: Memory, cases: Sequence[Case], cut: bool) -> e2e_judge.Seen:
        self._boots += 1
        name = self._scenario.variant.replace("/", "_")
        log = self._logs / f"{name}.{self._boots}.console.log"
        script = e2e_scenario.script(self._scenario, cases, cut)
        overlay = e2e_root.overlay(script, self._mapped)

        def answer(wish: str, memory: Memory) -> Optional[str]:
            return e2e_host.answer(self._scenario, wish, memory)

        return e2e_judge.look(self._guest.boot(overlay, memory, log, answer), cases)

    def _verdict(self, outcome: Outcome) -> CaseResult:
        name = self._scenario.variant + ": " + outcome.name
        figures = tuple(f"figure {what} {value}" for what, value in outcome.figures)
        if not self._judged:
            return CaseResult(name, outcome.status, "", outcome.log or figures)
        must_fail = outcome.name in self._scenario.failing.get(self._plan.flavour, ())
        if must_fail and outcome.status == PASSED:
            return CaseResult(name, PASSED, f"{name} passed, and should have failed")
        if outcome.status == PASSED or (must_fail and outcome.status == FAILED):
            return CaseResult(name, outcome.status, "", figures)
        return CaseResult(name, outcome.status, f"{self._scenario.variant}: {outcome.what}", outcome.log)


def smoke(wanted: Settings) -> RunResult:
    """One scenario with one kernel, the part of make e2e that make check can afford.

    A copy of this repository without scenarios, as the host tests make it, has none.
    """
    watch = proc.Stopwatch()
    path = e2e_scenario.DIRECTORY / f"{SMOKE_SCENARIO}{e2e_scenario.SUFFIX}"
    if not path.exists():
        return RunResult(SMOKE, (), 0.0)
    out = wanted.build / "results/e2e"
    out.mkdir(parents=True, exist_ok=True)
    plan = Plan("series", SMOKE_PAGE, tuple(e2e_scenario.read(path)))
    cases = [case for result in run(wanted, [plan], out) for case in result.cases]
    return RunResult(SMOKE, tuple(cases), watch.seconds)

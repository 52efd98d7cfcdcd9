# SPDX-License-Identifier: GPL-2.0
"""Run scenarios. Each kernel is built once and booted for each scenario."""

import contextlib
import functools
import itertools
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.base import builddir, lock, tasks
from harness.base.console import Stopwatch, say
from harness.base.errors import CommandError, KunitError, WorkTreeError
from harness.e2e import host, judge, programs
from harness.e2e import reader as e2e_reader
from harness.e2e import rootfs
from harness.e2e import scenario as e2e_scenario
from harness.e2e.guest import Guest, Memory
from harness.e2e.scenario import Case, Scenario
from harness.kernel import image
from harness.kernel.finding import Finding, Kind, Status
from harness.kernel.kernel import Kernel
from harness.request.settings import Settings
from harness.trees import worktree
from harness.verdict import flaky, results
from harness.verdict.journal import Journal, NoJournal
from harness.verdict.judge import Verdict
from harness.verdict.results import CaseResult, RunResult

FRAGMENT = "e2e"
# The fragments that machines with firmware and the kernel's selftests need in addition.
SLOTS, SELFTESTS = "slots", "selftests"
STATUSES = (Status.PASSED, Status.FLAKY, Status.FAILED, Status.SPLAT, Status.DIED)

# The part that make check runs.
SMOKE = "e2e, the smoke test"
SMOKE_PAGE = "4k"
SMOKE_SCENARIO = "ram-spent"


@dataclass(frozen=True)
class Selection:
    """A kernel, and the scenarios that are selected for it."""

    flavour: str
    page: str
    scenarios: tuple[Scenario, ...]
    # Fragments of its config besides the page size, those that the user adds, variables for make.
    fragments: tuple[str, ...] = (FRAGMENT,)
    added: tuple[str, ...] = ()
    make_options: tuple[str, ...] = ()
    # The kernel tree. The default is the flavour's prepared tree.
    source: Path | None = None

    @property
    def name(self) -> str:
        """Its unique name."""
        return f"{self.flavour} {'-'.join((self.page, *self.added))}"

    @property
    def directory(self) -> str:
        """The directory of its logs, below the results."""
        return "-".join((self.flavour, self.page, *self.added))

    @property
    def config(self) -> str:
        """Its CONFIG."""
        slots = (SLOTS,) if any(s.has_firmware for s in self.scenarios) else ()
        selftests = (SELFTESTS,) if any(s.selftests for s in self.scenarios) else ()
        more = (*self.added, *slots, *selftests)
        return "-".join(dict.fromkeys((self.page, *self.fragments, *more)))


@dataclass(frozen=True)
class Built:
    """The kernel and the user space of a selection, or the reason why there is none."""

    selection: Selection
    seconds: float
    failed: CaseResult | None = None
    image: Path = Path()
    root: Path = Path()
    programs: tuple[Path, ...] = ()


def run(
    wanted: Settings, selections: Sequence[Selection], out: Path, kept: Journal = NoJournal()
) -> Iterator[RunResult]:
    """Build kernels and boot each for its scenarios. Errors are part of the results.

    A kernel is built while the guests of the previous one run. Kept results are not repeated.
    """
    watch = Stopwatch()
    try:
        with lock.exclusive(out / "lock", "make e2e"):
            steps = (
                functools.partial(
                    _build,
                    wanted,
                    selection,
                    out,
                    f"{number}/{len(selections)}: {selection.name}",
                    kept,
                )
                for number, selection in enumerate(selections, 1)
            )
            with contextlib.closing(tasks.ahead(steps)) as kernels:
                for built in kernels:
                    yield from _boot(wanted, built, out, watch, kept)
    except WorkTreeError as error:
        yield RunResult(selections[0].name, (results.preparation(error),), watch.seconds)


def _build(wanted: Settings, selection: Selection, out: Path, title: str, kept: Journal) -> Built:
    watch = Stopwatch()
    if all(kept.known(_unit(selection, scenario)) for scenario in selection.scenarios):
        return Built(selection, 0.0)
    say(f"{title}: building the kernel ...")
    wanted = replace(wanted, flavour=selection.flavour, config=selection.config)
    try:
        source = selection.source or worktree.prepare(wanted)
        kernel = Kernel(
            source, wanted, out, selection.directory, make_options=selection.make_options
        )
        failed = kernel.build()
        root = rootfs.base(wanted)
        names = sorted({name for scenario in selection.scenarios for name in scenario.selftests})
        built = programs.build(out / selection.directory / "programs", source, names)
    except KunitError as error:
        return Built(selection, watch.seconds, results.preparation(error))
    if not failed:
        say(f"{title}: built the kernel in {watch.seconds:.0f} s")
    trouble = results.failed("build", failed) if failed else None
    return Built(
        selection, watch.seconds, trouble, kernel.build_dir / image.IMAGE, root, tuple(built)
    )


def _unit(selection: Selection, scenario: Scenario) -> str:
    """The name of a scenario's result in the journal."""
    return f"{selection.name} {scenario.variant}"


def _boot(
    wanted: Settings, built: Built, out: Path, watch: Stopwatch, kept: Journal
) -> Iterator[RunResult]:
    selection = built.selection
    if built.failed:
        yield RunResult(selection.name, (built.failed,), built.seconds)
        return
    logs = out / selection.directory
    logs.mkdir(exist_ok=True)
    work = wanted.build / "e2e"
    steps = []
    for scenario in selection.scenarios:
        guest = Guest(built.image, built.root, scenario, work)
        one = ScenarioRun(guest, scenario, selection, built.programs, logs)
        steps.append(functools.partial(kept.run, _unit(selection, scenario), one.run))
    # A guest keeps one CPU busy.
    runs = tasks.in_turn(steps, wanted.at_once)
    pairs = zip(selection.scenarios, runs)
    for title, variants in itertools.groupby(pairs, key=lambda pair: pair[0].name):
        cases: list[CaseResult] = []
        seconds, old = 0.0, 0
        for _, ran in variants:
            cases += ran.cases
            seconds += ran.seconds
            old += ran.kept
        result = RunResult(f"{selection.name} {title}", tuple(cases), seconds, old)
        watch.say(f"{result.name}: {_in_short(cases)}")
        for finding in result.findings:
            say(f"    {finding.text}")
        yield result


def _in_short(cases: Sequence[CaseResult]) -> str:
    counts = {status: sum(c.status is status for c in cases) for status in STATUSES}
    return ", ".join(f"{n} {status.value}" for status, n in counts.items() if n)


class ScenarioRun:
    """All boots of one scenario with one kernel."""

    def __init__(
        self,
        guest: Guest,
        scenario: Scenario,
        selection: Selection,
        programs: Sequence[Path],
        logs: Path,
    ) -> None:
        self._guest = guest
        self._scenario = scenario
        self._selection = selection
        self._programs = programs
        self._logs = logs
        self._boots = 0
        self._judged = selection.flavour not in scenario.recorded

    def run(self) -> RunResult:
        """A result for each case, and one for each finding that belongs to no case.

        If anything is unexpected, run the whole scenario a second time.
        """
        return results.guarded(self._scenario.variant, self._cases)

    def _cases(self) -> tuple[CaseResult, ...]:
        verdict = flaky.confirmed(self._try(), self._try)
        name = f"{self._scenario.variant}: the boot"
        return (*verdict.cases, *(results.failed(name, f) for f in verdict.findings))

    def _try(self) -> Verdict:
        with self._guest.memory() as memory:
            return self._run(memory)

    def _run(self, memory: Memory) -> Verdict:
        found: list[CaseResult] = []
        trouble: list[Finding] = []
        boots = self._scenario.boots(self._selection.page)
        for number, cases in enumerate(boots):
            rest = cases
            while rest:
                seen = self._boot(memory, rest, cut=number + 1 < len(boots))
                found += [self._verdict(outcome) for outcome in seen.outcomes]
                for finding in seen.trouble:
                    if self._judged:
                        trouble.append(self._placed(finding))
                    else:
                        found.append(self._recorded(finding))
                if not seen.outcomes:
                    break
                # If the guest died in a case, boot again for the rest.
                rest = rest[len(seen.outcomes) :]
        return Verdict(tuple(found), tuple(trouble))

    def _boot(self, memory: Memory, cases: Sequence[Case], cut: bool) -> judge.Seen:
        self._boots += 1
        name = self._scenario.variant.replace("/", "_")
        log = self._logs / f"{name}.{self._boots}.console.log"
        script = e2e_scenario.script(self._scenario, cases, cut)
        overlay = rootfs.overlay(script, self._programs)

        def answer(request: str) -> str | None:
            return host.answer(self._scenario, request, memory)

        return judge.read(self._guest.boot(overlay, memory, log, answer), cases)

    def _recorded(self, finding: Finding) -> CaseResult:
        """A finding that belongs to no case, on a flavour that is only recorded."""
        variant = self._scenario.variant
        return CaseResult(f"{variant}: the boot", Status.SPLAT, None, variant, finding.log)

    def _verdict(self, outcome: CaseResult) -> CaseResult:
        variant = self._scenario.variant
        name = f"{variant}: {outcome.name}"
        must_fail = outcome.name in self._scenario.failing.get(self._selection.flavour, ())
        wrong: Finding | None = None
        if self._judged and must_fail and outcome.status is Status.PASSED:
            wrong = Finding(Kind.PASSED, f"{outcome.name} passed, but should have failed")
        elif self._judged and not (must_fail and outcome.status is Status.FAILED):
            wrong = outcome.finding
        log = outcome.finding.log if outcome.finding else ()
        placed = self._placed(wrong) if wrong else None
        return CaseResult(name, outcome.status, placed, variant, log, outcome.figures)

    def _placed(self, finding: Finding) -> Finding:
        """The finding with the variant in its place and in its text."""
        variant = self._scenario.variant
        place = replace(finding.place, suite=variant)
        return replace(finding, place=place, text=f"{variant}: {finding.text}")


def shell(wanted: Settings, selection: Selection, out: Path) -> int:
    """Boot a kernel with the devices of a selection's first scenario and open a shell in it.

    Returns QEMU's exit status. Raises CommandError if the kernel cannot be built.
    """
    scenario = selection.scenarios[0]
    built = _build(wanted, selection, out, selection.name, NoJournal())
    if built.failed and built.failed.finding:
        found = built.failed.finding
        raise CommandError(found.text, f"see the logs in {out}", "\n".join(found.log))
    variables = "".join(f"{k}={shlex.quote(v)}\n" for k, v in scenario.variables.items())
    guest = Guest(built.image, built.root, scenario, wanted.build / "e2e")
    with guest.memory() as memory:
        say(f"booting {selection.name} with the devices of {scenario.variant} ...")
        return guest.talk(rootfs.overlay(f"{variables}shell\n", built.programs), memory)


def smoke(wanted: Settings) -> RunResult:
    """One scenario with one kernel, as part of make check."""
    path = e2e_scenario.DIRECTORY / f"{SMOKE_SCENARIO}{e2e_scenario.SUFFIX}"
    out = builddir.results(wanted.build, "e2e")

    def cases() -> list[CaseResult]:
        selection = Selection("series", SMOKE_PAGE, tuple(e2e_reader.read(path)))
        return [case for result in run(wanted, [selection], out) for case in result.cases]

    return results.guarded(SMOKE, cases)

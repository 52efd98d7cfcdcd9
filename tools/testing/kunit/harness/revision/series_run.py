# SPDX-License-Identifier: GPL-2.0
"""Test a series from its base to its tip, state by state."""

import contextlib
import functools
from collections.abc import Callable, Sequence
from dataclasses import replace

from harness.base import tasks
from harness.base.archive import Archive
from harness.base.console import Stopwatch, counted, say
from harness.base.errors import KunitError, PatchError
from harness.kernel.finding import Finding, Kind
from harness.request.settings import Settings
from harness.revision import blame as revision_blame
from harness.revision import outcomes as revision_outcome
from harness.revision.blame import Fault, Progress, Shown, State
from harness.revision.builds import Builds, Limits, Run, limits
from harness.revision.ending import Ending
from harness.revision.judged import Judged
from harness.revision.outcomes import Outcome
from harness.revision.series import Member, Series
from harness.trees import source, versions, worktree
from harness.trees.stack import Patch
from harness.verdict import judge, remarks


class BaseError(KunitError):
    """The base itself fails, or patches/hooks conflict with the series."""


class SeriesRun:
    """Applies, builds and boots a series. wanted.flavour is its base.

    Calls on_result whenever so_far() has a new result.
    """

    def __init__(
        self,
        wanted: Settings,
        series: Series,
        kept: Archive,
        on_result: Callable[[], None] = lambda: None,
    ) -> None:
        self._wanted = worktree.fix_start(wanted, series.start)
        self._series = series
        self._builds = Builds(self._wanted, kept)
        self._watch = Stopwatch()
        self._on_result = on_result
        onto = wanted.flavour if not wanted.ksrc else f"{wanted.ksrc}"
        self.judged = Judged(series, onto)
        self.judged.states = [State(0, "base", "ok")]
        self.judged.states += [State(m.number, m.title) for m in series.members]

    def apply(self) -> None:
        """Apply the patches up to the first that fails. Raises BaseError, KunitError."""
        judged = self.judged
        base = self._builds.stack(())
        judged.base_commit = judged.tip_commit = base.commit
        judged.version = source.version(base.git, base.commit)
        for member in self._series.members:
            state = judged.states[member.number]
            try:
                judged.tip_commit = self._builds.stack(self._series.patches(member.number)).commit
            except PatchError as error:
                self._require_no_clash(member, error)
                state.applies = "failed"
                log = (error.cause, *error.detail.splitlines())
                self._blame(member, Finding(Kind.APPLY, "it does not apply", log))
                return
            state.applies = "ok"
            judged.applied = member.number

    def _require_no_clash(self, member: Member, error: PatchError) -> None:
        """Raise BaseError if a patch conflicts only with patches/hooks."""
        patches = self._series.patches(member.number)
        try:
            worktree.stack(self._wanted, patches, with_tests=False)
        except PatchError:
            return
        raise BaseError(
            f"patch {member.number} applies to the kernel, but not beside our patches/hooks",
            "adapt patches/hooks to what the series changes there",
            error.detail,
        ) from error

    def try_base(self, configs: Sequence[str]) -> None:
        """Build and boot the base. Raises BaseError if that fails."""
        state = self.judged.base
        for config in configs:
            self._say(state, config)
            boot = self._builds.begin((), config, Limits())
            outcome = self._outcome(boot, (), config, Limits(), lambda o: o.death is not None)
            run = outcome.run
            if run.ending is not Ending.RAN:
                raise BaseError(
                    f"the base itself ({self.judged.onto}, {config}): {run.ending.value}",
                    "no series can be judged on it; see to it first",
                    "\n".join(run.said),
                )
            if outcome.death:
                raise BaseError(
                    f"on the base ({self.judged.onto}, {config}) {outcome.death.text}",
                    "no series can be judged on it; see to it first",
                    "\n".join(outcome.death.log),
                )
            state.outcomes[config] = outcome
            self._on_result()

    def try_patches(self, configs: Sequence[str]) -> None:
        """Build and boot each state that applies, and record its faults."""
        bases = self.judged.base.outcomes
        if self._series.alone:
            # First, so that the work tree does not go back to the base for each patch.
            for member in self._series.members[: self.judged.applied]:
                for config in configs:
                    self._warnings(member, 0, config)
        progress = {c: Progress(bases[c]) for c in configs}
        for member in self._series.members[: self.judged.applied]:
            if self._series.alone:
                progress = {c: Progress(bases[c]) for c in configs}
            state = self.judged.states[member.number]
            patches = self._series.patches(member.number)
            for config in configs:
                self._say(state, config)
                # First, so that the work tree goes forward only.
                before = self._warnings(member, self._series.before(member.number), config)
                speaks = functools.partial(self._speaks_against, member, progress[config])
                limit = self._limit(config)
                boot = self._builds.begin(patches, config, limit)
                outcome = self._outcome(boot, patches, config, limit, speaks)
                self.judged.faults += progress[config].step(state, outcome)
                self._compare_warnings(member, state, config, before)
                self._on_result()

    def _speaks_against(self, member: Member, progress: Progress, outcome: Outcome) -> bool:
        """Whether an outcome counts against a patch or, after the last one, against the series."""
        is_last = member is self._series.members[-1] and not self._series.alone
        return bool(
            progress.faults(member.number, outcome) or (is_last and self._tip_faults(outcome))
        )

    def check_style(self) -> None:
        """Run checkpatch on each patch that applies."""
        for member in self._series.members[: self.judged.applied]:
            state = self.judged.states[member.number]
            state.remarks = self._builds.checkpatch(member.patch)
            errors = [remark for remark in state.remarks or () if remark.is_fault]
            if errors:
                log = tuple(map(str, errors))
                finding = Finding(
                    Kind.CHECKPATCH, f"checkpatch: {counted(len(errors), 'error')}", log
                )
                self._blame(member, finding)
        self._on_result()

    def _warnings(self, member: Member, count: int, config: str) -> tuple[str, ...] | None:
        """The W=1 warnings for the files of a patch, or None if the state does not build."""
        outcome = self.judged.states[count].outcomes.get(config)
        if outcome is None or outcome.run.ending is not Ending.RAN:
            return None
        sources = [f for f in member.files if f.endswith(".c")]
        if not sources:
            return ()
        patches = self._series.patches(count)
        return self._builds.warnings(patches, config, sources, self._limit(config))

    def _compare_warnings(
        self, member: Member, state: State, config: str, before: tuple[str, ...] | None
    ) -> None:
        after = self._warnings(member, member.number, config)
        if before is None or after is None:
            return
        new = remarks.new_warnings(before, after)
        state.warnings[config] = new
        if new:
            finding = Finding(Kind.WARNINGS, f"{len(new)} new warnings with W=1", new)
            self._blame(member, finding, config)

    def try_tip(self, configs: Sequence[str]) -> None:
        """Build and boot the whole series, if all of it applies.

        While a config boots, the next one is built, because a guest uses only one CPU.
        """
        if self.judged.applied < len(self._series.members):
            return
        state, patches = self.judged.states[-1], self._series.patches(len(self._series.members))

        def build(config: str) -> tuple[str, Callable[[], Run]]:
            self._say(state, config)
            return config, self._builds.begin(patches, config, self._limit(config))

        known = self.judged.tip | state.outcomes
        wanted = [config for config in configs if config not in known]
        steps = [functools.partial(build, config) for config in wanted]
        with contextlib.closing(tasks.ahead(steps)) as built:
            for config, boot in built:
                limit = self._limit(config)
                known[config] = self._outcome(
                    boot, patches, config, limit, lambda o: bool(self._tip_faults(o))
                )
                self.judged.tip[config] = known[config]
                self._on_result()
        self.judged.tip = {config: known[config] for config in known if config in configs}

    def so_far(self) -> Judged:
        """Return the results so far, including the faults of the tip."""
        found = replace(self.judged, faults=[*self.judged.faults])
        for outcome in self.judged.tip.values():
            found.faults += self._tip_faults(outcome)
        return found

    def _tip_faults(self, outcome: Outcome) -> list[Fault]:
        onto, config = self._wanted.flavour, outcome.run.config
        stands_for = "stock" if onto == "baseline" else onto
        base = self.judged.base.outcomes.get(config)
        expected = judge.read_expectation(judge.EXPECTED, stands_for, config, self._release)
        may_fail = revision_blame.tolerated(onto, base, expected)
        return revision_blame.judge_tip(outcome, may_fail, base, self.judged.faults)

    def _outcome(
        self,
        boot: Callable[[], Run],
        patches: Sequence[Patch],
        config: str,
        limit: Limits,
        speaks_against: Callable[[Outcome], bool],
    ) -> Outcome:
        """Return the outcome of a state. Boot twice what would count against the series.

        A stored result whose two boots differ is not used again.
        """
        run = boot()
        outcome = self._read(run)
        if run.is_kept and outcome.flaky:
            say("  two boots differed in an earlier run: trying again ...")
            run = self._builds.begin(patches, config, limit, anew=True)()
            outcome = self._read(run)
        if run.ending is Ending.RAN and speaks_against(outcome):
            run = self._builds.repeat(patches, config, limit, run)
            outcome = self._read(run)
        return outcome

    @property
    def _release(self) -> versions.Version:
        """The version that selects the expectations."""
        try:
            return versions.release(self.judged.version)
        except ValueError:
            # A tree of the user's that does not say what it is.
            return versions.parse(self._wanted.base)

    def _read(self, run: Run) -> Outcome:
        return revision_outcome.read_outcome(
            run, judge.EXPECTED, self._release, self._wanted.flavour
        )

    def _blame(self, member: Member, finding: Finding, config: str = "") -> None:
        self.judged.faults.append(Fault(finding, Shown.PATCH, member.number, config))

    def _limit(self, config: str) -> Limits:
        found = self.judged.base.outcomes
        nearest = found.get(config) or next(iter(found.values()), None)
        return limits(nearest.run if nearest else None)

    def _say(self, state: State, config: str) -> None:
        total = len(self._series.members)
        what = f"patch {state.number}/{total}: {state.title}" if state.number else "the base"
        self._watch.say(f"{config}: {what} ...")

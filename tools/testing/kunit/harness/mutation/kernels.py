# SPDX-License-Identifier: GPL-2.0
"""Build a kernel for each handwritten mutant and boot it.

The next mutant is built while others boot. Each outcome is stored under a key of everything that
it depends on, so that an interrupted run continues where it stopped.
"""

import enum
import functools
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from harness.base import archive, process, tasks
from harness.base.archive import Archive
from harness.base.console import Stopwatch, say
from harness.kernel import defaults, identity
from harness.kernel import image as kernel_image
from harness.kernel.image import IMAGE
from harness.kernel.kernel import Kernel, compiler_messages, require_healthy_machine
from harness.mutation.mutant import Mutant
from harness.mutation.outcomes import not_built
from harness.mutation.tree import NAME, MutatedTree

# The version of the records. It is part of each key.
_FORM = "2"

# Time limits, from the times of the unmutated kernel: a factor, and seconds.
GUEST_FACTOR, GUEST_EXTRA = 4, 20
BUILD_FACTOR, BUILD_LEAST = 30, 900

# After an oops, locks may be held. After a panic, nothing more happens. End the guest at once.
GUEST_ARGUMENTS = ("--kernel_args=oops=panic", "--kernel_args=panic=-1")


class Fate(enum.Enum):
    """How far a mutant got."""

    BOOTED = "booted"
    TIMED_OUT = "timed out"
    SAME = "same code"
    UNVIABLE = "unviable"
    # The build took too long. This may be due to the machine, so it is not stored.
    NOT_BUILT = "not built"


@dataclass(frozen=True)
class Outcome:
    """How far a mutant got with one config. log has messages of the compiler or git."""

    fate: Fate
    console: str = ""
    log: tuple[str, ...] = ()
    seconds: float = 0.0


class MutantBuilds:
    """Builds and boots mutants with one config."""

    def __init__(self, tree: MutatedTree, config: str) -> None:
        self._tree = tree
        self.wanted = replace(tree.wanted, config=config)
        self._out = tree.out
        self._kernel = Kernel(tree.path, self.wanted, self._out, f"{NAME}-{config}")
        self.config = config
        self._kept = Archive(self._out / "kept")
        self._basis = self._identity()
        self._base_image = ""
        self._guest_time, self._build_time = 0, 0.0
        # The files that may differ from the last image: those of the last two mutants.
        self._stale: set[str] = set()

    def known(self, mutant: Mutant | None) -> Outcome | None:
        """The stored outcome of a mutant, or of the original kernel for None."""
        found = self._kept.find(self._key(mutant))
        if found is None:
            return None
        log = tuple(found["log"])
        return Outcome(Fate(found["fate"]), found["console"], log, found["seconds"])

    def original(self) -> Outcome:
        """Build and boot the unmutated kernel. Its times set the limits for mutants.

        Raises CommandError if it cannot be built.
        """
        say(f"{self.config}: building the original ...")
        failed = self._kernel.build()
        # Build as the mutants are built, then measure a build with nothing to do.
        if failed or self._make(BUILD_LEAST) != 0:
            raise not_built(self.config, failed, self._kernel.log("build"), self._make_log)
        watch = Stopwatch()
        self._make(BUILD_LEAST)
        self._build_time = max(BUILD_LEAST, BUILD_FACTOR * watch.seconds)
        self._base_image = archive.digest(self._kernel.build_dir / IMAGE)
        say(f"{self.config}: booting the original ...")
        kernel = self._boot_kernel(0)
        shutil.copyfile(self._kernel.build_dir / IMAGE, kernel.build_dir / IMAGE)
        outcome = boot(kernel, GUEST_EXTRA + 100)
        self._guest_time = int(GUEST_FACTOR * outcome.seconds + GUEST_EXTRA)
        self._save(None, outcome)
        return outcome

    def run(self, mutants: Sequence[Mutant], done: Callable[[Mutant, Outcome], None]) -> None:
        """Build and boot mutants. Call done with each outcome, in any order.

        Call original() first.
        """
        # One more than the CPUs, so that a guest that hangs does not delay the others.
        free = [self._boot_kernel(slot) for slot in range(self.wanted.at_once + 1)]

        def boots() -> Iterator[Callable[[], tuple[Mutant, Kernel, Outcome]]]:
            """Build the mutants. Yield a function that boots each."""
            for mutant in mutants:
                outcome = self._build(mutant, free[0])
                if outcome:
                    self._keep(mutant, outcome, done)
                else:
                    yield functools.partial(self._boot, mutant, free.pop(0))

        for mutant, kernel, outcome in tasks.as_they_end(boots(), len(free)):
            free.append(kernel)
            self._keep(mutant, outcome, done)

    def _boot(self, mutant: Mutant, kernel: Kernel) -> tuple[Mutant, Kernel, Outcome]:
        return mutant, kernel, boot(kernel, self._guest_time)

    def _keep(
        self, mutant: Mutant, outcome: Outcome, done: Callable[[Mutant, Outcome], None]
    ) -> None:
        if outcome.fate is not Fate.NOT_BUILT:
            self._save(mutant, outcome)
        done(mutant, outcome)

    def _save(self, mutant: Mutant | None, outcome: Outcome) -> None:
        with self._kept.adding(self._key(mutant)) as part:
            archive.write_record(part, {**asdict(outcome), "fate": outcome.fate.value})

    def _key(self, mutant: Mutant | None) -> str:
        return archive.key(_FORM, mutant.identity if mutant else "original", *self._basis)

    def _identity(self) -> tuple[str, ...]:
        """Everything but the mutant that an outcome with this config depends on."""
        line, tree = defaults.command_line(self.wanted, "run", *GUEST_ARGUMENTS), self._tree.path
        # The limit in seconds is measured and differs a little each time.
        limit = f"time limit: {GUEST_FACTOR} {GUEST_EXTRA}"
        builds, boots = identity.of_build(line, tree), identity.of_boot(line, tree)
        return (self._tree.source(), self.config, limit, *builds, *boots)

    def _build(self, mutant: Mutant, kernel: Kernel) -> Outcome | None:
        """Build a mutant and copy its image. Returns an outcome if it cannot be booted."""
        watch = Stopwatch()
        with self._tree.mutated(mutant) as complaint:
            if complaint:
                return Outcome(Fate.UNVIABLE, log=tuple(complaint.splitlines()))
            self._stale |= set(mutant.files)
            try:
                status = self._make(self._build_time, sorted(self._stale))
            except process.TimedOut as error:
                return Outcome(Fate.NOT_BUILT, log=(error.cause,), seconds=watch.seconds)
            image = self._kernel.build_dir / IMAGE
            if status != 0:
                log = self._make_log.read_text(errors="replace")
                require_healthy_machine(log)
                return Outcome(Fate.UNVIABLE, "", compiler_messages(log), watch.seconds)
            self._stale = set(mutant.files)
            if archive.digest(image) == self._base_image:
                return Outcome(Fate.SAME, seconds=watch.seconds)
            shutil.copyfile(image, kernel.build_dir / IMAGE)
        return None

    @property
    def _make_log(self) -> Path:
        return self._kernel.log("make")

    def _make(self, timeout: float, changed: Sequence[str] = ()) -> int:
        """Make the image without kunit.py. Returns make's status.

        If changed is set, only these files can differ from the last image.
        """
        tree, build_dir = self._tree.path, self._kernel.build_dir
        line = defaults.command_line(self.wanted, "build")
        objects = kernel_image.objects_of(tree, build_dir, changed) if changed else None
        for chosen in (objects, ()) if objects else ((),):
            status = kernel_image.make_image(build_dir, line, self._make_log, timeout, chosen)
            if status == 0:
                break
        return status

    def _boot_kernel(self, slot: int) -> Kernel:
        """A kernel with only an image in its directory, which is enough for kunit.py exec."""
        directory = self._out / f"boot-{self.config}-{slot}"
        (directory / IMAGE).parent.mkdir(parents=True, exist_ok=True)

        return Kernel(self._tree.path, self.wanted, directory, f"{NAME}-{slot}", directory)


def boot(kernel: Kernel, timeout: int) -> Outcome:
    """Boot a mutant. If it hangs, boot it again for longer, as the machine may be busy."""
    for limit in (timeout // 2, timeout):
        watch = Stopwatch()
        console = kernel.boot(limit, GUEST_ARGUMENTS)
        if watch.seconds < limit:
            return Outcome(Fate.BOOTED, console, (), watch.seconds)
    return Outcome(Fate.TIMED_OUT, console, (), watch.seconds)

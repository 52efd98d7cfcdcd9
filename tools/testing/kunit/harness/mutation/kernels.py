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

from harness.base import archive, tasks
from harness.base.archive import Archive
from harness.base.console import Stopwatch, say
from harness.kernel import defaults, identity
from harness.kernel import image as kernel_image
from harness.kernel.image import IMAGE
from harness.kernel.kernel import (
    BUILD_TIME,
    GUEST_TIME,
    Kernel,
    compiler_messages,
    require_healthy_machine,
    slowness,
)
from harness.mutation import guest
from harness.mutation.mutant import Mutant
from harness.mutation.notice import never
from harness.mutation.outcomes import not_built
from harness.mutation.tree import NAME, MutatedTree

# The version of the records. It is part of each key.
_FORM = "3"

# The time limit of a guest, from the time of the unmutated kernel: a factor, and seconds.
_FACTOR, _EXTRA = 4, 20


class Fate(enum.Enum):
    """How far a mutant got."""

    BOOTED = "booted"
    TIMED_OUT = "timed out"
    SAME = "same code"
    UNVIABLE = "unviable"


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
        words = (f"--kernel_args={word}" for word in guest.WORDS)
        self._line = defaults.command_line(self.wanted, "run", *words)
        self._kept = Archive(self._out / "kept")
        self._basis = self._identity()
        self._base_image = ""
        self._limit = 0.0
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
        """Build and boot the unmutated kernel. Its time sets the limit for mutants.

        Raises CommandError if it cannot be built, and process.TimedOut.
        """
        say(f"{self.config}: building the original ...")
        failed = self._kernel.build()
        # Build as the mutants are built.
        if failed or self._make() != 0:
            raise not_built(self.config, failed, self._kernel.log("build"), self._make_log)
        self._base_image = archive.digest(self._kernel.build_dir / IMAGE)
        say(f"{self.config}: booting the original ...")
        limit = GUEST_TIME * slowness(self.config)
        outcome = self._boot(self._kernel.build_dir / IMAGE, limit, cpus=1)
        self._limit = _FACTOR * outcome.seconds + _EXTRA
        self._save(None, outcome)
        return outcome

    def original_on(self, cpus: int) -> Outcome:
        """Boot the unmutated kernel with so many CPUs. Call original() first."""
        say(f"{self.config}: booting the original with {cpus} CPUs ...")
        return self._boot(self._kernel.build_dir / IMAGE, cpus * self._limit, cpus)

    def run(self, mutants: Sequence[Mutant], done: Callable[[Mutant, Outcome], None]) -> None:
        """Build and boot mutants. Call done with each outcome, in any order.

        Call original() first. Raises process.TimedOut.
        """
        # One more than the CPUs, so that a guest that hangs does not delay the others.
        free = [self._out / f"{self.config}-{slot}" for slot in range(self.wanted.at_once + 1)]

        def boots() -> Iterator[Callable[[], tuple[Mutant, Path, Outcome]]]:
            """Build the mutants. Yield a function that boots each."""
            for mutant in mutants:
                outcome = self._build(mutant, free[0])
                if outcome:
                    self._keep(mutant, outcome, done)
                else:
                    yield functools.partial(self._boot_mutant, mutant, free.pop(0))

        for mutant, image, outcome in tasks.as_they_end(boots(), len(free)):
            free.append(image)
            self._keep(mutant, outcome, done)

    def _boot_mutant(self, mutant: Mutant, image: Path) -> tuple[Mutant, Path, Outcome]:
        # Several CPUs of a guest share those of the host.
        return mutant, image, self._boot(image, mutant.cpus * self._limit, mutant.cpus)

    def _boot(self, image: Path, limit: float, cpus: int) -> Outcome:
        call = guest.call(self._line, self._tree.path, image, cpus=cpus)
        ran = guest.boot(call, limit, limit, never)
        fate = Fate.TIMED_OUT if ran.is_late else Fate.BOOTED
        return Outcome(fate, ran.console, (), ran.seconds)

    def _keep(
        self, mutant: Mutant, outcome: Outcome, done: Callable[[Mutant, Outcome], None]
    ) -> None:
        self._save(mutant, outcome)
        done(mutant, outcome)

    def _save(self, mutant: Mutant | None, outcome: Outcome) -> None:
        with self._kept.adding(self._key(mutant)) as part:
            archive.write_record(part, {**asdict(outcome), "fate": outcome.fate.value})

    def _key(self, mutant: Mutant | None) -> str:
        return archive.key(_FORM, mutant.identity if mutant else "original", *self._basis)

    def _identity(self) -> tuple[str, ...]:
        """Everything but the mutant that an outcome with this config depends on."""
        # The limit in seconds is measured and differs a little each time.
        limit, tree = f"time limit: {_FACTOR} {_EXTRA}", self._tree.path
        builds, boots = identity.of_build(self._line, tree), identity.of_boot(self._line, tree)
        return (self._tree.source(), self.config, limit, *builds, *boots)

    def _build(self, mutant: Mutant, copy: Path) -> Outcome | None:
        """Build a mutant and copy its image. Returns an outcome if it cannot be booted."""
        watch = Stopwatch()
        with self._tree.mutated(mutant) as complaint:
            if complaint:
                return Outcome(Fate.UNVIABLE, log=tuple(complaint.splitlines()))
            self._stale |= set(mutant.files)
            status = self._make(sorted(self._stale))
            image = self._kernel.build_dir / IMAGE
            if status != 0:
                log = self._make_log.read_text(errors="replace")
                require_healthy_machine(log)
                return Outcome(Fate.UNVIABLE, "", compiler_messages(log), watch.seconds)
            self._stale = set(mutant.files)
            if archive.digest(image) == self._base_image:
                return Outcome(Fate.SAME, seconds=watch.seconds)
            shutil.copyfile(image, copy)
        return None

    @property
    def _make_log(self) -> Path:
        return self._kernel.log("make")

    def _make(self, changed: Sequence[str] = ()) -> int:
        """Make the image without kunit.py. Returns make's status.

        If changed is set, only these files can differ from the last image. Raises
        process.TimedOut.
        """
        tree, build_dir = self._tree.path, self._kernel.build_dir
        line = defaults.command_line(self.wanted, "build")
        objects = kernel_image.objects_of(tree, build_dir, changed) if changed else None
        for chosen in (objects, ()) if objects else ((),):
            status = kernel_image.make_image(build_dir, line, self._make_log, BUILD_TIME, chosen)
            if status == 0:
                break
        return status

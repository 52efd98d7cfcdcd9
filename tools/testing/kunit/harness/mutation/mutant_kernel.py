# SPDX-License-Identifier: GPL-2.0
"""Build the kernel that contains all generated mutants."""

import shutil
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

from harness.base import archive, process
from harness.base.archive import Archive
from harness.base.console import say
from harness.base.errors import CommandError
from harness.kernel import defaults, identity
from harness.kernel import image as kernel_image
from harness.kernel.image import IMAGE
from harness.kernel.kernel import Kernel, compiler_messages, require_healthy_machine
from harness.matrix import rows
from harness.matrix.rows import Boot
from harness.mutation import guest, schemata
from harness.mutation.generated import Generated
from harness.mutation.outcomes import not_built
from harness.mutation.schemata import SECTION, Mutated
from harness.mutation.tree import MutatedTree

# The version of how kernels are built and booted. It is part of each key.
_FORM = "3"
_BUILD_TIME = 1800


@dataclass(frozen=True)
class Built:
    """The image, the number of each mutant in it, and the mutants that are not in it.

    unviable: the compiler rejects them. absent: this config does not include their code.
    """

    image: Path
    numbers: Mapping[str, int]
    unviable: frozenset[str]
    absent: frozenset[str]


class MutantKernel:
    """The kernel with all mutants, for one config."""

    def __init__(self, tree: MutatedTree, config: str, mutants: Sequence[Generated]) -> None:
        self._tree = tree
        self.wanted = replace(tree.wanted, config=config)
        self._mutants = mutants
        self._kernel = Kernel(tree.path, self.wanted, tree.out, f"one-{config}")
        self._images = Archive(tree.out / "images")
        words = (f"--kernel_args={word}" for word in guest.WORDS)
        self._line = defaults.command_line(self.wanted, "run", *words)

    def basis(self) -> tuple[str, ...]:
        """Everything but the mutant that an outcome depends on."""
        return (*self._build_basis(), *identity.of_boot(self._line, self._tree.path))

    def _build_basis(self) -> tuple[str, ...]:
        builds = identity.of_build(self._line, self._tree.path)
        return (_FORM, self._tree.source(), self.wanted.config, *builds)

    def call(self, built: Built, number: int, suites: str, parameter: str, boot: Boot) -> list[str]:
        """The command line of QEMU that boots the kernel with a mutant turned on.

        suites is a glob. parameter is PARAMETER or AT_BOOT.
        """
        words = [f"{parameter}={number}", f"kunit.filter_glob={suites}", *boot.arguments.split()]
        cpu = "" if boot.cpu == rows.MAX else rows.OLDER[self.wanted.config.partition("-")[0]]
        return guest.call(self._line, self._tree.path, built.image, words, cpu, boot.cpus)

    # --- Building ---

    def build(self) -> Built:
        """Build the kernel, or use that of an earlier run. Raises CommandError."""
        names = [one.mutant.identity for one in self._mutants]
        key = archive.key(*self._build_basis(), *names)
        known = self._images.find(key)
        if known is None:
            say(f"{self.wanted.config}: building one kernel with {len(names)} mutants ...")
            with self._images.adding(key) as part:
                archive.write_record(part, self._build(part))
            known = self._images.find(key)
            assert known
        return Built(
            self._images.path(key) / "Image",
            known["numbers"],
            frozenset(known["unviable"]),
            frozenset(known["absent"]),
        )

    def _build(self, out: Path) -> dict[str, object]:
        failed = self._kernel.build()
        if failed:
            raise not_built(self.wanted.config, failed, self._kernel.log("build"))
        numbered = dict(enumerate(self._mutants, 1))
        compiled = self._compiled({one.path for one in self._mutants})
        left = {n: one for n, one in numbered.items() if one.path in compiled}
        absent = [one.mutant.name for n, one in numbered.items() if n not in left]
        paths = list(dict.fromkeys(one.path for one in left.values()))
        possible = frozenset(left)
        with self._tree.restoring(paths):
            self._compile(paths, left)
            if self._make() != 0:
                raise self._failure("linked")
            there = set[int]().union(*(self._compiled_in(path) for path in paths))
            shutil.copyfile(self._kernel.build_dir / IMAGE, out / "Image")
        numbers = {one.mutant.name: number for number, one in left.items() if number in there}
        unviable = [numbered[n].mutant.name for n in sorted(possible - set(left))]
        absent += [one.mutant.name for n, one in left.items() if n not in there]
        return {"numbers": numbers, "unviable": unviable, "absent": absent}

    def _compiled(self, paths: Set[str]) -> set[str]:
        """The files that this config compiles. A series may touch others."""
        objects = {path: self._object(path) for path in paths}
        wanted = [str(file.relative_to(self._kernel.build_dir)) for file in objects.values()]
        self._make("--keep-going", *sorted(wanted))
        return {path for path, file in objects.items() if file.exists()}

    def _compile(self, paths: Sequence[str], left: dict[int, Generated]) -> None:
        """Compile the files with the mutants. Remove those that the compiler rejects from left."""
        sources = {path: self._tree.original(path) for path in paths}
        rest = list(paths)
        while rest:
            mutated = {}
            for path in rest:
                changes = {n: one.change for n, one in left.items() if one.path == path}
                mutated[path] = schemata.apply(sources[path], changes, path == paths[0])
                (self._tree.path / path).write_text(mutated[path].text, encoding="utf-8")
            objects = [str(Path(path).with_suffix(".o")) for path in rest]
            status = self._make("--keep-going", "--output-sync=target", *objects)
            log = self._log.read_text(errors="replace")
            rejected = {
                path: _rejected(path, sources[path], mutated[path], left, log) for path in rest
            }
            if status != 0 and not any(rejected.values()):
                raise self._failure("compiled")
            for number in set().union(*rejected.values()):
                del left[number]
            rest = [path for path in rest if rejected[path]]

    def _failure(self, what: str) -> CommandError:
        log = self._log.read_text(errors="replace")
        require_healthy_machine(log)
        return CommandError(
            f"the kernel with all mutants cannot be {what}",
            f"see {self._log}; remove the function that causes it from data/mutants/functions",
            "\n".join(compiler_messages(log)),
        )

    @property
    def _log(self) -> Path:
        return self._kernel.log("make")

    def _make(self, *goals: str) -> int:
        words = [*kernel_image.make_variables(self._line), *(goals or ("Image",))]
        return kernel_image.make(self._kernel.build_dir, words, self._log, _BUILD_TIME)

    def _object(self, path: str) -> Path:
        return self._kernel.build_dir / Path(path).with_suffix(".o")

    def _compiled_in(self, path: str) -> set[int]:
        """The mutants that are in an object file. The compiler removes code that cannot run."""
        file = self._object(path)
        raw = file.with_suffix(".mutants")
        argv = [defaults.cross_tool("objcopy"), "-O", "binary", "--only-section", SECTION]
        argv += ["--set-section-flags", f"{SECTION}=alloc", str(file), str(raw)]
        process.run(argv)
        data = raw.read_bytes()
        raw.unlink()
        return {int.from_bytes(data[at : at + 2], "little") for at in range(0, len(data), 2)}


def _rejected(
    path: str, source: str, mutated: Mutated, left: Mapping[int, Generated], log: str
) -> set[int]:
    """The mutants of a file that the compiler rejects, according to its messages."""
    mutants, lines = schemata.blamed(log, path, mutated)
    rejected = mutants & set(left)
    if rejected:
        return rejected
    changes = {n: one.change for n, one in left.items() if one.path == path}
    by_line = schemata.by_line(source, changes)
    return set().union(*(schemata.enclosing(source, by_line, line) for line in lines))

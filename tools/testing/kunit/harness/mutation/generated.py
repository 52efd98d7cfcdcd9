# SPDX-License-Identifier: GPL-2.0
"""The mutants of this repository's patches, and of a series of the user's."""

from collections.abc import Sequence
from dataclasses import replace

from harness.mutation import generate as mutation_generate
from harness.mutation import mutant as mutation_mutant
from harness.mutation.mutant import Mutant
from harness.mutation.tree import MutatedTree
from harness.request.settings import REPO
from harness.trees import layers
from harness.trees.stack import Patch

# The files that the series and the fixes change, and arm64 links.
GENERATED = ("mm/sparse-vmemmap.c", "mm/memory_hotplug.c", "arch/arm64/mm/mmu.c")
LAYERS = ("patches/series", "patches/fixes")


def generate(tree: MutatedTree, written: Sequence[Mutant]) -> list[Mutant]:
    """The generated mutants, without those that are also written by hand."""
    steps = sum(len(layers.read_patches(REPO / layer)) for layer in LAYERS)
    twins = {mutant.change for mutant in written}
    made = [m for m in _made(tree, GENERATED, steps) if m.change not in twins]
    return mutation_mutant.declare(made, mutation_mutant.read_equivalent())


def of_series(tree: MutatedTree, patches: Sequence[Patch], configs: Sequence[str]) -> list[Mutant]:
    """The mutants of each line that patches of the user's add to a C file, tests excepted.

    Each has to be caught in one of the configs.
    """
    touched = {path for p in patches for path in p.touched if path.endswith(".c")}
    paths = sorted(path for path in touched if "/tests/" not in path)
    return [replace(m, configs=tuple(configs)) for m in _made(tree, paths, len(patches))]


def _made(tree: MutatedTree, paths: Sequence[str], steps: int) -> list[Mutant]:
    """What can be done to the lines that the last so many commits added to files."""
    return [
        mutant
        for path in paths
        for mutant in mutation_generate.generate(path, *tree.versions(path, steps))
    ]

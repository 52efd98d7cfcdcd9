# SPDX-License-Identifier: GPL-2.0
"""make report: merge the shards of a matrix."""

from collections.abc import Mapping
from pathlib import Path

from harness.base import builddir
from harness.matrix import shards
from harness.matrix.shards import ResultError
from harness.request import settings
from harness.request.variables import Command

COMMAND = Command(
    "make report",
    frozenset({"BUILD", "PARTS"}),
    "merge the results of all shards of make matrix",
    "altmap report --parts DIR",
)


def main(environ: Mapping[str, str]) -> int:
    """Merge the parts in the directory PARTS. Returns 0 only if all results are as expected."""
    build = settings.read(environ).build
    parts = shards.find(Path(environ.get("PARTS") or build / "results"))
    status = shards.publish(parts, builddir.results(build) / Path(shards.WHOLE).stem)
    lost = shards.missing(parts)
    if lost:
        of = parts[0].shard.of
        raise ResultError(
            f"{len(lost)} of {of} shards are missing: {', '.join(f'{n}/{of}' for n in lost)}",
            f"run make matrix SHARD={lost[0]}/{of}, or check why its job left no result",
        )
    return status

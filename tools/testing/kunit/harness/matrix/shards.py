# SPDX-License-Identifier: GPL-2.0
"""The results of a shard of the matrix, and merging shards."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.base import archive, asjson
from harness.base.errors import KunitError
from harness.base.table import table as columns
from harness.kernel.finding import Status
from harness.matrix.rows import Row, Shard
from harness.verdict import results
from harness.verdict.results import RunResult

SCHEMA = 2
_PART_NAME = re.compile(r"matrix-(\d+)-of-(\d+)\.json")
WHOLE = "matrix.json"


class ResultError(KunitError):
    """A result file is unusable or missing."""


@dataclass(frozen=True)
class Part:
    """The results of one shard.

    matrix has the rows of all shards. Each run is named after its row.
    """

    shard: Shard
    revision: str
    host: str
    matrix: tuple[Row, ...]
    runs: tuple[RunResult, ...]


def part_name(shard: Shard) -> str:
    """The file name for a shard's results, or for the whole matrix."""
    return WHOLE if shard.of == 1 else f"matrix-{shard.number}-of-{shard.of}.json"


def write_part(part: Part, path: Path) -> None:
    """Write the results of a shard."""
    by_name = {row.name: row for row in part.matrix}
    document = {
        "schema": SCHEMA,
        "shard": part.shard.number,
        "shards": part.shard.of,
        "revision": part.revision,
        "host": part.host,
        "matrix": [asdict(row) for row in part.matrix],
        "rows": [{**asdict(by_name[run.name]), **asjson.encode(run)} for run in part.runs],
    }
    archive.write_whole(path, json.dumps(document, indent=1) + "\n")


def read_part(path: Path) -> Part:
    """Read a file of write_part(). Raises ResultError."""
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if document["schema"] != SCHEMA:
            raise ValueError(f"schema {document['schema']}, not {SCHEMA}")
        return Part(
            Shard(int(document["shard"]), int(document["shards"])),
            str(document["revision"]),
            str(document["host"]),
            asjson.decode(tuple[Row, ...], document["matrix"]),
            asjson.decode(tuple[RunResult, ...], document["rows"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultError(
            f"{path} is not a result of make matrix: {error}", "run that shard again"
        ) from error


def find(directory: Path) -> list[Part]:
    """The parts below a directory, or the whole matrix if there are none. Raises ResultError."""
    paths = sorted(p for p in directory.rglob("matrix-*.json") if _PART_NAME.fullmatch(p.name))
    paths = paths or sorted(directory.rglob(WHOLE))[:1]
    if not paths:
        raise ResultError(
            f"{directory} has no results of make matrix",
            "run make matrix, or set PARTS to the directory of the files matrix-*.json",
        )
    parts = [read_part(path) for path in paths]
    for path, part in zip(paths, parts):
        _require_same_run(path, part, paths[0], parts[0])
    numbers = [part.shard.number for part in parts]
    for number in numbers:
        if numbers.count(number) > 1:
            raise ResultError(
                f"{directory} has shard {number} more than once", "remove all but one"
            )
    return parts


def _require_same_run(path: Path, part: Part, first_path: Path, first: Part) -> None:
    for what, one, other in (
        ("counts of shards", part.shard.of, first.shard.of),
        ("revisions", part.revision, first.revision),
        ("choices of rows", part.matrix, first.matrix),
    ):
        if one != other:
            raise ResultError(
                f"{first_path} and {path} have different {what}",
                "remove the older file, or give each run its own directory with PARTS=DIR",
            )


def missing(parts: Sequence[Part]) -> list[int]:
    """The shards without results, or without all of their rows."""
    found = {run.name for part in parts for run in part.runs}
    first = parts[0]
    shards = (Shard(number, first.shard.of) for number in range(1, first.shard.of + 1))
    present = {part.shard.number for part in parts}
    return [
        s.number
        for s in shards
        if s.number not in present or any(r.name not in found for r in s.take(first.matrix))
    ]


def publish(parts: Sequence[Part], path: Path) -> int:
    """Print the table, write path with .json and .xml, and return the exit status."""
    runs = _in_order(parts)
    first = parts[0]
    shard = first.shard if len(parts) == 1 else Shard()
    merged = Part(shard, first.revision, first.host, first.matrix, tuple(runs))
    write_part(merged, path.with_suffix(".json"))
    results.write_junit(runs, path.with_suffix(".xml"))
    what = f"make matrix of {first.revision}"
    if shard.of > 1:
        what += f", shard {shard.number}/{shard.of}"
    words = results.in_words(runs, f"{what} on {first.host}", table(first.matrix, runs))
    return results.conclude(runs, words, path.with_suffix(".json"), path.with_suffix(".xml"))


def _in_order(parts: Sequence[Part]) -> list[RunResult]:
    found = {run.name: run for part in parts for run in part.runs}
    return [found[row.name] for row in parts[0].matrix if row.name in found]


def table(matrix: Sequence[Row], runs: Sequence[RunResult]) -> list[str]:
    """A line for each row of the matrix that ran. Each base has its own table."""
    rows = {row.name: row for row in matrix}
    lines: list[str] = []
    for base in dict.fromkeys(rows[run.name].base for run in runs):
        lines += ["", f"Linux of {base}:"] if base else []
        lines += _table([(rows[run.name], run) for run in runs if rows[run.name].base == base])
    return lines


def _table(found: Sequence[tuple[Row, RunResult]]) -> list[str]:
    heads = ("flavour", "config", "cpu", "arguments", "smp", "pass", "fail", "skip", "unexp", "s")
    lines: list[tuple[object, ...]] = [heads]
    for row, run in found:
        what = (row.flavour, row.config, row.cpu or "-", row.arguments or "-", row.cpus)
        counts = (run.count(s) for s in (Status.PASSED, Status.FAILED, Status.SKIPPED))
        lines.append((*what, *counts, len(run.unexpected), f"{run.seconds:.0f}"))
    return columns(lines, "llllr", gap=1)

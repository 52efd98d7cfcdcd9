#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""make revision: a verdict on a revision of a patch series, patch by patch."""

import contextlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from harness.base import archive, builddir, lock, picture, program, signals
from harness.base.archive import Archive
from harness.base.console import Stopwatch, conclude, say
from harness.base.errors import ExitStatus, KunitError, UsageError
from harness.kernel import machine
from harness.matrix import rows
from harness.originmap import draw, plot
from harness.originmap.draw import Map, MapError
from harness.request import settings
from harness.request.settings import Settings, Wish
from harness.request.variables import KERNEL, Command
from harness.revision import blame
from harness.revision import document as revision_document
from harness.revision import html, onto
from harness.revision import series as revision_series
from harness.revision import series_run
from harness.revision import text as revision_text
from harness.revision.judged import Judged
from harness.revision.report import Report
from harness.revision.series import Series
from harness.revision.series_run import SeriesRun
from harness.trees import debian, worktree
from harness.trees.git import Git
from harness.verdict import results

PATCH_CONFIGS = ("4k",)


COMMAND = Command(
    "make revision",
    KERNEL | {"CONFIGS", "SERIES", "AGAINST", "ONTO", "TIP_CONFIGS", "TIP_ONLY", "SHORT"},
    "judge a revision of a series, patch by patch",
    "altmap revision MESSAGE-ID",
    "SERIES",
)


def main(environ: Mapping[str, str]) -> int:
    """Judge SERIES; 0 if nothing speaks against it, 1 if something does, 2 if there is no verdict."""
    try:
        return _main(environ)
    except KunitError as error:
        # To bisect is for kunit.py; here 125 would mean nothing.
        program.show(error)
        return int(ExitStatus.ERROR)


def _main(environ: Mapping[str, str]) -> int:
    wish = settings.read(environ)
    given = environ.get("SERIES")
    if not given:
        raise UsageError(
            "SERIES is not set: which revision?",
            "make revision SERIES=MESSAGE-ID, a directory, an mbox, or FROM..TO with KSRC=DIR",
        )
    configs = _configs(environ, "CONFIGS", PATCH_CONFIGS)
    tips = _configs(environ, "TIP_CONFIGS", (*configs, *rows.default_configs()))
    series = revision_series.read(given, wish.ksrc)
    against = environ.get("AGAINST") or ""
    wish = replace(wish, flavour=onto.choose(environ, wish, series))
    older = _older(against, wish, series)
    wanted = debian.resolve(wish)
    drawing = (replace(need, optional=True) for need in picture.needs())
    machine.ensure_tools(wanted, *drawing)
    builddir.mark(wanted.build)
    with _alone(wanted.build) as out:
        kept = Archive(wanted.build / "results/by-tree")
        with _replacing(out) as part:
            report = judge(
                wanted, series, older, kept, configs, tips, bool(environ.get("TIP_ONLY"))
            )
            write(report, kept, part)
    text = revision_text.short(report) if environ.get("SHORT") else revision_text.full(report)
    conclude(text, report.is_good, out / "report.html", out / "results.json", out / "logs")
    return int(_STATUS[report.word])


# A kernel that differs from boot to boot proves nothing.
_STATUS = {"good": ExitStatus.OK, "fault": ExitStatus.FAILED, "flaky": ExitStatus.ERROR}


def _configs(environ: Mapping[str, str], variable: str, usual: Iterable[str]) -> tuple[str, ...]:
    names = environ.get(variable, "").split() or usual
    return tuple(dict.fromkeys(settings.check_config(name) for name in names))


def _older(against: str, wish: Wish, series: Series) -> Series | None:
    """The revision to compare with: the one named, the version before, or that in patches/."""
    if against == "none":
        return None
    if against:
        return revision_series.read(against, wish.ksrc)
    earlier = revision_series.earlier(series)
    if earlier:
        say(f"comparing with v{earlier.version} (AGAINST=none leaves that out)")
        return earlier
    if wish.ksrc or wish.flavour != "baseline" or not onto.is_ours(series):
        return None
    ours = revision_series.read(str(onto.OUR_SERIES))
    if [m.patch.data for m in ours.members] == [m.patch.data for m in series.members]:
        return None
    say("comparing with patches/series, for it differs (AGAINST=none leaves that out)")
    return replace(ours, source="patches/series")


def judge(
    wanted: Settings,
    series: Series,
    older: Series | None,
    kept: Archive,
    configs: tuple[str, ...],
    tips: tuple[str, ...],
    tip_only: bool,
) -> Report:
    """Do all that is to be done for a verdict. Raises KunitError of some kind.

    Each patch is tried with configs, the whole series with tips.
    """
    watch = Stopwatch()
    new = SeriesRun(wanted, series, kept)
    new.apply()
    if wanted.ksrc:
        # What fails on the user's own tree is written nowhere.
        new.try_base(tips)
    elif not tip_only:
        new.try_base(configs)
    if tip_only:
        for member in series.members[: new.judged.applied]:
            new.check_style(member)
    else:
        new.try_patches(configs)
    new.try_tip(tips)
    new.judge_tip()
    if older is None:
        return Report(new.judged, configs, tips, tip_only, watch.seconds)
    old = _judge_older(wanted, older, kept, new.judged, configs, tip_only)
    changes = {
        config: blame.compare(old.tip[config], new.judged.tip[config])
        for config in tips
        if config in old.tip and config in new.judged.tip
    }
    words = range_diff(wanted, old, new.judged)
    return Report(new.judged, configs, tips, tip_only, watch.seconds, old, changes, words)


def _judge_older(
    wanted: Settings,
    older: Series,
    kept: Archive,
    new: Judged,
    configs: tuple[str, ...],
    tip_only: bool,
) -> Judged:
    """Look at the older revision, as closely as the newer one's faults ask for."""
    say(f"now {older.source}, to compare with ...")
    old = SeriesRun(wanted, older, kept)
    old.apply()
    if any(f.is_of_case and f.patch is None for f in new.faults) and not tip_only:
        old.try_base(configs)
        old.try_patches(configs)
        for config in configs:
            series_run.blame(new, old.judged, config)
    old.try_tip(tuple(new.tip))
    return old.judged


def range_diff(wanted: Settings, old: Judged, new: Judged) -> str:
    """What git makes of the two revisions, as far as they apply."""
    if not old.applied or not new.applied:
        return ""
    git: Git = worktree.stack(wanted).git
    ranges = [f"{judged.base_commit}..{judged.tip_commit}" for judged in (old, new)]
    return git.out("range-diff", "--no-color", *ranges)


# --- What is left behind --------------------------------------------------


@contextlib.contextmanager
def _alone(build: Path) -> Iterator[Path]:
    """The directory for results, ours alone for the while. Raises WorkTreeError."""
    directory = build / "results"
    with lock.alone(directory / "revision.lock", "make revision"):
        yield directory / "revision"


@contextlib.contextmanager
def _replacing(out: Path) -> Iterator[Path]:
    """A new directory that takes the place of out once the block ends well."""
    part = out.with_name(out.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    try:
        yield part
        with signals.signals_held():
            archive.replace_directory(part, out)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write(report: Report, kept: Archive, out: Path) -> None:
    """Write everything but the terminal's text; logs of all runs are copied there."""
    document = json.dumps(revision_document.document(report), indent=1) + "\n"
    (out / "results.json").write_text(document, encoding="utf-8")
    results.write_junit(revision_document.junit_runs(report), out / "results.xml")
    page = html.page(report, origin_figure(report))
    (out / "report.html").write_text(page, encoding="utf-8")
    (out / "summary.txt").write_text(revision_text.full(report) + "\n", encoding="utf-8")
    (out / "short.txt").write_text(revision_text.short(report) + "\n", encoding="utf-8")
    if report.range_diff:
        (out / "range-diff.txt").write_text(report.range_diff + "\n", encoding="utf-8")
    logs = out / "logs"
    logs.mkdir()
    for name, key in _runs(report).items():
        for what in ("build", "console", "console-2"):
            log = kept.path(key) / f"kernel.{what}.log"
            if log.exists():
                shutil.copyfile(log, logs / f"{name}.{what}.log")


def origin_figure(report: Report) -> str:
    """An SVG of where the memmap lies, on the base and at the tip; "" if no suite told."""
    panels: list[tuple[str, Map]] = []
    for config in report.patch_configs:
        for name, found in (("base", report.new.base.outcomes), ("tip", report.new.tip)):
            if config not in found:
                return ""
            try:
                maps = draw.read(found[config].run.console)
            except MapError as error:
                say(f"note: no map of the memmap: {error.cause}")
                return ""
            panels += [(f"{config}, {name}", drawn) for drawn in maps[-1:]]
    if len(panels) != 2 * len(report.patch_configs):
        return ""
    if not picture.is_possible():
        say("note: report.html has no map of the memmap: python3-matplotlib is not installed")
        return ""
    return plot.figure(panels)


def _runs(report: Report) -> dict[str, str]:
    """The keys of all runs, by the names of their logs."""
    found: dict[str, str] = {}
    for state in report.new.states:
        for config, outcome in state.outcomes.items():
            found[f"{state.number:04d}-{config}"] = outcome.run.key
    for config, outcome in report.new.tip.items():
        found.setdefault(f"{len(report.new.states) - 1:04d}-{config}", outcome.run.key)
    return found

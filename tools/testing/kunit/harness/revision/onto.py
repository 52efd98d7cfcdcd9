# SPDX-License-Identifier: GPL-2.0
"""Choose the kernel to apply a series to."""

from collections.abc import Mapping

from harness.base.console import say
from harness.request import settings
from harness.request.settings import REPO, Request
from harness.revision import series as revision_series
from harness.revision.series import Series

OUR_SERIES = REPO / "patches/series"


def choose(environ: Mapping[str, str], request: Request, series: Series) -> str:
    """Return the flavour to apply a series to. Raises UsageError."""
    onto = environ.get("ONTO")
    if onto:
        return settings.check_flavour(onto, request.base, "ONTO")
    if request.ksrc:
        return request.flavour
    if is_ours(series):
        say("this is a revision of patches/series, so it goes onto the baseline (ONTO=...)")
        return "baseline"
    return "stock"


def is_ours(series: Series) -> bool:
    """Whether a series shares a patch title with patches/series, which stock contains."""
    ours = revision_series.titles(revision_series.read(str(OUR_SERIES)))
    return any(member.title in ours for member in series.members)

# SPDX-License-Identifier: GPL-2.0
"""The packages that preparing a tree needs."""

from harness.base.packages import GIT, XZ, Requirement
from harness.request.settings import HOME_BASE, Settings


def for_tree(settings: Settings) -> tuple[Requirement, ...]:
    """What preparing a tree needs."""
    if settings.ksrc:
        return (GIT,)
    if settings.suite:
        return GIT, XZ
    package = settings.tarball.name[: -len(".tar.xz")]
    otherwise = (
        ""
        if settings.base == HOME_BASE
        else (
            "or let BASE=sid fetch the newest kernel of that suite, without a trace in the system"
        )
    )
    return GIT, XZ, Requirement(str(settings.tarball), package, otherwise=otherwise)

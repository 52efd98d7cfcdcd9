# SPDX-License-Identifier: GPL-2.0
"""A revision named by a message-id: b4 fetches it, and the version before, from an archive."""

from tests.world.mail_archive import MailArchive, threaded
from tests.world.test_revision import Revision, one, two

_HEAD = "From x Mon Jan  1 00:00:00 2024\nFrom: A <a@b>\nDate: Mon, {} Jan 2024 00:00:00 +0000\n"


def _mails(version: int, first: str, second: str) -> list[str]:
    """A series with its cover letter, and a reply to it."""
    tag, root = f"PATCH v{version}" if version > 1 else "PATCH", f"v{version}-0@b"
    head = _HEAD.format(version)
    cover = f"{head}Subject: [{tag} 0/2] The thing\n\nblurb\n\n"
    reply = f"{head}Subject: Re: [{tag} 2/2] change mmu\n\nlooks good\n\n"
    return [
        threaded(root, "", cover),
        threaded(f"v{version}-1@b", root, one(first, f"[{tag} 1/2] change vmemmap")),
        threaded(f"v{version}-2@b", root, two(second, f"[{tag} 2/2] change mmu")),
        threaded(f"v{version}-re@b", root, reply),
    ]


class MessageId(Revision):
    def setUp(self) -> None:
        super().setUp()
        self.healthy("b4")
        self.archive = MailArchive(
            [
                *_mails(1, "int one; int fails_gives_pages_back;", "int two;"),
                *_mails(2, "int one;", "int two; int fails_short_altmap;"),
            ]
        )
        self.addCleanup(self.archive.close)
        (self.top / ".gitconfig").write_text(self.archive.config)

    def test_the_version_before_is_found(self) -> None:
        ran = self.revision("v2-2@b")
        self.assertEqual([2], [f["patch"] for f in self.faults(ran)])
        self.assertIn("Revision: The thing (2 patches)", ran.stdout)
        self.assertIn("comparing with v1", ran.stderr)
        changes = self.document()["against"]["changes"]["4k"]
        self.assertEqual(["vmem_altmap.gives_pages_back"], changes["fixed"])

    def test_an_old_version(self) -> None:
        ran = self.revision(f"{self.archive.url}v1-0@b/T/#u")
        self.assertEqual([1], [f["patch"] for f in self.faults(ran)])
        self.assertEqual("patches/series", self.document()["against"]["source"])

    def test_two_versions_by_name(self) -> None:
        ran = self.revision("<v1-1@b>", AGAINST="v2-1@b")
        self.assertEqual([1], [f["patch"] for f in self.faults(ran)])
        changes = self.document()["against"]["changes"]["4k"]
        self.assertEqual(["vmem_altmap.gives_pages_back"], changes["broken"])

    def test_a_message_that_is_not_there(self) -> None:
        ran = self.revision("v3-0@b")
        self.assert_error(ran, 2, "v3-0@b", "b4.midmask")

    def test_an_archive_that_cannot_be_reached(self) -> None:
        self.archive.close()
        self.assert_error(self.revision("v2-0@b"), 2, "v2-0@b", "b4.midmask")

    def test_versions_in_an_mbox(self) -> None:
        both = self.mbox(*self.archive.mails)
        self.assertEqual([2], [f["patch"] for f in self.faults(self.revision(both))])
        changes = self.document()["against"]["changes"]["4k"]
        self.assertEqual(["vmem_altmap.gives_pages_back"], changes["fixed"])
        self.assertEqual([], self.archive.asked)

# SPDX-License-Identifier: GPL-2.0
"""The style that the HTML pages share, for light and dark mode."""

from html import escape

from harness.kernel.finding import Status

_STYLE = """
:root { color-scheme: light dark; --fg: #1b1f24; --soft: #57606a; --bg: #fff; --box: #f4f5f3;
--line: #c9ced4; --passed: #b7e1b0; --failed: #f2a19b; --skipped: #e4e4dc; --shaky: #f6cf8b;
--bad: #b3261e; --good: #1a7f37 }
@media (prefers-color-scheme: dark) { :root { --fg: #e4e7ea; --soft: #9aa4ae; --bg: #14171a;
--box: #1f2428; --line: #3d444b; --passed: #1e4d2a; --failed: #7d2a26; --skipped: #34393e;
--shaky: #6b4a12; --bad: #ff8a80; --good: #6fdc8c } }
body { font: 15px/1.5 sans-serif; margin: 1.5em auto; max-width: 75em; padding: 0 1em;
color: var(--fg); background: var(--bg) }
h1 { font-size: 1.5em; line-height: 1.25; margin: 0 0 .2em } h1.fault { color: var(--bad) }
h1.good { color: var(--good) }
.list td { text-align: left; padding: .2em .8em .2em 0; vertical-align: top }
.list td.fault a { color: var(--bad) } .list td.good a { color: var(--good) }
.soft { color: var(--soft) } a { color: inherit }
pre { background: var(--box); padding: .8em; overflow: auto; font-size: 12.5px }
.cause { border-left: 4px solid var(--bad); padding: .1em 0 .1em 1em; margin: 1em 0 }
.cause h3 { margin: 0; font-size: 1.05em } .cause pre { margin: .4em 0 }
.wide { overflow: auto; max-height: 90vh } summary { cursor: pointer; font-weight: bold }
table { border-collapse: collapse; font-size: 13px }
th { text-align: left; font-weight: normal; vertical-align: bottom; padding: .2em .5em }
thead th { position: sticky; top: 0; background: var(--bg); border-bottom: 1px solid var(--line) }
tbody th { position: sticky; left: 0; background: var(--bg) }
td { text-align: center; border: 1px solid var(--bg); padding: 0 }
td a { display: block; padding: .1em .6em; text-decoration: none }
.mutants .caught { background: var(--passed) } .mutants .missed { background: var(--failed) }
.passed { background: var(--passed) } .failed { background: var(--failed) }
.skipped { background: var(--skipped) } .missing, .flaky { background: var(--shaky) }
.none { background: var(--box); color: var(--soft) }
td.failed.fault a, td.missing.fault a { font-weight: bold; outline: 2px solid var(--bad);
outline-offset: -2px }
#only:checked ~ .wide tr.fine { display: none }
.cause { overflow-wrap: anywhere } .cause pre { white-space: pre-wrap }
@media (max-width: 600px) { tbody th { max-width: 11em; overflow-wrap: anywhere; font-size: 11px } }
.log { display: none } .log:target { display: block; position: fixed; inset: 6% 4%;
overflow: auto; background: var(--bg); border: 1px solid var(--soft); padding: 1em 1.5em;
box-shadow: 0 0 4em #0008 } .close { float: right }
"""

_MARK = {
    Status.PASSED.value: "ok",
    Status.FAILED.value: "FAIL",
    Status.SKIPPED.value: "skip",
    Status.MISSING.value: "none",
    Status.FLAKY.value: "flaky",
}


def head(title: str, refresh: int = 0) -> str:
    """Return the head of a page, which reloads itself after refresh seconds unless that is 0."""
    again = f'<meta http-equiv="refresh" content="{refresh}">\n' if refresh else ""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"{again}<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
    )


def mark(status: str) -> str:
    """Return the text of the cell of a case with that status."""
    return _MARK.get(status, "-")

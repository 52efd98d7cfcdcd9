# SPDX-License-Identifier: GPL-2.0
"""Run a main function and turn its errors into messages and an exit status."""

import os
import signal
import sys
from collections.abc import Callable

from harness.base import errors, signals
from harness.base.console import paint, say
from harness.base.errors import ExitStatus, KunitError


def main_guard(main: Callable[[list[str]], int], argv: list[str]) -> int:
    """Call a program's main function. Print expected errors as messages.

    Returns the exit status: main's own, that of a KunitError, or 128 plus the signal's number
    after an interruption.
    """
    signals.catch_signals()
    try:
        return main(argv)
    except KunitError as error:
        show(error)
        return int(error.status)
    except signals.Interrupted as interruption:
        say("interrupted" + ("; the next run continues from here" * interruption.is_kept))
        return 128 + interruption.signum
    except BrokenPipeError:
        # The reader of our output ended, as in "| head".
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except OSError as error:
        show(errors.of_system(error))
        return int(ExitStatus.ERROR)


def show(error: KunitError) -> None:
    """Print an error on stderr."""
    print(str(error).replace("error:", paint("error:", "red", sys.stderr), 1), file=sys.stderr)

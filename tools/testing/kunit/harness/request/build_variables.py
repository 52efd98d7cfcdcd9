# SPDX-License-Identifier: GPL-2.0
"""The variables that make, the compilers and the kernel's build read."""

import re

# Environment variables that affect a kernel build: those that a tool reads, or that a
# Makefile of the kernel reads without setting them first.
BUILD_VARIABLES = re.compile(
    # make, kbuild and Kconfig
    r"MAKEFILES|\w*FLAGS(_\w+)?|ARCH|CROSS_COMPILE(_\w+)?|LLVM(_\w+)?|LOCALVERSION"
    r"|K(BUILD|CONFIG)_\w+|CONFIG_\w*|KALLSYMS_\w+|(KASAN|KCSAN|KMSAN|UBSAN|KCOV|GCOV)_\w+"
    # The kernel's Makefile sets these, but GNUMAKEFLAGS may make the environment override it.
    r"|(HOST)?(CC|CXX|LD|AR)|CPP|NM|OBJCOPY|OBJDUMP|READELF|STRIP|HOSTLDLIBS"
    # Debian's kernel adds these to its version.
    r"|DISTRIBUT(OR|ION_\w+)"
    # gcc, clang, ld
    r"|CPATH|\w+_INCLUDE_PATH|(COMPILER|LIBRARY)_PATH|GCC_\w+|COLLECT_\w+|CCC_\w+"
    r"|SOURCE_DATE_EPOCH|LDEMULATION|GNUTARGET|LD_\w+"
    # The language of messages in the logs.
    r"|LANG|LANGUAGE|LC_\w+"
)
# Other variables of make and of the Makefiles. They do not change the built kernel.
_ALSO_OF_BUILD = re.compile(
    r"MAKE\w*|MFLAGS|SHELL|PYTHON|PATH|CF|CHECK|[WVC]|CCACHE_\w+|PAHOLE|RUSTC"
)


def is_of_build(name: str) -> bool:
    """Whether make, a compiler or the kernel's build reads a variable."""
    return any(p.fullmatch(name) for p in (BUILD_VARIABLES, _ALSO_OF_BUILD))

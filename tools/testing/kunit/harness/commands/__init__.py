# SPDX-License-Identifier: GPL-2.0
"""One module a command; nobody imports them but the dispatcher."""

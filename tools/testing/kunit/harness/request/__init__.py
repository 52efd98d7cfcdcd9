# SPDX-License-Identifier: GPL-2.0
"""Options and variables of the user. Reading them touches neither disk nor network."""

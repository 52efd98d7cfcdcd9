# SPDX-License-Identifier: GPL-2.0
"""Many kernels, tested in shards."""

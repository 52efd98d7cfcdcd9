/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a memmap is backed by, page by page, as lines in the log of a test.
 *
 * A map is one line "begin", one for each run, and one line "end"; each
 * is a diagnostic of the test that draws it:
 *
 *   origin-map: begin page=4096 pfn=0x5e000 pages=67072 offered=0x5e003+1560
 *   origin-map: run at=0 pages=1024 leaf=2097152 from=device pfn=0x5e200
 *   origin-map: end pages=1048 tables=1
 *
 * begin: the page size, the device's first page frame, how many it has, and
 * which of them it offers for the memmap. run: base pages' worth of memmap, the
 * first of them counted from the memmap's start, mapped by leaves of that size,
 * all in consecutive page frames of the same origin: "device", "ram", or
 * "hole" if they are not mapped. end: how large the memmap is, and page-table
 * pages that were added for it. tools/testing/kunit/harness/originmap/draw.py draws it.
 */
#ifndef _MM_TESTS_ORIGIN_MAP_H
#define _MM_TESTS_ORIGIN_MAP_H

#include "fake_dev.h"

unsigned long origin_map_print(struct kunit *test, const struct fake_dev *dev,
			       unsigned long nr, const struct vmem_altmap *altmap);

#endif /* _MM_TESTS_ORIGIN_MAP_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Prints the memory that backs each page of a memmap to the log of a test.
 *
 * A map has one line "begin", one line for each run, and one line "end". Each is a
 * diagnostic of the test that prints it:
 *
 *   origin-map: begin page=4096 pfn=0x5e000 pages=67072 offered=0x5e003+1560
 *   origin-map: run at=0 pages=1024 leaf=2097152 from=device pfn=0x5e200
 *   origin-map: end pages=1048 tables=1
 *
 * begin: the page size, the first page frame of the device, how many page frames it has,
 *     and which of them it offers for the memmap.
 * run: the index of the first page of the memmap in the run, and the number of pages. All
 *     are mapped by leaves of the same size, to consecutive page frames of the same
 *     origin: "device", "ram", or "hole" if they are not mapped.
 * end: the size of the memmap, and the page-table pages that were added for it.
 */
#ifndef _MM_TESTS_ORIGIN_MAP_H
#define _MM_TESTS_ORIGIN_MAP_H

#include "fake_dev.h"

unsigned long origin_map_print(struct kunit *test, const struct fake_dev *dev,
			       unsigned long nr, const struct vmem_altmap *altmap);

#endif /* _MM_TESTS_ORIGIN_MAP_H */

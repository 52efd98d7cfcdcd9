/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The oracle: what the kernel's page tables say of a vmemmap address, read
 * entry by entry and by no function that the suites test.
 */
#ifndef _MM_TESTS_VMEMMAP_WALK_H
#define _MM_TESTS_VMEMMAP_WALK_H

#include <linux/types.h>

/**
 * enum walk_level - where a walk ended
 * @WALK_PGD: at the top
 * @WALK_P4D: one down
 * @WALK_PUD: two down
 * @WALK_PMD: three down; a leaf here is a block
 * @WALK_PTE: at the bottom; a leaf here is a base page
 * @WALK_LEVELS: how many there are
 */
enum walk_level {
	WALK_PGD,
	WALK_P4D,
	WALK_PUD,
	WALK_PMD,
	WALK_PTE,
	WALK_LEVELS,
};

/**
 * struct vmemmap_walk - the mapping of one address
 * @level: where the walk ended
 * @leaf: it ended at a leaf; else there is a hole at @level
 * @pfn: the page frame that the leaf begins with
 * @size: what the leaf maps, in bytes
 * @desc: the leaf's raw descriptor
 * @table: the page that holds the entry for each level that was looked at, or
 *	NULL where the level is folded; the root table counts as %WALK_PGD
 */
struct vmemmap_walk {
	enum walk_level level;
	bool leaf;
	unsigned long pfn;
	unsigned long size;
	u64 desc;
	void *table[WALK_LEVELS];
};

/**
 * struct vmemmap_census - what a range of addresses is mapped with
 * @pages: base pages
 * @blocks: PMD-sized leaves
 * @huge: leaves larger than that, which no vmemmap should have
 * @holes: base pages' worth of addresses that are not mapped
 * @device: base pages' worth of frames inside the device
 * @tables: table pages below the root that serve the range, in all
 * @empty_tables: those of them that have no entry at all
 * @level_tables: the same by level
 */
struct vmemmap_census {
	unsigned long pages;
	unsigned long blocks;
	unsigned long huge;
	unsigned long holes;
	unsigned long device;
	unsigned long tables;
	unsigned long empty_tables;
	unsigned long level_tables[WALK_LEVELS];
};

const char *walk_level_name(enum walk_level level);
void vmemmap_walk(unsigned long addr, struct vmemmap_walk *walk);
void vmemmap_census(unsigned long start, unsigned long end,
		    unsigned long dev_pfn, unsigned long dev_nr,
		    struct vmemmap_census *census);

#endif /* _MM_TESTS_VMEMMAP_WALK_H */

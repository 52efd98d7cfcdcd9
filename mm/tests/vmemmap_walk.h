/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A walk of the kernel's page tables, entry by entry, that uses no function under
 * test. The suites compare its results with what they expect.
 */
#ifndef _MM_TESTS_VMEMMAP_WALK_H
#define _MM_TESTS_VMEMMAP_WALK_H

#include <linux/pgtable.h>
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
 * @entry: the last entry on the way
 * @table: the table that holds the entry of each level on the way, or NULL if the level
 *	is folded; of the root table, the page
 */
struct vmemmap_walk {
	enum walk_level level;
	bool leaf;
	unsigned long pfn;
	unsigned long size;
	u64 desc;
	void *entry;
	void *table[WALK_LEVELS];
};

/**
 * struct vmemmap_census - counts of the entries and tables that map a range
 * @pages: base pages
 * @blocks: PMD-sized leaves
 * @huge: leaves larger than that, which no vmemmap should have
 * @holes: base pages' worth of addresses that are not mapped
 * @device: base pages' worth of frames inside the device
 * @tables: page tables of the range below the root, in total
 * @empty_tables: those of them that have no entry
 * @level_tables: @tables by level
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

/**
 * vmemmap_has_generic_tables() - check whether generic code can make tables of the memmap
 *
 * vmemmap_populate_basepages() takes a table that is zero for an empty one. s390, whose empty
 * entries are not zero, has a function of its own instead.
 *
 * Return: true if it can.
 */
static inline bool vmemmap_has_generic_tables(void)
{
	return pte_none(__pte(0));
}

const char *walk_level_name(enum walk_level level);
void vmemmap_walk(unsigned long addr, struct vmemmap_walk *walk);
unsigned long vmemmap_frame(unsigned long addr);
void vmemmap_census(unsigned long start, unsigned long end,
		    unsigned long dev_pfn, unsigned long dev_nr,
		    struct vmemmap_census *census);

#endif /* _MM_TESTS_VMEMMAP_WALK_H */

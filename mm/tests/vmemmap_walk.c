// SPDX-License-Identifier: GPL-2.0-only
/*
 * A page-table walk that is independent of the code under test: see vmemmap_walk.h.
 *
 * Each entry is read once. Its address gives the table that holds it.
 */
#include <linux/align.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/string.h>

#include "vmemmap_walk.h"

/**
 * walk_level_name() - get the name of a level, for messages
 * @level: a level
 *
 * Return: its name.
 */
const char *walk_level_name(enum walk_level level)
{
	static const char * const name[] = { "PGD", "P4D", "PUD", "PMD", "PTE" };

	return name[level];
}

/* The entries of a table below the root. It can be smaller or larger than a page. */
static unsigned int nr_entries(enum walk_level level)
{
	/* Some architectures compute them at run time. */
	const unsigned int nr[] = {
		[WALK_P4D] = PTRS_PER_P4D,
		[WALK_PUD] = PTRS_PER_PUD,
		[WALK_PMD] = PTRS_PER_PMD,
		[WALK_PTE] = PTRS_PER_PTE,
	};

	return nr[level];
}

static void enter(struct vmemmap_walk *walk, enum walk_level level, void *entry)
{
	unsigned long size = level == WALK_PGD ? PAGE_SIZE : nr_entries(level) * sizeof(pte_t);
	void *table = PTR_ALIGN_DOWN(entry, size);
	enum walk_level up;

	walk->level = level;
	/* A folded level has the entry of the level above, or at least its table. */
	if (entry == walk->entry)
		return;
	walk->entry = entry;
	for (up = WALK_PGD; up < level; up++)
		if (walk->table[up] == table)
			return;
	walk->table[level] = table;
}

static void found(struct vmemmap_walk *walk, unsigned long pfn,
		  unsigned long size, u64 desc)
{
	walk->leaf = true;
	walk->pfn = pfn;
	walk->size = size;
	walk->desc = desc;
}

/**
 * vmemmap_walk() - look up one kernel address
 * @addr: the address
 * @walk: what was found
 *
 * Context: Nothing else may change the tables on the way. Either the caller owns the
 *	range and its tables are populated, or it holds the memory hot-plug lock.
 */
void vmemmap_walk(unsigned long addr, struct vmemmap_walk *walk)
{
	pgd_t *pgdp = pgd_offset_k(addr);
	p4d_t *p4dp, p4d;
	pud_t *pudp, pud;
	pmd_t *pmdp, pmd;
	pte_t *ptep, pte;

	memset(walk, 0, sizeof(*walk));

	enter(walk, WALK_PGD, pgdp);
	if (pgd_none(READ_ONCE(*pgdp)))
		return;

	p4dp = p4d_offset(pgdp, addr);
	enter(walk, WALK_P4D, p4dp);
	p4d = READ_ONCE(*p4dp);
	if (p4d_none(p4d))
		return;
	if (p4d_leaf(p4d)) {
		found(walk, 0, P4D_SIZE, p4d_val(p4d));
		return;
	}

	pudp = pud_offset(p4dp, addr);
	enter(walk, WALK_PUD, pudp);
	pud = READ_ONCE(*pudp);
	if (pud_none(pud))
		return;
	if (pud_leaf(pud)) {
		found(walk, pud_pfn(pud), PUD_SIZE, pud_val(pud));
		return;
	}

	pmdp = pmd_offset(pudp, addr);
	enter(walk, WALK_PMD, pmdp);
	pmd = READ_ONCE(*pmdp);
	if (pmd_none(pmd))
		return;
	if (pmd_leaf(pmd)) {
		found(walk, pmd_pfn(pmd), PMD_SIZE, pmd_val(pmd));
		return;
	}

	ptep = pte_offset_kernel(pmdp, addr);
	enter(walk, WALK_PTE, ptep);
	pte = ptep_get(ptep);
	if (!pte_none(pte))
		found(walk, pte_pfn(pte), PAGE_SIZE, pte_val(pte));
}

/**
 * vmemmap_frame() - look up the page frame behind one kernel address
 * @addr: the address
 *
 * Context: As for vmemmap_walk().
 * Return: the page frame, or 0 if the address is not mapped.
 */
unsigned long vmemmap_frame(unsigned long addr)
{
	struct vmemmap_walk walk;

	vmemmap_walk(addr, &walk);
	return walk.leaf ? walk.pfn + (addr & (walk.size - 1)) / PAGE_SIZE : 0;
}

/* The memory that an entry of this level maps. */
static unsigned long entry_size(enum walk_level level)
{
	/* Some architectures compute them at run time. */
	const unsigned long size[] = {
		PGDIR_SIZE, P4D_SIZE, PUD_SIZE, PMD_SIZE, PAGE_SIZE,
	};

	return size[level];
}

static bool is_none(const void *table, enum walk_level level, unsigned int i)
{
	switch (level) {
	case WALK_P4D:
		return p4d_none(READ_ONCE(((p4d_t *)table)[i]));
	case WALK_PUD:
		return pud_none(READ_ONCE(((pud_t *)table)[i]));
	case WALK_PMD:
		return pmd_none(READ_ONCE(((pmd_t *)table)[i]));
	default:
		return pte_none(READ_ONCE(((pte_t *)table)[i]));
	}
}

static bool is_empty(const void *table, enum walk_level level)
{
	unsigned int i;

	for (i = 0; i < nr_entries(level); i++)
		if (!is_none(table, level, i))
			return false;
	return true;
}

/* Count each table once. The addresses of the walks ascend. */
static void count_tables(struct vmemmap_census *census, const struct vmemmap_walk *walk,
			 void **seen)
{
	enum walk_level level;

	for (level = WALK_P4D; level < WALK_LEVELS; level++) {
		if (!walk->table[level] || walk->table[level] == seen[level])
			continue;
		seen[level] = walk->table[level];
		census->level_tables[level]++;
		census->tables++;
		if (is_empty(walk->table[level], level))
			census->empty_tables++;
	}
}

/**
 * vmemmap_census() - count the entries and page tables that map a range
 * @start: first address, a multiple of PAGE_SIZE
 * @end: the address after the last, likewise
 * @dev_pfn: the device's first page frame
 * @dev_nr: how many page frames the device has
 * @census: the counts
 *
 * Context: Process context, may sleep. Takes the memory hot-plug lock.
 */
void vmemmap_census(unsigned long start, unsigned long end,
		    unsigned long dev_pfn, unsigned long dev_nr,
		    struct vmemmap_census *census)
{
	unsigned long addr, next, size, first, last;
	void *seen[WALK_LEVELS] = { };
	struct vmemmap_walk walk;

	memset(census, 0, sizeof(*census));
	get_online_mems();
	for (addr = start; addr < end; addr = next) {
		vmemmap_walk(addr, &walk);
		count_tables(census, &walk, seen);

		size = walk.leaf ? walk.size : entry_size(walk.level);
		next = (addr | (size - 1)) + 1;
		if (!next || next > end)
			next = end;
		if (!walk.leaf) {
			census->holes += (next - addr) >> PAGE_SHIFT;
			continue;
		}
		first = walk.pfn + ((addr & (size - 1)) >> PAGE_SHIFT);
		last = min(first + ((next - addr) >> PAGE_SHIFT), dev_pfn + dev_nr);
		first = max(first, dev_pfn);
		if (first < last)
			census->device += last - first;
		if (size == PAGE_SIZE)
			census->pages++;
		else
			*(size == PMD_SIZE ? &census->blocks : &census->huge) += 1;
	}
	put_online_mems();
}

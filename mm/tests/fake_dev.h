/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device whose memory does not have a memmap yet.
 *
 * Its page frames are claimed in iomem_resource. They have no section, and the
 * kernel uses no memory there. Most tests only build page tables for the memmap
 * and never access the memory, which need not exist. Tests that access it get the
 * memory that the command line sets aside: vmemmap_kunit.memory=SIZE@ADDRESS.
 */
#ifndef _MM_TESTS_FAKE_DEV_H
#define _MM_TESTS_FAKE_DEV_H

#include <kunit/test.h>
#include <linux/ioport.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/nodemask.h>

#include "vmemmap_walk.h"

/**
 * struct fake_dev - the device
 * @res: the claim on its physical addresses
 * @pfn: its first page frame, the first one of a section
 * @nr: how many page frames it has, whole sections
 * @tables: page-table pages that existed for its memmap before the test
 * @free_takes_altmap: this kernel's vmemmap_free() returns pages to an altmap.
 *	Otherwise, pages of the device that it frees go to the page allocator.
 * @abandoned: do not clean it up
 */
struct fake_dev {
	struct resource res;
	unsigned long pfn;
	unsigned long nr;
	unsigned long tables;
	bool free_takes_altmap;
	bool abandoned;
};

/**
 * struct fake_dev_linear - counts of the device's linear mapping
 * @mapped: pages that are mapped, to any page frame
 * @empty_tables: page-table pages without an entry
 */
struct fake_dev_linear {
	unsigned long mapped;
	unsigned long empty_tables;
};

struct fake_dev *fake_dev_get(struct kunit *test, unsigned long nr_sections,
			      unsigned long align_sections);
struct fake_dev *fake_dev_get_far_across(struct kunit *test, u64 size);
struct fake_dev *fake_dev_get_at(struct kunit *test, unsigned long pfn);
struct fake_dev *fake_dev_get_memory(struct kunit *test,
				     unsigned long nr_sections);
struct fake_dev *fake_dev_claim_memory(struct kunit *test, unsigned long nr,
				       unsigned long align);
struct fake_dev *fake_dev_get_across(struct kunit *test, unsigned long nr_sections,
				     unsigned long size);
struct fake_dev *fake_dev_get_after(struct kunit *test, const struct fake_dev *other,
				    unsigned long nr_sections);
struct fake_dev *fake_dev_get_tail(struct kunit *test, unsigned long nr_sections);
unsigned long fake_dev_memory_sections(void);
void fake_dev_abandon(struct fake_dev *dev);
void fake_dev_clear(const struct fake_dev *dev, unsigned long start,
		    unsigned long end);
void fake_dev_unmap(const struct fake_dev *dev, unsigned long start,
		    unsigned long end);
struct vmemmap_census fake_dev_census(const struct fake_dev *dev);
struct fake_dev_linear fake_dev_linear(const struct fake_dev *dev);
void fake_dev_expect_unmapped(struct kunit *test, struct fake_dev *dev, const char *after);
unsigned long free_ram_pages(void);

#ifdef CONFIG_ARM64
/* Check that no slot of the fixmap maps a page table. Only arm64 maps tables there. */
void fixmap_expect_no_table(struct kunit *test, const char *after);
#else
static inline void fixmap_expect_no_table(struct kunit *test, const char *after)
{
}
#endif

/**
 * test_nid() - the node that the tests add memory to
 *
 * With several nodes, it is another node than that of the first CPU, so that code which
 * does not pass it on uses a wrong one.
 *
 * Return: the last node that has memory.
 */
static inline int test_nid(void)
{
	int nid, last = 0;

	for_each_node_state(nid, N_MEMORY)
		last = nid;
	return last;
}

/**
 * free_ram_is_exact() - check whether free_ram_pages() counts freed memory at once
 *
 * KASAN keeps freed objects in quarantine, and stores a trace of each new caller for good.
 *
 * Return: true if it does.
 */
static inline bool free_ram_is_exact(void)
{
	return !IS_ENABLED(CONFIG_KASAN);
}

/**
 * struct fake_altmap - pages of a device; members that are not named are zero
 * @skip: pages at its start that do not belong to the altmap
 * @reserve: pages after those that the driver keeps
 * @free: pages after those that the altmap offers
 */
struct fake_altmap {
	unsigned long skip;
	unsigned long reserve;
	unsigned long free;
};

static inline struct vmem_altmap fake_dev_altmap(const struct fake_dev *dev,
						 struct fake_altmap pages)
{
	return (struct vmem_altmap) {
		.base_pfn = dev->pfn + pages.skip,
		.end_pfn = dev->pfn + dev->nr - 1,
		.reserve = pages.reserve,
		.free = pages.free,
	};
}

/**
 * FAKE_ALTMAP() - an altmap of a device, with nothing allocated
 * @dev: the device
 * @...: members of struct fake_altmap, by name
 *
 * Return: the altmap.
 */
#define FAKE_ALTMAP(dev, ...) \
	fake_dev_altmap(dev, (struct fake_altmap) { __VA_ARGS__ })

/**
 * fake_dev_memmap() - get the address of a struct page of the device
 * @dev: the device
 * @index: the index of the page in the device
 *
 * Return: the address in the vmemmap.
 */
static inline unsigned long fake_dev_memmap(const struct fake_dev *dev,
					    unsigned long index)
{
	return (unsigned long)pfn_to_page(dev->pfn + index);
}

/**
 * fake_dev_has() - check whether a page frame belongs to the device
 * @dev: the device
 * @pfn: the page frame
 *
 * Return: true if it does.
 */
static inline bool fake_dev_has(const struct fake_dev *dev, unsigned long pfn)
{
	return pfn >= dev->pfn && pfn - dev->pfn < dev->nr;
}

#endif /* _MM_TESTS_FAKE_DEV_H */

// SPDX-License-Identifier: GPL-2.0-only
/*
 * memremap_pages(), as drivers call it, for a device that offers some of its own
 * pages for its memmap.
 *
 * Documentation/mm/vmemmap_altmap.rst states the rules. The cases cite them as
 * E1, E2 and so on.
 */
#include <kunit/test.h>
#include <linux/kasan.h>
#include <linux/memory_hotplug.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>

#include "fake_dev.h"
#include "origin_map.h"
#include "vmemmap_adapt.h"
#include "warn_log.h"

/* With two sections, the memmap of one lies in the other. */
#define NR_SECTIONS	2
#define MEMMAP_PAGES	(NR_SECTIONS * PAGES_PER_SECTION * sizeof(struct page) / PAGE_SIZE)
/* Pages that the driver reserves, so that blocks need alignment. */
#define RESERVE		3
/* Enough pages for the memmap, and to align a block. */
#define OFFERED		(MEMMAP_PAGES + PMD_SIZE / PAGE_SIZE)

/*
 * @nr: page frames of @dev that are mapped, by default all of them
 * @offered: how many of them are offered for the memmap
 */
struct mapped_dev {
	struct fake_dev *dev;
	unsigned long nr;
	unsigned long offered;
	struct dev_pagemap pgmap;
	void *addr;
};

static void unmap_dev(struct mapped_dev *mapped)
{
	if (!mapped->addr)
		return;
	memunmap_pages(&mapped->pgmap);
	mapped->addr = NULL;
}

static void unmap_dev_action(void *data)
{
	unmap_dev(data);
}

static int map_dev(struct kunit *test, struct mapped_dev *mapped)
{
	struct vmem_altmap altmap = FAKE_ALTMAP(mapped->dev, .reserve = RESERVE,
						.free = mapped->offered);
	void *addr;

	memset(&mapped->pgmap, 0, sizeof(mapped->pgmap));
	mapped->pgmap.type = MEMORY_DEVICE_GENERIC;
	mapped->pgmap.flags = PGMAP_ALTMAP_VALID;
	mapped->pgmap.nr_range = 1;
	mapped->pgmap.range.start = mapped->dev->res.start;
	mapped->pgmap.range.end = mapped->dev->res.start + PFN_PHYS(mapped->nr) - 1;
	memcpy(&mapped->pgmap.altmap, &altmap, sizeof(altmap));

	KUNIT_EXPECT_NO_WARN(test, addr = memremap_pages(&mapped->pgmap, test_nid()));
	if (IS_ERR(addr))
		return PTR_ERR(addr);
	mapped->addr = addr;
	return 0;
}

static struct mapped_dev *get_sections(struct kunit *test, unsigned long nr_sections)
{
	struct mapped_dev *mapped = kunit_kzalloc(test, sizeof(*mapped), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, mapped);
	mapped->dev = fake_dev_get_memory(test, nr_sections);
	mapped->nr = mapped->dev->nr;
	mapped->offered = OFFERED - OFFERED % 2;
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, unmap_dev_action,
							   mapped));
	return mapped;
}

static struct mapped_dev *get_dev(struct kunit *test)
{
	return get_sections(test, NR_SECTIONS);
}

/* The first page frame after the reserved and the offered pages. */
static unsigned long first_data_pfn(const struct mapped_dev *mapped)
{
	return mapped->dev->pfn + RESERVE + mapped->offered;
}

static struct vmemmap_census linear_census(const struct fake_dev *dev)
{
	struct vmemmap_census census;

	vmemmap_census((unsigned long)__va(PFN_PHYS(dev->pfn)),
		       (unsigned long)__va(PFN_PHYS(dev->pfn + dev->nr)),
		       dev->pfn, dev->nr, &census);
	return census;
}

#if defined(CONFIG_KASAN_GENERIC) || defined(CONFIG_KASAN_SW_TAGS)
/* Count the entries and tables that map KASAN's shadow of the device. */
static struct vmemmap_census shadow_census(const struct fake_dev *dev)
{
	struct vmemmap_census census;

	vmemmap_census((unsigned long)kasan_mem_to_shadow(__va(PFN_PHYS(dev->pfn))),
		       (unsigned long)kasan_mem_to_shadow(__va(PFN_PHYS(dev->pfn + dev->nr))),
		       dev->pfn, dev->nr, &census);
	return census;
}
#else
static struct vmemmap_census shadow_census(const struct fake_dev *dev)
{
	return (struct vmemmap_census) {};
}
#endif

/* E1: each struct page of the device lies in the pages that the device offers. */
static void memremap_pages_memmap_lies_in_device(struct kunit *test)
{
	struct mapped_dev *mapped = get_dev(test);
	struct fake_dev *dev = mapped->dev;
	unsigned long first = dev->pfn + RESERVE;
	unsigned long end = fake_dev_memmap(dev, dev->nr);
	struct vmemmap_walk walk;
	unsigned long addr;

	KUNIT_ASSERT_EQ(test, map_dev(test, mapped), 0);
	for (addr = fake_dev_memmap(dev, 0); addr < end; addr += PAGE_SIZE) {
		vmemmap_walk(addr, &walk);
		KUNIT_ASSERT_TRUE_MSG(test, walk.leaf, "%#lx: hole at level %s",
				      addr, walk_level_name(walk.level));
		KUNIT_ASSERT_TRUE_MSG(test, walk.pfn >= first &&
				      walk.pfn < first_data_pfn(mapped),
				      "%#lx lies in page frame %#lx, not in [%#lx, %#lx) as offered",
				      addr, walk.pfn, first, first_data_pfn(mapped));
	}
	KUNIT_EXPECT_EQ(test, mapped->pgmap.altmap.alloc, MEMMAP_PAGES);
}

/* E3: the device's other pages can be written, and keep their contents. */
static void memremap_pages_data_can_be_written(struct kunit *test)
{
	struct mapped_dev *mapped = get_dev(test);
	unsigned long pfn, end = mapped->dev->pfn + mapped->dev->nr;
	/* Use every 61st page only, to save time: 61 is prime, so all alignments occur. */
	const unsigned long step = 61;

	KUNIT_ASSERT_EQ(test, map_dev(test, mapped), 0);
	for (pfn = first_data_pfn(mapped); pfn < end; pfn += step)
		*(u64 *)page_address(pfn_to_page(pfn)) = pfn;
	for (pfn = first_data_pfn(mapped); pfn < end; pfn += step) {
		struct page *page = pfn_to_page(pfn);

		KUNIT_ASSERT_EQ_MSG(test, *(u64 *)page_address(page), (u64)pfn,
				    "contents of page frame %#lx", pfn);
		KUNIT_ASSERT_PTR_EQ_MSG(test, adapt_page_pgmap(page), &mapped->pgmap,
					"device of page frame %#lx, after the data were written",
					pfn);
	}
}

/*
 * E4: system RAM is used only for page tables, including those of the linear
 * mapping. The first tries may make one-time allocations, such as a new slab.
 */
static void memremap_pages_spends_ram_on_tables_only(struct kunit *test)
{
	struct mapped_dev *mapped = get_dev(test);
	struct fake_dev *dev = mapped->dev;
	unsigned long before, during, tables = 0;
	unsigned long linear = linear_census(dev).tables;
	int try;

	for (try = 0; try < 8; try++) {
		before = free_ram_pages();
		KUNIT_ASSERT_EQ(test, map_dev(test, mapped), 0);
		during = free_ram_pages();
		tables = fake_dev_census(dev).tables - dev->tables +
			 linear_census(dev).tables - linear;
		unmap_dev(mapped);
		if (before - during == tables)
			break;
	}
	KUNIT_EXPECT_EQ_MSG(test, before - during, tables,
			    "pages of system RAM for %lu pages of memmap, against page tables",
			    MEMMAP_PAGES);
}

/* E5: memunmap_pages() leaves no mapping, page table or section behind. */
static void memunmap_pages_leaves_nothing_behind(struct kunit *test)
{
	struct mapped_dev *mapped = get_dev(test);
	struct fake_dev *dev = mapped->dev;
	struct vmemmap_census shadow = shadow_census(dev), after;
	unsigned long i;

	KUNIT_ASSERT_EQ(test, map_dev(test, mapped), 0);
	KUNIT_EXPECT_EQ(test, fake_dev_census(dev).device, MEMMAP_PAGES);
	unmap_dev(mapped);

	KUNIT_EXPECT_EQ_MSG(test, mapped->pgmap.altmap.alloc, 0,
			    "pages still allocated");
	after = fake_dev_census(dev);
	KUNIT_EXPECT_EQ_MSG(test, after.holes, MEMMAP_PAGES,
			    "unmapped pages of the memmap");
	KUNIT_EXPECT_EQ_MSG(test, after.tables, dev->tables,
			    "page-table pages of the memmap");
	KUNIT_EXPECT_EQ_MSG(test, after.empty_tables, 0,
			    "page-table pages of the memmap without an entry");
	after = linear_census(dev);
	KUNIT_EXPECT_EQ_MSG(test, after.holes, dev->nr,
			    "unmapped pages of the linear mapping");
	KUNIT_EXPECT_EQ_MSG(test, after.empty_tables, 0,
			    "page-table pages of the linear mapping without an entry");
	after = shadow_census(dev);
	KUNIT_EXPECT_EQ_MSG(test, after.holes, shadow.holes,
			    "unmapped pages of KASAN's shadow");
	KUNIT_EXPECT_EQ_MSG(test, after.tables, shadow.tables,
			    "page-table pages of KASAN's shadow");
	for (i = 0; i < NR_SECTIONS; i++)
		KUNIT_EXPECT_FALSE_MSG(test, pfn_valid(dev->pfn + i * PAGES_PER_SECTION),
				       "page frame %#lx still has a struct page",
				       dev->pfn + i * PAGES_PER_SECTION);
}

/* E5: memunmap_pages() returns each page of system RAM. */
static void memunmap_pages_returns_ram(struct kunit *test)
{
	struct mapped_dev *mapped = get_dev(test);
	unsigned long before, after;
	int try;

	for (try = 0; try < 8; try++) {
		before = free_ram_pages();
		KUNIT_ASSERT_EQ(test, map_dev(test, mapped), 0);
		KUNIT_EXPECT_EQ(test, fake_dev_census(mapped->dev).device, MEMMAP_PAGES);
		unmap_dev(mapped);
		after = free_ram_pages();
		if (after == before)
			break;
	}
	KUNIT_EXPECT_EQ_MSG(test, after, before,
			    "free pages of system RAM, after and before");
}

/*
 * E1: print a map of the memmap. The device ends inside a section, whose memmap
 * therefore has base pages and no blocks. Each address is mapped, wherever its
 * memory comes from.
 */
static void memremap_pages_draws_origin_map(struct kunit *test)
{
	struct mapped_dev *mapped = get_sections(test, NR_SECTIONS + 1);
	/* Three subsections, or the page frames whose memmap fills three pages. */
	unsigned long tail = 3 * max_t(unsigned long, PAGES_PER_SUBSECTION,
				       PAGE_SIZE / sizeof(struct page));

	mapped->nr = NR_SECTIONS * PAGES_PER_SECTION + tail;
	mapped->offered += tail * sizeof(struct page) / PAGE_SIZE;
	KUNIT_ASSERT_EQ(test, map_dev(test, mapped), 0);
	KUNIT_EXPECT_EQ_MSG(test, 0,
			    origin_map_print(test, mapped->dev, mapped->nr,
					     &mapped->pgmap.altmap),
			    "pages of memmap that are not mapped");
}

static struct kunit_case arm64_memremap_cases[] = {
	KUNIT_CASE(memremap_pages_memmap_lies_in_device),
	KUNIT_CASE(memremap_pages_data_can_be_written),
	KUNIT_CASE(memremap_pages_spends_ram_on_tables_only),
	KUNIT_CASE(memunmap_pages_leaves_nothing_behind),
	KUNIT_CASE(memunmap_pages_returns_ram),
	KUNIT_CASE(memremap_pages_draws_origin_map),
	{}
};

static struct kunit_suite arm64_memremap_suite = {
	.name = "arm64_memremap",
	.test_cases = arm64_memremap_cases,
};

kunit_test_suite(arm64_memremap_suite);

MODULE_DESCRIPTION("KUnit tests for memremap_pages() with an altmap on arm64");
MODULE_LICENSE("GPL");

// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmemmap_populate_basepages() with a struct vmem_altmap: checks the page tables,
 * page by page.
 *
 * Documentation/mm/vmemmap_altmap.rst states the rules. The cases cite them as
 * B1, B2 and so on.
 */
#include <kunit/test-bug.h>
#include <kunit/test.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/pgtable.h>

#include "fake_dev.h"
#include "vmemmap_adapt.h"
#include "warn_log.h"

/* Enough pages to see their order, and few enough for any section. */
#define NR	6

static int populate(unsigned long start, unsigned long nr,
		    struct vmem_altmap *altmap)
{
	int err;

	if (!vmemmap_has_generic_tables())
		kunit_skip(kunit_get_current_test(),
			   "this architecture makes its page tables itself");
	mem_hotplug_begin();
	err = adapt_populate_basepages(start, start + nr * PAGE_SIZE, 0,
				       altmap);
	mem_hotplug_done();
	return err;
}

static struct vmemmap_census census_of(const struct fake_dev *dev,
				       unsigned long start, unsigned long nr)
{
	struct vmemmap_census census;

	vmemmap_census(start, start + nr * PAGE_SIZE, dev->pfn, dev->nr, &census);
	return census;
}

/* Each page from @start on is mapped by a PTE to the page frame @pfn + i. */
static void expect_frames(struct kunit *test, unsigned long start,
			  unsigned long nr, unsigned long pfn)
{
	struct vmemmap_walk walk;
	unsigned long i;

	for (i = 0; i < nr; i++) {
		unsigned long addr = start + i * PAGE_SIZE;

		vmemmap_walk(addr, &walk);
		KUNIT_ASSERT_TRUE_MSG(test, walk.leaf && walk.level == WALK_PTE,
				      "%#lx, page %lu of %lu: %s at level %s",
				      addr, i, nr, walk.leaf ? "leaf" : "hole",
				      walk_level_name(walk.level));
		KUNIT_ASSERT_EQ_MSG(test, walk.pfn, pfn + i,
				    "page frame behind %#lx, page %lu of %lu",
				    addr, i, nr);
	}
}

/* B1: page i of the memmap lies in page i of the pages that the altmap offers. */
static void populate_basepages_maps_altmap_pages(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = NR);
	unsigned long start = fake_dev_memmap(dev, 0);

	KUNIT_EXPECT_EQ(test, populate(start, NR, &altmap), 0);
	expect_frames(test, start, NR, dev->pfn);
	KUNIT_EXPECT_EQ(test, altmap.alloc, NR);
	KUNIT_EXPECT_EQ_MSG(test, altmap.align, 0, "single pages need no alignment");
}

/* B1: these pages begin after the reserved ones. */
static void populate_basepages_respects_reserve(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .skip = 2, .reserve = 3, .free = NR);
	unsigned long start = fake_dev_memmap(dev, 0);

	KUNIT_EXPECT_EQ(test, populate(start, NR, &altmap), 0);
	expect_frames(test, start, NR, dev->pfn + 2 + 3);
}

/* B2: the protection is PAGE_KERNEL. */
static void populate_basepages_protection(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = NR);
	unsigned long start = fake_dev_memmap(dev, 0);
	struct vmemmap_walk walk;
	unsigned long i;

	KUNIT_EXPECT_EQ(test, populate(start, NR, &altmap), 0);
	for (i = 0; i < NR; i++) {
		vmemmap_walk(start + i * PAGE_SIZE, &walk);
		KUNIT_EXPECT_EQ_MSG(test, walk.desc,
				    (u64)pte_val(pfn_pte(dev->pfn + i, PAGE_KERNEL)),
				    "descriptor of %#lx: PAGE_KERNEL and page frame %#lx",
				    start + i * PAGE_SIZE, dev->pfn + i);
	}
}

/*
 * B3: an existing entry stays, and nothing is allocated for it.
 *
 *	page		 0   1   2   3   4   5
 *	before		         R   R			R: system RAM
 *	after		 D0  D1  R   R   D2  D3		D: device
 */
static void populate_basepages_keeps_present_entries(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = NR);
	unsigned long start = fake_dev_memmap(dev, 0);
	struct vmemmap_walk before[2], after;
	unsigned long i;

	KUNIT_ASSERT_EQ(test, populate(start + 2 * PAGE_SIZE, 2, NULL), 0);
	for (i = 0; i < 2; i++)
		vmemmap_walk(start + (2 + i) * PAGE_SIZE, &before[i]);

	KUNIT_EXPECT_EQ(test, populate(start, NR, &altmap), 0);
	for (i = 0; i < 2; i++) {
		vmemmap_walk(start + (2 + i) * PAGE_SIZE, &after);
		KUNIT_EXPECT_EQ_MSG(test, after.desc, before[i].desc,
				    "descriptor of %#lx, mapped already",
				    start + (2 + i) * PAGE_SIZE);
	}
	KUNIT_EXPECT_EQ(test, altmap.alloc, NR - 2);
	expect_frames(test, start, 2, dev->pfn);
	expect_frames(test, start + 4 * PAGE_SIZE, 2, dev->pfn + 2);
}

/* B4: page tables are system RAM and never come from the altmap. */
static void populate_basepages_tables_are_ram(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = 2 * NR);
	unsigned long start = fake_dev_memmap(dev, 0);
	struct vmemmap_walk walk;
	enum walk_level level;

	KUNIT_EXPECT_EQ(test, populate(start, NR, &altmap), 0);
	KUNIT_EXPECT_EQ_MSG(test, altmap.alloc, NR,
			    "pages taken for %d pages of memmap", NR);
	KUNIT_EXPECT_EQ_MSG(test, census_of(dev, start, NR).device, NR,
			    "pages of memmap that lie in the device");

	vmemmap_walk(start, &walk);
	for (level = WALK_P4D; level < WALK_LEVELS; level++) {
		unsigned long pfn;

		if (!walk.table[level])
			continue;
		pfn = PHYS_PFN(__pa(walk.table[level]));
		KUNIT_EXPECT_TRUE_MSG(test, pfn_valid(pfn) && !fake_dev_has(dev, pfn),
				      "the %s table for %#lx is page frame %#lx, not system RAM",
				      walk_level_name(level), start, pfn);
	}
	KUNIT_EXPECT_NOT_NULL_MSG(test, walk.table[WALK_PTE], "no PTE table");
}

struct ram_use {
	long spent;	/* pages that populate() uses */
	long kept;	/* pages that are not free after unmapping */
	long tables;	/* page-table pages that populate() added */
};

/*
 * Measure the system RAM of a memmap, of which @expected pages are system RAM. Other
 * tasks may allocate at the same time, but not in each try.
 */
static struct ram_use ram_use_of(struct kunit *test, struct fake_dev *dev,
				 unsigned long nr, const struct vmem_altmap *altmap,
				 long expected)
{
	unsigned long start = fake_dev_memmap(dev, 0);
	unsigned long before, populated, after;
	struct vmemmap_census census;
	struct vmem_altmap copy;
	struct ram_use use;
	int try, err;

	for (try = 0; try < 5; try++) {
		if (altmap)
			memcpy(&copy, altmap, sizeof(copy));
		before = free_ram_pages();
		err = populate(start, nr, altmap ? &copy : NULL);
		populated = free_ram_pages();
		census = census_of(dev, start, nr);
		use.tables = census.tables - dev->tables;
		/* Without a memmap, the counts would prove nothing. */
		KUNIT_ASSERT_EQ(test, err, 0);
		KUNIT_ASSERT_EQ_MSG(test, census.holes, 0, "unmapped pages of %lu", nr);
		KUNIT_ASSERT_EQ_MSG(test, census.device, nr - expected,
				    "pages of %lu that lie in the device", nr);
		fake_dev_unmap(dev, start, start + nr * PAGE_SIZE);
		after = free_ram_pages();

		use.spent = before - populated;
		use.kept = before - after;
		if (use.spent == use.tables + expected && !use.kept)
			break;
	}
	return use;
}

/* B4: with an altmap, page tables are the only system RAM used. */
static void populate_basepages_spends_ram_on_tables_only(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = NR);
	struct ram_use use = ram_use_of(test, dev, NR, &altmap, 0);

	KUNIT_EXPECT_EQ_MSG(test, use.spent, use.tables,
			    "pages of system RAM for %d pages of memmap, against page tables",
			    NR);
	KUNIT_EXPECT_EQ_MSG(test, use.kept, 0, "pages of system RAM not returned");
}

/* B5: without an altmap, the memmap is system RAM as well. */
static void populate_basepages_without_altmap_is_ram(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	unsigned long start = fake_dev_memmap(dev, 0);
	struct vmemmap_walk walk;
	struct ram_use use;
	unsigned long i;

	KUNIT_EXPECT_EQ(test, populate(start, NR, NULL), 0);
	for (i = 0; i < NR; i++) {
		vmemmap_walk(start + i * PAGE_SIZE, &walk);
		KUNIT_EXPECT_TRUE_MSG(test, walk.leaf && pfn_valid(walk.pfn),
				      "%#lx: %s at level %s, page frame %#lx, which is not system RAM",
				      start + i * PAGE_SIZE,
				      walk.leaf ? "leaf" : "hole",
				      walk_level_name(walk.level), walk.pfn);
	}
	fake_dev_unmap(dev, start, start + NR * PAGE_SIZE);
	use = ram_use_of(test, dev, NR, NULL, NR);
	KUNIT_EXPECT_EQ_MSG(test, use.spent, use.tables + NR,
			    "pages of system RAM for %d pages of memmap and their page tables",
			    NR);
	KUNIT_EXPECT_EQ_MSG(test, use.kept, 0, "pages of system RAM not returned");
}

/* B6: if the altmap is too small, -ENOMEM is returned and no system RAM is used instead. */
static void populate_basepages_short_altmap(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = NR - 1);
	unsigned long start = fake_dev_memmap(dev, 0);
	struct vmemmap_census census;

	KUNIT_EXPECT_EQ(test, populate(start, NR, &altmap), -ENOMEM);
	census = census_of(dev, start, NR);
	KUNIT_EXPECT_EQ_MSG(test, census.device, NR - 1, "pages of memmap that lie in the device");
	KUNIT_EXPECT_EQ_MSG(test, census.pages, NR - 1, "pages mapped, of any origin");
	KUNIT_EXPECT_EQ(test, altmap.alloc, NR - 1);
}

/* B6: after such a failure, the whole range can be freed, including its holes. */
static void populate_basepages_short_altmap_can_be_freed(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = NR - 1);
	unsigned long start = fake_dev_memmap(dev, 0);
	struct vmemmap_census census;

	KUNIT_ASSERT_TRUE_MSG(test, dev->free_takes_altmap,
			      "vmemmap_free() returns nothing to an altmap");
	KUNIT_EXPECT_EQ(test, populate(start, NR, &altmap), -ENOMEM);

	mem_hotplug_begin();
	vmemmap_free(start, start + NR * PAGE_SIZE, &altmap);
	mem_hotplug_done();
	census = census_of(dev, start, NR);
	KUNIT_EXPECT_EQ_MSG(test, census.holes, NR, "unmapped pages in [%#lx, +%d pages)",
			    start, NR);
	KUNIT_EXPECT_EQ_MSG(test, altmap.alloc, 0, "pages still allocated");
}

/*
 * B7: __populate_section_memmap() WARNs about a range that is not made of whole
 * subsections, and maps nothing.
 */
static void populate_section_memmap_refuses_parts(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = dev->nr);
	const struct {
		unsigned long pfn;
		unsigned long nr;
	} parts[] = {
		{ dev->pfn + 1, PAGES_PER_SUBSECTION },
		{ dev->pfn + PAGES_PER_SUBSECTION - 1, PAGES_PER_SUBSECTION },
		{ dev->pfn, PAGES_PER_SUBSECTION - 1 },
		{ dev->pfn, PAGES_PER_SUBSECTION + 1 },
	};
	struct page *memmap = NULL;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		unsigned long pfn = parts[i].pfn, nr = parts[i].nr;

		KUNIT_EXPECT_WARNS(test, 1, "mm/sparse-vmemmap.c",
				   HOTPLUG_LOCKED(memmap = __populate_section_memmap(pfn, nr,
										     test_nid(),
										     &altmap,
										     NULL)));
		KUNIT_EXPECT_NULL_MSG(test, memmap, "memmap of %lu pages from page %lu on",
				      nr, pfn - dev->pfn);
	}
	KUNIT_EXPECT_EQ_MSG(test, altmap.alloc, 0, "pages taken from the altmap");
	fake_dev_expect_unmapped(test, dev, "refusing parts of subsections");
}

static struct kunit_case vmemmap_basepages_cases[] = {
	KUNIT_CASE(populate_basepages_maps_altmap_pages),
	KUNIT_CASE(populate_basepages_respects_reserve),
	KUNIT_CASE(populate_basepages_protection),
	KUNIT_CASE(populate_basepages_keeps_present_entries),
	KUNIT_CASE(populate_basepages_tables_are_ram),
	KUNIT_CASE(populate_basepages_spends_ram_on_tables_only),
	KUNIT_CASE(populate_basepages_without_altmap_is_ram),
	KUNIT_CASE(populate_basepages_short_altmap),
	KUNIT_CASE(populate_basepages_short_altmap_can_be_freed),
	KUNIT_CASE(populate_section_memmap_refuses_parts),
	{}
};

static struct kunit_suite vmemmap_basepages_suite = {
	.name = "vmemmap_basepages",
	.test_cases = vmemmap_basepages_cases,
};

kunit_test_suite(vmemmap_basepages_suite);

MODULE_DESCRIPTION("KUnit tests for vmemmap_populate_basepages()");
MODULE_LICENSE("GPL");

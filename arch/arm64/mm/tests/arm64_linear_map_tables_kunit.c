// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page tables of a device's linear mapping: their permissions, and where they are
 * mapped.
 *
 * Documentation/mm/vmemmap_altmap.rst states the rules. The cases cite them as J7
 * and so on.
 */
#include <kunit/test.h>
#include <linux/memblock.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/pgtable.h>

#include "memremap_dev.h"
#include "unmap_hotplug.h"
#include "vmemmap_adapt.h"
#include "warn_log.h"

#define NR_SECTIONS	2
/* Bits of a descriptor, with their names in the Arm architecture. */
#define TABLE_PXN	BIT_ULL(59)
#define TABLE_UXN	BIT_ULL(60)

/*
 * If the memory has a boundary between two tables, the device has it in its middle. It
 * then needs a new table at that level:
 *
 *	section		|   0   |   1   |
 *	device		|===============|
 *	table entry	========|========
 */
static int linear_map_init(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get_across(test, NR_SECTIONS, PUD_SIZE);

	if (!dev)
		dev = fake_dev_get_memory(test, NR_SECTIONS);
	test->priv = memremap_dev_of(test, dev);
	return 0;
}

/* Return true if the descriptor is invalid, or is a table that permits execution. */
static bool is_wrong(u64 desc)
{
	if (!(desc & PTE_VALID))
		return true;
	return (desc & PMD_TYPE_MASK) == PMD_TYPE_TABLE &&
	       (desc & (TABLE_PXN | TABLE_UXN)) != (TABLE_PXN | TABLE_UXN);
}

/* Check each entry that leads to a table on the way to a page of the device. */
static void expect_no_execution(struct kunit *test, const struct fake_dev *dev)
{
	unsigned long addr = (unsigned long)__va(PFN_PHYS(dev->pfn));
	unsigned long end = addr + PFN_PHYS(dev->nr);

	for (; addr < end; addr += min(PMD_SIZE, PFN_PHYS(PAGES_PER_SECTION))) {
		pgd_t *pgdp = pgd_offset_k(addr);
		p4d_t *p4dp = p4d_offset(pgdp, addr);
		pud_t *pudp = pud_offset(p4dp, addr);
		pmd_t *pmdp = pmd_offset(pudp, addr);

		/* A level that is folded, at build time or at boot, has no entries. */
		if (pgtable_l5_enabled())
			KUNIT_EXPECT_FALSE_MSG(test, is_wrong(pgd_val(READ_ONCE(*pgdp))),
					       "PGD entry for %#lx", addr);
		if (pgtable_l4_enabled())
			KUNIT_EXPECT_FALSE_MSG(test, is_wrong(p4d_val(READ_ONCE(*p4dp))),
					       "P4D entry for %#lx", addr);
		KUNIT_EXPECT_FALSE_MSG(test, is_wrong(pud_val(READ_ONCE(*pudp))),
				       "PUD entry for %#lx", addr);
		KUNIT_EXPECT_FALSE_MSG(test, is_wrong(pmd_val(READ_ONCE(*pmdp))),
				       "PMD entry for %#lx", addr);
	}
}

/* J7: no table on the way to a page of the device permits execution. */
static void tables_forbid_execution(struct kunit *test)
{
	struct memremap_dev *mdev = test->priv;

	KUNIT_ASSERT_EQ(test, MEMREMAP_ADD(mdev), 0);
	expect_no_execution(test, mdev->dev);
}

/* J8: after an add, no slot of the fixmap maps a page table. */
static void add_leaves_no_table_in_fixmap(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, MEMREMAP_ADD(test->priv), 0);
	fixmap_expect_no_table(test, "add");
}

/* Return the first page frame that is not mapped to itself, or the end of the device. */
static unsigned long first_mismatch(const struct fake_dev *dev)
{
	unsigned long pfn = dev->pfn, skip;
	struct vmemmap_walk walk;

	while (pfn < dev->pfn + dev->nr) {
		unsigned long addr = (unsigned long)__va(PFN_PHYS(pfn));

		vmemmap_walk(addr, &walk);
		skip = (addr & (walk.size - 1)) / PAGE_SIZE;
		if (!walk.leaf || walk.pfn + skip != pfn)
			return pfn;
		pfn += walk.size / PAGE_SIZE - skip;
	}
	return pfn;
}

static int add(struct fake_dev *dev)
{
	u64 start = PFN_PHYS(dev->pfn), size = PFN_PHYS(dev->nr);
	struct mhp_params params = { .pgprot = PAGE_KERNEL };
	unsigned long highest, lowest;
	int err;

	mem_hotplug_begin();
	highest = max_pfn;
	lowest = max_low_pfn;
	err = arch_add_memory(test_nid(), start, size, &params);
	/* These would stay raised, and later cases would look for page frames above them. */
	max_pfn = highest;
	max_low_pfn = lowest;
	mem_hotplug_done();
	return err;
}

static void remove(struct kunit *test, struct fake_dev *dev)
{
	u64 start = PFN_PHYS(dev->pfn), size = PFN_PHYS(dev->nr);

	KUNIT_EXPECT_NO_WARN(test, HOTPLUG_LOCKED(adapt_arch_remove_memory(start, size)));
	fake_dev_expect_unmapped(test, dev, "removal");
}

static void expect_mapped(struct kunit *test, const struct fake_dev *dev, const char *when)
{
	KUNIT_EXPECT_EQ_MSG(test, fake_dev_census(dev).holes, 0,
			    "%s: pages of the memmap that are not mapped", when);
	KUNIT_EXPECT_EQ_MSG(test, first_mismatch(dev), dev->pfn + dev->nr,
			    "%s: the first page frame that is not mapped to itself, or the end",
			    when);
}

/* Unmap one page on each side of the middle of the device in one call. */
static void expect_unmaps_across(struct kunit *test, const struct fake_dev *dev)
{
	unsigned long middle = (unsigned long)__va(PFN_PHYS(dev->pfn + dev->nr / 2));
	struct vmemmap_walk below, above;

	HOTPLUG_LOCKED(kunit_unmap_hotplug_range(middle - PAGE_SIZE, middle + PAGE_SIZE, false,
						 NULL));
	vmemmap_walk(middle - PAGE_SIZE, &below);
	vmemmap_walk(middle, &above);
	KUNIT_EXPECT_FALSE_MSG(test, below.leaf, "the page before %#lx is mapped", middle);
	KUNIT_EXPECT_FALSE_MSG(test, above.leaf, "the page at %#lx is mapped", middle);
}

/*
 * J7, J9: memory across the boundary of a table of any level is mapped completely and
 * without permission to execute. Two pages beside the boundary can be unmapped in one call.
 * The removal leaves no table. The memory lies far above RAM, so most tables are new.
 */
static void memory_across_tables_comes_and_goes(struct kunit *test)
{
	const u64 sizes[] = { PUD_SIZE, P4D_SIZE, PGDIR_SIZE };
	struct fake_dev *dev;
	unsigned int i, nr = 0;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		if (i && sizes[i] == sizes[i - 1])
			continue;
		dev = fake_dev_get_far_across(test, sizes[i]);
		if (!dev)
			continue;
		nr++;
		KUNIT_ASSERT_EQ_MSG(test, add(dev), 0, "boundary of %#llx", sizes[i]);
		expect_mapped(test, dev, "added");
		expect_no_execution(test, dev);
		expect_unmaps_across(test, dev);
		remove(test, dev);
	}
	KUNIT_EXPECT_GT_MSG(test, nr, 0, "boundaries that fit into the linear mapping");
}

/*
 * A device lies across the boundary between two tables. Add and remove memory in the second
 * to last entry of the lower table and in the second entry of the upper one. Return false if
 * the linear mapping has no room.
 */
static bool expect_tables_stay(struct kunit *test, u64 entry, u64 table)
{
	unsigned long nr = max(PHYS_PFN(entry), PAGES_PER_SECTION);
	struct fake_dev *dev = fake_dev_get_far_across(test, table), *removed[2];
	int i;

	if (!dev)
		return false;
	removed[0] = fake_dev_get_at(test, dev->pfn - nr);
	removed[1] = fake_dev_get_at(test, dev->pfn + PAGES_PER_SECTION + nr);

	for (i = 0; i < ARRAY_SIZE(removed); i++)
		KUNIT_ASSERT_NOT_NULL_MSG(test, removed[i], "no memory beside page frame %#lx",
					  dev->pfn);

	KUNIT_ASSERT_EQ(test, add(dev), 0);
	for (i = 0; i < ARRAY_SIZE(removed); i++) {
		KUNIT_ASSERT_EQ(test, add(removed[i]), 0);
		remove(test, removed[i]);
		expect_mapped(test, dev, i ? "upper neighbour removed" : "lower neighbour removed");
	}
	remove(test, dev);
	return true;
}

/*
 * J3: a table of any level stays as long as a neighbour is in its first or its last entry.
 * The memory lies far above RAM, so the tables have no other entries, unless the linear
 * mapping has only one such boundary.
 *
 *	table		        |
 *	entry		 |      |      |
 *	neighbour	      ==|==
 *	removed		==             ==
 */
static void neighbour_keeps_its_tables(struct kunit *test)
{
	const u64 sizes[] = { PMD_SIZE, PUD_SIZE, P4D_SIZE, PGDIR_SIZE };
	unsigned int i, nr = 0;

	if (PMD_SIZE == PGDIR_SIZE)
		kunit_skip(test, "there are two levels only, and no section shares a PTE table");
	/* Levels that are folded have the same size. */
	for (i = 1; i < ARRAY_SIZE(sizes); i++)
		if (sizes[i] != sizes[i - 1])
			nr += expect_tables_stay(test, sizes[i - 1], sizes[i]);
	KUNIT_EXPECT_GT_MSG(test, nr, 0, "boundaries that fit into the linear mapping");
}

static struct kunit_case arm64_linear_map_tables_cases[] = {
	KUNIT_CASE(tables_forbid_execution),
	KUNIT_CASE(add_leaves_no_table_in_fixmap),
	KUNIT_CASE(memory_across_tables_comes_and_goes),
	KUNIT_CASE(neighbour_keeps_its_tables),
	{}
};

static struct kunit_suite arm64_linear_map_tables_suite = {
	.name = "arm64_linear_map_tables",
	.init = linear_map_init,
	.test_cases = arm64_linear_map_tables_cases,
};

kunit_test_suite(arm64_linear_map_tables_suite);

MODULE_DESCRIPTION("KUnit tests for the page tables of the linear mapping on arm64");
MODULE_LICENSE("GPL");

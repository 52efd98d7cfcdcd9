// SPDX-License-Identifier: GPL-2.0-only
/*
 * How arm64 maps a device in the linear mapping: the size of the entries, and what
 * the page tables allow.
 *
 * The contract, rule by rule, is Documentation/mm/vmemmap_altmap.rst; the
 * cases cite its rules as J4, J5 and so on.
 */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/set_memory.h>

#include <asm/fixmap.h>

#include "memremap_dev.h"

#define NR_SECTIONS	2
/* Bits of a descriptor, in the words of the Arm architecture. */
#define DESC_CONTIGUOUS	BIT_ULL(52)
#define TABLE_PXN	BIT_ULL(59)
#define TABLE_UXN	BIT_ULL(60)

/*
 * The device has a boundary of a table in its middle, if the memory has one, so that
 * it needs a new table at that level:
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

/* Does the block of that size around @addr lie in [@start, @end)? */
static bool fits(unsigned long addr, unsigned long size, unsigned long start,
		 unsigned long end)
{
	unsigned long first = ALIGN_DOWN(addr, size);

	return first >= start && first + size <= end;
}

static void expect_leaves(struct kunit *test, unsigned long nr_pages)
{
	struct memremap_dev *mdev = test->priv;
	unsigned long start = (unsigned long)__va(PFN_PHYS(mdev->dev->pfn));
	unsigned long addr, end = start + nr_pages * PAGE_SIZE;
	bool by_page = can_set_direct_map();
	struct vmemmap_walk walk;

	for (addr = start; addr < end; addr += walk.size) {
		bool block = !by_page && fits(addr, PMD_SIZE, start, end);
		unsigned long group = block ? CONT_PMD_SIZE : CONT_PTE_SIZE;
		bool contiguous = !by_page && fits(addr, group, start, end);

		vmemmap_walk(addr, &walk);
		KUNIT_ASSERT_TRUE_MSG(test, walk.leaf, "%#lx is not mapped", addr);
		KUNIT_ASSERT_EQ_MSG(test, walk.size, block ? PMD_SIZE : PAGE_SIZE,
				    "what the entry for %#lx maps", addr);
		KUNIT_ASSERT_EQ_MSG(test, !!(walk.desc & DESC_CONTIGUOUS), contiguous,
				    "contiguous bit of the entry for %#lx", addr);
	}
}

/*
 * J4: where the kernel may have to change the permissions of a single page, the
 * linear mapping consists of pages. Elsewhere, it has the largest entries that fit.
 */
static void sections_have_largest_entries(struct kunit *test)
{
	struct memremap_dev *mdev = test->priv;

	KUNIT_ASSERT_EQ(test, MEMREMAP_ADD(mdev), 0);
	expect_leaves(test, mdev->dev->nr);
}

static void subsection_has_largest_entries(struct kunit *test)
{
	struct memremap_dev *mdev = test->priv;
	unsigned long nr_pages = 3 * PAGES_PER_SUBSECTION;

	KUNIT_ASSERT_EQ(test, MEMREMAP_ADD(mdev, .nr_pages = nr_pages), 0);
	expect_leaves(test, nr_pages);
}

/* Return true if a descriptor leads to a table, and something can be executed there. */
static bool may_execute(u64 desc)
{
	return (desc & PMD_TYPE_MASK) == PMD_TYPE_TABLE &&
	       (desc & (TABLE_PXN | TABLE_UXN)) != (TABLE_PXN | TABLE_UXN);
}

/* J5: no table on the way to a page of the device allows it to be executed. */
static void tables_forbid_execution(struct kunit *test)
{
	struct memremap_dev *mdev = test->priv;
	unsigned long addr = (unsigned long)__va(PFN_PHYS(mdev->dev->pfn));
	unsigned long end = addr + PFN_PHYS(mdev->dev->nr);

	KUNIT_ASSERT_EQ(test, MEMREMAP_ADD(mdev), 0);
	for (; addr < end; addr += min(PMD_SIZE, PFN_PHYS(PAGES_PER_SECTION))) {
		pgd_t *pgdp = pgd_offset_k(addr);
		p4d_t *p4dp = p4d_offset(pgdp, addr);
		pud_t *pudp = pud_offset(p4dp, addr);
		pmd_t *pmdp = pmd_offset(pudp, addr);

		KUNIT_ASSERT_FALSE_MSG(test, may_execute(pgd_val(READ_ONCE(*pgdp))),
				       "PGD entry for %#lx", addr);
		KUNIT_ASSERT_FALSE_MSG(test, may_execute(p4d_val(READ_ONCE(*p4dp))),
				       "P4D entry for %#lx", addr);
		KUNIT_ASSERT_FALSE_MSG(test, may_execute(pud_val(READ_ONCE(*pudp))),
				       "PUD entry for %#lx", addr);
		KUNIT_ASSERT_FALSE_MSG(test, may_execute(pmd_val(READ_ONCE(*pmdp))),
				       "PMD entry for %#lx", addr);
	}
}

/* J6: the kernel no longer has a page table mapped by which it added the device. */
static void add_leaves_no_table_in_fixmap(struct kunit *test)
{
	static const enum fixed_addresses slots[] = { FIX_PTE, FIX_PMD, FIX_PUD, FIX_P4D };
	struct vmemmap_walk walk;
	int i;

	KUNIT_ASSERT_EQ(test, MEMREMAP_ADD(test->priv), 0);
	for (i = 0; i < ARRAY_SIZE(slots); i++) {
		vmemmap_walk(__fix_to_virt(slots[i]), &walk);
		KUNIT_EXPECT_FALSE_MSG(test, walk.leaf,
				       "slot %d of the fixmap leads to page frame %#lx",
				       slots[i], walk.pfn);
	}
}

static struct kunit_case arm64_linear_map_cases[] = {
	KUNIT_CASE(sections_have_largest_entries),
	KUNIT_CASE(subsection_has_largest_entries),
	KUNIT_CASE(tables_forbid_execution),
	KUNIT_CASE(add_leaves_no_table_in_fixmap),
	{}
};

static struct kunit_suite arm64_linear_map_suite = {
	.name = "arm64_linear_map",
	.init = linear_map_init,
	.test_cases = arm64_linear_map_cases,
};

kunit_test_suite(arm64_linear_map_suite);

MODULE_DESCRIPTION("KUnit tests for the linear mapping of devices on arm64");
MODULE_LICENSE("GPL");

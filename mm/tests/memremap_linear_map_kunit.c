// SPDX-License-Identifier: GPL-2.0-only
/*
 * The linear mapping of devices that memremap_pages() adds: which pages are mapped,
 * and that a removal or a failed add leaves nothing, not even an empty page table.
 *
 * Documentation/mm/vmemmap_altmap.rst states the rules. The cases cite them as
 * J1, J2 and so on.
 */
#include <kunit/test.h>
#include <linux/mm.h>

#include "memremap_dev.h"
#include "warn_log.h"

#define NR_SECTIONS	4

static int linear_map_init(struct kunit *test)
{
	/* Prefer a boundary between two entries of the highest possible level. */
	const unsigned long sizes[] = { PGDIR_SIZE, P4D_SIZE, PUD_SIZE, PMD_SIZE };
	struct fake_dev *dev = NULL;
	int i;

	for (i = 0; i < ARRAY_SIZE(sizes) && !dev; i++)
		dev = fake_dev_get_across(test, NR_SECTIONS, sizes[i]);
	if (!dev)
		kunit_skip(test, "vmemmap_kunit.memory= has no %d sections left", NR_SECTIONS);
	test->priv = memremap_dev_of(test, dev);
	return 0;
}

/*
 * J1: each page of the device is mapped to its own page frame. No page of the
 * sections around it is mapped.
 *
 *	section		|   0   |   1   |   2   |   3   |
 *	device			|===============|
 *	table entry	================|================
 */
static void added_device_is_mapped_to_itself(struct kunit *test)
{
	struct memremap_dev *mdev = test->priv;

	KUNIT_ASSERT_EQ(test, MEMREMAP_ADD(mdev, .nr_range = 1, .range = { { 1, 2 } }), 0);
	memremap_expect_linear_map(mdev, true);
}

/* J2: removal leaves nothing of the linear mapping. */
static void removed_device_leaves_no_mapping(struct kunit *test)
{
	struct memremap_dev *mdev = test->priv;

	KUNIT_ASSERT_EQ(test, MEMREMAP_ADD(mdev, .nr_range = 1, .range = { { 1, 2 } }), 0);
	memremap_expect_linear_map(mdev, true);
	KUNIT_EXPECT_NO_WARN(test, memremap_dev_remove(mdev));
	memremap_expect_nothing_left(mdev, "removal");
}

/* J2: an add that fails in its last section leaves nothing of the linear mapping either. */
static void failed_add_leaves_no_mapping(struct kunit *test)
{
	struct memremap_dev *mdev = test->priv;
	unsigned long short_of = NR_SECTIONS * SECTION_MEMMAP_PAGES - 1;
	int err = 0;

	KUNIT_EXPECT_NO_WARN(test, err = MEMREMAP_ADD(mdev, .offer = short_of));
	KUNIT_EXPECT_EQ(test, err, -ENOMEM);
	memremap_dev_remove(mdev);
	memremap_expect_nothing_left(mdev, "failed add");
}

/*
 * J3: the mapping of a neighbour stays complete when the other device is removed or
 * cannot be added. The neighbours share page tables.
 *
 *	section		|   0   |   1   |   2   |   3   |   4   |
 *	devices						| mdev  | next  |
 */
#define LAST_SECTION	.nr_range = 1, .range = { { NR_SECTIONS - 1, 1 } }

static void neighbour_keeps_its_mapping(struct kunit *test)
{
	struct memremap_dev *mdev = test->priv, *next;
	int err = 0;

	next = memremap_dev_of(test, fake_dev_get_after(test, mdev->dev, 1));
	KUNIT_ASSERT_EQ(test, MEMREMAP_ADD(mdev, LAST_SECTION), 0);
	KUNIT_EXPECT_NO_WARN(test, err = MEMREMAP_ADD(next, .offer = 1));
	KUNIT_EXPECT_EQ_MSG(test, err, -ENOMEM, "adding with one page for the memmap");
	memremap_dev_remove(next);
	memremap_expect_nothing_left(next, "failed add");
	memremap_expect_linear_map(mdev, true);

	KUNIT_ASSERT_EQ(test, MEMREMAP_ADD(next), 0);
	memremap_dev_remove(mdev);
	memremap_expect_nothing_left(mdev, "removal");
	memremap_expect_linear_map(next, true);

	KUNIT_ASSERT_EQ(test, MEMREMAP_ADD(mdev, LAST_SECTION), 0);
	memremap_dev_remove(next);
	memremap_expect_nothing_left(next, "removal");
	memremap_expect_linear_map(mdev, true);
	/* With a struct page of 80 bytes, both have struct pages in one page table. */
	memremap_dev_remove(mdev);
}

static struct kunit_case memremap_linear_map_cases[] = {
	KUNIT_CASE(added_device_is_mapped_to_itself),
	KUNIT_CASE(removed_device_leaves_no_mapping),
	KUNIT_CASE(failed_add_leaves_no_mapping),
	KUNIT_CASE(neighbour_keeps_its_mapping),
	{}
};

static struct kunit_suite memremap_linear_map_suite = {
	.name = "memremap_linear_map",
	.init = linear_map_init,
	.test_cases = memremap_linear_map_cases,
};

kunit_test_suite(memremap_linear_map_suite);

MODULE_DESCRIPTION("KUnit tests for the linear mapping of devices");
MODULE_LICENSE("GPL");

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The counters that a device affects: nr_memmap_pages, and the spans and present pages
 * of its zone and node. Also, adding and removing a device leaks no object, however
 * small.
 *
 * Documentation/mm/vmemmap_altmap.rst states the rules. The cases cite them as
 * K1, K2 and so on.
 */
#include <kunit/test.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/vmstat.h>

#include "func_redirect.h"
#include "memremap_dev.h"
#include "slab_objects.h"
#include "vmemmap_adapt.h"
#include "warn_log.h"

#define NR_SECTIONS	2

static int counts_init(struct kunit *test)
{
	test->priv = memremap_dev_get(test, NR_SECTIONS);
	return 0;
}

static const struct origin_param {
	const char *name;
	bool has_altmap;
} origin_params[] = {
	{ "memmap in the device", true },
	{ "memmap in system RAM", false },
};

KUNIT_ARRAY_PARAM_DESC(origin, origin_params, name);

static unsigned long offer_of(const struct origin_param *param)
{
	return param->has_altmap ? memremap_enough(NR_SECTIONS) : 0;
}

/* How much nr_memmap_pages has grown. One test runs at a time. */
static long memmap_pages;
/* The next section to be removed, and how many were valid when their memmap was freed. */
static unsigned long next_removed;
static unsigned int nr_valid;

static void count_memmap_pages(long delta)
{
	memmap_pages += delta;
	if (delta >= 0)
		return;
	nr_valid += !!valid_section_nr(next_removed);
	next_removed++;
}

/*
 * K1: nr_memmap_pages counts the pages of a memmap while they are mapped. I13: when the
 * kernel frees them, the section is no longer valid.
 */
static void memmap_of_device_is_counted(struct kunit *test)
{
	struct memremap_dev *mdev = test->priv;
	unsigned long holes = fake_dev_census(mdev->dev).holes;

	memmap_pages = 0;
	nr_valid = 0;
	next_removed = pfn_to_section_nr(mdev->dev->pfn);
	func_redirect_begin(test, memmap_pages_add, count_memmap_pages);
	KUNIT_ASSERT_EQ(test, MEMREMAP_ADD(mdev, .offer = offer_of(test->param_value)), 0);
	KUNIT_EXPECT_EQ_MSG(test, memmap_pages, holes - fake_dev_census(mdev->dev).holes,
			    "pages that nr_memmap_pages has grown by, and that are mapped");
	KUNIT_EXPECT_EQ_MSG(test, memmap_pages, NR_SECTIONS * SECTION_MEMMAP_PAGES,
			    "pages that nr_memmap_pages has grown by, and those of the memmap");
	memremap_dev_remove(mdev);
	KUNIT_EXPECT_EQ_MSG(test, memmap_pages, 0,
			    "pages that nr_memmap_pages has grown by, after removal");
	KUNIT_EXPECT_EQ_MSG(test, next_removed,
			    pfn_to_section_nr(mdev->dev->pfn) + NR_SECTIONS,
			    "the section after the last one that was removed");
	KUNIT_EXPECT_EQ_MSG(test, nr_valid, 0,
			    "sections that were valid when their memmap was freed");
}

/**
 * struct usage - the usage map of the second section, which is removed last
 * @map: the map
 * @size: of its memory, in bytes
 * @nr_checked: how often its section was removed and no grace period ended
 * @nr_free: how often it was free then
 * @readers: the RCU readers that may have found it
 */
static struct usage {
	struct mem_section_usage *map;
	size_t size;
	unsigned int nr_checked;
	unsigned int nr_free;
	ADAPT_RCU_COOKIE readers;
} usage;

/* Whether the map is free. The allocator returns first what was freed last. */
static bool is_free(const void *map, size_t size)
{
	void *objects[8];
	bool found = false;
	int i;

	for (i = 0; i < ARRAY_SIZE(objects); i++) {
		objects[i] = kmalloc(size, GFP_NOWAIT);
		found |= objects[i] == map;
	}
	while (i--)
		kfree(objects[i]);
	return found;
}

/* The kernel frees the memmap of a section. A grace period rarely ends between two sections. */
static void check_usage_map(long delta)
{
	if (delta >= 0)
		return;
	if (valid_section_nr(next_removed)) {
		get_state_synchronize_rcu_full(&usage.readers);
		return;
	}
	if (poll_state_synchronize_rcu_full(&usage.readers))
		return;
	usage.nr_checked++;
	usage.nr_free += is_free(usage.map, usage.size);
}

/*
 * I13: a reader of a section may have found its usage map. The map is not freed before a grace
 * period has ended.
 */
static void usage_map_outlives_its_readers(struct kunit *test)
{
	struct memremap_dev *mdev = test->priv;
	unsigned int i;

	usage = (struct usage) {};
	next_removed = pfn_to_section_nr(mdev->dev->pfn) + 1;
	func_redirect_begin(test, memmap_pages_add, check_usage_map);
	for (i = 0; i < 16 && !usage.nr_checked; i++) {
		KUNIT_ASSERT_EQ(test, MEMREMAP_ADD(mdev), 0);
		usage.map = __nr_to_section(next_removed)->usage;
		KUNIT_ASSERT_NOT_NULL(test, usage.map);
		usage.size = ksize(usage.map);
		memremap_dev_remove(mdev);
	}
	KUNIT_ASSERT_GT_MSG(test, usage.nr_checked, 0, "removals without a grace period");
	KUNIT_EXPECT_EQ_MSG(test, usage.nr_free, 0, "usage maps that were free too early");
}

static void expect_spanned(struct kunit *test, unsigned long first, unsigned long last,
			   const char *when)
{
	struct pglist_data *node = NODE_DATA(test_nid());
	struct zone *zone = &node->node_zones[ZONE_DEVICE];

	KUNIT_EXPECT_TRUE_MSG(test, zone_spans_pfn(zone, first) && zone_spans_pfn(zone, last),
			      "%s: ZONE_DEVICE spans [%#lx, %#lx), not [%#lx, %#lx]", when,
			      zone->zone_start_pfn, zone_end_pfn(zone), first, last);
	KUNIT_EXPECT_TRUE_MSG(test, first >= node->node_start_pfn && last < pgdat_end_pfn(node),
			      "%s: the node spans [%#lx, %#lx), not [%#lx, %#lx]", when,
			      node->node_start_pfn, pgdat_end_pfn(node), first, last);
}

/*
 * K2: ZONE_DEVICE and the node span a device. Its pages are neither present nor managed
 * pages. When it is removed, they still span another device. The device is the last
 * section of the memory, because ZONE_DEVICE does not shrink and may span the other
 * sections since an earlier case.
 */
static void device_is_spanned_but_not_present(struct kunit *test)
{
	struct memremap_dev *other = test->priv;
	unsigned int nr_sections = fake_dev_memory_sections() - NR_SECTIONS;
	struct memremap_dev *mdev = memremap_dev_get(test, nr_sections);
	struct pglist_data *node = NODE_DATA(test_nid());
	struct zone *zone = &node->node_zones[ZONE_DEVICE];
	unsigned long in_zone = zone->present_pages, in_node = node->node_present_pages;
	unsigned long managed;
	unsigned long last = mdev->dev->pfn + mdev->dev->nr - 1;
	unsigned long first = last + 1 - PAGES_PER_SECTION;

	KUNIT_ASSERT_EQ(test, MEMREMAP_ADD(other), 0);
	managed = totalram_pages();
	KUNIT_ASSERT_EQ(test, MEMREMAP_ADD(mdev, .nr_range = 1,
					   .range = { { nr_sections - 1, 1 } }), 0);
	expect_spanned(test, first, last, "present");
	KUNIT_EXPECT_EQ_MSG(test, zone->present_pages, in_zone, "present pages in ZONE_DEVICE");
	KUNIT_EXPECT_EQ_MSG(test, node->node_present_pages, in_node, "present pages in the node");
	KUNIT_EXPECT_EQ_MSG(test, totalram_pages(), managed, "managed pages");
	memremap_dev_remove(mdev);
	KUNIT_EXPECT_EQ_MSG(test, zone->present_pages, in_zone,
			    "present pages in ZONE_DEVICE, after removal");
	KUNIT_EXPECT_EQ_MSG(test, node->node_present_pages, in_node,
			    "present pages in the node, after removal");
	KUNIT_EXPECT_EQ_MSG(test, totalram_pages(), managed, "managed pages, after removal");
	expect_spanned(test, other->dev->pfn, other->dev->pfn + other->dev->nr - 1,
		       "after removal of another device");
	/* The devices may share a page table, which must be gone when @mdev is checked. */
	memremap_dev_remove(other);
}

static bool come_and_go(struct kunit *test)
{
	struct memremap_dev *mdev = test->priv;
	int err;

	err = MEMREMAP_ADD(mdev, .offer = PAGES_PER_SUBSECTION / 2,
			   .nr_range = 1, .range = { { 0, 1 } },
			   .nr_pages = PAGES_PER_SUBSECTION);
	memremap_dev_remove(mdev);
	KUNIT_EXPECT_EQ(test, err, 0);
	return !err;
}

/* K3: adding and removing a device leaks no object. A subsection is enough. */
static void removed_device_leaves_no_object(struct kunit *test)
{
	expect_rounds_leak_nothing(test, come_and_go);
}

static bool fail_in_second_section(struct kunit *test)
{
	struct memremap_dev *mdev = test->priv;
	int err = 0;

	KUNIT_EXPECT_NO_WARN(test, err = MEMREMAP_ADD(mdev, .offer = 2 * SECTION_MEMMAP_PAGES - 1));
	KUNIT_EXPECT_EQ(test, err, -ENOMEM);
	return err == -ENOMEM;
}

/* K3: a failed add leaks no object. */
static void failed_add_leaves_no_object(struct kunit *test)
{
	expect_rounds_leak_nothing(test, fail_in_second_section);
}

static struct kunit_case memremap_counts_cases[] = {
	KUNIT_CASE_PARAM(memmap_of_device_is_counted, origin_gen_params),
	KUNIT_CASE(usage_map_outlives_its_readers),
	KUNIT_CASE(device_is_spanned_but_not_present),
	KUNIT_CASE(removed_device_leaves_no_object),
	KUNIT_CASE(failed_add_leaves_no_object),
	{}
};

static struct kunit_suite memremap_counts_suite = {
	.name = "memremap_counts",
	.init = counts_init,
	.test_cases = memremap_counts_cases,
};

kunit_test_suite(memremap_counts_suite);

MODULE_DESCRIPTION("KUnit tests for how a device is counted");
MODULE_LICENSE("GPL");

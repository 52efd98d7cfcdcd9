// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices of several sections, of several ranges, and of each type. memremap_pages()
 * adds them section by section and range by range. If one of these fails, it must
 * remove all before it.
 *
 * The contract, rule by rule, is Documentation/mm/vmemmap_altmap.rst; the
 * cases cite its rules as I1, I2 and so on.
 */
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>

#include "memremap_dev.h"
#include "vmemmap_adapt.h"
#include "warn_log.h"

#define NR_SECTIONS	4

static int sections_init(struct kunit *test)
{
	test->priv = memremap_dev_get(test, NR_SECTIONS);
	return 0;
}

/* How long system RAM is available for a memmap. One test runs at a time. */
static struct {
	bool at_once;		/* not at all */
	unsigned long section;	/* otherwise, until the section of this page frame is present */
	unsigned int pages;	/* and for this many pages more */
} ram_ends;

static void *alloc_until_ram_ends(unsigned long size, int node)
{
	struct page *page;

	if (ram_ends.at_once || pfn_in_present_section(ram_ends.section)) {
		if (size > PAGE_SIZE || !ram_ends.pages)
			return NULL;
		ram_ends.pages--;
	}
	page = alloc_pages_node(node, GFP_KERNEL, get_order(size));
	return page ? page_address(page) : NULL;
}

/*
 * Limit the system RAM for the memmap of one section to so many pages. This section's
 * turn comes as soon as the section @before is present.
 */
static void end_ram_in_section(struct memremap_dev *mdev, unsigned int section,
			       unsigned int before, unsigned int pages)
{
	ram_ends.at_once = !section;
	ram_ends.section = mdev->dev->pfn + before * PAGES_PER_SECTION;
	ram_ends.pages = pages;
	kunit_activate_static_stub(mdev->test, vmemmap_alloc_block, alloc_until_ram_ends);
}

static void end_ram_no_more(struct memremap_dev *mdev)
{
	kunit_deactivate_static_stub(mdev->test, vmemmap_alloc_block);
}

static const struct origin_param {
	const char *name;
	bool has_altmap;
} origin_params[] = {
	{ "memmap in the device", true },
	{ "memmap in system RAM", false },
};

KUNIT_ARRAY_PARAM_DESC(origin, origin_params, name);

/*
 * I1: the memmap of each section lies in the same kind of memory as the first one's.
 * Removal leaves nothing of any section.
 */
static void each_section_has_its_memmap(struct kunit *test)
{
	const struct origin_param *param = test->param_value;
	struct memremap_dev *mdev = test->priv;
	unsigned long offer = param->has_altmap ? memremap_enough(NR_SECTIONS) : 0;

	KUNIT_ASSERT_EQ(test, MEMREMAP_ADD(mdev, .reserve = 1, .offer = offer), 0);
	memremap_expect_memmap(mdev);
	KUNIT_EXPECT_NO_WARN(test, memremap_dev_remove(mdev));
	memremap_expect_nothing_left(mdev, "removal");
}

/* Add the device with too little memory for the memmap of one section. */
static int add_short_in_section(struct memremap_dev *mdev, unsigned int section,
				bool has_altmap)
{
	int err;

	if (has_altmap)
		return MEMREMAP_ADD(mdev, .offer = (section + 1) * SECTION_MEMMAP_PAGES - 1);

	end_ram_in_section(mdev, section, section - 1, SECTION_MEMMAP_PAGES / 2);
	err = MEMREMAP_ADD(mdev);
	end_ram_no_more(mdev);
	return err;
}

/*
 * I2: an add that fails in the first, a middle or the last section removes this section
 * and all before it. The same add with enough memory succeeds.
 *
 *	section		|   0   |   1   |   2   |   3   |
 *	memory for		|=======|=======|==     |       |
 */
static void failed_add_undoes_each_section(struct kunit *test)
{
	const struct origin_param *param = test->param_value;
	struct memremap_dev *mdev = test->priv;
	unsigned long offer = param->has_altmap ? memremap_enough(NR_SECTIONS) : 0;
	static const unsigned int sections[] = { 0, 2, NR_SECTIONS - 1 };
	char after[32];
	int i, err = 0;

	for (i = 0; i < ARRAY_SIZE(sections); i++) {
		snprintf(after, sizeof(after), "fails in section %u", sections[i]);
		KUNIT_EXPECT_NO_WARN(test, err = add_short_in_section(mdev, sections[i],
								      param->has_altmap));
		KUNIT_ASSERT_EQ_MSG(test, err, -ENOMEM, "%s", after);
		memremap_expect_nothing_left(mdev, after);
	}
	KUNIT_EXPECT_NO_WARN(test, err = MEMREMAP_ADD(mdev, .offer = offer));
	KUNIT_ASSERT_EQ_MSG(test, err, 0, "with enough memory");
	memremap_expect_memmap(mdev);
}

/*
 * I3: each range of a device is added as if it were the only one.
 *
 *	section		|   0   |   1   |   2   |   3   |
 *	ranges		|===0===|       |===1===|===2===|
 */
#define THREE_RANGES	.nr_range = 3, .range = { { 0, 1 }, { 2, 1 }, { 3, 1 } }

static void each_range_has_its_memmap(struct kunit *test)
{
	struct memremap_dev *mdev = test->priv;

	KUNIT_ASSERT_EQ(test, MEMREMAP_ADD(mdev, THREE_RANGES), 0);
	memremap_expect_memmap(mdev);
	memremap_expect_linear_map(mdev, true);
	KUNIT_EXPECT_FALSE_MSG(test, pfn_valid(mdev->dev->pfn + PAGES_PER_SECTION),
			       "memory between the ranges has a struct page");
	KUNIT_EXPECT_NO_WARN(test, memremap_dev_remove(mdev));
	memremap_expect_nothing_left(mdev, "removal");
}

/* I4: if a range cannot be added, the ranges before it are removed again. */
static void failed_add_undoes_each_range(struct kunit *test)
{
	static const struct {
		unsigned int section;	/* the first one of the range */
		unsigned int before;	/* the last one of the range before */
	} ranges[] = { { 0, 0 }, { 2, 0 }, { 3, 2 } };
	struct memremap_dev *mdev = test->priv;
	char after[32];
	int i, err = 0;

	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		snprintf(after, sizeof(after), "fails in range %d", i);
		end_ram_in_section(mdev, ranges[i].section, ranges[i].before, 1);
		KUNIT_EXPECT_NO_WARN(test, err = MEMREMAP_ADD(mdev, THREE_RANGES));
		end_ram_no_more(mdev);
		KUNIT_ASSERT_EQ_MSG(test, err, -ENOMEM, "%s", after);
		memremap_expect_nothing_left(mdev, after);
	}
}

/* I5: an altmap for several ranges is refused. */
static void altmap_for_two_ranges_is_refused(struct kunit *test)
{
	struct memremap_dev *mdev = test->priv;
	int err = 0;

	KUNIT_EXPECT_WARNS(test, 1, "mm/memremap.c",
			   err = MEMREMAP_ADD(mdev, .offer = memremap_enough(2),
					      .nr_range = 2, .range = { { 0, 2 }, { 3, 1 } }));
	KUNIT_EXPECT_EQ(test, err, -EINVAL);
	memremap_dev_remove(mdev);
	memremap_expect_nothing_left(mdev, "failed add");
}

static const struct type_param {
	const char *name;
	enum memory_type type;
	bool has_altmap;
} type_params[] = {
	{ "FS_DAX, memmap in the device", MEMORY_DEVICE_FS_DAX, true },
	{ "FS_DAX, memmap in system RAM", MEMORY_DEVICE_FS_DAX, false },
	{ "COHERENT, memmap in the device", MEMORY_DEVICE_COHERENT, true },
	{ "COHERENT, memmap in system RAM", MEMORY_DEVICE_COHERENT, false },
	{ "PCI_P2PDMA, memmap in system RAM", MEMORY_DEVICE_PCI_P2PDMA, false },
	{ "PRIVATE, memmap in system RAM", MEMORY_DEVICE_PRIVATE, false },
};

KUNIT_ARRAY_PARAM_DESC(type, type_params, name);

/*
 * I6: a device of any type has a memmap. It has a linear mapping if the CPU can access
 * its memory. A removal and a failed add leave neither.
 */
static void device_of_each_type_comes_and_goes(struct kunit *test)
{
	const struct type_param *param = test->param_value;
	struct memremap_dev *mdev = test->priv;
	unsigned long short_of = param->has_altmap ? 2 * SECTION_MEMMAP_PAGES - 1 : 0;
	unsigned long enough = param->has_altmap ? memremap_enough(1) : 0;
	struct vmemmap_walk walk;
	int err = 0;

	if (param->type == MEMORY_DEVICE_PRIVATE && !IS_ENABLED(CONFIG_DEVICE_PRIVATE))
		kunit_skip(test, "no CONFIG_DEVICE_PRIVATE");

	if (!param->has_altmap)
		end_ram_in_section(mdev, 1, 0, 0);
	KUNIT_EXPECT_NO_WARN(test, err = MEMREMAP_ADD(mdev, .type = param->type,
						      .offer = short_of, .nr_range = 1,
						      .range = { { 0, 2 } }));
	if (!param->has_altmap)
		end_ram_no_more(mdev);
	KUNIT_ASSERT_EQ(test, err, -ENOMEM);
	memremap_expect_nothing_left(mdev, "failed add");

	KUNIT_EXPECT_NO_WARN(test, err = MEMREMAP_ADD(mdev, .type = param->type,
						      .offer = enough, .nr_range = 1,
						      .range = { { 0, 1 } }));
	KUNIT_ASSERT_EQ(test, err, 0);
	memremap_expect_memmap(mdev);
	vmemmap_walk((unsigned long)__va(mdev->pgmap->range.start), &walk);
	KUNIT_EXPECT_EQ_MSG(test, walk.leaf, param->type != MEMORY_DEVICE_PRIVATE,
			    "the linear mapping maps the first page");
	KUNIT_EXPECT_NO_WARN(test, memremap_dev_remove(mdev));
	memremap_expect_nothing_left(mdev, "removal");
}

/* Try to add some sections of the device a second time. */
static int add_again(struct memremap_dev *mdev, unsigned int first, unsigned int nr)
{
	struct dev_pagemap *pgmap = kunit_kzalloc(mdev->test, sizeof(*pgmap), GFP_KERNEL);
	unsigned long pfn = mdev->dev->pfn + first * PAGES_PER_SECTION;
	void *addr;

	KUNIT_ASSERT_NOT_NULL(mdev->test, pgmap);
	pgmap->type = MEMORY_DEVICE_GENERIC;
	pgmap->nr_range = 1;
	pgmap->range.start = PFN_PHYS(pfn);
	pgmap->range.end = PFN_PHYS(pfn + nr * PAGES_PER_SECTION) - 1;
	addr = memremap_pages(pgmap, 0);
	if (IS_ERR(addr))
		return PTR_ERR(addr);
	memunmap_pages(pgmap);
	return 0;
}

/*
 * I7: a range that begins or ends in a present device is refused, and that device
 * stays as it is.
 *
 *	section		|   0   |   1   |   2   |   3   |
 *	device			|===============|
 *	refused		|===============|===============|
 *				|=======|
 */
static void overlapping_range_is_refused(struct kunit *test)
{
	static const struct {
		unsigned int first;
		unsigned int nr;
	} ranges[] = { { 0, 2 }, { 2, 2 }, { 1, 1 } };
	struct memremap_dev *mdev = test->priv;
	int i, err = 0;

	KUNIT_ASSERT_EQ(test, MEMREMAP_ADD(mdev, .nr_range = 1, .range = { { 1, 2 } }), 0);
	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		KUNIT_EXPECT_WARNS(test, 1, "mm/memremap.c",
				   err = add_again(mdev, ranges[i].first, ranges[i].nr));
		KUNIT_ASSERT_EQ_MSG(test, err, -ENOMEM, "sections %u to %u", ranges[i].first,
				    ranges[i].first + ranges[i].nr - 1);
		memremap_expect_memmap(mdev);
		memremap_expect_linear_map(mdev, true);
	}
	/* A reference to the device that is left would let this wait for ever. */
	KUNIT_EXPECT_NO_WARN(test, memremap_dev_remove(mdev));
	memremap_expect_nothing_left(mdev, "removal");
}

/*
 * I8: get_dev_pagemap() finds the device of a page, whichever device the caller has a
 * reference to. That one is reused, or dropped.
 *
 *	section		|   0   |   1   |   2   |   3   |
 *	range			|=======|
 */
static void each_page_leads_to_its_device(struct kunit *test)
{
	struct memremap_dev *mdev = test->priv;
	unsigned long first = mdev->dev->pfn + PAGES_PER_SECTION;
	unsigned long last = first + PAGES_PER_SECTION - 1;
	struct dev_pagemap *pgmap;

	KUNIT_ASSERT_EQ(test, MEMREMAP_ADD(mdev, .nr_range = 1, .range = { { 1, 1 } }), 0);
	pgmap = adapt_get_dev_pagemap(first, NULL);
	KUNIT_EXPECT_PTR_EQ_MSG(test, pgmap, mdev->pgmap, "first page");
	pgmap = adapt_get_dev_pagemap(last, pgmap);
	KUNIT_EXPECT_PTR_EQ_MSG(test, pgmap, mdev->pgmap, "last page, after the first");
	pgmap = adapt_get_dev_pagemap(first, pgmap);
	KUNIT_EXPECT_PTR_EQ_MSG(test, pgmap, mdev->pgmap, "first page, after the last");
	pgmap = adapt_get_dev_pagemap(last + 1, pgmap);
	KUNIT_EXPECT_NULL_MSG(test, pgmap, "the page behind the device");
	pgmap = adapt_get_dev_pagemap(first, NULL);
	pgmap = adapt_get_dev_pagemap(first - 1, pgmap);
	KUNIT_EXPECT_NULL_MSG(test, pgmap, "the page in front of the device");

	/* Each of them dropped what it took, or this would wait for ever. */
	KUNIT_EXPECT_NO_WARN(test, memremap_dev_remove(mdev));
	memremap_expect_nothing_left(mdev, "removal");
}

static const struct type_param free_params[] = {
	{ "PCI_P2PDMA", MEMORY_DEVICE_PCI_P2PDMA },
	{ "COHERENT", MEMORY_DEVICE_COHERENT },
	{ "PRIVATE", MEMORY_DEVICE_PRIVATE },
};

KUNIT_ARRAY_PARAM_DESC(free, free_params, name);

/* I9: a page that nobody uses any more returns to its driver, once. */
static void unused_page_returns_to_driver(struct kunit *test)
{
	const struct type_param *param = test->param_value;
	bool is_private = param->type == MEMORY_DEVICE_PRIVATE ||
			  param->type == MEMORY_DEVICE_COHERENT;
	struct memremap_dev *mdev = test->priv;
	struct page *page;
	int unused;

	if (param->type == MEMORY_DEVICE_PRIVATE && !IS_ENABLED(CONFIG_DEVICE_PRIVATE))
		kunit_skip(test, "no CONFIG_DEVICE_PRIVATE");

	KUNIT_ASSERT_EQ(test, MEMREMAP_ADD(mdev, .type = param->type, .nr_range = 1,
					   .range = { { 0, 1 } }), 0);
	page = pfn_to_page(mdev->dev->pfn + PAGES_PER_SECTION / 2);
	/* A page for peers came with a reference until Linux 6.15. */
	unused = page_ref_count(page);
	KUNIT_ASSERT_GE(test, unused, 0);
	KUNIT_ASSERT_LE(test, unused, is_private ? 0 : 1);
	/* What a driver does when it hands out the page. */
	if (is_private)
		percpu_ref_get(&mdev->pgmap->ref);
	set_page_count(page, 1);
	page->mapping = (void *)0x100;
	KUNIT_EXPECT_NO_WARN(test, put_page(page));
	KUNIT_EXPECT_EQ_MSG(test, mdev->nr_freed, 1, "pages that returned");
	KUNIT_EXPECT_PTR_EQ(test, mdev->freed, page);
	KUNIT_EXPECT_NULL(test, page->mapping);
	KUNIT_EXPECT_EQ_MSG(test, page_ref_count(page), unused, "references to the page");
	KUNIT_EXPECT_NO_WARN(test, memremap_dev_remove(mdev));
	memremap_expect_nothing_left(mdev, "removal");
}

static struct kunit_case memremap_sections_cases[] = {
	KUNIT_CASE_PARAM(each_section_has_its_memmap, origin_gen_params),
	KUNIT_CASE_PARAM(failed_add_undoes_each_section, origin_gen_params),
	KUNIT_CASE(each_range_has_its_memmap),
	KUNIT_CASE(failed_add_undoes_each_range),
	KUNIT_CASE(altmap_for_two_ranges_is_refused),
	KUNIT_CASE_PARAM(device_of_each_type_comes_and_goes, type_gen_params),
	KUNIT_CASE(overlapping_range_is_refused),
	KUNIT_CASE(each_page_leads_to_its_device),
	KUNIT_CASE_PARAM(unused_page_returns_to_driver, free_gen_params),
	{}
};

static struct kunit_suite memremap_sections_suite = {
	.name = "memremap_sections",
	.init = sections_init,
	.test_cases = memremap_sections_cases,
};

kunit_test_suite(memremap_sections_suite);

MODULE_DESCRIPTION("KUnit tests for devices of several sections, ranges and types");
MODULE_LICENSE("GPL");

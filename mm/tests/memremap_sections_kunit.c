// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices of several sections, of several ranges, and of each type. memremap_pages()
 * adds them section by section and range by range. If one of these fails, it must
 * remove all before it.
 *
 * Documentation/mm/vmemmap_altmap.rst states the rules. The cases cite them as
 * I1, I2 and so on.
 */
#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/io.h>
#include <linux/kthread.h>
#include <linux/memblock.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/pagemap.h>
#include <linux/string.h>
#include <linux/wait_bit.h>

#include "func_redirect.h"
#include "memremap_dev.h"
#include "vmemmap_adapt.h"
#include "warn_log.h"

#define NR_SECTIONS	4

static int sections_init(struct kunit *test)
{
	test->priv = memremap_dev_get(test, NR_SECTIONS);
	return 0;
}

/* When system RAM for a memmap is exhausted. One test runs at a time. */
static struct {
	bool at_once;		/* from the start */
	unsigned long section;	/* otherwise, when the section of this page frame is present */
	unsigned int pages;	/* and this many more pages are allocated */
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
 * Limit the system RAM for the memmap of one section to @pages pages. The limit applies
 * as soon as the section @before is present.
 */
static void end_ram_in_section(struct memremap_dev *mdev, unsigned int section,
			       unsigned int before, unsigned int pages)
{
	ram_ends.at_once = !section;
	ram_ends.section = mdev->dev->pfn + before * PAGES_PER_SECTION;
	ram_ends.pages = pages;
	func_redirect_begin(mdev->test, vmemmap_alloc_block, alloc_until_ram_ends);
}

static void end_ram_no_more(struct memremap_dev *mdev)
{
	func_redirect_end(mdev->test, vmemmap_alloc_block);
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
 * I1, E10: the memmap of each section lies in the same kind of memory as the first one's,
 * and in RAM of the device's node if it is not in the device. Removal leaves nothing of any
 * section.
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

/* E10: a device whose node is not known gets the node of the CPU that adds it. */
static void device_without_node_gets_that_of_cpu(struct kunit *test)
{
	struct memremap_dev *mdev = test->priv;
	unsigned long i, pfn;
	int nid, err;

	migrate_disable();
	nid = numa_mem_id();
	err = MEMREMAP_ADD(mdev, .no_node = true);
	migrate_enable();
	KUNIT_ASSERT_EQ(test, err, 0);
	for (i = 0; i < NR_SECTIONS; i++) {
		pfn = mdev->dev->pfn + i * PAGES_PER_SECTION;
		KUNIT_EXPECT_EQ_MSG(test, page_to_nid(pfn_to_page(pfn)), nid,
				    "node of page frame %#lx, and of the CPU", pfn);
	}
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

	/* If a page of either range held no reference, the removal would wait for ever. */
	KUNIT_ASSERT_EQ(test, MEMREMAP_ADD(mdev, .nr_range = 2,
					   .range = { { 0, 1 }, { 2, 2 } }), 0);
	KUNIT_EXPECT_NO_WARN(test, memremap_dev_remove(mdev));
	memremap_expect_nothing_left(mdev, "removal of ranges that differ in size");
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

/**
 * struct holder - the task that holds a reference to a device while its add fails
 * @pfn: the first page frame of the last range that can be added
 * @is_asked: the reference has been asked for
 * @pgmap: the reference, or NULL
 * @memmap: the page frame behind the struct page of @pfn, after a while
 * @linear: the page frame behind its address in the linear mapping, likewise
 * @end: the reference is dropped
 */
static struct holder {
	unsigned long pfn;
	bool is_asked;
	struct dev_pagemap *pgmap;
	unsigned long memmap;
	unsigned long linear;
	struct completion end;
} holder;

static int hold_for_a_while(void *unused)
{
	msleep(50);
	get_online_mems();
	holder.memmap = vmemmap_frame((unsigned long)pfn_to_page(holder.pfn));
	holder.linear = vmemmap_frame((unsigned long)__va(PFN_PHYS(holder.pfn)));
	put_online_mems();
	complete(&holder.end);
	put_dev_pagemap(holder.pgmap);
	return 0;
}

static void hold_device(void)
{
	holder.is_asked = true;
	holder.pgmap = adapt_get_dev_pagemap(holder.pfn, NULL);
	if (!holder.pgmap || !IS_ERR(kthread_run(hold_for_a_while, NULL, "hold_for_a_while")))
		return;
	put_dev_pagemap(holder.pgmap);
	holder.pgmap = NULL;
}

/* Once that range is present, fail each allocation, and let a task hold the device. */
static void *alloc_until_device_is_held(unsigned long size, int node)
{
	struct page *page;

	if (pfn_in_present_section(holder.pfn)) {
		if (!holder.is_asked)
			hold_device();
		return NULL;
	}
	page = alloc_pages_node(node, GFP_KERNEL, get_order(size));
	return page ? page_address(page) : NULL;
}

static const struct failing_range_param {
	const char *name;
	unsigned int held;	/* the first section of the range before */
} failing_range_params[] = {
	{ "the second range", 0 },
	{ "the third range", 2 },
};

KUNIT_ARRAY_PARAM_DESC(failing_range, failing_range_params, name);

/* I4, I14: an add that fails waits for the references to the ranges before, as a removal does. */
static void failed_add_waits_for_references(struct kunit *test)
{
	const struct failing_range_param *param = test->param_value;
	struct memremap_dev *mdev = test->priv;
	bool is_early = false;
	int err = 0;

	holder = (struct holder) { .pfn = mdev->dev->pfn + param->held * PAGES_PER_SECTION };
	init_completion(&holder.end);
	func_redirect_begin(test, vmemmap_alloc_block, alloc_until_device_is_held);
	KUNIT_EXPECT_NO_WARN(test, err = MEMREMAP_ADD(mdev, THREE_RANGES));
	func_redirect_end(test, vmemmap_alloc_block);
	if (holder.pgmap) {
		is_early = !completion_done(&holder.end);
		wait_for_completion(&holder.end);
	}
	KUNIT_ASSERT_EQ(test, err, -ENOMEM);
	KUNIT_ASSERT_PTR_EQ_MSG(test, holder.pgmap, mdev->pgmap,
				"no reference to the range, or no task that holds it");
	KUNIT_EXPECT_FALSE_MSG(test, is_early,
			       "the add returned before the reference was dropped");
	KUNIT_EXPECT_NE_MSG(test, holder.memmap, 0,
			    "page frame behind the memmap of %#lx while it was held", holder.pfn);
	KUNIT_EXPECT_EQ_MSG(test, holder.linear, holder.pfn,
			    "page frame in the linear mapping of %#lx while it was held",
			    holder.pfn);
	memremap_expect_nothing_left(mdev, "failed add");
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
	bool has_ranges;
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
	addr = memremap_pages(pgmap, test_nid());
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
	/* If a reference to the device is left, this waits for ever. */
	KUNIT_EXPECT_NO_WARN(test, memremap_dev_remove(mdev));
	memremap_expect_nothing_left(mdev, "removal");
}

/*
 * I8: get_dev_pagemap() finds the device of a page, with or without a reference to a
 * pgmap from the caller. It reuses or drops that reference.
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
	KUNIT_EXPECT_NULL_MSG(test, pgmap, "the page after the device");
	pgmap = adapt_get_dev_pagemap(first, NULL);
	pgmap = adapt_get_dev_pagemap(first - 1, pgmap);
	KUNIT_EXPECT_NULL_MSG(test, pgmap, "the page before the device");

	/* If a reference is left, this waits for ever. */
	KUNIT_EXPECT_NO_WARN(test, memremap_dev_remove(mdev));
	memremap_expect_nothing_left(mdev, "removal");
}

static void remove_neighbour(void *pgmap)
{
	memunmap_pages(pgmap);
}

/* Add a device of one section, the last one of the claim. It ends with the test. */
static struct dev_pagemap *add_neighbour(struct kunit *test, enum memory_type type)
{
	struct memremap_dev *mdev = test->priv;
	struct dev_pagemap *pgmap = kunit_kzalloc(test, sizeof(*pgmap), GFP_KERNEL);
	u64 end = PFN_PHYS(mdev->dev->pfn + mdev->dev->nr);
	void *addr;

	KUNIT_ASSERT_NOT_NULL(test, pgmap);
	pgmap->type = type;
	pgmap->ops = &memremap_no_ops;
	pgmap->owner = pgmap;
	pgmap->nr_range = 1;
	pgmap->range.start = end - PFN_PHYS(PAGES_PER_SECTION);
	pgmap->range.end = end - 1;
	addr = memremap_pages(pgmap, test_nid());
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, addr);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, remove_neighbour, pgmap));
	return pgmap;
}

static const struct type_param free_params[] = {
	{ "PCI_P2PDMA", MEMORY_DEVICE_PCI_P2PDMA },
	{ "COHERENT", MEMORY_DEVICE_COHERENT },
	{ "PRIVATE", MEMORY_DEVICE_PRIVATE },
};

KUNIT_ARRAY_PARAM_DESC(free, free_params, name);

/*
 * I9: an unused page returns to its driver, once, and nothing is left of its last use. A
 * device of another type, whose pages do not return, changes nothing.
 */
static void unused_page_returns_to_driver(struct kunit *test)
{
	const struct type_param *param = test->param_value;
	bool is_private = param->type == MEMORY_DEVICE_PRIVATE ||
			  param->type == MEMORY_DEVICE_COHERENT;
	struct memremap_dev *mdev = test->priv;
	struct dev_pagemap *neighbour;
	struct page *page;
	int unused;

	if (param->type == MEMORY_DEVICE_PRIVATE && !IS_ENABLED(CONFIG_DEVICE_PRIVATE))
		kunit_skip(test, "no CONFIG_DEVICE_PRIVATE");

	KUNIT_ASSERT_EQ(test, MEMREMAP_ADD(mdev, .type = param->type, .nr_range = 1,
					   .range = { { 0, 1 } }), 0);
	neighbour = add_neighbour(test, MEMORY_DEVICE_FS_DAX);
	page = pfn_to_page(mdev->dev->pfn + PAGES_PER_SECTION / 2);
	/* Until Linux 6.15, an unused MEMORY_DEVICE_PCI_P2PDMA page had a reference. */
	unused = page_ref_count(page);
	KUNIT_ASSERT_GE(test, unused, 0);
	KUNIT_ASSERT_LE(test, unused, is_private ? 0 : 1);
	/* Do what a driver does when it hands out the page. */
	if (is_private) {
		KUNIT_EXPECT_NO_WARN(test, adapt_zone_device_page_init(page, mdev->pgmap));
		KUNIT_EXPECT_EQ_MSG(test, page_ref_count(page), 1,
				    "references to a page that is handed out");
		KUNIT_ASSERT_TRUE_MSG(test, PageLocked(page),
				      "a page that is handed out is not locked");
		unlock_page(page);
	} else {
		set_page_count(page, 1);
	}
	page->mapping = (void *)(0x100UL | (is_private ? FOLIO_MAPPING_ANON : 0));
	if (is_private)
		SetPageAnonExclusive(page);
	KUNIT_EXPECT_NO_WARN(test, put_page(page));
	KUNIT_EXPECT_EQ_MSG(test, mdev->nr_freed, 1, "pages that returned");
	KUNIT_EXPECT_PTR_EQ(test, mdev->freed, page);
	/* If it did not return, it still has its reference to the device. */
	if (is_private && !mdev->nr_freed)
		put_dev_pagemap(mdev->pgmap);
	KUNIT_EXPECT_NULL_MSG(test, mdev->freed_mapping, "mapping that the driver sees");
	KUNIT_EXPECT_NULL(test, page->mapping);
	/* Only a page that looks anonymous may be asked. */
	page->mapping = (void *)FOLIO_MAPPING_ANON;
	KUNIT_EXPECT_FALSE_MSG(test, PageAnonExclusive(page), "the page still counts as exclusive");
	page->mapping = NULL;
	KUNIT_EXPECT_EQ_MSG(test, page_ref_count(page), unused, "references to the page");
	kunit_release_action(test, remove_neighbour, neighbour);
	KUNIT_EXPECT_NO_WARN(test, memremap_dev_remove(mdev));
	memremap_expect_nothing_left(mdev, "removal");
}

static void drop_pgmap(void *pgmap)
{
	put_dev_pagemap(pgmap);
}

static void drop_page(void *page)
{
	put_page(page);
}

static const struct type_param reference_params[] = {
	{ "a reference to the dev_pagemap", MEMORY_DEVICE_GENERIC, true },
	{ "a COHERENT page in use", MEMORY_DEVICE_COHERENT, true },
	{ "a PRIVATE page in use", MEMORY_DEVICE_PRIVATE },
	{ "a reference to a device of three ranges", MEMORY_DEVICE_GENERIC, .has_ranges = true },
};

KUNIT_ARRAY_PARAM_DESC(reference, reference_params, name);

/*
 * I14: a removal waits for the last reference, and nobody gets a new one. Meanwhile the
 * memmap and the linear mapping stay.
 */
static void removal_waits_for_references(struct kunit *test)
{
	const struct type_param *param = test->param_value;
	struct memremap_dev *mdev = test->priv;
	unsigned long last = mdev->dev->pfn + mdev->dev->nr - 1;
	struct dev_pagemap *pgmap = mdev->pgmap, *late;
	struct page *page = pfn_to_page(last);
	kunit_action_t *drop;
	void *reference;
	int err;

	if (param->type == MEMORY_DEVICE_PRIVATE && !IS_ENABLED(CONFIG_DEVICE_PRIVATE))
		kunit_skip(test, "no CONFIG_DEVICE_PRIVATE");

	err = param->has_ranges ? MEMREMAP_ADD(mdev, THREE_RANGES) :
	      MEMREMAP_ADD(mdev, .type = param->type, .offer = param->has_altmap ?
			   memremap_enough(NR_SECTIONS) : 0);
	KUNIT_ASSERT_EQ(test, err, 0);
	if (param->type == MEMORY_DEVICE_GENERIC) {
		drop = drop_pgmap;
		reference = adapt_get_dev_pagemap(last, NULL);
		KUNIT_ASSERT_PTR_EQ(test, reference, pgmap);
	} else {
		drop = drop_page;
		reference = page;
		adapt_zone_device_page_init(page, pgmap);
		unlock_page(page);
	}
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, drop, reference));

	memremap_start_removal(test, pgmap);
	mdev->present = false;
	if (memremap_removal_ends_soon()) {
		kunit_remove_action(test, drop, reference);
		KUNIT_FAIL(test, "the removal ended in spite of %s", param->name);
		return;
	}
	late = adapt_get_dev_pagemap(last, NULL);
	KUNIT_EXPECT_NULL_MSG(test, late, "a new reference during the removal");
	put_dev_pagemap(late);
	memremap_expect_memmap(mdev);
	memremap_expect_linear_map(mdev, param->type != MEMORY_DEVICE_PRIVATE);

	kunit_release_action(test, drop, reference);
	memremap_wait_for_removal();
	memremap_expect_nothing_left(mdev, "removal");
}

/**
 * struct page_waiter - waits until a page is unused, as file systems with DAX do
 * @page: the page
 * @entry: the entries in the wait queues of both addresses that kernels wake
 * @is_woken: it was woken
 */
struct page_waiter {
	struct page *page;
	struct wait_queue_entry entry[2];
	bool is_woken;
};

static int note_wake(struct wait_queue_entry *entry, unsigned int mode, int flags, void *key)
{
	struct page_waiter *waiter = entry->private;
	const struct wait_bit_key *woken = key;

	/* Other addresses share the wait queue. */
	if ((void *)woken->flags == waiter->page ||
	    (void *)woken->flags == &waiter->page->_refcount)
		waiter->is_woken = true;
	return 0;
}

static void wait_for_page(struct page_waiter *waiter)
{
	void *var[] = { waiter->page, &waiter->page->_refcount };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(var); i++) {
		init_waitqueue_func_entry(&waiter->entry[i], note_wake);
		waiter->entry[i].private = waiter;
		add_wait_queue(__var_waitqueue(var[i]), &waiter->entry[i]);
	}
}

static void stop_waiting(struct page_waiter *waiter)
{
	remove_wait_queue(__var_waitqueue(waiter->page), &waiter->entry[0]);
	remove_wait_queue(__var_waitqueue(&waiter->page->_refcount), &waiter->entry[1]);
}

/*
 * I9: unpin_user_page() drops all references that a pin has taken, and wakes the file
 * system, which waits until the page is unused. Another such device has come and gone.
 */
static void unpinned_page_is_unused_again(struct kunit *test)
{
	struct memremap_dev *mdev = test->priv;
	struct page *page = pfn_to_page(mdev->dev->pfn);
	struct page_waiter waiter = { .page = page };
	int unused;

	KUNIT_ASSERT_EQ(test, MEMREMAP_ADD(mdev, .type = MEMORY_DEVICE_FS_DAX, .nr_range = 1,
					   .range = { { 0, 1 } }), 0);
	kunit_release_action(test, remove_neighbour, add_neighbour(test, MEMORY_DEVICE_FS_DAX));
	unused = page_ref_count(page);
	page_ref_add(page, GUP_PIN_COUNTING_BIAS);
	wait_for_page(&waiter);
	KUNIT_EXPECT_NO_WARN(test, unpin_user_page(page));
	stop_waiting(&waiter);
	KUNIT_EXPECT_EQ_MSG(test, page_ref_count(page), unused, "references to the page");
	KUNIT_EXPECT_TRUE_MSG(test, waiter.is_woken, "the file system is not woken");
	set_page_count(page, unused);
	KUNIT_EXPECT_NO_WARN(test, memremap_dev_remove(mdev));
	memremap_expect_nothing_left(mdev, "removal");
}

static int fail_to_add_action(struct device *dev, void (*action)(void *), void *data,
			      const char *name)
{
	return -ENOMEM;
}

/* I15: devm_memremap_pages() removes the device if it cannot record that it has to. */
static void unrecorded_device_is_removed(struct kunit *test)
{
	struct device *dev = kunit_device_register(test, "memremap_sections");
	struct memremap_dev *mdev = test->priv;
	void *addr = NULL;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	/* Fill in the pgmap. */
	KUNIT_ASSERT_EQ(test, MEMREMAP_ADD(mdev, .nr_range = 1, .range = { { 0, 1 } }), 0);
	memremap_dev_remove(mdev);

	func_redirect_begin(test, __devm_add_action, fail_to_add_action);
	KUNIT_EXPECT_NO_WARN(test, addr = devm_memremap_pages(dev, mdev->pgmap));
	func_redirect_end(test, __devm_add_action);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(addr), -ENOMEM);
	if (!IS_ERR(addr))
		devm_memunmap_pages(dev, mdev->pgmap);
	memremap_expect_nothing_left(mdev, "failed add");
	/* Remove it at the end of the test. */
	mdev->present = pfn_in_present_section(mdev->dev->pfn);
}

/*
 * I10: the section of each page of a device leads to the memmap, and has exactly the
 * subsections of the device as present. A section that the device fills in part is
 * marked, because other memory may go online in it. No other section is marked.
 *
 *	section		|   0   |   1   |   2   |
 *	whole		|=======|
 *	without start	|  =====|
 *	without end	|==     |
 *	across		|  =====|====   |
 */
static const struct part_param {
	const char *name;
	/* In subsections, and @end_sections in sections, from the first section on. */
	unsigned int skip;
	unsigned int end_sections;
	unsigned int end;
} part_params[] = {
	{ "whole section", 0, 1, 0 },
	{ "without start", 1, 1, 0 },
	{ "without end", 0, 0, 1 },
	{ "across sections", 1, 1, 2 },
};

KUNIT_ARRAY_PARAM_DESC(part, part_params, name);

/* Each page of the memmap of [@first, @end) is mapped. */
static void expect_memmap(struct kunit *test, unsigned long first, unsigned long end)
{
	unsigned long addr = (unsigned long)pfn_to_page(first);
	struct vmemmap_walk walk;

	for (; addr < (unsigned long)pfn_to_page(end); addr += PAGE_SIZE) {
		vmemmap_walk(addr, &walk);
		if (walk.leaf)
			continue;
		/* Do not abort the case, or the sections would stay. */
		KUNIT_FAIL(test, "the memmap at %#lx: hole at level %s", addr,
			   walk_level_name(walk.level));
		return;
	}
}

static void expect_section(struct kunit *test, unsigned long section, unsigned long first,
			   unsigned long end, bool is_device)
{
	unsigned long pfn = section_nr_to_pfn(section), i;
	struct mem_section *ms = __nr_to_section(section);
	bool is_shared = first > pfn || end < pfn + PAGES_PER_SECTION;
	struct page *memmap;

	KUNIT_ASSERT_TRUE_MSG(test, ms && ms->usage, "section %lu has no usage map", section);
	memmap = (struct page *)(ms->section_mem_map & SECTION_MAP_MASK) + pfn;
	KUNIT_EXPECT_PTR_EQ_MSG(test, memmap, pfn_to_page(pfn), "the memmap of section %lu",
				section);
	KUNIT_EXPECT_EQ_MSG(test, !!(ms->section_mem_map & SECTION_TAINT_ZONE_DEVICE),
			    is_device && is_shared, "section %lu is marked as shared", section);
	for (i = 0; i < SUBSECTIONS_PER_SECTION; i++, pfn += PAGES_PER_SUBSECTION)
		KUNIT_ASSERT_EQ_MSG(test, test_bit(i, ms->usage->subsection_map),
				    pfn >= first && pfn < end,
				    "subsection %lu of section %lu is present", i, section);
	pfn = section_nr_to_pfn(section);
	expect_memmap(test, max(first, pfn), min(end, pfn + PAGES_PER_SECTION));
}

static bool is_marked(unsigned long section)
{
	struct mem_section *ms = __nr_to_section(section);

	return ms && ms->section_mem_map & SECTION_TAINT_ZONE_DEVICE;
}

/* A section outside the device is marked only if an earlier device has shared it. */
static void expect_not_marked(struct kunit *test, unsigned long section, bool before)
{
	KUNIT_EXPECT_EQ_MSG(test, is_marked(section), before && present_section_nr(section),
			    "section %lu, which is not the device's, is marked as shared",
			    section);
}

static void each_section_knows_its_device(struct kunit *test)
{
	const struct part_param *param = test->param_value;
	struct memremap_dev *mdev = test->priv;
	unsigned long first = mdev->dev->pfn + param->skip * PAGES_PER_SUBSECTION;
	unsigned long end = mdev->dev->pfn + param->end_sections * PAGES_PER_SECTION +
			    param->end * PAGES_PER_SUBSECTION;
	unsigned long section, last = pfn_to_section_nr(end - 1);
	unsigned long beside[] = { pfn_to_section_nr(first) - 1, last + 1 };
	bool before[] = { is_marked(beside[0]), is_marked(beside[1]) };
	int i;

	KUNIT_ASSERT_EQ(test, MEMREMAP_ADD(mdev, .nr_range = 1, .range = { { 0, 2 } },
					   .skip = first - mdev->dev->pfn,
					   .nr_pages = end - first), 0);
	for (section = pfn_to_section_nr(first); section <= last; section++)
		expect_section(test, section, first, end, true);
	for (i = 0; i < ARRAY_SIZE(beside); i++)
		expect_not_marked(test, beside[i], before[i]);
}

/* Fill the start of a device with ones, and remove the device. */
static void fill_with_ones(struct memremap_dev *mdev, unsigned long nr_pages)
{
	KUNIT_ASSERT_EQ(mdev->test, MEMREMAP_ADD(mdev), 0);
	memset(pfn_to_kaddr(mdev->dev->pfn), 0xff, PFN_PHYS(nr_pages));
	memremap_dev_remove(mdev);
}

/* Describe what is wrong with the struct page of a page that holds memmap, or return NULL. */
static const char *wrong_memmap_page(struct page *page)
{
	if (page_zonenum(page) != ZONE_DEVICE)
		return "is in another zone";
	if (page_to_nid(page) != test_nid())
		return "is in another node";
	if (!PageReserved(page))
		return "is not reserved";
	if (PageOffline(page))
		return "is offline";
	if (page_ref_count(page) != 1)
		return "has a wrong reference count";
	if (atomic_read(&page->_mapcount) != -1)
		return "is mapped";
	return NULL;
}

/*
 * E8: the struct pages of the offered pages are initialized, whatever they held. Those of
 * the reserved pages are not.
 *
 *	page		| reserve | offer             | data
 *	struct page	|  ones   | reserved          |
 */
static void offered_pages_are_initialized(struct kunit *test)
{
	struct memremap_dev *mdev = test->priv;
	unsigned long reserve = 5, offer = memremap_enough(1), i;
	struct page *page = pfn_to_page(mdev->dev->pfn);
	const char *wrong;

	fill_with_ones(mdev, reserve + offer);
	KUNIT_ASSERT_EQ(test, MEMREMAP_ADD(mdev, .reserve = reserve, .offer = offer,
					   .nr_range = 1, .range = { { 0, 1 } }), 0);
	KUNIT_EXPECT_NULL_MSG(test, memchr_inv(page, 0xff, reserve * sizeof(*page)),
			      "a struct page of a reserved page is initialized");
	for (i = reserve; i < reserve + offer; i++) {
		wrong = wrong_memmap_page(page + i);
		KUNIT_ASSERT_NULL_MSG(test, wrong, "page %lu, which the altmap offers, %s", i,
				      wrong);
	}
}

/*
 * E11: a memory error in a page that the altmap reserves or offers cannot be recovered from. The
 * kernel leaves its struct page alone, and the device can be removed.
 *
 *	page		| reserve | offer             | data
 *	error		|x        |x                 x|
 */
static void error_in_memmap_is_not_recovered(struct kunit *test)
{
	struct memremap_dev *mdev = test->priv;
	unsigned long reserve = 5, offer = memremap_enough(1);
	const unsigned long bad[] = { 0, reserve, reserve + offer - 1 };
	struct page before, *page;
	int i, err = 0;

	if (!IS_ENABLED(CONFIG_MEMORY_FAILURE))
		kunit_skip(test, "no CONFIG_MEMORY_FAILURE");
	KUNIT_ASSERT_EQ(test, MEMREMAP_ADD(mdev, .reserve = reserve, .offer = offer,
					   .nr_range = 1, .range = { { 0, 1 } }), 0);
	/* A kernel that takes a reserved page for data must not find a folio there. */
	memset(pfn_to_page(mdev->dev->pfn), 0, reserve * sizeof(*page));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		page = pfn_to_page(mdev->dev->pfn + bad[i]);
		before = *page;
		KUNIT_EXPECT_NO_WARN(test, err = memory_failure(page_to_pfn(page),
								MF_SW_SIMULATED));
		/* It counts the error, although nothing is broken. */
		num_poisoned_pages_sub(page_to_pfn(page), 1);
		KUNIT_EXPECT_EQ_MSG(test, err, -ENXIO, "page %lu", bad[i]);
		KUNIT_EXPECT_MEMEQ_MSG(test, page, &before, sizeof(before),
				       "struct page of page %lu", bad[i]);
	}
	/* If a reference is left, this does not end. */
	memremap_dev_remove(mdev);
}

static const struct altmap_param {
	const char *name;
	unsigned long skip;
	unsigned long more;
} altmap_params[] = {
	{ "begins before the device", PAGES_PER_SUBSECTION, 0 },
	{ "is larger than the device", 0, 1 },
};

KUNIT_ARRAY_PARAM_DESC(altmap, altmap_params, name);

/*
 * I11: an altmap that does not begin with the device, or is larger than it, is refused.
 * max_pfn stays as it is.
 */
static void wrong_altmap_is_refused(struct kunit *test)
{
	const struct altmap_param *param = test->param_value;
	struct memremap_dev *mdev = test->priv;
	unsigned long offer = param->more ? PAGES_PER_SECTION + param->more : memremap_enough(1);
	unsigned long before = max_pfn, low = max_low_pfn, after;
	int err = 0;

	/* Other cases may have raised it, and nothing lowers it. */
	max_pfn = mdev->dev->pfn;
	KUNIT_EXPECT_NO_WARN(test, err = MEMREMAP_ADD(mdev, .offer = offer, .nr_range = 1,
						      .range = { { 0, 1 } },
						      .skip = param->skip));
	after = max_pfn;
	max_pfn = max(before, after);
	max_low_pfn = max(low, max_low_pfn);
	KUNIT_EXPECT_EQ(test, err, -EINVAL);
	KUNIT_EXPECT_EQ_MSG(test, after, mdev->dev->pfn, "max_pfn");
	memremap_dev_remove(mdev);
	memremap_expect_nothing_left(mdev, "refusal");
}

static vm_fault_t no_migration(struct vm_fault *vmf)
{
	return VM_FAULT_SIGBUS;
}

static void no_free(void *page_or_folio)
{
}

static const struct dev_pagemap_ops ops_without_free = {
	.migrate_to_ram = no_migration,
};

/* The member without a name is page_free(), or folio_free() since Linux 7. */
static const struct dev_pagemap_ops ops_without_migration = {
	(void *)no_free,
};

static const struct pgmap_param {
	const char *name;
	enum memory_type type;
	const struct dev_pagemap_ops *ops;
	bool has_owner;
	int nr_range;
} pgmap_params[] = {
	{ "no range", MEMORY_DEVICE_GENERIC, &memremap_no_ops, true, 0 },
	{ "PRIVATE, no ops", MEMORY_DEVICE_PRIVATE, NULL, true, 1 },
	{ "PRIVATE, no migrate_to_ram", MEMORY_DEVICE_PRIVATE, &ops_without_migration, true, 1 },
	{ "PRIVATE, no page_free", MEMORY_DEVICE_PRIVATE, &ops_without_free, true, 1 },
	{ "PRIVATE, no owner", MEMORY_DEVICE_PRIVATE, &memremap_no_ops, false, 1 },
	{ "COHERENT, no page_free", MEMORY_DEVICE_COHERENT, &ops_without_free, true, 1 },
	{ "COHERENT, no owner", MEMORY_DEVICE_COHERENT, &memremap_no_ops, false, 1 },
};

KUNIT_ARRAY_PARAM_DESC(pgmap, pgmap_params, name);

/* Add a device with its current pgmap. */
static int add_by(struct memremap_dev *mdev, u64 start, u64 size)
{
	struct dev_pagemap *pgmap = mdev->pgmap;
	void *addr;

	pgmap->range.start = start;
	pgmap->range.end = start + size - 1;
	addr = memremap_pages(pgmap, test_nid());
	if (IS_ERR(addr))
		return PTR_ERR(addr);
	mdev->present = true;
	return 0;
}

/* I11: a pgmap that lacks what its type needs is refused, with a WARN. */
static void incomplete_pgmap_is_refused(struct kunit *test)
{
	const struct pgmap_param *param = test->param_value;
	struct memremap_dev *mdev = test->priv;
	int err = 0;

	mdev->pgmap->type = param->type;
	mdev->pgmap->ops = param->ops;
	mdev->pgmap->owner = param->has_owner ? mdev : NULL;
	mdev->pgmap->nr_range = param->nr_range;
	KUNIT_EXPECT_WARNS(test, 1, "mm/memremap.c",
			   err = add_by(mdev, PFN_PHYS(mdev->dev->pfn),
					PFN_PHYS(PAGES_PER_SECTION)));
	KUNIT_EXPECT_EQ(test, err, -EINVAL);
	memremap_dev_remove(mdev);
	memremap_expect_nothing_left(mdev, "refusal");
}

/* I11: a range that is system RAM, or partly so, is refused with a WARN. */
static void system_ram_is_refused(struct kunit *test)
{
	struct memremap_dev *mdev = test->priv;
	u64 size = PFN_PHYS(PAGES_PER_SUBSECTION), end = memblock_end_of_DRAM();
	int err = 0;

	mdev->pgmap->type = MEMORY_DEVICE_GENERIC;
	mdev->pgmap->nr_range = 1;
	KUNIT_EXPECT_WARNS(test, 1, "mm/memremap.c", err = add_by(mdev, end - size, size));
	KUNIT_ASSERT_EQ_MSG(test, err, -ENXIO, "system RAM");
	KUNIT_EXPECT_WARNS(test, 1, "mm/memremap.c", err = add_by(mdev, end - size, 2 * size));
	KUNIT_ASSERT_EQ_MSG(test, err, -ENXIO, "system RAM and the memory after it");
}

/* I11: a range that does not fit into the linear mapping is refused. */
static void unreachable_memory_is_refused(struct kunit *test)
{
	struct range range = mhp_get_pluggable_range(true);
	struct memremap_dev *mdev = test->priv;
	u64 size = PFN_PHYS(PAGES_PER_SUBSECTION);
	int err = 0;

	mdev->pgmap->type = MEMORY_DEVICE_GENERIC;
	mdev->pgmap->nr_range = 1;
	KUNIT_EXPECT_NO_WARN(test, err = add_by(mdev, range.end + 1, size));
	KUNIT_ASSERT_EQ_MSG(test, err, -EINVAL, "after the linear mapping");
	KUNIT_EXPECT_NO_WARN(test, err = add_by(mdev, range.end + 1 - size, 2 * size));
	KUNIT_ASSERT_EQ_MSG(test, err, -EINVAL, "across the end of the linear mapping");
}

/*
 * I11: the kernel WARNs about a type that it does not know, and treats the device as
 * MEMORY_DEVICE_GENERIC.
 */
static void unknown_type_is_reported(struct kunit *test)
{
	struct memremap_dev *mdev = test->priv;
	int err = 0;

	KUNIT_EXPECT_WARNS(test, 1, "mm/memremap.c",
			   err = MEMREMAP_ADD(mdev, .type = MEMORY_DEVICE_PCI_P2PDMA + 1,
					      .nr_range = 1, .range = { { 0, 1 } }));
	KUNIT_ASSERT_EQ(test, err, 0);
	memremap_expect_memmap(mdev);
	KUNIT_EXPECT_NO_WARN(test, memremap_dev_remove(mdev));
	memremap_expect_nothing_left(mdev, "removal");
}

/* I11: memmap_init_zone_device() WARNs about any other zone, and changes nothing. */
static void other_zone_is_refused(struct kunit *test)
{
	struct memremap_dev *mdev = test->priv;
	struct zone *zone = &NODE_DATA(test_nid())->node_zones[ZONE_NORMAL];
	struct page *page = pfn_to_page(mdev->dev->pfn);

	KUNIT_ASSERT_EQ(test, MEMREMAP_ADD(mdev, .nr_range = 1, .range = { { 0, 1 } }), 0);
	KUNIT_EXPECT_WARNS(test, 1, "mm/mm_init.c",
			   memmap_init_zone_device(zone, mdev->dev->pfn, 1, mdev->pgmap));
	KUNIT_EXPECT_EQ_MSG(test, page_zonenum(page), ZONE_DEVICE, "zone of the first page");
}

/* E9: the kernel WARNs if the altmap does not have all its pages back. */
static void missing_pages_are_reported(struct kunit *test)
{
	struct memremap_dev *mdev = test->priv;

	KUNIT_ASSERT_EQ(test, MEMREMAP_ADD(mdev, .offer = memremap_enough(1), .nr_range = 1,
					   .range = { { 0, 1 } }), 0);
	mdev->pgmap->altmap.alloc++;
	KUNIT_EXPECT_WARNS(test, 1, "mm/memremap.c", memremap_dev_remove(mdev));
	mdev->pgmap->altmap.alloc--;
	memremap_expect_nothing_left(mdev, "removal");
}

/*
 * I8: pgmap_pfn_valid() accepts the pages of each range, except for those of the altmap. A
 * reference to the pgmap does not make get_dev_pagemap() find it between the ranges.
 */
static void pgmap_knows_its_pages(struct kunit *test)
{
	struct memremap_dev *mdev = test->priv;
	unsigned long pfn = mdev->dev->pfn, enough = memremap_enough(1);
	struct dev_pagemap *pgmap = mdev->pgmap, *found;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, MEMREMAP_ADD(mdev, THREE_RANGES), 0);
	for (i = 0; i < NR_SECTIONS; i++) {
		unsigned long first = pfn + i * PAGES_PER_SECTION;

		KUNIT_EXPECT_EQ_MSG(test, pgmap_pfn_valid(pgmap, first), i != 1,
				    "first page of section %u", i);
		KUNIT_EXPECT_EQ_MSG(test, pgmap_pfn_valid(pgmap, first + PAGES_PER_SECTION - 1),
				    i != 1, "last page of section %u", i);
		found = adapt_get_dev_pagemap(first, adapt_get_dev_pagemap(pfn, NULL));
		KUNIT_EXPECT_PTR_EQ_MSG(test, found, i != 1 ? pgmap : NULL,
					"pgmap of section %u, with a reference", i);
		put_dev_pagemap(found);
	}
	KUNIT_EXPECT_FALSE_MSG(test, pgmap_pfn_valid(pgmap, pfn - 1), "the page before");
	KUNIT_EXPECT_FALSE_MSG(test, pgmap_pfn_valid(pgmap, pfn + mdev->dev->nr),
			       "the page after");
	memremap_dev_remove(mdev);

	KUNIT_ASSERT_EQ(test, MEMREMAP_ADD(mdev, .reserve = 1, .offer = enough, .nr_range = 1,
					   .range = { { 0, 1 } }), 0);
	KUNIT_EXPECT_FALSE_MSG(test, pgmap_pfn_valid(pgmap, pfn), "a reserved page");
	KUNIT_EXPECT_FALSE_MSG(test, pgmap_pfn_valid(pgmap, pfn + enough),
			       "the last page that the altmap offers");
	KUNIT_EXPECT_TRUE_MSG(test, pgmap_pfn_valid(pgmap, pfn + enough + 1),
			      "the first page of data");
}

static int add_pages_at(unsigned long pfn, unsigned long nr)
{
	struct mhp_params params = { .pgprot = PAGE_KERNEL };
	int err;

	mem_hotplug_begin();
	err = __add_pages(test_nid(), pfn, nr, &params);
	mem_hotplug_done();
	return err;
}

static void remove_pages_at(unsigned long pfn, unsigned long nr)
{
	mem_hotplug_begin();
	adapt_remove_pages(pfn, nr, NULL);
	mem_hotplug_done();
}

/*
 * I12: only whole subsections can be added or removed, and only those that are present
 * can be removed. The kernel WARNs about any other range, and changes nothing.
 *
 *	subsection	|   0   |   1   |   2   |
 *	present		|=======|=======|
 */
static void other_pages_are_not_removed(struct kunit *test)
{
	struct memremap_dev *mdev = test->priv;
	unsigned long pfn = mdev->dev->pfn, nr = PAGES_PER_SUBSECTION;
	int err = 0;

	KUNIT_EXPECT_WARNS(test, 1, "mm/memory_hotplug.c", err = add_pages_at(pfn + 1, nr));
	KUNIT_EXPECT_EQ(test, err, -EINVAL);
	KUNIT_EXPECT_WARNS(test, 1, "mm/memory_hotplug.c", err = add_pages_at(pfn, nr - 1));
	KUNIT_EXPECT_EQ(test, err, -EINVAL);
	memremap_expect_nothing_left(mdev, "refusal");

	KUNIT_ASSERT_EQ(test, add_pages_at(pfn, 2 * nr), 0);
	KUNIT_EXPECT_WARNS(test, 1, "mm/memory_hotplug.c", remove_pages_at(pfn + 1, nr));
	KUNIT_EXPECT_WARNS(test, 1, "mm/memory_hotplug.c", remove_pages_at(pfn, nr + 1));
	KUNIT_EXPECT_WARNS(test, 1, NULL, remove_pages_at(pfn + PAGES_PER_SECTION, nr));
	KUNIT_EXPECT_WARNS(test, 1, NULL, remove_pages_at(pfn + 2 * nr, nr));
	KUNIT_EXPECT_WARNS(test, 1, NULL, remove_pages_at(pfn + nr, 2 * nr));
	expect_section(test, pfn_to_section_nr(pfn), pfn, pfn + 2 * nr, false);

	KUNIT_EXPECT_NO_WARN(test, remove_pages_at(pfn, nr));
	KUNIT_EXPECT_WARNS(test, 1, NULL, remove_pages_at(pfn, nr));
	expect_section(test, pfn_to_section_nr(pfn), pfn + nr, pfn + 2 * nr, false);
	KUNIT_EXPECT_EQ_MSG(test, add_pages_at(pfn, 2 * nr), -EEXIST,
			    "adding a subsection that is present");
	expect_section(test, pfn_to_section_nr(pfn), pfn + nr, pfn + 2 * nr, false);
	KUNIT_EXPECT_NO_WARN(test, remove_pages_at(pfn + nr, nr));
	memremap_expect_nothing_left(mdev, "removal");
}

static struct kunit_case memremap_sections_cases[] = {
	KUNIT_CASE_PARAM(each_section_has_its_memmap, origin_gen_params),
	KUNIT_CASE(device_without_node_gets_that_of_cpu),
	KUNIT_CASE_PARAM(failed_add_undoes_each_section, origin_gen_params),
	KUNIT_CASE(each_range_has_its_memmap),
	KUNIT_CASE(failed_add_undoes_each_range),
	KUNIT_CASE_PARAM(failed_add_waits_for_references, failing_range_gen_params),
	KUNIT_CASE(altmap_for_two_ranges_is_refused),
	KUNIT_CASE_PARAM(device_of_each_type_comes_and_goes, type_gen_params),
	KUNIT_CASE(overlapping_range_is_refused),
	KUNIT_CASE(each_page_leads_to_its_device),
	KUNIT_CASE_PARAM(unused_page_returns_to_driver, free_gen_params),
	KUNIT_CASE_PARAM(removal_waits_for_references, reference_gen_params),
	KUNIT_CASE(unpinned_page_is_unused_again),
	KUNIT_CASE(unrecorded_device_is_removed),
	KUNIT_CASE_PARAM(each_section_knows_its_device, part_gen_params),
	KUNIT_CASE(offered_pages_are_initialized),
	KUNIT_CASE(error_in_memmap_is_not_recovered),
	KUNIT_CASE_PARAM(wrong_altmap_is_refused, altmap_gen_params),
	KUNIT_CASE_PARAM(incomplete_pgmap_is_refused, pgmap_gen_params),
	KUNIT_CASE(system_ram_is_refused),
	KUNIT_CASE(unreachable_memory_is_refused),
	KUNIT_CASE(unknown_type_is_reported),
	KUNIT_CASE(other_zone_is_refused),
	KUNIT_CASE(missing_pages_are_reported),
	KUNIT_CASE(pgmap_knows_its_pages),
	KUNIT_CASE(other_pages_are_not_removed),
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

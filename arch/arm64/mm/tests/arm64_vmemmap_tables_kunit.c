// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page tables of the vmemmap: new tables, existing entries, entries of a neighbour,
 * and the bounds of the vmemmap.
 *
 * Documentation/mm/vmemmap_altmap.rst states the rules. The cases cite them as
 * C10, C15 and so on.
 */
#include <kunit/test.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/pgtable.h>

#include "fake_dev.h"
#include "func_redirect.h"
#include "unmap_hotplug.h"
#include "warn_log.h"

#define SECTION_MEMMAP		(PAGES_PER_SECTION * sizeof(struct page))

/* Sections whose memmap one PTE table maps. */
#define SECTIONS_PER_TABLE	(PMD_SIZE / SECTION_MEMMAP ?: 1)

/**
 * struct tables_test - what each case starts with
 * @dev: a device whose memmap fills at least one PTE table
 * @altmap: its first pages, for the memmap
 * @start: the first address of such a table
 */
struct tables_test {
	struct fake_dev *dev;
	struct vmem_altmap altmap;
	unsigned long start;
};

static int tables_init(struct kunit *test)
{
	struct tables_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->dev = fake_dev_get(test, 2 * SECTIONS_PER_TABLE, SECTIONS_PER_TABLE);
	memcpy(&t->altmap, &(struct vmem_altmap) {
		.base_pfn = t->dev->pfn,
		.free = t->dev->nr,
	}, sizeof(t->altmap));
	/* The vmemmap begins with the first page of RAM, and so anywhere in a table. */
	t->start = ALIGN(fake_dev_memmap(t->dev, 0), PMD_SIZE);
	test->priv = t;
	return 0;
}

static int populate(unsigned long start, unsigned long end, struct vmem_altmap *altmap)
{
	int err;

	mem_hotplug_begin();
	err = vmemmap_populate(start, end, test_nid(), altmap);
	mem_hotplug_done();
	return err;
}

static void depopulate(unsigned long start, unsigned long end, struct vmem_altmap *altmap)
{
	mem_hotplug_begin();
	vmemmap_free(start, end, altmap);
	mem_hotplug_done();
}

/* Map the page of the memmap that has this index in the PTE table. */
static void populate_entry(struct kunit *test, unsigned long index)
{
	struct tables_test *t = test->priv;
	unsigned long addr = t->start + index * PAGE_SIZE;

	KUNIT_ASSERT_EQ(test, populate(addr, addr + PAGE_SIZE, &t->altmap), 0);
}

static void depopulate_entry(struct kunit *test, unsigned long index)
{
	struct tables_test *t = test->priv;
	unsigned long addr = t->start + index * PAGE_SIZE;

	KUNIT_ASSERT_TRUE_MSG(test, t->dev->free_takes_altmap,
			      "vmemmap_free() returns nothing to an altmap");
	depopulate(addr, addr + PAGE_SIZE, &t->altmap);
}

static const struct entry_param {
	const char *name;
	unsigned long kept;
	unsigned long gone;
} entry_params[] = {
	{ "the first entry", 0, 1 },
	{ "the last entry", PTRS_PER_PTE - 1, PTRS_PER_PTE - 2 },
	{ "the last entry of the lower half", PTRS_PER_PTE / 2 - 1, PTRS_PER_PTE - 1 },
	{ "the first entry of the upper half", PTRS_PER_PTE / 2, 0 },
	{ "the entry before", 5, 6 },
	{ "the entry after", 6, 5 },
};

KUNIT_ARRAY_PARAM_DESC(entry, entry_params, name);

/*
 * C10: a PTE table stays while any of its entries is in use. It is freed with the last
 * one.
 *
 *	entries of the table	|0|1|2|       ...       |N-2|N-1|
 *	kept			|k|
 *	freed			  |g|
 */
static void free_keeps_table_for_one_entry(struct kunit *test)
{
	const struct entry_param *param = test->param_value;
	struct tables_test *t = test->priv;
	unsigned long addr = t->start + param->kept * PAGE_SIZE;
	struct vmemmap_walk before, after;

	populate_entry(test, param->kept);
	populate_entry(test, param->gone);
	vmemmap_walk(addr, &before);
	depopulate_entry(test, param->gone);
	vmemmap_walk(addr, &after);
	KUNIT_ASSERT_TRUE_MSG(test, after.leaf, "%#lx, of the neighbour: hole at level %s",
			      addr, walk_level_name(after.level));
	KUNIT_EXPECT_EQ_MSG(test, after.desc, before.desc, "descriptor of the neighbour");
	KUNIT_EXPECT_PTR_EQ_MSG(test, after.table[WALK_PTE], before.table[WALK_PTE],
				"the PTE table");

	depopulate_entry(test, param->kept);
	KUNIT_EXPECT_EQ_MSG(test, fake_dev_census(t->dev).tables, t->dev->tables,
			    "page-table pages for [%#lx, +%#lx), after and before",
			    t->start, PMD_SIZE);
}

#define GARBAGE		0x5a5a5a5a5a5a5a5aUL	/* not a valid descriptor */

/* The node that a page table was asked from, if it was a wrong one. One test runs at a time. */
static int table_node;

static void *alloc_garbage(unsigned long size, int node)
{
	struct page *page = alloc_pages_node(test_nid(), GFP_KERNEL, get_order(size));

	if (node != test_nid())
		table_node = node;
	return page ? memset64(page_address(page), GARBAGE, size / sizeof(u64)) : NULL;
}

/* Count the garbage in a table, and clear it before it is treated as entries. */
static unsigned int clear_garbage(u64 *table)
{
	unsigned int i, nr = 0;

	for (i = 0; table && i < PAGE_SIZE / sizeof(*table); i++) {
		if (READ_ONCE(table[i]) != GARBAGE)
			continue;
		WRITE_ONCE(table[i], 0);
		nr++;
	}
	return nr;
}

/* A device far above RAM, where all tables of the memmap are new. */
static struct fake_dev *far_dev_get(struct kunit *test)
{
	u64 wide = mhp_get_pluggable_range(true).end / PFN_PHYS(PAGES_PER_SECTION) / 2;
	struct tables_test *t = test->priv;

	wide = min_t(u64, rounddown_pow_of_two(wide), 2 * PUD_SIZE / SECTION_MEMMAP);
	return wide > SECTIONS_PER_TABLE ? fake_dev_get(test, 1, wide) : t->dev;
}

/* C20, C23: a new table comes from the node, and is empty except for the entries of the range. */
static void populate_clears_new_tables(struct kunit *test)
{
	struct fake_dev *dev = far_dev_get(test);
	unsigned long start = fake_dev_memmap(dev, 0);
	struct vmemmap_walk walk;
	enum walk_level level;
	int err;

	table_node = test_nid();
	func_redirect_begin(test, vmemmap_alloc_block, alloc_garbage);
	err = populate(start, start + PAGE_SIZE, NULL);
	func_redirect_end(test, vmemmap_alloc_block);
	KUNIT_ASSERT_EQ(test, err, 0);
	KUNIT_EXPECT_EQ_MSG(test, table_node, test_nid(), "node that a table was asked from");
	KUNIT_EXPECT_GT_MSG(test, fake_dev_census(dev).tables, dev->tables,
			    "page-table pages, and those that were there before");

	vmemmap_walk(start, &walk);
	KUNIT_ASSERT_EQ(test, walk.level, WALK_PTE);
	for (level = WALK_P4D; level < WALK_LEVELS; level++)
		KUNIT_EXPECT_EQ_MSG(test, clear_garbage(walk.table[level]), 0,
				    "entries of the %s table for %#lx that were not cleared",
				    walk_level_name(level), start);
}

/* How many allocations succeed until the first that fails. One test runs at a time. */
static unsigned int allocs_left;

static void *alloc_while_any_left(unsigned long size, int node)
{
	struct page *page = NULL;

	if (allocs_left) {
		allocs_left--;
		page = alloc_pages_node(node, GFP_KERNEL | __GFP_ZERO, get_order(size));
	}
	return page ? page_address(page) : NULL;
}

static const struct size_param {
	const char *name;
	unsigned long size;
} size_params[] = {
	{ "a base page", PAGE_SIZE },
	{ "a section", SECTION_MEMMAP },
};

KUNIT_ARRAY_PARAM_DESC(size, size_params, name);

/* C17: the allocation of a table of any level can fail. */
static void each_new_table_can_fail(struct kunit *test)
{
	const struct size_param *param = test->param_value;
	struct fake_dev *dev = far_dev_get(test);
	unsigned long start = fake_dev_memmap(dev, 0);
	unsigned int nth = 0, most = param->size / PAGE_SIZE + WALK_LEVELS;
	int err;

	do {
		allocs_left = nth;
		func_redirect_begin(test, vmemmap_alloc_block, alloc_while_any_left);
		err = populate(start, start + param->size, NULL);
		func_redirect_end(test, vmemmap_alloc_block);
		depopulate(start, start + param->size, NULL);
		KUNIT_ASSERT_EQ_MSG(test, fake_dev_census(dev).tables, dev->tables,
				    "page-table pages, after %u allocations and before", nth);
		KUNIT_ASSERT_TRUE_MSG(test, !err || err == -ENOMEM, "%u allocations: %pe", nth,
				      ERR_PTR(err));
	} while (err && nth++ < most);
	KUNIT_EXPECT_EQ_MSG(test, err, 0, "with enough memory");
	KUNIT_EXPECT_GT_MSG(test, nth, 0, "allocations, each of which failed once");
}

/*
 * B3: an existing block stays, and nothing is allocated for it. With 16K and 64K pages,
 * this is about the base pages of a section.
 */
static void populate_keeps_section_that_is_there(struct kunit *test)
{
	struct tables_test *t = test->priv;
	struct vmem_altmap second = FAKE_ALTMAP(t->dev, .free = t->dev->nr);
	unsigned long nr = SECTION_MEMMAP / PAGE_SIZE, end = t->start + SECTION_MEMMAP, i;
	unsigned long *before = kunit_kmalloc_array(test, nr, sizeof(*before), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, before);
	KUNIT_ASSERT_EQ(test, populate(t->start, end, &t->altmap), 0);
	for (i = 0; i < nr; i++)
		before[i] = vmemmap_frame(t->start + i * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, populate(t->start, end, &second), 0);
	KUNIT_EXPECT_EQ_MSG(test, second.alloc, 0, "pages taken for existing entries");
	for (i = 0; i < nr; i++) {
		KUNIT_ASSERT_NE_MSG(test, before[i], 0, "%#lx is not mapped",
				    t->start + i * PAGE_SIZE);
		KUNIT_ASSERT_EQ_MSG(test, vmemmap_frame(t->start + i * PAGE_SIZE), before[i],
				    "page frame behind %#lx, now and before",
				    t->start + i * PAGE_SIZE);
	}
}

/* C21: an existing page stays, and the rest of its section is mapped. */
static void populate_fills_section_that_is_there_in_part(struct kunit *test)
{
	struct tables_test *t = test->priv;
	unsigned long end = t->start + SECTION_MEMMAP;
	struct vmemmap_walk before, after;
	struct vmemmap_census census;

	populate_entry(test, 1);
	vmemmap_walk(t->start + PAGE_SIZE, &before);
	KUNIT_EXPECT_EQ(test, populate(t->start, end, &t->altmap), 0);
	vmemmap_walk(t->start + PAGE_SIZE, &after);
	KUNIT_EXPECT_EQ_MSG(test, after.desc, before.desc, "descriptor of the existing page");
	vmemmap_census(t->start, end, t->dev->pfn, t->dev->nr, &census);
	KUNIT_EXPECT_EQ_MSG(test, census.device, SECTION_MEMMAP / PAGE_SIZE,
			    "pages of a section's memmap that lie in the device");
	KUNIT_EXPECT_EQ_MSG(test, t->altmap.alloc, SECTION_MEMMAP / PAGE_SIZE,
			    "pages taken from the altmap");
}

/* Nothing is mapped on either side of a border between tables. */
static bool border_is_free(unsigned long border)
{
	struct vmemmap_census census;

	if (border < VMEMMAP_START + SECTION_MEMMAP || border > VMEMMAP_END - SECTION_MEMMAP)
		return false;
	vmemmap_census(border - SECTION_MEMMAP, border + SECTION_MEMMAP, 0, 0, &census);
	return census.holes == 2 * SECTION_MEMMAP / PAGE_SIZE;
}

/* Map and free @half bytes on each side of a border, side by side or both in one call. */
static void expect_maps_across(struct kunit *test, unsigned long border, unsigned long half,
			       bool at_once)
{
	struct tables_test *t = test->priv;
	unsigned long start = border - half, end = border + half;
	unsigned long middle = at_once ? end : border;
	struct vmem_altmap altmap = FAKE_ALTMAP(t->dev, .free = t->dev->nr);
	struct vmemmap_census before, census;

	vmemmap_census(start, end, t->dev->pfn, t->dev->nr, &before);
	KUNIT_EXPECT_EQ(test, populate(start, middle, &altmap), 0);
	if (!at_once)
		KUNIT_EXPECT_EQ(test, populate(border, end, &altmap), 0);
	vmemmap_census(start, end, t->dev->pfn, t->dev->nr, &census);
	KUNIT_EXPECT_EQ_MSG(test, census.device, 2 * half / PAGE_SIZE,
			    "pages of [%#lx, %#lx) that are mapped to the device", start, end);
	KUNIT_EXPECT_EQ_MSG(test, altmap.alloc, 2 * half / PAGE_SIZE,
			    "pages taken from the altmap for [%#lx, %#lx)", start, end);
	if (t->dev->free_takes_altmap) {
		depopulate(start, middle, &altmap);
		if (!at_once)
			depopulate(border, end, &altmap);
	} else {
		fake_dev_clear(t->dev, start, end);
	}
	vmemmap_census(start, end, t->dev->pfn, t->dev->nr, &census);
	KUNIT_EXPECT_EQ_MSG(test, census.holes, 2 * half / PAGE_SIZE,
			    "pages of [%#lx, %#lx) that are not mapped after freeing", start, end);
	KUNIT_EXPECT_EQ_MSG(test, census.tables, before.tables,
			    "page-table pages for [%#lx, %#lx), now and before", start, end);
}

/*
 * C1, C6, C9: the last range before a border between tables and the first one after it
 * are mapped and freed correctly, at the border of tables of any level. The case uses
 * base pages first, and then whole sections, and also frees one page on each side at once.
 */
static void populate_maps_both_sides_of_border(struct kunit *test)
{
	/* Levels that are folded have the same size. */
	const unsigned long sizes[] = { PMD_SIZE, PUD_SIZE, P4D_SIZE, PGDIR_SIZE };
	struct tables_test *t = test->priv;
	unsigned int i, borders = 0;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		unsigned long border = ALIGN(t->start + 1, sizes[i]);

		if ((i && sizes[i] == sizes[i - 1]) || !border_is_free(border))
			continue;
		borders++;
		expect_maps_across(test, border, 2 * PAGE_SIZE, false);
		expect_maps_across(test, border, max(SECTION_MEMMAP, PAGE_SIZE), false);
		expect_maps_across(test, border, PAGE_SIZE, true);
	}
	KUNIT_EXPECT_GT_MSG(test, borders, 0, "borders after %#lx that are free", t->start);
}

struct bounds {
	unsigned long start;
	unsigned long end;
};

/*
 * C15: a range that is not completely inside the vmemmap is refused, even if only a byte
 * or only half of it is outside.
 */
static const struct bounds outside[] = {
	{ VMEMMAP_START - 1, VMEMMAP_START },
	{ VMEMMAP_START - PAGE_SIZE, VMEMMAP_START },
	{ VMEMMAP_END - PAGE_SIZE, VMEMMAP_END + 1 },
	{ VMEMMAP_END - PAGE_SIZE, VMEMMAP_END + PAGE_SIZE },
	{ VMEMMAP_END, VMEMMAP_END + 1 },
	{ VMEMMAP_END, VMEMMAP_END + PAGE_SIZE },
};

static void bounds_desc(const struct bounds *bounds, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "from %s%+ld to %s%+ld bytes",
		 bounds->start < VMEMMAP_END - PAGE_SIZE ? "start" : "end",
		 bounds->start < VMEMMAP_END - PAGE_SIZE ? bounds->start - VMEMMAP_START :
		 bounds->start - VMEMMAP_END,
		 bounds->end < VMEMMAP_END ? "start" : "end",
		 bounds->end < VMEMMAP_END ? bounds->end - VMEMMAP_START :
		 bounds->end - VMEMMAP_END);
}

KUNIT_ARRAY_PARAM(bounds, outside, bounds_desc);

/* Walk to the pages that a range touches, two at most. */
static void walk_pages(const struct bounds *bounds, struct vmemmap_walk *walk)
{
	unsigned long addr = PAGE_ALIGN_DOWN(bounds->start);

	memset(walk, 0, 2 * sizeof(*walk));
	for (; addr < bounds->end; addr += PAGE_SIZE)
		vmemmap_walk(addr, walk++);
}

static void expect_same_pages(struct kunit *test, const struct bounds *bounds,
			      const struct vmemmap_walk *before)
{
	struct vmemmap_walk after[2];
	int i;

	walk_pages(bounds, after);
	for (i = 0; i < ARRAY_SIZE(after); i++)
		KUNIT_EXPECT_EQ_MSG(test, after[i].desc, before[i].desc,
				    "descriptor of page %d of [%#lx, %#lx), now and before", i,
				    bounds->start, bounds->end);
}

static void expect_populate_refused(struct kunit *test, const struct bounds *bounds)
{
	struct tables_test *t = test->priv;
	struct vmemmap_walk before[2];
	int err = 0;

	walk_pages(bounds, before);
	KUNIT_EXPECT_WARNS(test, 1, MMU_C,
			   err = populate(bounds->start, bounds->end, &t->altmap));
	KUNIT_EXPECT_EQ(test, err, -EINVAL);
	KUNIT_EXPECT_EQ_MSG(test, t->altmap.alloc, 0, "pages taken from the altmap");
	expect_same_pages(test, bounds, before);
	fake_dev_clear(t->dev, PAGE_ALIGN_DOWN(bounds->start), PAGE_ALIGN(bounds->end));
}

static void populate_across_bounds_is_refused(struct kunit *test)
{
	expect_populate_refused(test, test->param_value);
}

#ifndef CONFIG_ARM64_4K_PAGES
/*
 * C15: the same at the start of the vmemmap, which maps the memmap of boot memory. A
 * kernel that does not refuse this keeps the existing base pages. With 4K pages, there is
 * a block, which it would mistake for a page table.
 */
static void populate_across_start_is_refused(struct kunit *test)
{
	const struct bounds bounds = { VMEMMAP_START - PAGE_SIZE, VMEMMAP_START + PAGE_SIZE };

	expect_populate_refused(test, &bounds);
}
#endif

/*
 * C15: freeing such a range is refused. The case maps the last page of the vmemmap. No
 * range here covers the first page, because a kernel could not go on without the memmap
 * of boot memory.
 */
static void free_across_bounds_is_refused(struct kunit *test)
{
	const struct bounds *bounds = test->param_value;
	struct tables_test *t = test->priv;
	struct vmemmap_walk before[2];
	unsigned long last = VMEMMAP_END - PAGE_SIZE;

	KUNIT_ASSERT_TRUE_MSG(test, t->dev->free_takes_altmap,
			      "vmemmap_free() returns nothing to an altmap");
	vmemmap_walk(last, &before[0]);
	if (!before[0].leaf)
		KUNIT_ASSERT_EQ(test, populate(last, VMEMMAP_END, &t->altmap), 0);
	walk_pages(bounds, before);
	KUNIT_EXPECT_WARNS(test, 1, MMU_C,
			   depopulate(bounds->start, bounds->end, &t->altmap));
	expect_same_pages(test, bounds, before);
	if (t->altmap.alloc)
		depopulate(last, VMEMMAP_END, &t->altmap);
	fake_dev_clear(t->dev, last, VMEMMAP_END);
}

static void unmap_without_free(unsigned long addr, unsigned long size,
			       struct vmem_altmap *altmap)
{
	mem_hotplug_begin();
	kunit_unmap_hotplug_range(addr, addr + size, false, altmap);
	mem_hotplug_done();
}

/* D1: one WARN per call, also for a range that is not mapped, at any level. */
static void altmap_without_free_warns_at_each_level(struct kunit *test)
{
	const unsigned long sizes[] = { PAGE_SIZE, PMD_SIZE, PUD_SIZE, P4D_SIZE, PGDIR_SIZE };
	struct tables_test *t = test->priv;
	struct vmemmap_walk walk;
	unsigned int i, empty = 0;

	populate_entry(test, 0);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		unsigned long addr = t->start + sizes[i];

		if (addr < t->start || addr > VMEMMAP_END - PAGE_SIZE)
			break;
		vmemmap_walk(addr, &walk);
		if (walk.leaf)
			continue;
		empty++;
		KUNIT_EXPECT_WARNS(test, 1, MMU_C, unmap_without_free(addr, PAGE_SIZE, &t->altmap));
	}
	KUNIT_EXPECT_GT_MSG(test, empty, 0, "addresses after %#lx that are not mapped", t->start);
}

/* The size that an entry of the top level maps: levels can be folded at boot. */
static unsigned long top_entry_size(void)
{
	if (pgtable_l5_enabled())
		return PGDIR_SIZE;
	return pgtable_l4_enabled() ? P4D_SIZE : PUD_SIZE;
}

/* Check whether the entry of the top level is empty. */
static bool entry_is_empty(unsigned long addr)
{
	struct vmemmap_walk walk;
	enum walk_level level;

	vmemmap_walk(addr, &walk);
	for (level = WALK_P4D; level < WALK_LEVELS; level++)
		if (walk.table[level])
			return false;
	return !walk.leaf;
}

/*
 * D1: one WARN per call, also across several entries of the top level. The vmemmap may
 * have only one entry there, but the linear map has empty ones far above all memory.
 */
static void altmap_without_free_warns_once_across_entries(struct kunit *test)
{
	struct tables_test *t = test->priv;
	unsigned long addr, first = 0, size = top_entry_size();
	unsigned int empty = 0;

	if ((PAGE_END - _PAGE_OFFSET(vabits_actual)) / size < 3)
		kunit_skip(test, "the linear mapping has less than three entries at the top level");
	for (addr = _PAGE_OFFSET(vabits_actual); addr < PAGE_END && empty < 3; addr += size) {
		if (!entry_is_empty(addr))
			empty = 0;
		else if (!empty++)
			first = addr;
	}
	KUNIT_ASSERT_EQ_MSG(test, empty, 3, "empty entries in a row, at the top level");

	KUNIT_EXPECT_WARNS(test, 1, MMU_C, unmap_without_free(first, 3 * size, &t->altmap));
}

static struct kunit_case arm64_vmemmap_tables_cases[] = {
	KUNIT_CASE_PARAM(free_keeps_table_for_one_entry, entry_gen_params),
	KUNIT_CASE(populate_clears_new_tables),
	KUNIT_CASE_PARAM(each_new_table_can_fail, size_gen_params),
	KUNIT_CASE(populate_keeps_section_that_is_there),
	KUNIT_CASE(populate_fills_section_that_is_there_in_part),
	KUNIT_CASE(populate_maps_both_sides_of_border),
	KUNIT_CASE_PARAM(populate_across_bounds_is_refused, bounds_gen_params),
#ifndef CONFIG_ARM64_4K_PAGES
	KUNIT_CASE(populate_across_start_is_refused),
#endif
	KUNIT_CASE_PARAM(free_across_bounds_is_refused, bounds_gen_params),
	KUNIT_CASE(altmap_without_free_warns_at_each_level),
	KUNIT_CASE(altmap_without_free_warns_once_across_entries),
	{}
};

static struct kunit_suite arm64_vmemmap_tables_suite = {
	.name = "arm64_vmemmap_tables",
	.init = tables_init,
	.test_cases = arm64_vmemmap_tables_cases,
};

kunit_test_suite(arm64_vmemmap_tables_suite);

MODULE_DESCRIPTION("KUnit tests for the page tables of arm64's vmemmap");
MODULE_LICENSE("GPL");

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stale TLB entries: after a mapping is removed, no CPU can read through it.
 *
 * The page tables do not show that. Each CPU reads an address, so that its TLB has the
 * entry. Then the mapping is removed, and each CPU reads again, which must fault. A
 * neighbour keeps the page tables in use: the flush for a freed page table would hide a
 * wrong flush for a page.
 *
 * Documentation/mm/vmemmap_altmap.rst states the rules. The cases cite rule C14.
 */
#include <kunit/test.h>
#include <linux/cpumask.h>
#include <linux/gfp.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/smp.h>
#include <linux/uaccess.h>

#include "fake_dev.h"
#include "func_redirect.h"
#include "memremap_dev.h"
#include "unmap_hotplug.h"

#define SECTION_MEMMAP	(PAGES_PER_SECTION * sizeof(struct page))

/* Fewer pages than a section has, so that base pages map them. */
#define NR	4UL

struct look {
	unsigned long start;
	unsigned long size;
	unsigned long step;
	unsigned long readable;
};

/* Read the range at each step, and count the reads that succeed. */
static void look_up(void *data)
{
	struct look *look = data;
	unsigned long addr;
	u64 value;

	look->readable = 0;
	for (addr = look->start; addr < look->start + look->size; addr += look->step)
		if (!copy_from_kernel_nofault(&value, (void *)addr, sizeof(value)))
			look->readable++;
}

/* Check on each CPU how many places in a range can be read. */
static void expect_readable(struct kunit *test, unsigned long start, unsigned long size,
			    unsigned long step, unsigned long nr, const char *when)
{
	struct look look = { .start = start, .size = size, .step = step };
	int cpu;

	for_each_online_cpu(cpu) {
		KUNIT_ASSERT_EQ(test, smp_call_function_single(cpu, look_up, &look, true), 0);
		KUNIT_EXPECT_EQ_MSG(test, look.readable, nr,
				    "CPU %d, %s: places in [%#lx, +%#lx) that can be read", cpu,
				    when, start, size);
	}
}

static void populate(struct kunit *test, unsigned long start, unsigned long size)
{
	int err;

	mem_hotplug_begin();
	err = vmemmap_populate(start, start + size, test_nid(), NULL);
	mem_hotplug_done();
	KUNIT_ASSERT_EQ(test, err, 0);
}

static void depopulate(unsigned long start, unsigned long size)
{
	mem_hotplug_begin();
	vmemmap_free(start, start + size, NULL);
	mem_hotplug_done();
}

static const struct page_param {
	const char *name;
	unsigned long first;
	unsigned long nr;
} page_params[] = {
	{ "the first page", 0, 1 },
	{ "the last page", NR - 1, 1 },
	{ "a page between others", 1, 1 },
	{ "all pages but the first", 1, NR - 1 },
	{ "all pages but the last", 0, NR - 1 },
};

KUNIT_ARRAY_PARAM_DESC(page, page_params, name);

/*
 * C14: freeing a base page flushes its own address, on all CPUs.
 *
 *	pages		| 0 | 1 | 2 | 3 |
 *	freed		    |===|
 */
static void free_flushes_each_page(struct kunit *test)
{
	const struct page_param *param = test->param_value;
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	unsigned long start = fake_dev_memmap(dev, 0);
	unsigned long addr = start + param->first * PAGE_SIZE, size = param->nr * PAGE_SIZE;

	populate(test, start, NR * PAGE_SIZE);
	expect_readable(test, start, NR * PAGE_SIZE, PAGE_SIZE, NR, "mapped");
	depopulate(addr, size);
	expect_readable(test, addr, size, PAGE_SIZE, 0, "freed");
	expect_readable(test, start, NR * PAGE_SIZE, PAGE_SIZE, NR - param->nr,
			"freed in part");
}

/* C14: freeing the memmap of a section, which is a block with 4K pages, flushes it. */
static void free_flushes_each_section(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 3, 4);
	unsigned long start = fake_dev_memmap(dev, 0);
	unsigned long nr = SECTION_MEMMAP / PAGE_SIZE;
	int i;

	for (i = 0; i < 3; i++)
		populate(test, start + i * SECTION_MEMMAP, SECTION_MEMMAP);
	expect_readable(test, start, 3 * SECTION_MEMMAP, PAGE_SIZE, 3 * nr, "mapped");
	depopulate(start + SECTION_MEMMAP, SECTION_MEMMAP);
	expect_readable(test, start + SECTION_MEMMAP, SECTION_MEMMAP, PAGE_SIZE, 0, "freed");
	expect_readable(test, start, 3 * SECTION_MEMMAP, PAGE_SIZE, 2 * nr, "freed in part");
}

struct leaf {
	unsigned long addr;
	unsigned long pfn;
};

struct kept {
	struct page *page;
	unsigned int order;
};

/**
 * struct freed - a range that is freed. One test runs at a time.
 * @leaf: what maps it
 * @nr: how many leaves there are
 * @nr_freed: how many of them were freed
 * @nr_readable: how often a CPU could read one of them when it was freed
 * @kept: what the page allocator gets later
 * @nr_kept: how much that is
 * @room: how much can be kept
 */
static struct freed {
	struct leaf *leaf;
	unsigned int nr;
	unsigned int nr_freed;
	unsigned int nr_readable;
	struct kept *kept;
	unsigned int nr_kept;
	unsigned int room;
} freed;

/* Redirected __free_pages(): look whether any CPU can read the page at its old address. */
static void keep_page(struct page *page, unsigned int order)
{
	struct look look = { .size = PAGE_SIZE, .step = PAGE_SIZE };
	unsigned int i;
	int cpu;

	for (i = 0; i < freed.nr; i++) {
		if (freed.leaf[i].pfn != page_to_pfn(page))
			continue;
		freed.nr_freed++;
		look.start = freed.leaf[i].addr;
		for_each_online_cpu(cpu) {
			smp_call_function_single(cpu, look_up, &look, true);
			freed.nr_readable += look.readable;
		}
	}
	/* What does not fit is lost. The test then fails. */
	if (freed.nr_kept < freed.room)
		freed.kept[freed.nr_kept] = (struct kept) { page, order };
	freed.nr_kept++;
}

/* Redirected free_pages() */
static void keep_pages(unsigned long addr, unsigned int order)
{
	if (addr)
		keep_page(virt_to_page(addr), order);
}

static const struct freed_param {
	const char *name;
	unsigned long size;
} freed_params[] = {
	{ "base pages", NR * PAGE_SIZE },
	{ "a section", SECTION_MEMMAP },
};

KUNIT_ARRAY_PARAM_DESC(freed, freed_params, name);

/*
 * C14: when the kernel frees a page, no CPU can still read it at its old address. A neighbour
 * keeps the page tables.
 */
static void page_is_flushed_before_it_is_free(struct kunit *test)
{
	const struct freed_param *param = test->param_value;
	struct fake_dev *dev = fake_dev_get(test, 2, 2);
	unsigned long start = fake_dev_memmap(dev, 0), addr;
	unsigned int i, most = SECTION_MEMMAP / PAGE_SIZE;
	struct vmemmap_walk walk;

	freed = (struct freed) { .room = 2 * most };
	freed.leaf = kunit_kcalloc(test, most, sizeof(*freed.leaf), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, freed.leaf);
	freed.kept = kunit_kcalloc(test, freed.room, sizeof(*freed.kept), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, freed.kept);
	populate(test, start, param->size);
	populate(test, start + SECTION_MEMMAP, SECTION_MEMMAP);
	for (addr = start; addr < start + param->size; addr += walk.size) {
		vmemmap_walk(addr, &walk);
		KUNIT_ASSERT_TRUE(test, walk.leaf);
		freed.leaf[freed.nr++] = (struct leaf) { addr, walk.pfn };
	}

	func_redirect_begin(test, free_pages, keep_pages);
	func_redirect_begin(test, __free_pages, keep_page);
	/* Setting a kprobe may flush the TLB, so read now. */
	for (i = 0; i < freed.nr; i++)
		expect_readable(test, freed.leaf[i].addr, PAGE_SIZE, PAGE_SIZE, 1, "mapped");
	depopulate(start, param->size);
	func_redirect_end(test, __free_pages);
	func_redirect_end(test, free_pages);
	for (i = 0; i < min(freed.nr_kept, freed.room); i++)
		__free_pages(freed.kept[i].page, freed.kept[i].order);
	KUNIT_EXPECT_LE_MSG(test, freed.nr_kept, freed.room, "pages that were freed");
	KUNIT_EXPECT_EQ_MSG(test, freed.nr_freed, freed.nr, "pages of the memmap that were freed");
	KUNIT_EXPECT_EQ_MSG(test, freed.nr_readable, 0,
			    "pages that a CPU could read when they were freed");
}

/* C14: unmapping without freeing, as for the linear map, flushes the whole range. */
static void unmap_flushes_whole_range(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	unsigned long start = fake_dev_memmap(dev, 0), addr = start + PAGE_SIZE;
	struct vmemmap_walk walk[NR];
	int i;

	populate(test, start, NR * PAGE_SIZE);
	for (i = 1; i < NR; i++)
		vmemmap_walk(start + i * PAGE_SIZE, &walk[i]);
	expect_readable(test, start, NR * PAGE_SIZE, PAGE_SIZE, NR, "mapped");

	mem_hotplug_begin();
	kunit_unmap_hotplug_range(addr, start + NR * PAGE_SIZE, false, NULL);
	mem_hotplug_done();
	expect_readable(test, addr, (NR - 1) * PAGE_SIZE, PAGE_SIZE, 0, "unmapped");
	for (i = 1; i < NR; i++)
		__free_page(pfn_to_page(walk[i].pfn));
}

/* C14: the linear mapping of a removed device cannot be read. */
static void removed_device_cannot_be_read(struct kunit *test)
{
	struct memremap_dev *mdev = memremap_dev_get(test, 1);
	unsigned long start = (unsigned long)__va(PFN_PHYS(mdev->dev->pfn));
	unsigned long size = PFN_PHYS(PAGES_PER_SECTION), step = 61 * PAGE_SIZE;
	unsigned long nr = DIV_ROUND_UP(size, step);

	KUNIT_ASSERT_EQ(test, MEMREMAP_ADD(mdev), 0);
	expect_readable(test, start, size, step, nr, "present");
	memremap_dev_remove(mdev);
	expect_readable(test, start, size, step, 0, "removed");
}

static struct kunit_case arm64_vmemmap_flush_cases[] = {
	KUNIT_CASE_PARAM(free_flushes_each_page, page_gen_params),
	KUNIT_CASE(free_flushes_each_section),
	KUNIT_CASE_PARAM(page_is_flushed_before_it_is_free, freed_gen_params),
	KUNIT_CASE(unmap_flushes_whole_range),
	KUNIT_CASE(removed_device_cannot_be_read),
	{}
};

static struct kunit_suite arm64_vmemmap_flush_suite = {
	.name = "arm64_vmemmap_flush",
	.test_cases = arm64_vmemmap_flush_cases,
};

kunit_test_suite(arm64_vmemmap_flush_suite);

MODULE_DESCRIPTION("KUnit tests for TLB entries of arm64's vmemmap");
MODULE_LICENSE("GPL");

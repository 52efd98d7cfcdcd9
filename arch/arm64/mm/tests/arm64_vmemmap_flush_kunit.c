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
#include <linux/string.h>
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

/* As many as the memmap of a section has with 16K pages. */
#define MAX_FREED	32

/* The pages that are being freed. One test runs at a time. */
static struct {
	unsigned long start;
	unsigned int nr;
	unsigned long pfn[MAX_FREED];	/* of each page that is mapped from @start on */
	unsigned int nr_looks;		/* pages that were freed and looked for */
	unsigned int nr_readable;	/* of these, those that a CPU could still read */
	unsigned int nr_kept;
	struct page *kept[2 * MAX_FREED];
	unsigned int order[2 * MAX_FREED];
} freed;

/* Redirected __free_pages(): look whether any CPU can read the page at its old address. */
static void keep_page(struct page *page, unsigned int order)
{
	struct look look = { .size = PAGE_SIZE, .step = PAGE_SIZE };
	unsigned int i;
	int cpu;

	for (i = 0; i < freed.nr; i++) {
		if (freed.pfn[i] != page_to_pfn(page))
			continue;
		freed.nr_looks++;
		look.start = freed.start + i * PAGE_SIZE;
		for_each_online_cpu(cpu) {
			smp_call_function_single(cpu, look_up, &look, true);
			freed.nr_readable += look.readable;
		}
	}
	/* Nothing else is freed in such numbers. What does not fit is lost. */
	if (freed.nr_kept < ARRAY_SIZE(freed.kept)) {
		freed.kept[freed.nr_kept] = page;
		freed.order[freed.nr_kept++] = order;
	}
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
 * C14: when a page is given to the page allocator, no CPU can read it at its old address any
 * more. A neighbour keeps the page tables.
 */
static void page_is_flushed_before_it_is_free(struct kunit *test)
{
	const struct freed_param *param = test->param_value;
	struct fake_dev *dev = fake_dev_get(test, 2, 2);
	unsigned long start = fake_dev_memmap(dev, 0);
	struct vmemmap_walk walk;
	unsigned int i;

	populate(test, start, param->size);
	populate(test, start + SECTION_MEMMAP, SECTION_MEMMAP);
	memset(&freed, 0, sizeof(freed));
	freed.start = start;
	/* A block is freed as one page of a higher order. */
	vmemmap_walk(start, &walk);
	freed.nr = param->size / walk.size;
	KUNIT_ASSERT_LE(test, freed.nr, MAX_FREED);
	for (i = 0; i < freed.nr; i++) {
		vmemmap_walk(start + i * PAGE_SIZE, &walk);
		freed.pfn[i] = walk.pfn;
	}
	expect_readable(test, start, freed.nr * PAGE_SIZE, PAGE_SIZE, freed.nr, "mapped");

	func_redirect_begin(test, free_pages, keep_pages);
	func_redirect_begin(test, __free_pages, keep_page);
	depopulate(start, param->size);
	func_redirect_end(test, __free_pages);
	func_redirect_end(test, free_pages);
	for (i = 0; i < freed.nr_kept; i++)
		__free_pages(freed.kept[i], freed.order[i]);
	KUNIT_EXPECT_EQ_MSG(test, freed.nr_looks, freed.nr, "pages that were freed");
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

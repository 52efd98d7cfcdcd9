// SPDX-License-Identifier: GPL-2.0-only
/*
 * System RAM that add_memory() adds with MHP_MEMMAP_ON_MEMORY, so that it holds
 * its own memmap, and that is removed through its memory block.
 *
 * Documentation/mm/vmemmap_altmap.rst states the rules. The cases cite them as
 * G1, G2 and so on.
 */
#include <kunit/test.h>
#include <linux/bitops.h>
#include <linux/device.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/string.h>

#include "alloc_fault.h"
#include "fake_dev.h"
#include "vmemmap_adapt.h"
#include "warn_log.h"

#define BLOCK_PAGES	PHYS_PFN(memory_block_size_bytes())
#define MEMMAP_PAGES	DIV_ROUND_UP(BLOCK_PAGES * sizeof(struct page), PAGE_SIZE)

struct dimm {
	struct kunit *test;
	struct fake_dev *dev;
	bool added;
};

static int dimm_add(struct dimm *dimm)
{
	struct fake_dev *dev = dimm->dev;
	int err;

	/* add_memory() makes a claim of its own. */
	release_resource(&dev->res);
	err = add_memory(test_nid(), PFN_PHYS(dev->pfn), memory_block_size_bytes(),
			 MHP_MEMMAP_ON_MEMORY);
	dimm->added = !err;
	if (err)
		request_resource(&iomem_resource, &dev->res);
	return err;
}

/* G4: removal does not WARN. */
static int dimm_remove(struct dimm *dimm)
{
	struct fake_dev *dev = dimm->dev;
	int err;

	if (!dimm->added)
		return 0;
	KUNIT_EXPECT_NO_WARN(dimm->test,
			     err = offline_and_remove_memory(PFN_PHYS(dev->pfn),
							     memory_block_size_bytes()));
	if (err) {
		fake_dev_abandon(dev);
		return err;
	}
	dimm->added = false;
	return request_resource(&iomem_resource, &dev->res);
}

static int online_movable(struct memory_block *mem, void *nr)
{
	mem->online_type = MMOP_ONLINE_MOVABLE;
	++*(int *)nr;
	return device_online(&mem->dev);
}

static int dimm_online(const struct dimm *dimm)
{
	int nr = 0;
	int err;

	lock_device_hotplug();
	err = walk_memory_blocks(PFN_PHYS(dimm->dev->pfn), memory_block_size_bytes(),
				 &nr, online_movable);
	unlock_device_hotplug();
	return err ?: nr == 1 ? 0 : -ENODEV;
}

static void dimm_put(void *data)
{
	dimm_remove(data);
}

static struct dimm *dimm_get(struct kunit *test)
{
	struct dimm *dimm;

	if (memory_block_size_bytes() != PFN_PHYS(PAGES_PER_SECTION))
		kunit_skip(test, "memory blocks of several sections");
	/*
	 * Without CONFIG_MHP_MEMMAP_ON_MEMORY, the cases run and fail, because
	 * add_memory() then puts the memmap in system RAM. With it, the kernel may refuse
	 * a memmap that does not fill PMDs.
	 */
	if (IS_ENABLED(CONFIG_MHP_MEMMAP_ON_MEMORY) && !mhp_supports_memmap_on_memory())
		kunit_skip(test, "memory_hotplug.memmap_on_memory= is off or refused");

	dimm = kunit_kzalloc(test, sizeof(*dimm), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, dimm);
	dimm->test = test;
	dimm->dev = fake_dev_get_memory(test, 1);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, dimm_put, dimm));
	return dimm;
}

/* Page i of the memmap is page i of the block. */
static void expect_memmap_on_block(struct kunit *test, const struct fake_dev *dev)
{
	struct vmemmap_walk walk;
	unsigned long i;

	for (i = 0; i < MEMMAP_PAGES; i++) {
		unsigned long addr = fake_dev_memmap(dev, 0) + i * PAGE_SIZE;

		vmemmap_walk(addr, &walk);
		KUNIT_ASSERT_TRUE_MSG(test, walk.leaf, "%#lx: hole at level %s",
				      addr, walk_level_name(walk.level));
		KUNIT_ASSERT_EQ_MSG(test, walk.pfn + (addr % walk.size) / PAGE_SIZE,
				    dev->pfn + i,
				    "page frame behind %#lx, page %lu of the memmap",
				    addr, i);
	}
}

/* G1: the memmap lies in the first pages of the block. */
static void add_memory_memmap_lies_in_block(struct kunit *test)
{
	struct dimm *dimm = dimm_get(test);

	KUNIT_ASSERT_EQ(test, dimm_add(dimm), 0);
	expect_memmap_on_block(test, dimm->dev);
}

/*
 * G2: when the block is online, the pages that hold the memmap are marked as memmap and
 * are not free.
 */
static void online_memory_spares_memmap(struct kunit *test)
{
	struct dimm *dimm = dimm_get(test);
	unsigned long i, pfn, self_hosted = 0;

	KUNIT_ASSERT_EQ(test, dimm_add(dimm), 0);
	KUNIT_ASSERT_EQ(test, dimm_online(dimm), 0);
	drain_all_pages(NULL);
	for (i = 0; i < MEMMAP_PAGES; i++) {
		pfn = dimm->dev->pfn + i;
		KUNIT_EXPECT_FALSE_MSG(test, PageBuddy(pfn_to_page(pfn)),
				       "page frame %#lx holds memmap, but is free", pfn);
		self_hosted += PageVmemmapSelfHosted(pfn_to_page(pfn));
	}
	KUNIT_EXPECT_EQ_MSG(test, self_hosted, MEMMAP_PAGES,
			    "pages that are marked as memmap");
	expect_memmap_on_block(test, dimm->dev);
}

/* Compute a checksum of the struct pages of the pages that hold the memmap. */
static u64 memmap_checksum(const struct fake_dev *dev)
{
	const u64 *word = (const u64 *)pfn_to_page(dev->pfn);
	const u64 *end = (const u64 *)pfn_to_page(dev->pfn + MEMMAP_PAGES);
	u64 sum = 0;

	while (word < end)
		sum = rol64(sum, 1) ^ *word++;
	return sum;
}

/* G3: the other pages can be allocated and written. Writing does not change the memmap. */
static void online_memory_can_be_written(struct kunit *test)
{
	struct dimm *dimm = dimm_get(test);
	unsigned long pfn, end, i;
	u64 sum;
	/* Use every 61st page only, to save time: 61 is prime, so all alignments occur. */
	const unsigned long step = 61;

	KUNIT_ASSERT_EQ(test, dimm_add(dimm), 0);
	KUNIT_ASSERT_EQ(test, dimm_online(dimm), 0);
	end = dimm->dev->pfn + dimm->dev->nr;

	pfn = dimm->dev->pfn + ALIGN(MEMMAP_PAGES, pageblock_nr_pages);
	KUNIT_ASSERT_LT_MSG(test, pfn, end, "a block has no more than one pageblock");
	KUNIT_ASSERT_EQ(test, alloc_contig_range(pfn, end, MIGRATE_MOVABLE, GFP_KERNEL), 0);
	sum = memmap_checksum(dimm->dev);
	for (i = pfn; i < end; i += step)
		memset64(__va(PFN_PHYS(i)), i, PAGE_SIZE / sizeof(u64));
	for (i = pfn; i < end; i += step) {
		const u64 *page = pfn_to_kaddr(i);

		if (page[0] != i || memcmp(page, page + 1, PAGE_SIZE - sizeof(u64)))
			break;
	}
	KUNIT_EXPECT_GE_MSG(test, i, end, "page frame %#lx does not hold what was written", i);
	KUNIT_EXPECT_EQ_MSG(test, memmap_checksum(dimm->dev), sum,
			    "checksum of the struct pages of the memmap, after and before");
	free_contig_range(pfn, end - pfn);
	expect_memmap_on_block(test, dimm->dev);
}

static unsigned long spanned_by_movable(void)
{
	return NODE_DATA(test_nid())->node_zones[ZONE_MOVABLE].spanned_pages;
}

/* G4: removal leaves nothing behind, so the block can be added again. */
static void remove_memory_leaves_nothing_behind(struct kunit *test)
{
	struct dimm *dimm = dimm_get(test);
	unsigned long spanned = spanned_by_movable();
	struct vmemmap_census census;
	int i;

	for (i = 0; i < 3; i++) {
		KUNIT_ASSERT_EQ_MSG(test, dimm_add(dimm), 0, "round %d", i);
		KUNIT_ASSERT_EQ_MSG(test, dimm_online(dimm), 0, "round %d", i);
		KUNIT_EXPECT_EQ_MSG(test, fake_dev_census(dimm->dev).device, MEMMAP_PAGES,
				    "pages of the memmap that lie in the block, round %d",
				    i);
		KUNIT_ASSERT_EQ_MSG(test, dimm_remove(dimm), 0, "round %d", i);

		census = fake_dev_census(dimm->dev);
		KUNIT_EXPECT_EQ_MSG(test, census.holes, MEMMAP_PAGES,
				    "unmapped pages of the memmap, round %d", i);
		KUNIT_EXPECT_EQ_MSG(test, census.tables, dimm->dev->tables,
				    "page-table pages of the memmap, round %d", i);
		KUNIT_EXPECT_FALSE(test, pfn_valid(dimm->dev->pfn));
		KUNIT_EXPECT_EQ_MSG(test, spanned_by_movable(), spanned,
				    "pages that ZONE_MOVABLE spans, round %d", i);
	}
}

/*
 * G6: if any allocation of add_memory() fails, no part of the block is left. The
 * case makes each allocation fail in turn.
 */
static void add_memory_each_allocation_can_fail(struct kunit *test)
{
	struct vmemmap_census census;
	struct dimm *dimm;
	unsigned int nth;
	bool failed;
	int err = 0;

	/* All allocations are from slab, because the block holds its memmap. */
	if (!IS_ENABLED(CONFIG_FAILSLAB))
		kunit_skip(test, "CONFIG_FAILSLAB is off, so no allocation can fail");
	dimm = dimm_get(test);
	for (nth = 0; ; nth++) {
		KUNIT_EXPECT_NO_WARN(test, err = ALLOC_FAULT(test, nth, &failed, dimm_add(dimm)));
		if (!err && failed)
			KUNIT_ASSERT_EQ_MSG(test, dimm_remove(dimm), 0, "step %u", nth);
		if (!failed)
			break;

		census = fake_dev_census(dimm->dev);
		if (census.holes == MEMMAP_PAGES && census.tables == dimm->dev->tables &&
		    !pfn_valid(dimm->dev->pfn))
			continue;
		KUNIT_FAIL(test,
			   "step %u: %lu of %lu pages of the memmap still mapped, %lu page-table pages instead of %lu, block %s",
			   nth, MEMMAP_PAGES - census.holes, MEMMAP_PAGES,
			   census.tables, dimm->dev->tables,
			   pfn_valid(dimm->dev->pfn) ? "present" : "gone");
		alloc_fault_report(test);
		fake_dev_abandon(dimm->dev);
		return;
	}
	kunit_info(test, "%u allocations, each of which failed once", nth);
	KUNIT_EXPECT_GT(test, nth, 0);
	KUNIT_EXPECT_EQ_MSG(test, err, 0, "when no allocation fails");
	expect_memmap_on_block(test, dimm->dev);
}

/* G5: removal returns all system RAM, except for one-time allocations of the first rounds. */
static void remove_memory_returns_ram(struct kunit *test)
{
	struct dimm *dimm = dimm_get(test);
	unsigned long before, after;
	int try;

	if (!free_ram_is_exact())
		kunit_skip(test, "KASAN keeps what is freed");
	for (try = 0; try < 8; try++) {
		before = free_ram_pages();
		KUNIT_ASSERT_EQ(test, dimm_add(dimm), 0);
		KUNIT_EXPECT_EQ(test, fake_dev_census(dimm->dev).device, MEMMAP_PAGES);
		KUNIT_ASSERT_EQ(test, dimm_remove(dimm), 0);
		after = free_ram_pages();
		if (after == before)
			break;
	}
	KUNIT_EXPECT_EQ_MSG(test, after, before,
			    "free pages of system RAM, after and before");
}

static struct kunit_case memmap_on_memory_cases[] = {
	KUNIT_CASE(add_memory_memmap_lies_in_block),
	KUNIT_CASE(online_memory_spares_memmap),
	KUNIT_CASE(online_memory_can_be_written),
	KUNIT_CASE(remove_memory_leaves_nothing_behind),
	KUNIT_CASE(add_memory_each_allocation_can_fail),
	KUNIT_CASE(remove_memory_returns_ram),
	{}
};

static struct kunit_suite memmap_on_memory_suite = {
	.name = "memmap_on_memory",
	.test_cases = memmap_on_memory_cases,
};

kunit_test_suite(memmap_on_memory_suite);

MODULE_DESCRIPTION("KUnit tests for hot-added memory that holds its own memmap");
MODULE_LICENSE("GPL");

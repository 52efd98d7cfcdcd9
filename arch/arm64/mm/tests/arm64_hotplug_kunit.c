// SPDX-License-Identifier: GPL-2.0-only
/*
 * The part of memory hot-plug that is specific to arm64: which page frames can have
 * struct pages, and which memory can be removed again.
 *
 * Documentation/mm/vmemmap_altmap.rst states the rules. The cases cite them as
 * M1, M2 and so on.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/memblock.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/notifier.h>
#include <linux/ptdump.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "fake_dev.h"
#include "memremap_dev.h"
#include "vmemmap_adapt.h"
#include "warn_log.h"

static void free_region(void *data)
{
	struct resource *res = data;

	release_mem_region(res->start, resource_size(res));
}

/*
 * M1: GPU drivers call request_free_mem_region() for page frames that represent memory
 * which the CPU cannot access. It returns the highest free ones. Their struct pages must
 * lie in the vmemmap.
 */
static void private_memory_has_memmap(struct kunit *test)
{
	struct dev_pagemap *pgmap = kunit_kzalloc(test, sizeof(*pgmap), GFP_KERNEL);
	struct vmemmap_walk first, last;
	struct resource *res;
	void *addr = NULL;

	if (!IS_ENABLED(CONFIG_DEVICE_PRIVATE))
		kunit_skip(test, "no CONFIG_DEVICE_PRIVATE");
	KUNIT_ASSERT_NOT_NULL(test, pgmap);
	res = request_free_mem_region(&iomem_resource, PFN_PHYS(PAGES_PER_SECTION),
				      "vmemmap_kunit");
	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(res), "no region: %pe", res);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_region, res));
	/* There are no sections above that, and sparse_add_section() would oops. */
	KUNIT_ASSERT_LT_MSG(test, res->end, BIT_ULL(MAX_PHYSMEM_BITS),
			    "%pR does not lie in the physical address space", res);

	pgmap->type = MEMORY_DEVICE_PRIVATE;
	pgmap->ops = &memremap_no_ops;
	pgmap->owner = pgmap;
	pgmap->nr_range = 1;
	pgmap->range.start = res->start;
	pgmap->range.end = res->end;
	KUNIT_EXPECT_NO_WARN(test, addr = memremap_pages(pgmap, test_nid()));
	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(addr), "adding %pR: %pe", res, addr);

	vmemmap_walk((unsigned long)pfn_to_page(PHYS_PFN(res->start)), &first);
	vmemmap_walk((unsigned long)pfn_to_page(PHYS_PFN(res->end)), &last);
	KUNIT_EXPECT_TRUE_MSG(test, first.leaf && last.leaf,
			      "%pR has struct pages that are not mapped", res);
	KUNIT_EXPECT_NO_WARN(test, memunmap_pages(pgmap));
}

/* M4: memory can only be added where sections and the linear map can address it. */
static void pluggable_range_is_addressable(struct kunit *test)
{
	struct range range = mhp_get_pluggable_range(true);

	KUNIT_EXPECT_LT_MSG(test, range.start, range.end, "no memory may be added");
	KUNIT_EXPECT_LT_MSG(test, range.end, BIT_ULL(MAX_PHYSMEM_BITS),
			    "%#llx is not in the physical address space", range.end);
	KUNIT_EXPECT_TRUE_MSG(test, __is_lm_address((u64)__va(range.end)),
			      "%#llx is not in the linear map", range.end);
}

static int online_movable(struct memory_block *mem, void *nr)
{
	mem->online_type = MMOP_ONLINE_MOVABLE;
	++*(unsigned int *)nr;
	return device_online(&mem->dev);
}

/*
 * M2: memory that was added can be removed, whatever the size of the entries in the
 * linear map. It goes offline block by block and is removed as a whole.
 */
static void gigabyte_can_be_removed(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_claim_memory(test, PHYS_PFN(SZ_1G), PHYS_PFN(SZ_1G));
	u64 start = PFN_PHYS(dev->pfn);
	unsigned int nr = 0;
	int err;

	/* add_memory() makes a claim of its own. */
	release_resource(&dev->res);
	err = add_memory(test_nid(), start, SZ_1G, MHP_NONE);
	if (err)
		request_resource(&iomem_resource, &dev->res);
	KUNIT_ASSERT_EQ(test, err, 0);

	lock_device_hotplug();
	err = walk_memory_blocks(start, SZ_1G, &nr, online_movable);
	unlock_device_hotplug();
	KUNIT_EXPECT_EQ(test, err, 0);
	KUNIT_EXPECT_EQ(test, nr, SZ_1G / memory_block_size_bytes());

	KUNIT_EXPECT_NO_WARN(test, err = offline_and_remove_memory(start, SZ_1G));
	KUNIT_EXPECT_EQ_MSG(test, err, 0, "removing it");
	if (err)
		fake_dev_abandon(dev);
	else
		request_resource(&iomem_resource, &dev->res);
}

#ifdef MHP_OFFLINE_INACCESSIBLE
#define INACCESSIBLE	(MHP_MEMMAP_ON_MEMORY | MHP_OFFLINE_INACCESSIBLE)
#else
#define INACCESSIBLE	MHP_NONE
#endif

/*
 * M3: memory that cannot be accessed before it goes online is not written to before that.
 * With memmap_on_memory, this includes its struct pages.
 */
static void inaccessible_memory_is_not_written(struct kunit *test)
{
	unsigned long nr = PHYS_PFN(memory_block_size_bytes());
	struct fake_dev *dev;
	unsigned long size;
	void *memmap;
	int err;

	if (!INACCESSIBLE)
		kunit_skip(test, "this kernel has no such memory");
	if (!mhp_supports_memmap_on_memory())
		kunit_skip(test, "memory_hotplug.memmap_on_memory= is off or refused");
	if (!IS_ENABLED(CONFIG_DEBUG_VM))
		kunit_skip(test, "without DEBUG_VM, struct pages are not poisoned");

	dev = fake_dev_claim_memory(test, nr, nr);
	size = nr * sizeof(struct page);
	memmap = memremap(PFN_PHYS(dev->pfn), size, MEMREMAP_WB);
	KUNIT_ASSERT_NOT_NULL(test, memmap);
	memset(memmap, 0x5a, size);
	memunmap(memmap);

	release_resource(&dev->res);
	err = add_memory(test_nid(), PFN_PHYS(dev->pfn), PFN_PHYS(nr), INACCESSIBLE);
	if (!err) {
		KUNIT_EXPECT_NULL_MSG(test, memchr_inv(pfn_to_page(dev->pfn), 0x5a, size),
				      "something was written to the memmap");
		KUNIT_EXPECT_NO_WARN(test, err = offline_and_remove_memory(PFN_PHYS(dev->pfn),
									   PFN_PHYS(nr)));
	}
	request_resource(&iomem_resource, &dev->res);
	KUNIT_EXPECT_EQ(test, err, 0);
}

/* Compute the physical address that a linear address is mapped to. */
static u64 linear_to_phys(u64 addr)
{
	return addr - PAGE_OFFSET + memstart_addr;
}

/*
 * M5: memory that needs a linear mapping is accepted only if the linear mapping has room
 * for all of it.
 */
static void only_linear_memory_is_allowed(struct kunit *test)
{
	u64 start = linear_to_phys(_PAGE_OFFSET(vabits_actual));
	u64 end = linear_to_phys(PAGE_END);
	/* If the linear mapping ends later, M4 applies. */
	u64 last = min_t(u64, end, 1ULL << MAX_PHYSMEM_BITS);
	u64 size = PFN_PHYS(PAGES_PER_SECTION);

	/* With KASLR, the linear mapping may begin before the first physical address. */
	if (start >= end)
		start = 0;
	KUNIT_EXPECT_FALSE_MSG(test, mhp_range_allowed(start, 0, true), "no memory");
	KUNIT_EXPECT_TRUE_MSG(test, mhp_range_allowed(start, PAGE_SIZE, true), "the first page");
	KUNIT_EXPECT_TRUE_MSG(test, mhp_range_allowed(start, size, true), "the first section");
	KUNIT_EXPECT_TRUE_MSG(test, mhp_range_allowed(last - size, size, true),
			      "the last section");
	KUNIT_EXPECT_TRUE_MSG(test, mhp_range_allowed(start, last - start, true), "all of it");
	KUNIT_EXPECT_FALSE_MSG(test, mhp_range_allowed(end - size, size + 1, true),
			       "a byte after the end");
	KUNIT_EXPECT_FALSE_MSG(test, mhp_range_allowed(end, size, true),
			       "the section after the end");
	if (start) {
		KUNIT_EXPECT_FALSE_MSG(test, mhp_range_allowed(start - 1, size, true),
				       "a byte before the start");
		KUNIT_EXPECT_FALSE_MSG(test, mhp_range_allowed(start - size, size, true),
				       "the section before the start");
		KUNIT_EXPECT_TRUE_MSG(test, mhp_range_allowed(start - size, size, false),
				      "the section before the start, not mapped");
	}
}

/*
 * M6: added memory counts as mapped in memblock, even if memblock excluded it from the
 * linear mapping before. It raises max_low_pfn together with max_pfn. For other memory,
 * memblock does not change.
 *
 *	section		|   0   |   1   |   2   |
 *	not mapped	|=======================|
 *	added			|=======|
 */
static void added_memory_is_known_as_mapped(struct kunit *test)
{
	struct memremap_dev *mdev = memremap_dev_get(test, 3);
	u64 start = PFN_PHYS(mdev->dev->pfn), size = PFN_PHYS(PAGES_PER_SECTION);
	bool is_mapped[3][2];
	int i, err;

	KUNIT_ASSERT_EQ(test, memblock_add_node(start, 3 * size, 0, MEMBLOCK_NOMAP), 0);
	err = MEMREMAP_ADD(mdev, .nr_range = 1, .range = { { 1, 1 } });
	for (i = 0; i < 3; i++) {
		is_mapped[i][0] = memblock_is_map_memory(start + i * size);
		is_mapped[i][1] = memblock_is_map_memory(start + (i + 1) * size - 1);
	}
	memblock_remove(start, 3 * size);
	KUNIT_ASSERT_EQ(test, err, 0);
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ_MSG(test, is_mapped[i][0], i == 1, "the start of section %d", i);
		KUNIT_EXPECT_EQ_MSG(test, is_mapped[i][1], i == 1, "the end of section %d", i);
	}
	KUNIT_EXPECT_EQ(test, max_low_pfn, max_pfn);
}

/* Ask the notifiers whether these page frames may go offline. Nothing goes offline. */
static int ask(unsigned long pfn, unsigned long nr)
{
	struct memory_notify arg;
	int err;

	/* Older kernels also pass the nodes that lose all memory. Here, there are none. */
	memset(&arg, NUMA_NO_NODE, sizeof(arg));
	arg.start_pfn = pfn;
	arg.nr_pages = nr;
	mem_hotplug_begin();
	err = notifier_to_errno(memory_notify(MEM_GOING_OFFLINE, &arg));
	memory_notify(MEM_CANCEL_OFFLINE, &arg);
	mem_hotplug_done();
	return err;
}

/*
 * M7: memory may not go offline if its removal would split a block that maps it or its memmap.
 *
 *	block		|=== memmap of a section ===|
 *	refused		|=============|
 *	not refused	|===========================|
 */
static void removal_that_splits_is_refused(struct kunit *test)
{
	struct memremap_dev *mdev = memremap_dev_get(test, 1);
	unsigned long pfn = mdev->dev->pfn;
	struct vmemmap_walk walk;

	if (!adapt_refuses_splits())
		kunit_skip(test, "this kernel does not check that");
	KUNIT_ASSERT_EQ(test, MEMREMAP_ADD(mdev), 0);
	vmemmap_walk((unsigned long)pfn_to_page(pfn), &walk);
	if (walk.size == PAGE_SIZE)
		kunit_skip(test, "pages map the memmap");
	KUNIT_EXPECT_EQ_MSG(test, ask(pfn, PAGES_PER_SECTION), 0, "the section");
	KUNIT_EXPECT_NE_MSG(test, ask(pfn, PAGES_PER_SECTION / 2), 0, "its first half");
	KUNIT_EXPECT_EQ_MSG(test, ask(pfn + PAGES_PER_SECTION, PAGES_PER_SECTION), 0,
			    "the section after it");
}

/* One test runs at a time. */
static bool has_dumped;

static int dump_tables(void *data)
{
	ptdump_check_wx();
	WRITE_ONCE(has_dumped, true);
	while (!kthread_should_stop())
		fsleep(1000);
	return 0;
}

/* M8: a dump of the kernel's page tables waits until memory hot-plug has ended. */
static void dump_waits_for_hotplug(struct kunit *test)
{
	unsigned long end = jiffies + 60 * HZ;
	ktime_t start = ktime_get();
	struct task_struct *task;
	bool was_early, has_ended;

	if (!IS_ENABLED(CONFIG_DEBUG_WX))
		kunit_skip(test, "no CONFIG_DEBUG_WX");
	ptdump_check_wx();
	has_dumped = false;
	mem_hotplug_begin();
	task = kthread_run(dump_tables, NULL, "ptdump");
	/* A dump that does not wait ends meanwhile. */
	fsleep(20000 + 4 * ktime_us_delta(ktime_get(), start));
	was_early = READ_ONCE(has_dumped);
	mem_hotplug_done();
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	while (!READ_ONCE(has_dumped) && time_before(jiffies, end))
		fsleep(1000);
	has_ended = READ_ONCE(has_dumped);
	KUNIT_EXPECT_FALSE_MSG(test, was_early, "the dump did not wait");
	KUNIT_EXPECT_TRUE_MSG(test, has_ended, "the dump did not end");
	kthread_stop(task);
}

static struct kunit_case arm64_hotplug_cases[] = {
	KUNIT_CASE(pluggable_range_is_addressable),
	KUNIT_CASE(private_memory_has_memmap),
	KUNIT_CASE(inaccessible_memory_is_not_written),
	KUNIT_CASE(only_linear_memory_is_allowed),
	KUNIT_CASE(added_memory_is_known_as_mapped),
	KUNIT_CASE(removal_that_splits_is_refused),
	KUNIT_CASE(dump_waits_for_hotplug),
	/* This runs last: memory that cannot be removed stays. */
	KUNIT_CASE(gigabyte_can_be_removed),
	{}
};

static struct kunit_suite arm64_hotplug_suite = {
	.name = "arm64_hotplug",
	.test_cases = arm64_hotplug_cases,
};

kunit_test_suite(arm64_hotplug_suite);

MODULE_DESCRIPTION("KUnit tests for what arm64 decides in memory hot-plug");
MODULE_LICENSE("GPL");

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which ranges memory hot-plug accepts, and how it records them. A request that it
 * refuses changes nothing.
 *
 * Documentation/mm/vmemmap_altmap.rst states the rules. The cases cite them as
 * G14, G15 and so on.
 */
#include <kunit/test.h>
#include <linux/device.h>
#include <linux/ioport.h>
#include <linux/memblock.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/xarray.h>

#include "alloc_fault.h"
#include "func_redirect.h"
#include "hotplug_blocks.h"
#include "vmemmap_adapt.h"
#include "warn_log.h"

#define HOTPLUG_C	"mm/memory_hotplug.c"

static int ranges_init(struct kunit *test)
{
	test->priv = blocks_get(test);
	return 0;
}

static const struct range_param {
	const char *name;
	/* In eighths of a block, from the first block on. */
	int start;
	int size;
} range_params[] = {
	{ "no memory", 0, 0 },
	{ "begins inside a block", 1, 15 },
	{ "ends inside a block", 0, 15 },
	{ "inside a block", 1, 6 },
	{ "whole size, begins inside a block", 4, 8 },
};

KUNIT_ARRAY_PARAM_DESC(range, range_params, name);

/* G14: a range that wraps around the end of the address space is refused. */
static void wrapping_range_is_refused(struct kunit *test)
{
	u64 start = -BLOCK_BYTES, size = 2 * BLOCK_BYTES;

	KUNIT_EXPECT_FALSE_MSG(test, mhp_range_allowed(start, size, false),
			       "range [%#llx, +%#llx)", start, size);
	KUNIT_EXPECT_FALSE_MSG(test, mhp_range_allowed(start, size, true),
			       "range [%#llx, +%#llx) with a linear mapping", start, size);
}

static int expect_offline(struct memory_block *mem, void *data)
{
	return mem->state == MEM_OFFLINE ? 0 : -EINVAL;
}

/* G14: a range that does not consist of whole memory blocks cannot be added or removed. */
static void part_of_block_is_refused(struct kunit *test)
{
	const struct range_param *param = test->param_value;
	struct blocks *blocks = test->priv;
	u64 start = block_start(blocks, 0) + param->start * (BLOCK_BYTES / 8);
	u64 size = param->size * (BLOCK_BYTES / 8);
	int err = 0;

	release_resource(&blocks->dev->res);
	KUNIT_EXPECT_NO_WARN(test, err = add_memory(test_nid(), start, size, MHP_NONE));
	KUNIT_EXPECT_EQ(test, request_resource(&iomem_resource, &blocks->dev->res), 0);
	/* An empty range is reported as out of bounds. */
	KUNIT_ASSERT_EQ(test, err, size ? -EINVAL : -E2BIG);
	blocks_expect_nothing_left(blocks, "refusal");

	KUNIT_ASSERT_EQ(test, blocks_add(blocks, MHP_NONE), 0);
	KUNIT_EXPECT_EQ(test, offline_and_remove_memory(start, size), -EINVAL);
	blocks_expect_memmap(blocks, MHP_NONE);
	lock_device_hotplug();
	err = walk_memory_blocks(block_start(blocks, 0), NR_BLOCKS * BLOCK_BYTES, NULL,
				 expect_offline);
	unlock_device_hotplug();
	KUNIT_EXPECT_EQ_MSG(test, err, 0, "a block is not offline");
}

static const struct pages_param {
	const char *name;
	bool has_pages;
	/* In pageblocks and single pages. */
	unsigned int skip, skip_pages;
	unsigned int spare, spare_pages;
} pages_params[] = {
	{ "no pages" },
	{ "begin inside a pageblock", true, .skip_pages = 1 },
	{ "end inside a pageblock", true, .spare_pages = 1 },
	{ "end inside a section", true, .spare = 1 },
};

KUNIT_ARRAY_PARAM_DESC(pages, pages_params, name);

/* G14: a page of another zone keeps its block online. */
static void expect_one_zone(struct kunit *test, unsigned long first, unsigned long other)
{
	struct zone *zone = &NODE_DATA(test_nid())->node_zones[ZONE_MOVABLE];
	int err = 0;

	set_page_zone(pfn_to_page(other), ZONE_NORMAL);
	KUNIT_EXPECT_WARNS(test, 1, HOTPLUG_C,
			   HOTPLUG_LOCKED(err = offline_pages(first, BLOCK_PAGES, zone, NULL)));
	set_page_zone(pfn_to_page(other), ZONE_MOVABLE);
	KUNIT_EXPECT_EQ_MSG(test, err, -EINVAL, "page %lu is in another zone", other - first);
}

/*
 * G14: only whole pageblocks up to the end of a section can go online or offline. The kernel
 * WARNs about any other pages.
 *
 *	block		|   0   |   1   |
 *	online		|=======|
 *	refused			|  ==== |
 */
static void part_of_section_is_refused(struct kunit *test)
{
	const struct pages_param *param = test->param_value;
	struct blocks *blocks = test->priv;
	struct zone *zone = &NODE_DATA(test_nid())->node_zones[ZONE_MOVABLE];
	unsigned long skip = param->skip * pageblock_nr_pages + param->skip_pages;
	unsigned long spare = param->spare * pageblock_nr_pages + param->spare_pages;
	unsigned long pfn = block_pfn(blocks, 1) + skip;
	unsigned long nr = param->has_pages ? BLOCK_PAGES - skip - spare : 0;
	unsigned long present;
	int err = 0;

	KUNIT_ASSERT_EQ(test, blocks_add_some(blocks, 0, 2, test_nid(), MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, blocks_online_one(blocks, 0), 0);
	present = zone->present_pages;
	KUNIT_EXPECT_WARNS(test, 1, HOTPLUG_C,
			   HOTPLUG_LOCKED(err = online_pages(pfn, nr, zone, NULL)));
	KUNIT_EXPECT_EQ_MSG(test, err, -EINVAL, "going online");
	KUNIT_ASSERT_EQ_MSG(test, zone->present_pages, present, "present pages in the zone");

	KUNIT_ASSERT_EQ(test, blocks_online_one(blocks, 1), 0);
	KUNIT_EXPECT_WARNS(test, 1, HOTPLUG_C,
			   HOTPLUG_LOCKED(err = offline_pages(pfn, nr, zone, NULL)));
	KUNIT_EXPECT_EQ_MSG(test, err, -EINVAL, "going offline");
	expect_one_zone(test, block_pfn(blocks, 1), block_pfn(blocks, 1));
	expect_one_zone(test, block_pfn(blocks, 1), block_pfn(blocks, 2) - 1);
	KUNIT_EXPECT_EQ_MSG(test, zone->present_pages, present + BLOCK_PAGES,
			    "present pages in the zone");
}

/*
 * G14: blocks that hold their own memmap cannot be removed together with blocks that do
 * not.
 */
static void mixed_blocks_cannot_be_removed_at_once(struct kunit *test)
{
	struct blocks *blocks = test->priv;
	unsigned int nr_warns;
	int err = 0;

	if (!mhp_supports_memmap_on_memory())
		kunit_skip(test, "memory_hotplug.memmap_on_memory= is off or refused");
	KUNIT_ASSERT_EQ(test, blocks_add_some(blocks, 0, 1, test_nid(), MHP_MEMMAP_ON_MEMORY), 0);
	KUNIT_ASSERT_EQ(test, blocks_add_some(blocks, 1, 1, test_nid(), MHP_NONE), 0);
	KUNIT_EXPECT_WARNS(test, 1, HOTPLUG_C,
			   err = remove_memory(block_start(blocks, 0), 2 * BLOCK_BYTES));
	KUNIT_EXPECT_EQ(test, err, -EINVAL);
	/* Since Linux 7.3, this returns 0, but WARNs that the removal failed. */
	warn_log_begin(test);
	err = offline_and_remove_memory(block_start(blocks, 0), 2 * BLOCK_BYTES);
	nr_warns = warn_log_end(test);
	KUNIT_EXPECT_TRUE_MSG(test, (err == -EINVAL && nr_warns == 1) ||
			      (!err && nr_warns == 2),
			      "the failed removal returns %d and WARNs %u times", err, nr_warns);
	KUNIT_EXPECT_TRUE_MSG(test, pfn_in_present_section(block_pfn(blocks, 0)) &&
			      pfn_in_present_section(block_pfn(blocks, 1)),
			      "a block is removed");
	KUNIT_ASSERT_EQ(test, blocks_remove_some(blocks, 0, 1), 0);
	KUNIT_ASSERT_EQ(test, blocks_remove_some(blocks, 1, 1), 0);
	blocks_expect_nothing_left(blocks, "removal");
}

/* G14: memory cannot be added to a node that cannot exist. The kernel WARNs about it. */
static void impossible_node_is_refused(struct kunit *test)
{
	int nid = IS_ENABLED(CONFIG_NUMA) ? MAX_NUMNODES - 1 : 1;
	struct blocks *blocks = test->priv;
	int err = 0;

	if (node_possible(nid))
		kunit_skip(test, "node %d is possible", nid);
	KUNIT_EXPECT_WARNS(test, 1, HOTPLUG_C,
			   err = blocks_add_some(blocks, 0, 1, nid, MHP_NONE));
	KUNIT_EXPECT_EQ(test, err, -EINVAL);
	blocks_expect_nothing_left(blocks, "refusal");
}

/*
 * G13: the size of a memory group is not 0. The unit of a dynamic group is a power of two
 * and at least a block.
 */
static void group_of_wrong_size_is_refused(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, memory_group_register_static(test_nid(), 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, memory_group_register_dynamic(test_nid(), 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, memory_group_register_dynamic(test_nid(), BLOCK_PAGES / 2), -EINVAL);
	KUNIT_EXPECT_EQ(test, memory_group_register_dynamic(test_nid(), 3 * BLOCK_PAGES), -EINVAL);
}

KUNIT_ARRAY_PARAM_DESC(flags, blocks_flags_params, name);

/*
 * G8: if a section of the range is present already, nothing is left of the blocks before
 * it, and that section stays.
 *
 *	block		|   0   |   1   |   2   |
 *	present			|=======|
 */
static void present_section_is_not_added_again(struct kunit *test)
{
	const struct blocks_flags_param *param = test->param_value;
	struct mhp_params params = { .pgprot = PAGE_KERNEL };
	struct blocks *blocks = test->priv;
	unsigned long pfn = block_pfn(blocks, 1);
	struct vmemmap_walk before, after;
	int err;

	mem_hotplug_begin();
	err = __add_pages(test_nid(), pfn, BLOCK_PAGES, &params);
	mem_hotplug_done();
	KUNIT_ASSERT_EQ(test, err, 0);
	vmemmap_walk((unsigned long)pfn_to_page(pfn), &before);

	KUNIT_EXPECT_NO_WARN(test, err = blocks_add(blocks, param->flags));
	KUNIT_EXPECT_EQ(test, err, -EEXIST);
	vmemmap_walk((unsigned long)pfn_to_page(pfn), &after);
	KUNIT_EXPECT_TRUE_MSG(test, pfn_in_present_section(pfn) && after.leaf,
			      "the section that was present is not");
	KUNIT_EXPECT_EQ_MSG(test, after.desc, before.desc,
			    "descriptor of the memmap that was present, now and before");
	if (!err)
		return;

	mem_hotplug_begin();
	if (pfn_in_present_section(pfn))
		adapt_remove_pages(pfn, BLOCK_PAGES, NULL);
	mem_hotplug_done();
	blocks_expect_nothing_left(blocks, "failed add");
}

/* The node that the memmap was last requested for. One test runs at a time. */
static int memmap_node;
static unsigned int nr_requests;

static void *alloc_on_node(unsigned long size, int node)
{
	struct page *page = alloc_pages_node(test_nid(), GFP_KERNEL | __GFP_NOWARN,
					     get_order(size));

	if (node != test_nid())
		memmap_node = node;
	nr_requests++;
	return page ? page_address(page) : NULL;
}

/* G5: a memmap in system RAM comes from the node that the memory is added to. */
static void memmap_comes_from_node(struct kunit *test)
{
	struct blocks *blocks = test->priv;
	int err;

	if (IS_ENABLED(CONFIG_S390))
		kunit_skip(test, "s390 ignores the node of a memmap, as it has one only");
	memmap_node = test_nid();
	nr_requests = 0;
	func_redirect_begin(test, vmemmap_alloc_block, alloc_on_node);
	err = blocks_add_some(blocks, 0, 1, test_nid(), MHP_NONE);
	func_redirect_end(test, vmemmap_alloc_block);
	KUNIT_ASSERT_EQ(test, err, 0);
	KUNIT_EXPECT_GT_MSG(test, nr_requests, 0, "blocks of system RAM that the memmap took");
	KUNIT_EXPECT_EQ_MSG(test, memmap_node, test_nid(),
			    "the node that a block was requested for");
}

#ifdef CONFIG_ARCH_KEEP_MEMBLOCK
/* Check that memblock has a range, and whether it is marked as driver-managed. */
static void expect_in_memblock(struct kunit *test, u64 start, u64 end, bool is_managed)
{
	struct memblock_region *region;
	u64 nr = 0;

	for_each_mem_region(region) {
		u64 first = max_t(u64, start, region->base);
		u64 last = min_t(u64, end, region->base + region->size);

		if (first >= last)
			continue;
		nr += last - first;
		KUNIT_EXPECT_EQ_MSG(test, memblock_is_driver_managed(region), is_managed,
				    "memblock marks [%#llx, %#llx) as driver-managed", first, last);
	}
	KUNIT_EXPECT_EQ_MSG(test, nr, end - start, "bytes that are memory in memblock");
}
#else
static void expect_in_memblock(struct kunit *test, u64 start, u64 end, bool is_managed)
{
}
#endif

/* Check that a single claim covers exactly this range. */
static void expect_claim(struct kunit *test, u64 start, u64 size, const char *name)
{
	struct resource *res = lookup_resource(&iomem_resource, start);

	KUNIT_ASSERT_NOT_NULL_MSG(test, res, "no claim begins at %#llx", start);
	KUNIT_EXPECT_EQ_MSG(test, resource_size(res), size, "size of the claim");
	KUNIT_EXPECT_STREQ(test, res->name, name);
	KUNIT_EXPECT_EQ_MSG(test, res->flags & IORESOURCE_SYSTEM_RAM, IORESOURCE_SYSTEM_RAM,
			    "flags of the claim");
}

/* G15: memblock and iomem_resource record memory while it is present. */
static void present_memory_is_recorded(struct kunit *test)
{
	const struct blocks_flags_param *param = test->param_value;
	struct blocks *blocks = test->priv;
	u64 start = block_start(blocks, 0);

	KUNIT_ASSERT_EQ(test, blocks_add_some(blocks, 0, 2, test_nid(), param->flags), 0);
	expect_claim(test, start, 2 * BLOCK_BYTES, "System RAM");
	expect_in_memblock(test, start, start + 2 * BLOCK_BYTES, false);
	KUNIT_ASSERT_EQ(test, blocks_remove_some(blocks, 0, 1), 0);
	expect_claim(test, start + BLOCK_BYTES, BLOCK_BYTES, "System RAM");
	expect_in_memblock(test, start + BLOCK_BYTES, start + 2 * BLOCK_BYTES, false);
	KUNIT_EXPECT_NULL_MSG(test, lookup_resource(&iomem_resource, start),
			      "removed memory has a claim");
}

/* G15: with MHP_MERGE_RESOURCE, neighbours share one claim. */
static void claims_of_neighbours_are_merged(struct kunit *test)
{
	struct blocks *blocks = test->priv;
	u64 start = block_start(blocks, 0);

	KUNIT_ASSERT_EQ(test, blocks_add_some(blocks, 0, 1, test_nid(), MHP_MERGE_RESOURCE), 0);
	KUNIT_ASSERT_EQ(test, blocks_add_some(blocks, 1, 1, test_nid(), MHP_NONE), 0);
	expect_claim(test, start, BLOCK_BYTES, "System RAM");
	KUNIT_ASSERT_EQ(test, blocks_add_some(blocks, 2, 1, test_nid(), MHP_MERGE_RESOURCE), 0);
	expect_claim(test, start, BLOCK_BYTES, "System RAM");
	KUNIT_ASSERT_EQ(test, blocks_remove_some(blocks, 1, 1), 0);
	KUNIT_ASSERT_EQ(test, blocks_add_some(blocks, 1, 1, test_nid(), MHP_MERGE_RESOURCE), 0);
	expect_claim(test, start, 3 * BLOCK_BYTES, "System RAM");
	/* Removal splits the claim. Both parts can be merged again. */
	KUNIT_ASSERT_EQ(test, blocks_remove_some(blocks, 1, 1), 0);
	expect_claim(test, start, BLOCK_BYTES, "System RAM");
	expect_claim(test, start + 2 * BLOCK_BYTES, BLOCK_BYTES, "System RAM");
	KUNIT_ASSERT_EQ(test, blocks_add_some(blocks, 1, 1, test_nid(), MHP_MERGE_RESOURCE), 0);
	expect_claim(test, start, 3 * BLOCK_BYTES, "System RAM");
	/* The flag does not change where the memmap lies. */
	blocks_expect_memmap(blocks, MHP_NONE);
	KUNIT_ASSERT_EQ(test, blocks_remove(blocks), 0);
	blocks_expect_nothing_left(blocks, "removal");
}

/* G15: memory that a driver manages is recorded as such, with the name that the driver passes. */
static void driver_managed_memory_is_marked(struct kunit *test)
{
	static const char name[] = "System RAM (kunit)";
	static const char *const wrong[] = {
		"kunit", "System RAM", "System RAM (kunit", "System RAM kunit)",
	};
	struct blocks *blocks = test->priv;
	u64 start = block_start(blocks, 0);
	struct resource *res;
	unsigned int i;
	int err;

	release_resource(&blocks->dev->res);
	blocks->is_claimed = false;
	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		KUNIT_EXPECT_EQ_MSG(test, add_memory_driver_managed(0, start, BLOCK_BYTES,
								    wrong[i], MHP_NONE),
				    -EINVAL, "name \"%s\"", wrong[i]);
	err = add_memory_driver_managed(0, start, BLOCK_BYTES, name, MHP_NONE);
	if (!err)
		blocks->present = BIT(0);
	else
		fake_dev_abandon(blocks->dev);
	KUNIT_ASSERT_EQ(test, err, 0);
	expect_claim(test, start, BLOCK_BYTES, name);
	res = lookup_resource(&iomem_resource, start);
	KUNIT_EXPECT_TRUE_MSG(test, res && res->flags & IORESOURCE_SYSRAM_DRIVER_MANAGED,
			      "the claim is not driver-managed");
	expect_in_memblock(test, start, start + BLOCK_BYTES, true);
	KUNIT_ASSERT_EQ(test, blocks_remove(blocks), 0);
	blocks_expect_nothing_left(blocks, "removal");
}

/* Look up a device by its name. Any memory block leads to the bus. */
static int find_device(struct memory_block *mem, void *name)
{
	struct device *dev = bus_find_device_by_name(mem->dev.bus, NULL, name);

	put_device(dev);
	return dev ? -EEXIST : 1;
}

static void expect_no_device(struct kunit *test, u64 start, const char *after)
{
	char name[32];

	snprintf(name, sizeof(name), "memory%llu", start / BLOCK_BYTES);
	KUNIT_EXPECT_EQ_MSG(test, 1, walk_memory_blocks(__pa(test->priv), 1, name, find_device),
			    "device %s, %s", name, after);
}

static int create_device(u64 start)
{
	int err;

	lock_device_hotplug();
	err = adapt_create_memory_block_devices(start, BLOCK_BYTES, test_nid());
	unlock_device_hotplug();
	return err;
}

static int fail_to_add(struct device *dev)
{
	return -ENOMEM;
}

static void *fail_to_store(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp)
{
	return XA_ERROR(-ENOMEM);
}

/* G6: a memory block that cannot be registered has no device. */
static void failed_registration_leaves_no_device(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	u64 start = PFN_PHYS(dev->pfn);
	int err;

	func_redirect_begin(test, device_add, fail_to_add);
	err = create_device(start);
	func_redirect_end(test, device_add);
	KUNIT_EXPECT_EQ_MSG(test, err, -ENOMEM, "adding the device failed");
	expect_no_device(test, start, "adding the device failed");

	func_redirect_begin(test, xa_store, fail_to_store);
	err = create_device(start);
	func_redirect_end(test, xa_store);
	KUNIT_EXPECT_EQ_MSG(test, err, -ENOMEM, "storing the block failed");
	expect_no_device(test, start, "storing the block failed");
}

/*
 * G6: if any allocation fails, a memory block that cannot be created has no device. The
 * number of the block is the first one in a node of the xarray of all blocks, so the node
 * is allocated as well. Allocations from slab fail only with CONFIG_FAILSLAB.
 */
static void failed_allocation_leaves_no_device(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, XA_CHUNK_SIZE);
	u64 start = PFN_PHYS(dev->pfn);
	unsigned int nth;
	char after[32];
	bool failed;
	int err = 0;

	for (nth = 0; ; nth++) {
		KUNIT_EXPECT_NO_WARN(test, err = ALLOC_FAULT(test, nth, &failed,
							     create_device(start)));
		if (!err) {
			lock_device_hotplug();
			remove_memory_block_devices(start, BLOCK_BYTES);
			unlock_device_hotplug();
		}
		snprintf(after, sizeof(after), "allocation %u failed", nth);
		expect_no_device(test, start, after);
		if (!failed)
			break;
		if (err && err != -ENOMEM) {
			KUNIT_FAIL(test, "allocation %u failed: error %pe", nth, ERR_PTR(err));
			alloc_fault_report(test);
			break;
		}
	}
	KUNIT_EXPECT_EQ_MSG(test, err, 0, "when no allocation fails");
	if (IS_ENABLED(CONFIG_FAILSLAB))
		KUNIT_EXPECT_GT(test, nth, 0);
}

static struct kunit_case memory_ranges_cases[] = {
	KUNIT_CASE_PARAM(part_of_block_is_refused, range_gen_params),
	KUNIT_CASE(wrapping_range_is_refused),
	KUNIT_CASE_PARAM(part_of_section_is_refused, pages_gen_params),
	KUNIT_CASE(mixed_blocks_cannot_be_removed_at_once),
	KUNIT_CASE(impossible_node_is_refused),
	KUNIT_CASE(group_of_wrong_size_is_refused),
	KUNIT_CASE_PARAM(present_section_is_not_added_again, flags_gen_params),
	KUNIT_CASE(memmap_comes_from_node),
	KUNIT_CASE_PARAM(present_memory_is_recorded, flags_gen_params),
	KUNIT_CASE(claims_of_neighbours_are_merged),
	KUNIT_CASE(driver_managed_memory_is_marked),
	KUNIT_CASE(failed_registration_leaves_no_device),
	KUNIT_CASE(failed_allocation_leaves_no_device),
	{}
};

static struct kunit_suite memory_ranges_suite = {
	.name = "memory_ranges",
	.init = ranges_init,
	.test_cases = memory_ranges_cases,
};

kunit_test_suite(memory_ranges_suite);

MODULE_DESCRIPTION("KUnit tests for the ranges that memory hot-plug accepts");
MODULE_LICENSE("GPL");

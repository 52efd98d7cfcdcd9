// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver kmem, which adds the memory of a device, such as CXL memory, as system RAM.
 *
 * Documentation/mm/vmemmap_altmap.rst states the rules. The cases cite them as P1, P2
 * and so on.
 */
#include <kunit/test.h>
#include <linux/device.h>
#include <linux/ioport.h>
#include <linux/list.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>

#include "dax_device.h"
#include "device_file.h"
#include "fake_dev.h"
#include "hotplug_blocks.h"
#include "vmemmap_adapt.h"
#include "warn_log.h"

/**
 * struct kmem_test - what each case starts with
 * @blocks: the memory of the region
 * @dev_dax: a device that has none of it yet
 */
struct kmem_test {
	struct blocks *blocks;
	struct dev_dax *dev_dax;
};

static int kmem_init(struct kunit *test)
{
	struct kmem_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->blocks = blocks_get(test);
	t->dev_dax = dax_device_get(test, dax_region_get(test, t->blocks->dev, PAGE_SIZE));
	test->priv = t;
	return 0;
}

/* Give the device a part of the memory: @size eighths of a block from @start on. */
static void give(struct kunit *test, unsigned int start, unsigned int size)
{
	struct kmem_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, 0,
			dax_device_add_range(t->dev_dax,
					     block_start(t->blocks, 0) + start * BLOCK_BYTES / 8,
					     size * BLOCK_BYTES / 8));
}

/* P3: unbinding removes the memory, which is offline. */
static void unbind(void *data)
{
	struct kunit *test = data;
	struct kmem_test *t = test->priv;

	KUNIT_EXPECT_NO_WARN(test, device_release_driver(&t->dev_dax->dev));
	KUNIT_EXPECT_EQ_MSG(test, blocks_are_gone(t->blocks, 0, NR_BLOCKS), 0,
			    "a claim on the memory is left");
}

/*
 * Bind the driver. @present: the blocks that it adds then, bit by bit. Return 0 or an
 * error.
 */
static int bind(struct kunit *test, unsigned long present)
{
	struct kmem_test *t = test->priv;
	int err = 0;

	blocks_unclaim(t->blocks);
	KUNIT_EXPECT_NO_WARN(test, err = dax_device_bind(test, t->dev_dax, "kmem"));
	if (err)
		return err;
	t->blocks->present = present;
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, unbind, test));
	return 0;
}

/*
 * Return the ID that the next memory group will get. It is the lowest free one, so it is
 * higher than before if a group has been leaked.
 */
static int next_group(struct kunit *test)
{
	int mgid = memory_group_register_static(test_nid(), BLOCK_PAGES);

	KUNIT_ASSERT_GE(test, mgid, 0);
	KUNIT_ASSERT_EQ(test, memory_group_unregister(mgid), 0);
	return mgid;
}

static int get_group(struct memory_block *mem, void *group)
{
	*(struct memory_group **)group = mem->group;
	return 0;
}

/*
 * P1: exactly the blocks that are present are there, offline, in one static group that
 * can have @max blocks.
 */
static void expect_blocks(struct kunit *test, unsigned int max)
{
	struct kmem_test *t = test->priv;
	struct blocks *blocks = t->blocks;
	unsigned int nr = hweight_long(blocks->present);
	struct memory_group *group, *first = NULL;
	unsigned int i;

	for (i = 0; i < NR_BLOCKS; i++) {
		KUNIT_EXPECT_EQ_MSG(test, pfn_in_present_section(block_pfn(blocks, i)),
				    !!(blocks->present & BIT(i)), "block %u is present", i);
		if (!(blocks->present & BIT(i)))
			continue;
		group = NULL;
		walk_memory_blocks(block_start(blocks, i), BLOCK_BYTES, &group, get_group);
		KUNIT_ASSERT_NOT_NULL_MSG(test, group, "block %u is in no group", i);
		KUNIT_EXPECT_EQ_MSG(test, block_state(block_pfn(blocks, i)), MEM_OFFLINE,
				    "state of block %u", i);
		first = first ?: group;
		KUNIT_EXPECT_PTR_EQ_MSG(test, group, first, "group of block %u", i);
	}
	KUNIT_ASSERT_NOT_NULL(test, first);
	KUNIT_EXPECT_EQ_MSG(test, list_count_nodes(&first->memory_blocks), nr,
			    "blocks of the group");
	KUNIT_EXPECT_EQ_MSG(test, first->nid, test_nid(), "node of the group");
	KUNIT_EXPECT_FALSE_MSG(test, first->is_dynamic, "the group is dynamic");
	KUNIT_EXPECT_EQ_MSG(test, first->s.max_pages, max * BLOCK_PAGES,
			    "pages of the group at most");
}

/* P3: nothing is left of the memory, nor of its group. */
static void expect_nothing_left(struct kunit *test, int group, const char *after)
{
	struct kmem_test *t = test->priv;

	blocks_expect_nothing_left(t->blocks, after);
	KUNIT_EXPECT_EQ_MSG(test, next_group(test), group, "%s: the next group's ID", after);
}

KUNIT_ARRAY_PARAM_DESC(flags, blocks_flags_params, name);

/*
 * P1, P2, P3: binding adds the memory, whose memmap lies where the file memmap_on_memory
 * says. Unbinding removes it. If the kernel cannot put the memmap there, the file refuses.
 */
static void binding_adds_memory(struct kunit *test)
{
	const struct blocks_flags_param *param = test->param_value;
	bool on_memory = param->flags & MHP_MEMMAP_ON_MEMORY;
	/* Without CONFIG_MHP_MEMMAP_ON_MEMORY, the case fails. */
	bool is_refused = on_memory && IS_ENABLED(CONFIG_MHP_MEMMAP_ON_MEMORY) &&
			  !mhp_supports_memmap_on_memory();
	struct kmem_test *t = test->priv;
	int group = next_group(test), err;

	give(test, 0, 8 * NR_BLOCKS);
	err = device_file_write(&t->dev_dax->dev, "memmap_on_memory", on_memory ? "1" : "0");
	KUNIT_ASSERT_EQ_MSG(test, err, is_refused ? -EOPNOTSUPP : 0, "writing to memmap_on_memory");
	KUNIT_ASSERT_EQ(test, bind(test, BIT(NR_BLOCKS) - 1), 0);
	expect_blocks(test, NR_BLOCKS);
	blocks_expect_memmap(t->blocks, is_refused ? MHP_NONE : param->flags);
	if (mhp_supports_memmap_on_memory())
		KUNIT_EXPECT_EQ_MSG(test, device_file_write(&t->dev_dax->dev, "memmap_on_memory",
							    on_memory ? "0" : "1"), -EBUSY,
				    "changing memmap_on_memory while the driver is bound");
	kunit_release_action(test, unbind, test);
	expect_nothing_left(test, group, "unbinding");
}

/*
 * P2: the memory is claimed as RAM that this driver manages, below the claim of the
 * device. No kernel that kexec starts takes it for memory of its own.
 */
static void added_memory_is_claimed(struct kunit *test)
{
	struct kmem_test *t = test->priv;
	struct resource *of_device, *res;
	u64 start = block_start(t->blocks, 0);

	give(test, 0, 8);
	KUNIT_ASSERT_EQ(test, bind(test, BIT(0)), 0);
	of_device = lookup_resource(&iomem_resource, start);
	KUNIT_ASSERT_NOT_NULL_MSG(test, of_device, "no claim begins at %#llx", start);
	KUNIT_EXPECT_STREQ(test, of_device->name, dev_name(&t->dev_dax->dev));
	KUNIT_EXPECT_EQ_MSG(test, of_device->end + 1 - of_device->start, BLOCK_BYTES,
			    "bytes that the device claims");
	res = of_device->child;
	KUNIT_ASSERT_NOT_NULL_MSG(test, res, "no claim for system RAM");
	KUNIT_EXPECT_STREQ(test, res->name, "System RAM (kmem)");
	KUNIT_EXPECT_EQ_MSG(test, res->start, start, "start of the claim for system RAM");
	KUNIT_EXPECT_EQ_MSG(test, res->end + 1 - res->start, BLOCK_BYTES,
			    "bytes of the claim for system RAM");
	KUNIT_EXPECT_TRUE_MSG(test, res->flags & IORESOURCE_SYSRAM_DRIVER_MANAGED,
			      "flags of the claim for system RAM: %#lx", res->flags);
}

static const struct ranges_param {
	const char *name;
	struct {
		unsigned int start, size;	/* in eighths of a block */
	} range[2];
	unsigned long present;
} ranges_params[] = {
	{ "a block and a half", { { 0, 12 } }, BIT(0) },
	{ "both ends inside blocks", { { 2, 15 } }, BIT(1) },
	{ "second range before the first", { { 16, 8 }, { 0, 8 } }, BIT(2) | BIT(0) },
	{ "first range too small", { { 17, 7 }, { 0, 8 } }, BIT(0) },
	{ "last range too small", { { 8, 8 }, { 17, 7 } }, BIT(1) },
};

KUNIT_ARRAY_PARAM_DESC(ranges, ranges_params, name);

/* P1, P3: what does not fill a block is left alone, and all ranges are in one group. */
static void whole_blocks_are_added(struct kunit *test)
{
	const struct ranges_param *param = test->param_value;
	int group = next_group(test);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(param->range) && param->range[i].size; i++)
		give(test, param->range[i].start, param->range[i].size);
	KUNIT_ASSERT_EQ(test, bind(test, param->present), 0);
	expect_blocks(test, hweight_long(param->present));
	kunit_release_action(test, unbind, test);
	expect_nothing_left(test, group, "unbinding");
}

/* P1: a device without a whole block is refused. */
static void device_without_a_block_is_refused(struct kunit *test)
{
	struct kmem_test *t = test->priv;
	int group = next_group(test);

	give(test, 1, 14);
	KUNIT_EXPECT_EQ(test, bind(test, 0), -EINVAL);
	KUNIT_ASSERT_EQ(test, blocks_are_gone(t->blocks, 0, NR_BLOCKS), 0);
	expect_nothing_left(test, group, "refusal");
}

/* Let somebody else claim the last page of the memory. */
static void claim_last_page(struct kunit *test)
{
	struct kmem_test *t = test->priv;
	u64 page = block_start(t->blocks, NR_BLOCKS) - PAGE_SIZE;

	blocks_unclaim(t->blocks);
	KUNIT_ASSERT_NOT_NULL(test, request_mem_region(page, PAGE_SIZE, "somebody else"));
}

static void release_last_page(struct kunit *test)
{
	struct kmem_test *t = test->priv;

	release_mem_region(block_start(t->blocks, NR_BLOCKS) - PAGE_SIZE, PAGE_SIZE);
}

/*
 * P4: a binding that fails leaves nothing behind, and a later one can succeed. Here,
 * another claim on a page makes the first one fail.
 */
static void failed_binding_can_be_repeated(struct kunit *test)
{
	struct kmem_test *t = test->priv;
	int group = next_group(test);

	give(test, 0, 8 * NR_BLOCKS);
	claim_last_page(test);
	KUNIT_EXPECT_EQ_MSG(test, bind(test, 0), -EBUSY, "binding, with another claim");
	release_last_page(test);
	KUNIT_ASSERT_EQ_MSG(test, blocks_are_gone(t->blocks, 0, NR_BLOCKS), 0,
			    "a claim on the memory is left");
	expect_nothing_left(test, group, "failed attempt");

	KUNIT_ASSERT_EQ_MSG(test, bind(test, BIT(NR_BLOCKS) - 1), 0, "binding, without that claim");
	expect_blocks(test, NR_BLOCKS);
}

/* Let the last block have a device, so that adding its memory fails. */
static void register_last_block(struct kunit *test)
{
	struct kmem_test *t = test->priv;
	int err;

	lock_device_hotplug();
	err = adapt_create_memory_block_devices(block_start(t->blocks, NR_BLOCKS - 1),
						BLOCK_BYTES, test_nid());
	unlock_device_hotplug();
	KUNIT_ASSERT_EQ(test, err, 0);
}

static void unregister_last_block(struct kunit *test)
{
	struct kmem_test *t = test->priv;

	lock_device_hotplug();
	remove_memory_block_devices(block_start(t->blocks, NR_BLOCKS - 1), BLOCK_BYTES);
	unlock_device_hotplug();
}

static const struct obstacle_param {
	const char *name;
	void (*begin)(struct kunit *test);
	void (*end)(struct kunit *test);
} obstacle_params[] = {
	{ "it is claimed", claim_last_page, release_last_page },
	{ "it has a memory block", register_last_block, unregister_last_block },
};

KUNIT_ARRAY_PARAM_DESC(obstacle, obstacle_params, name);

/*
 * P4: if only a later range cannot be added, the driver uses the memory before it, and
 * leaves no trace of that range.
 *
 *	device		|   first range   |          |  second range  |
 *	added		|     block 0     |
 */
static void later_range_can_fail(struct kunit *test)
{
	const struct obstacle_param *param = test->param_value;
	int group = next_group(test), err;

	give(test, 0, 8);
	give(test, 16, 8);
	param->begin(test);
	err = bind(test, BIT(0));
	param->end(test);
	KUNIT_ASSERT_EQ_MSG(test, err, 0, "binding, although the second range cannot be added");
	expect_blocks(test, 2);
	kunit_release_action(test, unbind, test);
	expect_nothing_left(test, group, "unbinding");
}

static struct kunit_case dax_kmem_cases[] = {
	KUNIT_CASE_PARAM(binding_adds_memory, flags_gen_params),
	KUNIT_CASE(added_memory_is_claimed),
	KUNIT_CASE_PARAM(whole_blocks_are_added, ranges_gen_params),
	KUNIT_CASE(device_without_a_block_is_refused),
	KUNIT_CASE(failed_binding_can_be_repeated),
	KUNIT_CASE_PARAM(later_range_can_fail, obstacle_gen_params),
	{}
};

static struct kunit_suite dax_kmem_suite = {
	.name = "dax_kmem",
	.init = kmem_init,
	.test_cases = dax_kmem_cases,
};

kunit_test_suite(dax_kmem_suite);

MODULE_DESCRIPTION("KUnit tests for memory of devices that is added as system RAM");
MODULE_LICENSE("GPL");

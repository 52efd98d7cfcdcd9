// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory groups, such as the memory of a DIMM or of a virtio-mem device: the counts of a
 * group, and the zone that the policy "auto-movable" chooses for its memory.
 *
 * Documentation/mm/vmemmap_altmap.rst states the rules. The cases cite them as
 * G13, G21 and so on.
 */
#include <kunit/test.h>
#include <linux/device.h>
#include <linux/list.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/moduleparam.h>
#include <linux/string.h>

#include "alloc_fault.h"
#include "device_file.h"
#include "hotplug_blocks.h"
#include "slab_objects.h"
#include "vmemmap_adapt.h"
#include "warn_log.h"

/**
 * struct groups_test - what each case starts with
 * @blocks: the memory
 * @node: the node that it goes to
 * @zone: the zone that it goes to
 */
struct groups_test {
	struct blocks *blocks;
	struct pglist_data *node;
	struct zone *zone;
};

static int groups_init(struct kunit *test)
{
	struct groups_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->blocks = blocks_get(test);
	t->node = NODE_DATA(test_nid());
	t->zone = &t->node->node_zones[ZONE_MOVABLE];
	test->priv = t;
	return 0;
}

static void group_put(void *data)
{
	memory_group_unregister((long)data);
}

static int group_get(struct kunit *test, bool is_dynamic)
{
	int mgid = is_dynamic ? memory_group_register_dynamic(test_nid(), BLOCK_PAGES) :
		   memory_group_register_static(test_nid(), NR_BLOCKS * BLOCK_PAGES);

	KUNIT_ASSERT_GE(test, mgid, 0);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, group_put, (void *)(long)mgid));
	return mgid;
}

static int expect_in_group(struct memory_block *mem, void *group)
{
	return mem->group == group ? 0 : -EINVAL;
}

static void expect_group(struct kunit *test, const struct memory_group *group,
			 unsigned long nr_blocks, unsigned long nr_online, const char *when)
{
	KUNIT_EXPECT_EQ_MSG(test, list_count_nodes((struct list_head *)&group->memory_blocks),
			    nr_blocks, "%s: blocks of the group", when);
	KUNIT_EXPECT_EQ_MSG(test, group->present_movable_pages, nr_online * BLOCK_PAGES,
			    "%s: movable pages of the group", when);
	KUNIT_EXPECT_EQ_MSG(test, group->present_kernel_pages, 0,
			    "%s: pages of the group that are not movable", when);
}

static const struct group_param {
	const char *name;
	mhp_t flags;
	bool is_dynamic;
} group_params[] = {
	{ "static, memmap on memory", MHP_MEMMAP_ON_MEMORY, false },
	{ "dynamic, memmap in system RAM", MHP_NONE, true },
};

KUNIT_ARRAY_PARAM_DESC(group, group_params, name);

/*
 * G13: the blocks of a memory group belong to it from their addition to their removal.
 * The group counts the pages of its online blocks, including those that hold the memmap.
 * If a notifier refuses to let a block go online or offline, the counts do not change
 * (G11).
 */
static void group_counts_its_blocks(struct kunit *test)
{
	const struct group_param *param = test->param_value;
	struct groups_test *t = test->priv;
	struct blocks *blocks = t->blocks;
	int mgid = group_get(test, param->is_dynamic);
	struct memory_group *group = memory_group_find_by_id(mgid);
	mhp_t flags = param->flags | MHP_NID_IS_MGID;
	int err;

	KUNIT_ASSERT_NOT_NULL(test, group);
	KUNIT_EXPECT_EQ_MSG(test, blocks_add_some(blocks, 0, 2, mgid + 1, flags), -EINVAL,
			    "adding to a group that does not exist");
	KUNIT_ASSERT_EQ(test, blocks_add_some(blocks, 0, 2, mgid, flags), 0);
	lock_device_hotplug();
	err = walk_memory_blocks(block_start(blocks, 0), 2 * BLOCK_BYTES, group, expect_in_group);
	unlock_device_hotplug();
	KUNIT_EXPECT_EQ_MSG(test, err, 0, "a block is not in the group");
	expect_group(test, group, 2, 0, "added");
	KUNIT_EXPECT_EQ_MSG(test, memory_group_unregister(mgid), -EBUSY,
			    "unregistering a group that has blocks");

	KUNIT_ASSERT_EQ(test, blocks_online_one(blocks, 0), 0);
	expect_group(test, group, 2, 1, "one block is online");
	blocks->watch.veto = MEM_GOING_ONLINE;
	KUNIT_EXPECT_EQ(test, blocks_online_one(blocks, 1), -EPERM);
	expect_group(test, group, 2, 1, "the other block may not go online");
	blocks->watch.veto = ADAPT_NO_STEP;
	KUNIT_ASSERT_EQ(test, blocks_online_one(blocks, 1), 0);
	expect_group(test, group, 2, 2, "both blocks are online");
	blocks->watch.veto = MEM_GOING_OFFLINE;
	KUNIT_EXPECT_EQ(test, blocks_offline_one(blocks, 1), -EPERM);
	expect_group(test, group, 2, 2, "a block may not go offline");
	blocks->watch.veto = ADAPT_NO_STEP;
	KUNIT_ASSERT_EQ(test, blocks_remove_some(blocks, 0, 1), 0);
	expect_group(test, group, 1, 1, "the first block is removed");
	KUNIT_ASSERT_EQ(test, blocks_remove(blocks), 0);
	expect_group(test, group, 0, 0, "all blocks are removed");
}

/* G13: if any allocation fails, the failed add leaves no block in the group. */
static void failed_add_leaves_group_empty(struct kunit *test)
{
	struct groups_test *t = test->priv;
	int mgid = group_get(test, true), err = 0;
	struct memory_group *group = memory_group_find_by_id(mgid);
	unsigned int nth;
	char after[32];
	bool failed;

	KUNIT_ASSERT_NOT_NULL(test, group);
	for (nth = 0; ; nth++) {
		KUNIT_EXPECT_NO_WARN(test,
				     err = ALLOC_FAULT(test, nth, &failed,
						       blocks_add_some(t->blocks, 0, 2, mgid,
								       MHP_NID_IS_MGID)));
		if (!err)
			KUNIT_ASSERT_EQ(test, blocks_remove(t->blocks), 0);
		if (!failed)
			break;
		snprintf(after, sizeof(after), "allocation %u failed", nth);
		expect_group(test, group, 0, 0, after);
		if (test->status == KUNIT_FAILURE) {
			alloc_fault_report(test);
			return;
		}
	}
	KUNIT_EXPECT_EQ_MSG(test, err, 0, "when no allocation fails");
	KUNIT_EXPECT_GT(test, nth, 0);
}

/* Return true if the group was registered when no allocation failed. */
static bool register_with_failures(struct kunit *test)
{
	unsigned int nth = 0;
	bool failed;
	int mgid;

	do {
		mgid = ALLOC_FAULT(test, nth++, &failed,
				   memory_group_register_dynamic(test_nid(), BLOCK_PAGES));
		if (mgid >= 0 && memory_group_unregister(mgid))
			return false;
	} while (failed);
	return mgid >= 0;
}

/*
 * G13: if a group cannot be registered, it leaves no object. Allocations from slab fail only
 * with CONFIG_FAILSLAB.
 */
static void failed_group_leaves_no_object(struct kunit *test)
{
	/* With a group that is there already, the next one needs a node of an xarray. */
	group_get(test, true);
	expect_rounds_leak_nothing(test, register_with_failures);
}

/*
 * G13: a group counts pages that are not movable separately, and a zone counts boot
 * memory separately. The page here is both: the case calls adjust_present_page_count()
 * for a page of boot memory and then restores the counts.
 */
static void kernel_pages_are_counted_separately(struct kunit *test)
{
	struct groups_test *t = test->priv;
	struct memory_group group = {};
	struct page *page = virt_to_page(t);
	struct zone *zone = page_zone(page);
	struct pglist_data *node = zone->zone_pgdat;
	unsigned long present = zone->present_pages, in_node = node->node_present_pages;
	unsigned long early = zone->present_early_pages;

	mem_hotplug_begin();
	adjust_present_page_count(page, &group, 3);
	KUNIT_EXPECT_EQ_MSG(test, zone->present_pages, present + 3, "present pages in the zone");
	KUNIT_EXPECT_EQ_MSG(test, zone->present_early_pages, early + 3,
			    "pages of boot memory in the zone");
	KUNIT_EXPECT_EQ_MSG(test, node->node_present_pages, in_node + 3,
			    "present pages in the node");
	KUNIT_EXPECT_EQ_MSG(test, group.present_kernel_pages, 3,
			    "pages of the group that are not movable");
	KUNIT_EXPECT_EQ_MSG(test, group.present_movable_pages, 0, "movable pages of the group");
	adjust_present_page_count(page, &group, -3);
	KUNIT_EXPECT_EQ_MSG(test, group.present_kernel_pages, 0,
			    "pages of the group that are not movable, without them");
	zone->present_pages = present;
	zone->present_early_pages = early;
	node->node_present_pages = in_node;
	mem_hotplug_done();
}

static const struct kernel_param *policy_param(const char *name)
{
	const struct kernel_param *param;

	for (param = __start___param; param < __stop___param; param++)
		if (!strcmp(param->name, name))
			return param;
	return NULL;
}

/* The parameters for memory that goes online without a zone, and their values before the test. */
struct online_policy {
	const struct kernel_param *policy, *ratio;
	char old_policy[32], old_ratio[32];
};

static void policy_put(void *data)
{
	struct online_policy *policy = data;

	policy->policy->ops->set(policy->old_policy, policy->policy);
	policy->ratio->ops->set(policy->old_ratio, policy->ratio);
}

static struct online_policy *policy_get_auto_movable(struct kunit *test)
{
	struct online_policy *policy = kunit_kzalloc(test, sizeof(*policy), GFP_KERNEL);

	/* The policy also checks the ratio of all nodes together. */
	if (num_online_nodes() > 1)
		kunit_skip(test, "there are several nodes");
	KUNIT_ASSERT_NOT_NULL(test, policy);
	policy->policy = policy_param("memory_hotplug.online_policy");
	policy->ratio = policy_param("memory_hotplug.auto_movable_ratio");
	KUNIT_ASSERT_TRUE(test, policy->policy && policy->ratio);
	KUNIT_ASSERT_GT(test, policy->policy->ops->get(policy->old_policy, policy->policy), 0);
	KUNIT_ASSERT_GT(test, policy->ratio->ops->get(policy->old_ratio, policy->ratio), 0);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, policy_put, policy));
	KUNIT_ASSERT_EQ(test, 0, policy->policy->ops->set("auto-movable", policy->policy));
	return policy;
}

static void set_ratio(struct kunit *test, struct online_policy *policy, unsigned long ratio)
{
	char value[32];

	snprintf(value, sizeof(value), "%lu", ratio);
	KUNIT_ASSERT_EQ(test, 0, policy->ratio->ops->set(value, policy->ratio));
}

/* CMA pages of other zones count as movable. */
static unsigned long movable_pages(const struct pglist_data *node)
{
	unsigned long nr = node->node_zones[ZONE_MOVABLE].present_pages;
	int zid;

	for (zid = 0; zid < ZONE_MOVABLE; zid++)
		nr += zone_cma_pages((struct zone *)&node->node_zones[zid]);
	return nr;
}

static unsigned long boot_pages(const struct pglist_data *node)
{
	unsigned long nr = 0;
	int zid;

	for (zid = 0; zid < ZONE_MOVABLE; zid++)
		nr += node->node_zones[zid].present_early_pages -
		      zone_cma_pages((struct zone *)&node->node_zones[zid]);
	return nr;
}

/* Check whether the policy chooses ZONE_MOVABLE for @nr pages. */
static void expect_movable(struct kunit *test, struct memory_group *group, unsigned long pfn,
			   unsigned long nr, bool is_movable, const char *what)
{
	struct groups_test *t = test->priv;
	struct zone *zone;

	lock_device_hotplug();
	zone = zone_for_pfn_range(MMOP_ONLINE, test_nid(), group, pfn, nr);
	unlock_device_hotplug();
	KUNIT_EXPECT_EQ_MSG(test, zone == t->zone, is_movable,
			    "%s: are %lu pages movable?", what, nr);
}

/* The policy chooses ZONE_MOVABLE for @limit pages, but not for one more. */
static void expect_limit(struct kunit *test, struct memory_group *group, unsigned long limit,
			 const char *what)
{
	struct groups_test *t = test->priv;
	unsigned long pfn = block_pfn(t->blocks, 0);

	if (group && group->is_dynamic)
		group->d.unit_pages = limit;
	expect_movable(test, group, pfn, limit, true, what);
	if (group && group->is_dynamic)
		group->d.unit_pages = limit + 1;
	expect_movable(test, group, pfn, limit + 1, false, what);
}

/*
 * G21: with the policy auto-movable, memory is movable as long as all movable memory is at
 * most a percentage of boot memory. Memory of a group is movable only if the rest of the
 * group, or of its unit, can be movable as well.
 *
 *	block		|   0   |   1   |   2   |
 *	movable		|=======|       |=======|
 */
static void auto_movable_memory_keeps_ratio(struct kunit *test)
{
	struct groups_test *t = test->priv;
	struct online_policy *policy = policy_get_auto_movable(test);
	unsigned long pfn = block_pfn(t->blocks, 1), early = boot_pages(t->node);
	unsigned long limit = 10 * early - movable_pages(t->node) - 2 * BLOCK_PAGES;
	struct memory_group dynamic = { .is_dynamic = true, .present_kernel_pages = 1000 };
	struct memory_group fixed = { .s.max_pages = limit + 5, .present_movable_pages = 5 };

	KUNIT_ASSERT_EQ(test, 0, blocks_add(t->blocks, MHP_NONE));
	KUNIT_ASSERT_EQ(test, 0, blocks_online_one(t->blocks, 0));
	KUNIT_ASSERT_EQ(test, 0, blocks_online_one(t->blocks, 2));
	set_ratio(test, policy, 1000);
	expect_limit(test, NULL, limit, "no group");
	expect_limit(test, &dynamic, limit + 10 * 1000, "dynamic group");

	/* The policy checks the size of the group without its online pages. */
	expect_movable(test, &fixed, pfn, 1, true, "static group");
	fixed.present_movable_pages--;
	expect_movable(test, &fixed, pfn, 1, false, "static group that is too large");
	fixed.s.max_pages = 6;
	expect_movable(test, &fixed, pfn, 1, true, "small static group");
	fixed.present_kernel_pages = 1;
	expect_movable(test, &fixed, pfn, 1, false, "static group with kernel memory");

	set_ratio(test, policy, 0);
	expect_movable(test, NULL, pfn, 1, false, "a ratio of 0");
}

/* G21: each dynamic group takes a share of boot memory, which its own kernel memory reduces. */
static void auto_movable_groups_have_shares(struct kunit *test)
{
	struct groups_test *t = test->priv;
	struct online_policy *policy = policy_get_auto_movable(test);
	int mgid = group_get(test, true);
	struct memory_group *group = memory_group_find_by_id(mgid);
	unsigned long early = boot_pages(t->node), others = movable_pages(t->node);

	KUNIT_ASSERT_NOT_NULL(test, group);
	KUNIT_ASSERT_EQ(test, 0, blocks_add_some(t->blocks, 0, 1, mgid, MHP_NID_IS_MGID));
	KUNIT_ASSERT_EQ(test, 0, blocks_online_one(t->blocks, 0));
	set_ratio(test, policy, 200);
	expect_limit(test, NULL, 2 * (early - BLOCK_PAGES / 2) - others, "another group");
	group->present_kernel_pages = 100;
	expect_limit(test, NULL, 2 * (early - BLOCK_PAGES / 2 + 100) - others,
		     "another group with some kernel memory");
	group->present_kernel_pages = BLOCK_PAGES;
	expect_limit(test, NULL, 2 * early - others, "another group with enough kernel memory");

	/* A group is not limited by its own share. */
	group->present_kernel_pages = 100;
	expect_limit(test, group, 2 * (early + 100) - others - BLOCK_PAGES, "the group itself");
	group->d.unit_pages = BLOCK_PAGES;
	group->present_kernel_pages = 0;

	mgid = group_get(test, true);
	KUNIT_ASSERT_EQ(test, 0, blocks_add_some(t->blocks, 1, 1, mgid, MHP_NID_IS_MGID));
	KUNIT_ASSERT_EQ(test, 0, blocks_online_one(t->blocks, 1));
	set_ratio(test, policy, 1000);
	expect_limit(test, NULL, 10 * (early - 2 * (BLOCK_PAGES / 10)) - others,
		     "two other groups");
	KUNIT_ASSERT_EQ(test, 0, blocks_remove(t->blocks));
}

/*
 * G21: all memory of a unit of a dynamic group goes to one zone. The policy counts the
 * pages of the unit that are already online only once.
 *
 *	unit		|       0       |
 *	block		|   0   |   1   |
 *	online			|=======|
 */
static void auto_movable_unit_stays_together(struct kunit *test)
{
	struct groups_test *t = test->priv;
	struct online_policy *policy = policy_get_auto_movable(test);
	struct memory_group group = { .is_dynamic = true, .d.unit_pages = 2 * BLOCK_PAGES };
	unsigned int first = IS_ALIGNED(block_pfn(t->blocks, 0), 2 * BLOCK_PAGES) ? 0 : 1;
	unsigned long pfn = block_pfn(t->blocks, first), early = boot_pages(t->node);
	unsigned long wanted = movable_pages(t->node) + 2 * BLOCK_PAGES;
	unsigned long ratio = (wanted * 100 - 1) / early;

	if (!ratio)
		kunit_skip(test, "a unit is less than a percent of boot memory");
	KUNIT_ASSERT_EQ(test, 0, blocks_add(t->blocks, MHP_NONE));
	KUNIT_ASSERT_EQ(test, 0, blocks_online_one(t->blocks, first + 1));

	/* Add as little kernel memory to the group as makes the block movable. */
	set_ratio(test, policy, ratio);
	while (ratio * (early + group.present_kernel_pages) / 100 < wanted)
		group.present_kernel_pages++;
	expect_movable(test, &group, pfn, BLOCK_PAGES, true, "the other block is movable");
	group.present_kernel_pages--;
	expect_movable(test, &group, pfn, BLOCK_PAGES, false, "too much is movable");

	/* The other block now belongs to the next unit. It counts only as movable memory. */
	group.d.unit_pages = BLOCK_PAGES;
	expect_movable(test, &group, pfn, BLOCK_PAGES / 2, false, "a unit below another one");
	group.present_kernel_pages++;
	expect_movable(test, &group, pfn, BLOCK_PAGES / 2, true, "a unit that is small enough");
	group.d.unit_pages = 2 * BLOCK_PAGES;

	/* Boot memory serves as a unit that has kernel memory. */
	set_ratio(test, policy, 100000);
	expect_movable(test, &group, pfn, BLOCK_PAGES, true, "a large ratio");
	expect_movable(test, &group, PHYS_PFN(__pa(t)) & PAGE_SECTION_MASK, BLOCK_PAGES, false,
		       "boot memory is not movable");
}

static int store_device(struct memory_block *mem, void *dev)
{
	*(struct device **)dev = &mem->dev;
	return 0;
}

static void expect_valid_zones(struct kunit *test, const char *zones, const char *when)
{
	struct groups_test *t = test->priv;
	struct device *dev = NULL;

	walk_memory_blocks(block_start(t->blocks, 0), 1, &dev, store_device);
	KUNIT_ASSERT_NOT_NULL(test, dev);
	KUNIT_EXPECT_STREQ_MSG(test, device_file_read(test, dev, "valid_zones"), zones, "%s", when);
}

/*
 * G22: valid_zones names the zone that an offline block goes online in if user space asks
 * for none, and then the other one that it can go online in. The block's group counts. If
 * the block is online, it names its zone.
 */
static void valid_zones_depend_on_group(struct kunit *test)
{
	struct groups_test *t = test->priv;
	struct online_policy *policy = policy_get_auto_movable(test);
	int mgid = group_get(test, false);
	struct memory_group *group = memory_group_find_by_id(mgid);

	KUNIT_ASSERT_NOT_NULL(test, group);
	KUNIT_ASSERT_EQ(test, 0, blocks_add_some(t->blocks, 0, 1, mgid, MHP_NID_IS_MGID));
	set_ratio(test, policy, 100000);
	expect_valid_zones(test, "Movable Normal", "offline");
	group->present_kernel_pages = 1;
	expect_valid_zones(test, "Normal Movable", "offline, group with kernel memory");
	group->present_kernel_pages = 0;
	KUNIT_ASSERT_EQ(test, 0, blocks_online_one(t->blocks, 0));
	expect_valid_zones(test, "Movable", "online");
}

static struct kunit_case memory_groups_cases[] = {
	KUNIT_CASE_PARAM(group_counts_its_blocks, group_gen_params),
	KUNIT_CASE(failed_add_leaves_group_empty),
	KUNIT_CASE(failed_group_leaves_no_object),
	KUNIT_CASE(kernel_pages_are_counted_separately),
	KUNIT_CASE(auto_movable_memory_keeps_ratio),
	KUNIT_CASE(auto_movable_groups_have_shares),
	KUNIT_CASE(auto_movable_unit_stays_together),
	KUNIT_CASE(valid_zones_depend_on_group),
	{}
};

static struct kunit_suite memory_groups_suite = {
	.name = "memory_groups",
	.init = groups_init,
	.test_cases = memory_groups_cases,
};

kunit_test_suite(memory_groups_suite);

MODULE_DESCRIPTION("KUnit tests for memory groups");
MODULE_LICENSE("GPL");

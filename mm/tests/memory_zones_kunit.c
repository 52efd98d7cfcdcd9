// SPDX-License-Identifier: GPL-2.0-only
/*
 * What zone and node have of memory blocks that go online and offline one by one: their
 * spans, their struct pages, their counts, and those of a memory group.
 *
 * No case compares with what an earlier one left: the spans follow from the blocks that
 * are online and from the other zones.
 *
 * The contract, rule by rule, is Documentation/mm/vmemmap_altmap.rst; the
 * cases cite its rules as G9, G12 and so on.
 */
#include <kunit/test.h>
#include <linux/compaction.h>
#include <linux/device.h>
#include <linux/list.h>
#include <linux/memblock.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/mmzone.h>
#include <linux/page-flags.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/writeback.h>

#include "alloc_fault.h"
#include "hotplug_blocks.h"
#include "memremap_dev.h"
#include "vmemmap_adapt.h"
#include "warn_log.h"

/* Page frames, or none if @start and @end are equal. */
struct span {
	unsigned long start;
	unsigned long end;
};

/**
 * struct zones_test - what each case starts with
 * @blocks: the memory
 * @node: the node that it goes to
 * @zone: the zone that it goes to
 * @before: what this zone spans without it
 */
struct zones_test {
	struct blocks *blocks;
	struct pglist_data *node;
	struct zone *zone;
	struct span before;
};

static struct span zone_span(const struct zone *zone)
{
	if (!zone->spanned_pages)
		return (struct span) {};
	return (struct span) {
		zone->zone_start_pfn, zone->zone_start_pfn + zone->spanned_pages,
	};
}

static struct span block_span(const struct blocks *blocks, unsigned int i)
{
	return (struct span) { block_pfn(blocks, i), block_pfn(blocks, i + 1) };
}

static struct span join(struct span a, struct span b)
{
	if (a.start == a.end || b.start == b.end)
		return a.start == a.end ? b : a;
	return (struct span) { min(a.start, b.start), max(a.end, b.end) };
}

static int zones_init(struct kunit *test)
{
	struct zones_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->blocks = blocks_get(test);
	t->node = NODE_DATA(0);
	t->zone = &t->node->node_zones[ZONE_MOVABLE];
	t->before = zone_span(t->zone);
	test->priv = t;
	return 0;
}

/* The blocks that are online have no offline block between them. */
static bool is_in_one_piece(unsigned long online)
{
	unsigned long first = online >> __ffs(online);

	return !(first & (first + 1));
}

/* Zone and node span what they spanned before and the blocks that are online. */
static void expect_spans(struct kunit *test, unsigned long online, const char *when)
{
	struct zones_test *t = test->priv;
	struct span want = t->before, node, span;
	unsigned long i;
	int zid;

	for_each_set_bit(i, &online, NR_BLOCKS)
		want = join(want, block_span(t->blocks, i));
	span = zone_span(t->zone);
	KUNIT_EXPECT_TRUE_MSG(test, span.start == want.start && span.end == want.end,
			      "%s: the zone spans [%#lx, %#lx), not [%#lx, %#lx)", when,
			      span.start, span.end, want.start, want.end);

	node = want;
	for (zid = 0; zid < MAX_NR_ZONES; zid++)
		if (zid != ZONE_MOVABLE)
			node = join(node, zone_span(&t->node->node_zones[zid]));
	KUNIT_EXPECT_TRUE_MSG(test, t->node->node_start_pfn == node.start &&
			      pgdat_end_pfn(t->node) == node.end,
			      "%s: the node spans [%#lx, %#lx), not [%#lx, %#lx)", when,
			      t->node->node_start_pfn, pgdat_end_pfn(t->node), node.start,
			      node.end);

	/* Whoever walks a contiguous zone does not look for holes. */
	if (online && t->zone->contiguous)
		KUNIT_EXPECT_TRUE_MSG(test, is_in_one_piece(online),
				      "%s: the zone has a hole, but counts as contiguous", when);
	KUNIT_EXPECT_EQ_MSG(test, t->zone->nr_isolate_pageblock, 0,
			    "%s: pageblocks that are isolated", when);
}

static const struct order_param {
	const char *name;
	mhp_t flags;
	/* Which block goes online, and then offline, as the first, the second and the last. */
	unsigned int online[NR_BLOCKS];
	unsigned int offline[NR_BLOCKS];
} order_params[] = {
	{ "upwards, memmap on memory", MHP_MEMMAP_ON_MEMORY, { 0, 1, 2 }, { 0, 1, 2 } },
	{ "downwards, memmap on memory", MHP_MEMMAP_ON_MEMORY, { 2, 1, 0 }, { 2, 1, 0 } },
	{ "upwards, memmap in system RAM", MHP_NONE, { 0, 2, 1 }, { 0, 1, 2 } },
	{ "downwards, memmap in system RAM", MHP_NONE, { 2, 0, 1 }, { 1, 2, 0 } },
};

KUNIT_ARRAY_PARAM_DESC(order, order_params, name);

static int has_no_zone(struct memory_block *mem, void *data)
{
	return mem->zone ? -EINVAL : 0;
}

/* A block that is offline belongs to no zone. */
static void expect_no_zone(struct kunit *test, struct blocks *blocks, unsigned int block)
{
	int err;

	lock_device_hotplug();
	err = walk_memory_blocks(block_start(blocks, block), BLOCK_BYTES, NULL, has_no_zone);
	unlock_device_hotplug();
	KUNIT_EXPECT_EQ_MSG(test, err, 0, "block %u is offline and has a zone", block);
}

/*
 * G9: whichever block goes online or offline, zone and node span exactly the first to the
 * last block that is online. The zone counts as contiguous only without a hole.
 *
 *	block		|   0   |   1   |   2   |
 *	online		|=======|       |=======|
 *	zone		|=======================|
 */
static void spans_follow_online_blocks(struct kunit *test)
{
	const struct order_param *param = test->param_value;
	struct zones_test *t = test->priv;
	unsigned long online = 0;
	char when[32];
	int i;

	KUNIT_ASSERT_EQ(test, blocks_add(t->blocks, param->flags), 0);
	expect_spans(test, 0, "all blocks are offline");
	for (i = 0; i < NR_BLOCKS; i++) {
		unsigned int block = param->online[i];

		KUNIT_ASSERT_EQ(test, blocks_online_one(t->blocks, block), 0);
		online |= BIT(block);
		snprintf(when, sizeof(when), "block %u is online", block);
		expect_spans(test, online, when);
	}
	for (i = 0; i < NR_BLOCKS; i++) {
		unsigned int block = param->offline[i];

		KUNIT_ASSERT_EQ(test, blocks_offline_one(t->blocks, block), 0);
		online &= ~BIT(block);
		snprintf(when, sizeof(when), "block %u is offline", block);
		expect_spans(test, online, when);
		expect_no_zone(test, t->blocks, block);
		/* The zone is looked at when something of it has gone offline. */
		if (online && t->before.start == t->before.end)
			KUNIT_EXPECT_EQ_MSG(test, t->zone->contiguous, is_in_one_piece(online),
					    "%s: the zone is contiguous", when);
	}
}

/*
 * K2: a node spans a present device although memory of other zones goes offline.
 *
 *	block, device	| block |       |       | dev |
 */
static void node_spans_device_behind_blocks(struct kunit *test)
{
	struct zones_test *t = test->priv;
	struct fake_dev *dev = fake_dev_get_after(test, t->blocks->dev, 1);
	struct memremap_dev *mdev = memremap_dev_of(test, dev);

	KUNIT_ASSERT_EQ(test, MEMREMAP_ADD(mdev, .nr_pages = PAGES_PER_SUBSECTION), 0);
	expect_spans(test, 0, "there is a device");
	KUNIT_ASSERT_EQ(test, blocks_add_some(t->blocks, 0, 1, 0, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, blocks_online_one(t->blocks, 0), 0);
	expect_spans(test, BIT(0), "the block is online");
	KUNIT_ASSERT_EQ(test, blocks_offline_one(t->blocks, 0), 0);
	expect_spans(test, 0, "the block is offline");
	KUNIT_EXPECT_GE_MSG(test, pgdat_end_pfn(t->node), dev->pfn + PAGES_PER_SUBSECTION,
			    "the end of the node, and of the device");
}

KUNIT_ARRAY_PARAM_DESC(flags, blocks_flags_params, name);

/* Describe what is wrong with a struct page of memory that is online, or return NULL. */
static const char *wrong_page(const struct page *page)
{
	if (page_zonenum(page) != ZONE_MOVABLE)
		return "is in another zone";
	if (page_to_nid(page) != 0)
		return "is in another node";
	if (PageReserved(page))
		return "is reserved";
	if (PageOffline(page))
		return "is offline";
	return NULL;
}

/*
 * G12: the kernel initializes each struct page of a block that goes online, whatever it
 * held before. The pageblocks are movable, except for those of the memmap.
 */
static void each_online_page_is_initialized(struct kunit *test)
{
	const struct blocks_flags_param *param = test->param_value;
	struct zones_test *t = test->priv;
	unsigned long pfn, end = block_pfn(t->blocks, 2);

	KUNIT_ASSERT_EQ(test, blocks_add_some(t->blocks, 0, 2, 0, param->flags), 0);
	memset(pfn_to_page(block_pfn(t->blocks, 0)), 0xff, 2 * MEMMAP_SIZE);
	KUNIT_ASSERT_EQ(test, blocks_online_one(t->blocks, 0), 0);
	KUNIT_ASSERT_EQ(test, blocks_online_one(t->blocks, 1), 0);
	for (pfn = block_pfn(t->blocks, 0); pfn < end; pfn++) {
		const char *wrong = wrong_page(pfn_to_page(pfn));

		KUNIT_ASSERT_NULL_MSG(test, wrong, "page frame %#lx %s", pfn, wrong);
	}
	blocks_expect_pageblocks(t->blocks, param->flags, "online");
}

/*
 * G9: a zone that already has memory keeps its lists of free pages per CPU when more goes
 * online. The kernel threads of the node keep running while it has any memory.
 */
static void second_block_keeps_what_zone_has(struct kunit *test)
{
	struct zones_test *t = test->priv;
	struct per_cpu_pages __percpu *lists;

	KUNIT_ASSERT_EQ(test, blocks_add_some(t->blocks, 0, 2, 0, MHP_MEMMAP_ON_MEMORY), 0);
	KUNIT_ASSERT_EQ(test, blocks_online_one(t->blocks, 0), 0);
	lists = t->zone->per_cpu_pageset;
	/* Memory that goes online starts kcompactd if it does not run. */
	mem_hotplug_begin();
	kcompactd_stop(0);
	mem_hotplug_done();
	KUNIT_ASSERT_EQ(test, blocks_online_one(t->blocks, 1), 0);
	KUNIT_EXPECT_TRUE_MSG(test, t->zone->per_cpu_pageset == lists,
			      "the zone has other lists of free pages per CPU");
	KUNIT_ASSERT_EQ(test, blocks_offline_one(t->blocks, 1), 0);
	KUNIT_EXPECT_TRUE_MSG(test, t->zone->per_cpu_pageset == lists,
			      "the zone has other lists of free pages per CPU");
	KUNIT_ASSERT_EQ(test, blocks_offline_one(t->blocks, 0), 0);
	KUNIT_EXPECT_NOT_NULL_MSG(test, t->node->kswapd, "kswapd has stopped");
#ifdef CONFIG_COMPACTION
	KUNIT_EXPECT_NOT_NULL_MSG(test, t->node->kcompactd, "kcompactd does not run");
#endif
	KUNIT_EXPECT_TRUE_MSG(test, node_state(0, N_MEMORY), "the node has no memory");
}

/* Return whether the kernel looks into a zone when it allocates memory with these flags. */
static bool is_in_zonelist(struct zone *wanted, gfp_t gfp)
{
	struct zonelist *zonelist = node_zonelist(0, gfp);
	struct zoneref *ref;
	struct zone *zone;

	for_each_zone_zonelist(zone, ref, zonelist, ZONE_MOVABLE)
		if (zone == wanted)
			return true;
	return false;
}

/* A zone without memory has the same lists of free pages as ZONE_DEVICE, which never has any. */
static void expect_zone_in_use(struct kunit *test, bool is_in_use, const char *when)
{
	struct zones_test *t = test->priv;
	bool has_lists = t->zone->per_cpu_pageset !=
			 t->node->node_zones[ZONE_DEVICE].per_cpu_pageset;

	KUNIT_EXPECT_EQ_MSG(test, is_in_zonelist(t->zone, GFP_HIGHUSER_MOVABLE), is_in_use,
			    "%s: is the zone in the zonelist?", when);
	/* With NUMA, an allocation from one node has a zonelist of its own. */
	KUNIT_EXPECT_EQ_MSG(test,
			    is_in_zonelist(t->zone, GFP_HIGHUSER_MOVABLE | __GFP_THISNODE),
			    is_in_use, "%s: is the zone in the zonelist of its node?", when);
	KUNIT_EXPECT_EQ_MSG(test, has_lists, is_in_use,
			    "%s: has the zone lists of free pages per CPU?", when);
	/* What is between the watermarks depends on how many pages the zone manages. */
	KUNIT_EXPECT_EQ_MSG(test, low_wmark_pages(t->zone) > min_wmark_pages(t->zone), is_in_use,
			    "%s: do the watermarks of the zone differ?", when);
}

/*
 * G17: a zone is used for allocations, and its watermarks differ, as long as it has a block
 * that is online. The memmap on a block does not count, nor does a block that a notifier
 * refuses.
 */
static void zone_without_blocks_is_not_used(struct kunit *test)
{
	const struct blocks_flags_param *param = test->param_value;
	struct zones_test *t = test->priv;

	if (t->before.start != t->before.end)
		kunit_skip(test, "the zone has other memory");
	KUNIT_ASSERT_EQ(test, blocks_add_some(t->blocks, 0, 2, 0, param->flags), 0);
	expect_zone_in_use(test, false, "all blocks are offline");
	t->blocks->watch.veto = MEM_GOING_ONLINE;
	KUNIT_EXPECT_EQ(test, blocks_online_one(t->blocks, 1), -EPERM);
	t->blocks->watch.veto = ADAPT_NO_STEP;
	expect_zone_in_use(test, false, "block 1 was refused");
	KUNIT_ASSERT_EQ(test, blocks_online_one(t->blocks, 1), 0);
	expect_zone_in_use(test, true, "block 1 is online");
	KUNIT_ASSERT_EQ(test, blocks_online_one(t->blocks, 0), 0);
	expect_zone_in_use(test, true, "both blocks are online");
	KUNIT_ASSERT_EQ(test, blocks_offline_one(t->blocks, 1), 0);
	expect_zone_in_use(test, true, "block 1 is offline");
	KUNIT_ASSERT_EQ(test, blocks_offline_one(t->blocks, 0), 0);
	expect_zone_in_use(test, false, "both blocks are offline");
}

/* G17: the limit of dirty memory is computed anew when memory goes online or offline. */
static void dirty_limit_follows_memory(struct kunit *test)
{
	struct zones_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, blocks_add_some(t->blocks, 0, 1, 0, MHP_NONE), 0);
	/* A limit that is too low does no harm: the kernel takes the threshold then. */
	global_wb_domain.dirty_limit = 0;
	KUNIT_ASSERT_EQ(test, blocks_online_one(t->blocks, 0), 0);
	KUNIT_EXPECT_NE_MSG(test, global_wb_domain.dirty_limit, 0, "the block is online");
	global_wb_domain.dirty_limit = 0;
	KUNIT_ASSERT_EQ(test, blocks_offline_one(t->blocks, 0), 0);
	KUNIT_EXPECT_NE_MSG(test, global_wb_domain.dirty_limit, 0, "the block is offline");
}

/* G10: a node that has other memory neither gets its first memory nor loses its last. */
static void node_has_memory_all_the_time(struct kunit *test)
{
	struct zones_test *t = test->priv;
	struct blocks_watch *watch = &t->blocks->watch;
	unsigned int i, nr = 0;

	KUNIT_ASSERT_EQ(test, blocks_add_some(t->blocks, 0, 1, 0, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, blocks_online_one(t->blocks, 0), 0);
	KUNIT_ASSERT_EQ(test, blocks_offline_one(t->blocks, 0), 0);
	for (i = 0; i < watch->nr; i++) {
		unsigned long action = watch->seen[i].action;

		/* The other announcements do not concern the node. */
		if (action == ADAPT_MEM_PREPARE_ONLINE || action == ADAPT_MEM_FINISH_OFFLINE)
			continue;
		KUNIT_EXPECT_EQ_MSG(test, adapt_changed_node(&watch->seen[i].arg), NUMA_NO_NODE,
				    "the node that action %lu names", action);
		nr++;
	}
	KUNIT_EXPECT_EQ_MSG(test, nr, 4, "announcements");
}

#define NR_USED	16

/* Count the pages of a user's memory that are in a block. */
static unsigned int nr_in_block(struct kunit *test, unsigned long addr, unsigned int block)
{
	struct zones_test *t = test->priv;
	unsigned int i, nr = 0;
	unsigned long pfn;
	struct page *page;

	for (i = 0; i < NR_USED; i++, addr += PAGE_SIZE) {
		KUNIT_ASSERT_EQ(test, get_user_pages_fast(addr, 1, 0, &page), 1);
		pfn = page_to_pfn(page);
		put_page(page);
		nr += pfn >= block_pfn(t->blocks, block) && pfn < block_pfn(t->blocks, block + 1);
	}
	return nr;
}

/* G16: memory that is in use moves to other memory when its block goes offline. */
static void used_memory_moves(struct kunit *test)
{
	struct zones_test *t = test->priv;
	unsigned long addr, i, value;

	KUNIT_ASSERT_EQ(test, blocks_add_some(t->blocks, 0, 1, 0, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, blocks_online_one(t->blocks, 0), 0);
	addr = kunit_vm_mmap(test, NULL, 0, NR_USED * PAGE_SIZE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, 0);
	KUNIT_ASSERT_TRUE(test, addr && !IS_ERR_VALUE(addr));
	for (i = 0; i < NR_USED; i++)
		KUNIT_ASSERT_EQ(test, put_user(i + 1, (unsigned long __user *)
					       (addr + i * PAGE_SIZE)), 0);
	KUNIT_ASSERT_GT_MSG(test, nr_in_block(test, addr, 0), 0,
			    "pages of the memory that is in use, in the block");

	KUNIT_ASSERT_EQ(test, blocks_offline_one(t->blocks, 0), 0);
	KUNIT_EXPECT_EQ_MSG(test, nr_in_block(test, addr, 0), 0,
			    "pages of the memory that is in use, in an offline block");
	for (i = 0; i < NR_USED; i++) {
		KUNIT_ASSERT_EQ(test, get_user(value, (unsigned long __user *)
					       (addr + i * PAGE_SIZE)), 0);
		KUNIT_EXPECT_EQ_MSG(test, value, i + 1, "what page %lu contains", i);
	}
}

/*
 * Write to /sys/devices/system/memory/auto_online_blocks. @page has the new value, and gets
 * the old one.
 */
static int swap_auto_online(struct memory_block *mem, void *page)
{
	struct device *root = bus_get_dev_root(mem->dev.bus);
	const struct attribute_group **group;
	ssize_t nr = -ENOENT;
	char type[32];
	int i;

	strscpy(type, page, sizeof(type));

	for (group = root->groups; *group; group++) {
		for (i = 0; (*group)->attrs[i]; i++) {
			const struct device_attribute *attr =
				container_of((*group)->attrs[i], struct device_attribute, attr);

			if (strcmp(attr->attr.name, "auto_online_blocks"))
				continue;
			nr = attr->show(root, (void *)attr, page);
			if (nr > 0)
				nr = attr->store(root, (void *)attr, type, strlen(type));
		}
	}
	put_device(root);
	return nr < 0 ? nr : 0;
}

static int online(struct memory_block *mem, void *data)
{
	return device_online(&mem->dev);
}

/*
 * G19: added memory goes online at once if that is the default. It goes online in the zone
 * that the caller asks for, and otherwise in the zone whose span contains it, or in a kernel
 * zone.
 *
 *	block		|   0   |   1   |   2   |
 *	movable		|=======|       |=======|
 */
static void zone_is_the_one_asked_for(struct kunit *test)
{
	struct zones_test *t = test->priv;
	struct zone *normal = &t->node->node_zones[ZONE_NORMAL];
	unsigned long pfn = block_pfn(t->blocks, 1);
	/* sysfs_emit() wants a whole page. */
	char *type = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	int err;

	KUNIT_ASSERT_NOT_NULL(test, type);
	/* The kernel might use memory of that zone, and never give it back. */
	KUNIT_ASSERT_EQ(test, blocks_add_some(t->blocks, 1, 1, 0, MHP_NONE), 0);
	t->blocks->watch.veto = MEM_GOING_ONLINE;
	lock_device_hotplug();
	err = walk_memory_blocks(PFN_PHYS(pfn), BLOCK_BYTES, NULL, online);
	unlock_device_hotplug();
	t->blocks->watch.veto = ADAPT_NO_STEP;
	KUNIT_EXPECT_EQ(test, err, -EPERM);
	KUNIT_EXPECT_PTR_EQ_MSG(test, t->blocks->watch.zone, normal,
				"the zone of memory far from any other");

	/* Any memory block leads to the attribute. */
	strscpy(type, "online_movable", PAGE_SIZE);
	KUNIT_ASSERT_EQ(test, 0, walk_memory_blocks(__pa(t), 1, type, swap_auto_online));
	err = blocks_add_some(t->blocks, 0, 1, 0, MHP_NONE) ?:
	      blocks_add_some(t->blocks, 2, 1, 0, MHP_NONE);
	KUNIT_EXPECT_EQ(test, 0, walk_memory_blocks(__pa(t), 1, type, swap_auto_online));
	KUNIT_EXPECT_STREQ(test, type, "online_movable\n");
	KUNIT_ASSERT_EQ(test, err, 0);
	KUNIT_EXPECT_PTR_EQ_MSG(test, block_zone(t->blocks, 0), t->zone, "the first block");
	KUNIT_EXPECT_NULL_MSG(test, block_zone(t->blocks, 1),
			      "the block between them, which was there before");
	KUNIT_EXPECT_PTR_EQ_MSG(test, block_zone(t->blocks, 2), t->zone, "the last block");

	KUNIT_EXPECT_PTR_EQ(test, t->zone,
			    zone_for_pfn_range(MMOP_ONLINE_MOVABLE, 0, NULL, pfn, BLOCK_PAGES));
	KUNIT_EXPECT_PTR_EQ(test, normal,
			    zone_for_pfn_range(MMOP_ONLINE_KERNEL, 0, NULL, pfn, BLOCK_PAGES));
	KUNIT_EXPECT_PTR_EQ_MSG(test, t->zone,
				zone_for_pfn_range(MMOP_ONLINE, 0, NULL, pfn, BLOCK_PAGES),
				"the zone of memory between movable memory");
}

static unsigned long nr_given;

static void give_page(struct page *page, unsigned int order)
{
	nr_given += 1UL << order;
	generic_online_page(page, order);
}

/* G20: the online callback gets each page of a block that goes online. There is only one. */
static void online_callback_gets_each_page(struct kunit *test)
{
	struct zones_test *t = test->priv;
	unsigned long memmap = memmap_fits_on_block(MHP_MEMMAP_ON_MEMORY) ?
			       MEMMAP_SIZE / PAGE_SIZE : 0;
	int err, again;

	KUNIT_ASSERT_EQ(test, blocks_add_some(t->blocks, 0, 2, 0, MHP_MEMMAP_ON_MEMORY), 0);
	nr_given = 0;
	KUNIT_ASSERT_EQ(test, set_online_page_callback(give_page), 0);
	again = set_online_page_callback(give_page);
	err = blocks_online_one(t->blocks, 0);
	KUNIT_EXPECT_EQ(test, restore_online_page_callback(give_page), 0);
	KUNIT_EXPECT_EQ_MSG(test, again, -EINVAL, "setting a second callback");
	KUNIT_ASSERT_EQ(test, err, 0);
	KUNIT_EXPECT_EQ_MSG(test, nr_given, BLOCK_PAGES - memmap, "pages that the callback got");

	KUNIT_EXPECT_EQ(test, restore_online_page_callback(give_page), -EINVAL);
	KUNIT_ASSERT_EQ(test, blocks_online_one(t->blocks, 1), 0);
	KUNIT_EXPECT_EQ_MSG(test, nr_given, BLOCK_PAGES - memmap,
			    "pages that the callback got, after it was reset");
}

/* Pages of boot memory, which stay in their zone when other memory comes and goes. */
static unsigned long early_pages(const struct pglist_data *node)
{
	unsigned long nr = 0;
	int zid;

	for (zid = 0; zid < MAX_NR_ZONES; zid++)
		nr += node->node_zones[zid].present_early_pages;
	return nr;
}

/* G9: hot-added memory does not count as boot memory. */
static void hot_added_memory_is_not_early(struct kunit *test)
{
	struct zones_test *t = test->priv;
	unsigned long nr = early_pages(t->node);

	KUNIT_ASSERT_EQ(test, blocks_add_some(t->blocks, 0, 1, 0, MHP_MEMMAP_ON_MEMORY), 0);
	KUNIT_ASSERT_EQ(test, blocks_online_one(t->blocks, 0), 0);
	KUNIT_EXPECT_EQ_MSG(test, early_pages(t->node), nr, "pages of boot memory");
	KUNIT_EXPECT_EQ_MSG(test, t->zone->present_early_pages, 0,
			    "pages of boot memory in the zone");
}

/* G9: memory that goes offline leaves a hole in the zone, and can be removed alone. */
static void block_between_others_comes_back(struct kunit *test)
{
	struct zones_test *t = test->priv;
	struct blocks *blocks = t->blocks;

	KUNIT_ASSERT_EQ(test, blocks_add(blocks, MHP_MEMMAP_ON_MEMORY), 0);
	KUNIT_ASSERT_EQ(test, blocks_online(blocks), 0);
	KUNIT_ASSERT_EQ(test, blocks_remove_some(blocks, 1, 1), 0);
	expect_spans(test, BIT(0) | BIT(2), "the block is removed");
	KUNIT_EXPECT_FALSE_MSG(test, pfn_in_present_section(block_pfn(blocks, 1)),
			       "the block has a section");
	blocks_expect_memmap(blocks, MHP_MEMMAP_ON_MEMORY);

	KUNIT_ASSERT_EQ(test, blocks_add_some(blocks, 1, 1, 0, MHP_MEMMAP_ON_MEMORY), 0);
	expect_spans(test, BIT(0) | BIT(2), "the block is back");
	expect_no_zone(test, blocks, 1);
	KUNIT_ASSERT_EQ(test, blocks_online_one(blocks, 1), 0);
	expect_spans(test, BIT(0) | BIT(1) | BIT(2), "the block is online");
	blocks_expect_memmap(blocks, MHP_MEMMAP_ON_MEMORY);
}

static void group_put(void *data)
{
	memory_group_unregister((long)data);
}

static int group_get(struct kunit *test, bool is_dynamic)
{
	int mgid = is_dynamic ? memory_group_register_dynamic(0, BLOCK_PAGES) :
		   memory_group_register_static(0, NR_BLOCKS * BLOCK_PAGES);

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
 * G13: the blocks of a memory group belong to it from their addition to their removal. The
 * group counts the pages of those that are online, including the memmap on them. It counts
 * nothing else if a notifier refuses that a block goes online or offline (G11).
 */
static void group_counts_its_blocks(struct kunit *test)
{
	const struct group_param *param = test->param_value;
	struct zones_test *t = test->priv;
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
			    "giving up a group that has blocks");

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

/* G13: whichever allocation fails, a failed add leaves no block in the group. */
static void failed_add_leaves_group_empty(struct kunit *test)
{
	struct zones_test *t = test->priv;
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
			alloc_fault_tell(test);
			return;
		}
	}
	KUNIT_EXPECT_EQ_MSG(test, err, 0, "when no allocation fails");
	KUNIT_EXPECT_GT(test, nth, 0);
}

/*
 * G13: a group counts memory that is not movable separately, and a zone counts boot memory
 * separately. Boot memory stands for both. It does not really go online a second time.
 */
static void kernel_pages_are_counted_separately(struct kunit *test)
{
	struct zones_test *t = test->priv;
	struct memory_group group = {};
	struct page *page = virt_to_page(t);
	struct zone *zone = page_zone(page);
	unsigned long present = zone->present_pages, in_node = t->node->node_present_pages;
	unsigned long early = zone->present_early_pages;

	mem_hotplug_begin();
	adjust_present_page_count(page, &group, 3);
	KUNIT_EXPECT_EQ_MSG(test, zone->present_pages, present + 3, "present pages in the zone");
	KUNIT_EXPECT_EQ_MSG(test, zone->present_early_pages, early + 3,
			    "pages of boot memory in the zone");
	KUNIT_EXPECT_EQ_MSG(test, t->node->node_present_pages, in_node + 3,
			    "present pages in the node");
	KUNIT_EXPECT_EQ_MSG(test, group.present_kernel_pages, 3,
			    "pages of the group that are not movable");
	KUNIT_EXPECT_EQ_MSG(test, group.present_movable_pages, 0, "movable pages of the group");
	adjust_present_page_count(page, &group, -3);
	KUNIT_EXPECT_EQ_MSG(test, group.present_kernel_pages, 0,
			    "pages of the group that are not movable, without them");
	zone->present_pages = present;
	zone->present_early_pages = early;
	t->node->node_present_pages = in_node;
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

/* How memory goes online if the caller names no zone, as it was before a test. */
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

	/* The policy also looks at all nodes together. */
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

/* Does the policy choose ZONE_MOVABLE for so many pages? */
static void expect_movable(struct kunit *test, struct memory_group *group, unsigned long pfn,
			   unsigned long nr, bool is_movable, const char *what)
{
	struct zones_test *t = test->priv;
	struct zone *zone;

	lock_device_hotplug();
	zone = zone_for_pfn_range(MMOP_ONLINE, 0, group, pfn, nr);
	unlock_device_hotplug();
	KUNIT_EXPECT_EQ_MSG(test, zone == t->zone, is_movable,
			    "%s: are %lu pages movable?", what, nr);
}

/* The policy chooses ZONE_MOVABLE for so many pages, and not for one more. */
static void expect_limit(struct kunit *test, struct memory_group *group, unsigned long limit,
			 const char *what)
{
	struct zones_test *t = test->priv;
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
	struct zones_test *t = test->priv;
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

	/* What counts is the size of the group, less what is online. */
	expect_movable(test, &fixed, pfn, 1, true, "static group");
	fixed.present_movable_pages--;
	expect_movable(test, &fixed, pfn, 1, false, "static group that is too large");
	fixed.s.max_pages = 6;
	expect_movable(test, &fixed, pfn, 1, true, "small static group");
	fixed.present_kernel_pages = 1;
	expect_movable(test, &fixed, pfn, 1, false, "static group with other memory");

	set_ratio(test, policy, 0);
	expect_movable(test, NULL, pfn, 1, false, "no movable memory is wanted");
}

/* G21: each dynamic group has its share of boot memory, unless it has other memory itself. */
static void auto_movable_groups_have_shares(struct kunit *test)
{
	struct zones_test *t = test->priv;
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
		     "another group with some memory of its own");
	group->present_kernel_pages = BLOCK_PAGES;
	expect_limit(test, NULL, 2 * early - others, "another group with enough of its own");
	group->present_kernel_pages = 0;
	KUNIT_ASSERT_EQ(test, 0, blocks_remove(t->blocks));
}

/*
 * G21: all memory of a unit of a dynamic group goes to one zone. What is online of the unit
 * counts only once.
 *
 *	unit		|       0       |
 *	block		|   0   |   1   |
 *	online			|=======|
 */
static void auto_movable_unit_stays_together(struct kunit *test)
{
	struct zones_test *t = test->priv;
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

	/* With so much other memory in the group, the block is just movable. */
	set_ratio(test, policy, ratio);
	while (ratio * (early + group.present_kernel_pages) / 100 < wanted)
		group.present_kernel_pages++;
	expect_movable(test, &group, pfn, BLOCK_PAGES, true, "the other block is movable");
	group.present_kernel_pages--;
	expect_movable(test, &group, pfn, BLOCK_PAGES, false, "too much is movable");

	/* Boot memory stands for other memory in the unit. */
	set_ratio(test, policy, 100000);
	expect_movable(test, &group, pfn, BLOCK_PAGES, true, "a large ratio");
	expect_movable(test, &group, PHYS_PFN(__pa(t)) & PAGE_SECTION_MASK, BLOCK_PAGES, false,
		       "boot memory is not movable");
}

static struct kunit_case memory_zones_cases[] = {
	KUNIT_CASE_PARAM(spans_follow_online_blocks, order_gen_params),
	KUNIT_CASE(node_spans_device_behind_blocks),
	KUNIT_CASE_PARAM(each_online_page_is_initialized, flags_gen_params),
	KUNIT_CASE(second_block_keeps_what_zone_has),
	KUNIT_CASE_PARAM(zone_without_blocks_is_not_used, flags_gen_params),
	KUNIT_CASE(dirty_limit_follows_memory),
	KUNIT_CASE(node_has_memory_all_the_time),
	KUNIT_CASE(zone_is_the_one_asked_for),
	KUNIT_CASE(online_callback_gets_each_page),
	KUNIT_CASE(used_memory_moves),
	KUNIT_CASE(hot_added_memory_is_not_early),
	KUNIT_CASE(block_between_others_comes_back),
	KUNIT_CASE_PARAM(group_counts_its_blocks, group_gen_params),
	KUNIT_CASE(failed_add_leaves_group_empty),
	KUNIT_CASE(kernel_pages_are_counted_separately),
	KUNIT_CASE(auto_movable_memory_keeps_ratio),
	KUNIT_CASE(auto_movable_groups_have_shares),
	KUNIT_CASE(auto_movable_unit_stays_together),
	{}
};

static struct kunit_suite memory_zones_suite = {
	.name = "memory_zones",
	.init = zones_init,
	.test_cases = memory_zones_cases,
};

kunit_test_suite(memory_zones_suite);

MODULE_DESCRIPTION("KUnit tests for zones and nodes of memory blocks");
MODULE_LICENSE("GPL");

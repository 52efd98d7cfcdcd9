// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several memory blocks in one add_memory(). Each holds its own memmap if the kernel
 * supports that. If one of them cannot be added, none is left.
 *
 * Documentation/mm/vmemmap_altmap.rst states the rules. The cases cite them as
 * G7, G8 and so on.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/gfp.h>
#include <linux/ioport.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/memblock.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/notifier.h>
#include <linux/page-flags.h>
#include <linux/swap.h>

#include "alloc_fault.h"
#include "device_file.h"
#include "func_redirect.h"
#include "hotplug_blocks.h"
#include "slab_objects.h"
#include "vmemmap_adapt.h"
#include "warn_log.h"

static int memory_blocks_init(struct kunit *test)
{
	test->priv = blocks_get(test);
	return 0;
}

KUNIT_ARRAY_PARAM_DESC(flags, blocks_flags_params, name);

/* G7, G8: each block has its own memmap, and removal leaves nothing of any block. */
static void each_block_has_its_memmap(struct kunit *test)
{
	const struct blocks_flags_param *param = test->param_value;
	struct blocks *blocks = test->priv;

	KUNIT_ASSERT_EQ(test, blocks_add(blocks, param->flags), 0);
	blocks_expect_memmap(blocks, param->flags);
	KUNIT_ASSERT_EQ(test, blocks_remove(blocks), 0);
	blocks_expect_nothing_left(blocks, "removal");
}

/*
 * G7: in each block, the pages that hold the memmap are marked as memmap and are not
 * free. No other page is marked.
 */
static void each_block_spares_its_memmap(struct kunit *test)
{
	struct blocks *blocks = test->priv;
	unsigned long i, nr_pages = MEMMAP_SIZE / PAGE_SIZE;
	unsigned int block;

	KUNIT_ASSERT_EQ(test, blocks_add(blocks, MHP_MEMMAP_ON_MEMORY), 0);
	KUNIT_ASSERT_EQ(test, blocks_online(blocks), 0);

	drain_all_pages(NULL);
	for (block = 0; block < NR_BLOCKS; block++) {
		unsigned long marked = 0, marked_else = 0;

		for (i = 0; i < BLOCK_PAGES; i++) {
			struct page *page = pfn_to_page(block_pfn(blocks, block) + i);

			if (PageVmemmapSelfHosted(page))
				(*(i < nr_pages ? &marked : &marked_else))++;
			if (i < nr_pages && memmap_fits_on_block(MHP_MEMMAP_ON_MEMORY))
				KUNIT_ASSERT_FALSE_MSG(test, PageBuddy(page),
						       "block %u: page %lu holds memmap, but is free",
						       block, i);
		}
		KUNIT_EXPECT_EQ_MSG(test, marked, memmap_fits_on_block(MHP_MEMMAP_ON_MEMORY) ?
				    nr_pages : 0, "block %u: pages marked as memmap", block);
		KUNIT_EXPECT_EQ_MSG(test, marked_else, 0,
				    "block %u: other pages marked as memmap", block);
	}
	KUNIT_ASSERT_EQ(test, blocks_remove(blocks), 0);
	blocks_expect_nothing_left(blocks, "removal");
}

/*
 * G9: online blocks are present in zone and node, which span them. The page allocator
 * manages all their pages except for the memmap. Removal restores all these counts.
 */
static void online_blocks_are_counted(struct kunit *test)
{
	struct blocks *blocks = test->priv;
	struct pglist_data *node = NODE_DATA(test_nid());
	struct zone *zone = &node->node_zones[ZONE_MOVABLE];
	unsigned long first = block_pfn(blocks, 0), end = block_pfn(blocks, NR_BLOCKS);
	unsigned long nr = end - first, memmap = 0;
	unsigned long before[] = { zone->present_pages, node->node_present_pages,
				   zone_managed_pages(zone), totalram_pages(),
				   zone->spanned_pages, node->node_spanned_pages };

	if (memmap_fits_on_block(MHP_MEMMAP_ON_MEMORY))
		memmap = NR_BLOCKS * MEMMAP_SIZE / PAGE_SIZE;
	KUNIT_ASSERT_EQ(test, blocks_add(blocks, MHP_MEMMAP_ON_MEMORY), 0);
	KUNIT_EXPECT_EQ_MSG(test, zone->present_pages, before[0],
			    "present pages in the zone, with the blocks offline");
	KUNIT_ASSERT_EQ(test, blocks_online(blocks), 0);
	KUNIT_EXPECT_EQ_MSG(test, zone->present_pages, before[0] + nr,
			    "present pages in the zone");
	KUNIT_EXPECT_EQ_MSG(test, node->node_present_pages, before[1] + nr,
			    "present pages in the node");
	KUNIT_EXPECT_EQ_MSG(test, zone_managed_pages(zone), before[2] + nr - memmap,
			    "managed pages in the zone");
	KUNIT_EXPECT_EQ_MSG(test, totalram_pages(), before[3] + nr - memmap, "managed pages");
	KUNIT_EXPECT_TRUE_MSG(test, zone->zone_start_pfn <= first && zone_end_pfn(zone) >= end,
			      "the zone spans [%#lx, %#lx), not [%#lx, %#lx)",
			      zone->zone_start_pfn, zone_end_pfn(zone), first, end);
	KUNIT_EXPECT_TRUE_MSG(test, node->node_start_pfn <= first && pgdat_end_pfn(node) >= end,
			      "the node spans [%#lx, %#lx), not [%#lx, %#lx)",
			      node->node_start_pfn, pgdat_end_pfn(node), first, end);

	KUNIT_ASSERT_EQ(test, blocks_remove(blocks), 0);
	KUNIT_EXPECT_EQ_MSG(test, zone->present_pages, before[0],
			    "present pages in the zone, after removal");
	KUNIT_EXPECT_EQ_MSG(test, node->node_present_pages, before[1],
			    "present pages in the node, after removal");
	KUNIT_EXPECT_EQ_MSG(test, zone_managed_pages(zone), before[2],
			    "managed pages in the zone, after removal");
	KUNIT_EXPECT_EQ_MSG(test, totalram_pages(), before[3], "managed pages, after removal");
	KUNIT_EXPECT_EQ_MSG(test, zone->spanned_pages, before[4],
			    "pages that the zone spans, after removal");
	KUNIT_EXPECT_EQ_MSG(test, node->node_spanned_pages, before[5],
			    "pages that the node spans, after removal");
}

/*
 * Announcement @i concerns a block, all of it except for the memmap, which some announcements
 * name separately. The page allocator can use the pages if and only if they are online.
 */
static void expect_concerns(struct kunit *test, unsigned int i, unsigned int block)
{
	struct blocks *blocks = test->priv;
	unsigned long action = blocks->watch.seen[i].action, pfn = block_pfn(blocks, block);
	const struct memory_notify *arg = &blocks->watch.seen[i].arg;
	unsigned long memmap = memmap_fits_on_block(MHP_MEMMAP_ON_MEMORY) ?
			       MEMMAP_SIZE / PAGE_SIZE : 0;

	KUNIT_EXPECT_EQ_MSG(test, arg->start_pfn, pfn + memmap,
			    "first page frame of block %u, action %lu", block, action);
	KUNIT_EXPECT_EQ_MSG(test, arg->nr_pages, BLOCK_PAGES - memmap,
			    "pages of block %u, action %lu", block, action);
	/* Before the first and after the last of these two, the block is in no zone. */
	if (action != ADAPT_MEM_PREPARE_ONLINE && action != ADAPT_MEM_FINISH_OFFLINE)
		KUNIT_EXPECT_EQ_MSG(test, blocks->watch.seen[i].is_usable,
				    action == MEM_ONLINE || action == MEM_CANCEL_OFFLINE,
				    "can the page allocator use block %u, action %lu?",
				    block, action);
	if (action == MEM_GOING_OFFLINE)
		KUNIT_EXPECT_EQ_MSG(test, blocks->watch.seen[i].state, MEM_GOING_OFFLINE,
				    "state of block %u", block);
	if (i && (action == MEM_ONLINE || action == MEM_OFFLINE))
		KUNIT_EXPECT_EQ_MSG(test, blocks->watch.seen[i].present -
				    blocks->watch.seen[i - 1].present,
				    action == MEM_ONLINE ? arg->nr_pages : -arg->nr_pages,
				    "present pages that block %u adds, action %lu", block, action);
	if (action != ADAPT_MEM_PREPARE_ONLINE && action != ADAPT_MEM_FINISH_OFFLINE)
		return;
	KUNIT_EXPECT_EQ_MSG(test, adapt_notified_memmap_pfn(arg), pfn,
			    "first page frame of the memmap of block %u", block);
	KUNIT_EXPECT_EQ_MSG(test, adapt_notified_memmap_pages(arg), memmap,
			    "pages of the memmap of block %u", block);
}

/*
 * Block after block, the kernel has announced @actions, and nothing else since the last call.
 * ADAPT_NO_STEP is an action that this kernel lacks.
 */
static void expect_announced(struct kunit *test, const unsigned long actions[3])
{
	struct blocks *blocks = test->priv;
	unsigned int i, nr = 0;

	for (i = 0; i < 3 * NR_BLOCKS; i++) {
		if (actions[i % 3] == ADAPT_NO_STEP)
			continue;
		KUNIT_EXPECT_EQ_MSG(test, blocks->watch.seen[nr].action, actions[i % 3],
				    "announcement %u for block %u", i % 3, i / 3);
		expect_concerns(test, nr, i / 3);
		nr++;
	}
	KUNIT_ASSERT_EQ_MSG(test, blocks->watch.nr, nr, "announcements");
	blocks->watch.nr = 0;
}

/* The kernel has announced @action @expected times, each time for the refused block. */
static void expect_cancelled(struct kunit *test, unsigned long action, unsigned int expected)
{
	struct blocks *blocks = test->priv;
	unsigned int i, nr = 0;

	KUNIT_ASSERT_LE(test, blocks->watch.nr, ARRAY_SIZE(blocks->watch.seen));
	for (i = 0; i < blocks->watch.nr; i++) {
		if (blocks->watch.seen[i].action != action)
			continue;
		expect_concerns(test, i, blocks->watch.block);
		nr++;
	}
	KUNIT_EXPECT_EQ_MSG(test, nr, expected, "announcements of action %lu", action);
}

/* G10: the kernel announces each step for each block, with the range that it concerns. */
static void each_step_is_announced(struct kunit *test)
{
	static const unsigned long online[] = {
		ADAPT_MEM_PREPARE_ONLINE, MEM_GOING_ONLINE, MEM_ONLINE,
	};
	static const unsigned long offline[] = {
		MEM_GOING_OFFLINE, MEM_OFFLINE, ADAPT_MEM_FINISH_OFFLINE,
	};
	struct blocks *blocks = test->priv;

	KUNIT_ASSERT_EQ(test, blocks_add(blocks, MHP_MEMMAP_ON_MEMORY), 0);
	KUNIT_EXPECT_EQ_MSG(test, blocks->watch.nr, 0,
			    "announcements before the blocks are online");
	KUNIT_ASSERT_EQ(test, blocks_online(blocks), 0);
	expect_announced(test, online);
	KUNIT_ASSERT_EQ(test, blocks_remove(blocks), 0);
	expect_announced(test, offline);
}

/* The counters of the node and of its movable zone: see expect_counts(). */
#define NR_COUNTS	7

static void count_pages(unsigned long counts[NR_COUNTS])
{
	struct pglist_data *node = NODE_DATA(test_nid());

	counts[0] = node->node_present_pages;
	counts[1] = node->node_zones[ZONE_MOVABLE].present_pages;
	counts[2] = zone_managed_pages(&node->node_zones[ZONE_MOVABLE]);
	counts[3] = totalram_pages();
	counts[4] = node->node_zones[ZONE_MOVABLE].spanned_pages;
	counts[5] = node->node_spanned_pages;
	counts[6] = node->node_zones[ZONE_MOVABLE].nr_isolate_pageblock;
}

static void expect_counts(struct kunit *test, const unsigned long before[NR_COUNTS],
			  const char *when)
{
	static const char * const names[NR_COUNTS] = {
		"present pages of the node", "present pages of the zone",
		"managed pages of the zone", "managed pages", "pages that the zone spans",
		"pages that the node spans", "isolated pageblocks",
	};
	unsigned long counts[NR_COUNTS];
	int i;

	count_pages(counts);
	for (i = 0; i < NR_COUNTS; i++)
		KUNIT_EXPECT_EQ_MSG(test, counts[i], before[i], "%s, %s", names[i], when);
	/* offline_pages() disables the LRU caches while it moves pages. */
	KUNIT_EXPECT_FALSE_MSG(test, lru_cache_disabled(), "the LRU caches are disabled, %s", when);
}

/* With CONFIG_DEBUG_VM, the kernel poisons each struct page of memory that is not online. */
static void expect_poisoned(struct kunit *test, unsigned int block)
{
	struct blocks *blocks = test->priv;
	unsigned long i, nr = 0;

	for (i = 0; i < BLOCK_PAGES; i++)
		nr += PagePoisoned(pfn_to_page(block_pfn(blocks, block) + i));
	if (IS_ENABLED(CONFIG_DEBUG_VM))
		KUNIT_EXPECT_EQ_MSG(test, nr, BLOCK_PAGES,
				    "poisoned struct pages of block %u", block);
}

static const struct veto_param {
	const char *name;
	unsigned long action;
	/* Whether anything was prepared, which the kernel then has to undo. */
	bool is_prepared;
} veto_params[] = {
#ifdef MHP_OFFLINE_INACCESSIBLE
	{ "prepare online", ADAPT_MEM_PREPARE_ONLINE, false },
#endif
	{ "going online", MEM_GOING_ONLINE, true },
};

KUNIT_ARRAY_PARAM_DESC(veto, veto_params, name);

/*
 * G11: if a notifier refuses to let a block go online, the block stays offline. It can go
 * online later.
 *
 *	block		|   0   |   1   |   2   |
 *	refused			|=======|
 */
static void refused_block_stays_offline(struct kunit *test)
{
	const struct veto_param *param = test->param_value;
	struct blocks *blocks = test->priv;
	struct zone *zone = &NODE_DATA(test_nid())->node_zones[ZONE_MOVABLE];
	unsigned long before[NR_COUNTS], online[NR_COUNTS], end;

	KUNIT_ASSERT_EQ(test, blocks_add(blocks, MHP_MEMMAP_ON_MEMORY), 0);
	count_pages(before);
	end = zone_is_empty(zone) ? 0 : zone_end_pfn(zone);
	blocks->watch.veto = param->action;
	KUNIT_EXPECT_EQ(test, blocks_online(blocks), -EPERM);
	blocks->watch.veto = ADAPT_NO_STEP;
	/* Taking a block offline corrects the span, so check it before. */
	KUNIT_EXPECT_EQ_MSG(test, zone_end_pfn(zone), max(end, block_pfn(blocks, 1)),
			    "the end of the zone, with the first block online alone");
	expect_cancelled(test, MEM_CANCEL_ONLINE, param->is_prepared);
	if (ADAPT_MEM_FINISH_OFFLINE != ADAPT_NO_STEP)
		expect_cancelled(test, ADAPT_MEM_FINISH_OFFLINE, param->is_prepared);
	expect_poisoned(test, 1);
	KUNIT_ASSERT_EQ(test, blocks_remove(blocks), 0);
	expect_counts(test, before, "after the first block was online alone");
	blocks_expect_nothing_left(blocks, "removal");

	KUNIT_ASSERT_EQ(test, blocks_add(blocks, MHP_MEMMAP_ON_MEMORY), 0);
	KUNIT_ASSERT_EQ(test, blocks_online(blocks), 0);
	count_pages(online);
	KUNIT_EXPECT_EQ_MSG(test, online[1] - before[1], NR_BLOCKS * BLOCK_PAGES,
			    "present pages, with all blocks online");
}

static int expect_online(struct memory_block *mem, void *data)
{
	struct kunit *test = data;

	KUNIT_EXPECT_EQ_MSG(test, mem->state, MEM_ONLINE, "state of section %lu",
			    mem->start_section_nr);
	KUNIT_EXPECT_EQ_MSG(test, mem->online_type, MMOP_OFFLINE,
			    "online type of section %lu, which was not set",
			    mem->start_section_nr);
	/* 1: there is nothing to do. */
	KUNIT_EXPECT_EQ_MSG(test, device_online(&mem->dev), 1,
			    "the device of section %lu, which should be online",
			    mem->start_section_nr);
	return 0;
}

/*
 * After a refusal, all blocks are online as before: their counts, their states and the
 * types of their pageblocks. The kernel has announced MEM_CANCEL_OFFLINE @nr_cancelled
 * times.
 */
static void expect_refused(struct kunit *test, const unsigned long before[NR_COUNTS],
			   unsigned int nr_cancelled)
{
	struct blocks *blocks = test->priv;

	expect_cancelled(test, MEM_CANCEL_OFFLINE, nr_cancelled);
	expect_counts(test, before, "after the refusal");
	walk_memory_blocks(block_start(blocks, 0), NR_BLOCKS * BLOCK_BYTES, test, expect_online);
	blocks_expect_pageblocks(blocks, MHP_MEMMAP_ON_MEMORY, "after the refusal");
}

static int remove_all(struct blocks *blocks)
{
	return offline_and_remove_memory(block_start(blocks, 0), NR_BLOCKS * BLOCK_BYTES);
}

/* Remove all blocks while a notifier refuses one of them. */
static int remove_refused(struct blocks *blocks, unsigned int block)
{
	int err;

	blocks->watch.veto = MEM_GOING_OFFLINE;
	blocks->watch.block = block;
	err = remove_all(blocks);
	blocks->watch.veto = ADAPT_NO_STEP;
	return err;
}

/*
 * G11: if a block may not go offline, all blocks are online as before. So are they if the
 * kernel cannot allocate memory to remember them.
 */
static void refused_block_stays_online(struct kunit *test)
{
	struct blocks *blocks = test->priv;
	unsigned long before[NR_COUNTS];
	bool failed;
	int err;

	KUNIT_ASSERT_EQ(test, blocks_add(blocks, MHP_MEMMAP_ON_MEMORY), 0);
	KUNIT_ASSERT_EQ(test, blocks_online(blocks), 0);
	count_pages(before);
	KUNIT_EXPECT_EQ(test, remove_refused(blocks, 1), -EPERM);
	expect_refused(test, before, 1);
	if (IS_ENABLED(CONFIG_FAILSLAB)) {
		err = ALLOC_FAULT(test, 0, &failed, remove_all(blocks));
		KUNIT_ASSERT_EQ_MSG(test, err, -ENOMEM, "removal without memory");
		expect_refused(test, before, 1);
	}

	KUNIT_ASSERT_EQ(test, blocks_remove(blocks), 0);
	blocks_expect_nothing_left(blocks, "removal");
}

static const struct refused_param {
	const char *name;
	unsigned int refused, offline;
} refused_params[] = {
	{ "the last one is refused, the first one is offline", 2, 0 },
	{ "the first one is refused, the last one is offline", 0, 2 },
};

KUNIT_ARRAY_PARAM_DESC(refused, refused_params, name);

/*
 * G11: a block before the refused one returns to its zone. A block that was offline stays
 * so, before the refused one and after it.
 *
 *	block		|   0   |   1   |   2   |
 *	online			|---------------|
 *	refused				|=======|
 */
static void refused_block_leaves_others_alone(struct kunit *test)
{
	const struct refused_param *param = test->param_value;
	struct blocks *blocks = test->priv;
	struct zone *movable = &NODE_DATA(test_nid())->node_zones[ZONE_MOVABLE];
	unsigned int i;

	KUNIT_ASSERT_EQ(test, blocks_add(blocks, MHP_MEMMAP_ON_MEMORY), 0);
	for (i = 0; i < NR_BLOCKS; i++)
		if (i != param->offline)
			KUNIT_ASSERT_EQ(test, blocks_online_one(blocks, i), 0);
	KUNIT_EXPECT_EQ(test, remove_refused(blocks, param->refused), -EPERM);
	for (i = 0; i < NR_BLOCKS; i++)
		KUNIT_EXPECT_PTR_EQ_MSG(test, block_zone(blocks, i),
					i == param->offline ? NULL : movable,
					"the zone of block %u", i);

	KUNIT_ASSERT_EQ(test, blocks_remove(blocks), 0);
	blocks_expect_nothing_left(blocks, "removal");
}

/*
 * G11: pageblocks beside the refused block stay isolated. Somebody else has isolated
 * them, for example to allocate contiguous memory.
 *
 *	block		|     0     |     1     |     2     |
 *	refused			    |===========|
 *	isolated		|===|		|===|
 */
static void refused_block_leaves_isolation_of_others(struct kunit *test)
{
	struct blocks *blocks = test->priv;
	unsigned long pfn[] = { block_pfn(blocks, 1) - pageblock_nr_pages, block_pfn(blocks, 2) };
	int i;

	KUNIT_ASSERT_EQ(test, blocks_add(blocks, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, blocks_online(blocks), 0);
	for (i = 0; i < ARRAY_SIZE(pfn); i++)
		KUNIT_ASSERT_EQ(test, adapt_isolate(pfn[i]), 0);
	blocks->watch.veto = MEM_GOING_OFFLINE;
	blocks->watch.block = 1;
	KUNIT_EXPECT_EQ(test, blocks_offline_one(blocks, 1), -EPERM);
	blocks->watch.veto = ADAPT_NO_STEP;
	for (i = 0; i < ARRAY_SIZE(pfn); i++) {
		KUNIT_EXPECT_EQ_MSG(test, get_pageblock_migratetype(pfn_to_page(pfn[i])),
				    MIGRATE_ISOLATE, "migratetype of the pageblock at %#lx",
				    pfn[i]);
		adapt_undo_isolate(pfn[i]);
	}

	blocks_expect_pageblocks(blocks, MHP_NONE, "isolation ended");
	KUNIT_ASSERT_EQ(test, blocks_remove(blocks), 0);
	blocks_expect_nothing_left(blocks, "removal");
}

enum use { USE_RESERVED, USE_OFFLINE, USE_SIGNAL, USE_HOLE };

static const struct use_param {
	const char *name;
	enum use use;
	int err;
	/* Whether the kernel isolates the block and announces MEM_GOING_OFFLINE first. */
	bool is_isolated;
} use_params[] = {
	{ "reserved page", USE_RESERVED, -EBUSY, false },
	{ "page of a driver", USE_OFFLINE, -EBUSY, true },
	{ "signal", USE_SIGNAL, -EINTR, true },
	{ "memory that is no system RAM", USE_HOLE, -EINVAL, false },
};

KUNIT_ARRAY_PARAM_DESC(use, use_params, name);

static unsigned long free_movable_pages(void)
{
	struct zone *zone = &NODE_DATA(test_nid())->node_zones[ZONE_MOVABLE];

	drain_all_pages(zone);
	return zone_page_state_snapshot(zone, NR_FREE_PAGES);
}

/* Remove the blocks while something prevents that. Free the page, which could not move. */
static int remove_in_use(struct blocks *blocks, struct page *page, enum use use)
{
	struct resource *res = lookup_resource(&iomem_resource, block_start(blocks, 0));
	int err;

	if (use == USE_RESERVED)
		SetPageReserved(page);
	else if (use == USE_OFFLINE)
		__folio_set_offline(page_folio(page));
	else
		/* It also stops a kernel that does not check for holes. */
		set_thread_flag(TIF_SIGPENDING);
	if (use == USE_HOLE && res)
		res->flags &= ~IORESOURCE_SYSRAM;
	err = remove_all(blocks);
	clear_thread_flag(TIF_SIGPENDING);
	/* If the memory was removed, so were the page and the resource. */
	if (!err)
		return 0;
	if (use == USE_OFFLINE)
		__folio_clear_offline(page_folio(page));
	ClearPageReserved(page);
	if (res)
		res->flags |= IORESOURCE_SYSRAM;
	__free_page(page);
	return err;
}

#define MOVABLE_TRIES	65536

/*
 * Allocate a page of the blocks. The allocator may return pages of other memory first.
 * If a block has enough pageblocks, take no page of the first two. The first may hold the
 * memmap. By the time the kernel finds the page, it has isolated the second.
 */
static struct page *alloc_page_of(const struct blocks *blocks)
{
	unsigned long first = 2 * pageblock_nr_pages < BLOCK_PAGES ? 2 * pageblock_nr_pages : 0;
	struct page *page, *next, *found = NULL;
	LIST_HEAD(others);
	int i;

	for (i = 0; i < MOVABLE_TRIES && !found; i++) {
		page = alloc_page(GFP_HIGHUSER_MOVABLE | __GFP_NORETRY | __GFP_NOWARN);
		if (!page)
			break;
		if (fake_dev_has(blocks->dev, page_to_pfn(page)) &&
		    page_to_pfn(page) % BLOCK_PAGES >= first)
			found = page;
		else
			list_add(&page->lru, &others);
	}
	list_for_each_entry_safe(page, next, &others, lru)
		__free_page(page);
	return found;
}

static unsigned int block_of_page(const struct blocks *blocks, const struct page *page)
{
	return (page_to_pfn(page) - blocks->dev->pfn) / BLOCK_PAGES;
}

/*
 * G18: if a page cannot move, a signal arrives or memory is no system RAM, all blocks are
 * online as before. The kernel cancels what it has announced, and nothing else (G10).
 */
static void used_block_stays_online(struct kunit *test)
{
	const struct use_param *param = test->param_value;
	struct blocks *blocks = test->priv;
	unsigned long before[NR_COUNTS], nr_free;
	struct page *page;

	KUNIT_ASSERT_EQ(test, blocks_add(blocks, MHP_MEMMAP_ON_MEMORY), 0);
	KUNIT_ASSERT_EQ(test, blocks_online(blocks), 0);
	page = alloc_page_of(blocks);
	KUNIT_ASSERT_NOT_NULL_MSG(test, page, "a page of the blocks");
	count_pages(before);
	nr_free = free_movable_pages();
	blocks->watch.nr = 0;
	/* A signal stops the first block. */
	blocks->watch.block = param->use == USE_SIGNAL ? 0 : block_of_page(blocks, page);
	KUNIT_EXPECT_EQ(test, remove_in_use(blocks, page, param->use), param->err);
	expect_refused(test, before, param->is_isolated);
	/* Pages that were in use may have moved elsewhere. */
	KUNIT_EXPECT_GT_MSG(test, free_movable_pages(), nr_free,
			    "free pages of the zone, after the refusal");

	KUNIT_ASSERT_EQ(test, blocks_remove(blocks), 0);
	blocks_expect_nothing_left(blocks, "removal");
}

/*
 * G18: an offline page of a driver does not keep its block online if the driver holds no
 * reference to it.
 */
static void released_page_goes_offline(struct kunit *test)
{
	struct blocks *blocks = test->priv;
	unsigned long before[NR_COUNTS];
	struct page *page;
	int err;

	KUNIT_ASSERT_EQ(test, blocks_add(blocks, MHP_MEMMAP_ON_MEMORY), 0);
	count_pages(before);
	KUNIT_ASSERT_EQ(test, blocks_online(blocks), 0);
	page = alloc_page_of(blocks);
	KUNIT_ASSERT_NOT_NULL_MSG(test, page, "a page of the blocks");
	/* The page allocator no longer manages it. */
	__folio_set_offline(page_folio(page));
	adjust_managed_page_count(page, -1);
	page_ref_dec(page);
	err = blocks_offline_one(blocks, block_of_page(blocks, page));
	if (err) {
		__folio_clear_offline(page_folio(page));
		adjust_managed_page_count(page, 1);
		page_ref_inc(page);
		__free_page(page);
	}
	KUNIT_EXPECT_EQ_MSG(test, err, 0, "taking its block offline");
	KUNIT_ASSERT_EQ(test, blocks_remove(blocks), 0);
	expect_counts(test, before, "after removal");
	blocks_expect_nothing_left(blocks, "removal");
}

/* G11: memory that is online cannot be removed. */
static void online_blocks_cannot_be_removed(struct kunit *test)
{
	struct blocks *blocks = test->priv;
	unsigned long before[NR_COUNTS];

	KUNIT_ASSERT_EQ(test, blocks_add(blocks, MHP_MEMMAP_ON_MEMORY), 0);
	KUNIT_ASSERT_EQ(test, blocks_online(blocks), 0);
	count_pages(before);
	KUNIT_ASSERT_EQ(test, -EBUSY,
			remove_memory(block_start(blocks, 0), NR_BLOCKS * BLOCK_BYTES));
	expect_refused(test, before, 0);
	blocks_expect_memmap(blocks, MHP_MEMMAP_ON_MEMORY);
}

static const struct refusal_param {
	const char *name;
	unsigned long action;
} refusal_params[] = {
	{ "nothing is refused", ADAPT_NO_STEP },
	{ "going online is refused", MEM_GOING_ONLINE },
	{ "going offline is refused", MEM_GOING_OFFLINE },
};

KUNIT_ARRAY_PARAM_DESC(refusal, refusal_params, name);

static bool come_and_go(struct kunit *test)
{
	const struct refusal_param *param = test->param_value;
	struct blocks *blocks = test->priv;
	int mgid = memory_group_register_static(test_nid(), NR_BLOCKS * BLOCK_PAGES), err;

	if (mgid < 0)
		return false;
	blocks->watch.veto = param->action;
	err = blocks_add_some(blocks, 0, NR_BLOCKS, mgid,
			      MHP_MEMMAP_ON_MEMORY | MHP_NID_IS_MGID) ?: blocks_online(blocks);
	blocks->watch.veto = ADAPT_NO_STEP;
	if (param->action == MEM_GOING_OFFLINE)
		err = err ?: remove_refused(blocks, 1);
	/* A kernel that WARNs for each page does so slowly. Once is enough. */
	return err == (param->action == ADAPT_NO_STEP ? 0 : -EPERM) && !blocks_remove(blocks) &&
	       !memory_group_unregister(mgid) && test->status != KUNIT_FAILURE;
}

/*
 * G8: blocks that are added, go online and are removed leak no object: no device, altmap
 * or usage map, and nothing of the zone or the memory group that they are in. A refusal
 * leaks none either.
 */
static void removed_blocks_leave_no_object(struct kunit *test)
{
	expect_rounds_leak_nothing(test, come_and_go);
}

/* Block 1 cannot be added because a device of its number exists already. */
static bool fail_in_second_block(struct kunit *test)
{
	const struct blocks_flags_param *param = test->param_value;
	struct blocks *blocks = test->priv;
	u64 start = PFN_PHYS(block_pfn(blocks, 1));
	int err;

	lock_device_hotplug();
	err = adapt_create_memory_block_devices(start, BLOCK_BYTES, test_nid());
	unlock_device_hotplug();
	if (err)
		return false;
	KUNIT_EXPECT_NO_WARN(test, err = blocks_add(blocks, param->flags));
	lock_device_hotplug();
	remove_memory_block_devices(start, BLOCK_BYTES);
	unlock_device_hotplug();
	return err == -EEXIST;
}

/* G8: a failed add leaks no object, neither of the block that fails nor of those before it. */
static void failed_add_leaves_no_object(struct kunit *test)
{
	expect_rounds_leak_nothing(test, fail_in_second_block);
}

/*
 * G8: if a block cannot be added, the blocks before it are removed again. Here, one
 * block cannot be added because a device of its number exists already.
 *
 *	block		|   0   |   1   |   2   |
 *	device			        |=======|
 */
static void failed_add_undoes_each_block(struct kunit *test)
{
	const struct blocks_flags_param *param = test->param_value;
	struct blocks *blocks = test->priv;
	unsigned long size = memory_block_size_bytes();
	unsigned int i;
	char after[32];
	int err = 0;

	for (i = 0; i < NR_BLOCKS; i++) {
		u64 start = PFN_PHYS(block_pfn(blocks, i));

		lock_device_hotplug();
		err = adapt_create_memory_block_devices(start, size, test_nid());
		unlock_device_hotplug();
		KUNIT_ASSERT_EQ_MSG(test, err, 0, "no device for block %u", i);

		snprintf(after, sizeof(after), "fails in block %u", i);
		KUNIT_EXPECT_NO_WARN(test, err = blocks_add(blocks, param->flags));
		lock_device_hotplug();
		remove_memory_block_devices(start, size);
		unlock_device_hotplug();
		KUNIT_ASSERT_EQ_MSG(test, err, -EEXIST, "%s", after);
		blocks_expect_nothing_left(blocks, after);
	}
	KUNIT_EXPECT_NO_WARN(test, err = blocks_add(blocks, param->flags));
	KUNIT_ASSERT_EQ_MSG(test, err, 0, "without such a device");
	blocks_expect_memmap(blocks, param->flags);
}

/*
 * G8: if any allocation for any block fails, nothing is left. Allocations from slab fail
 * only with CONFIG_FAILSLAB.
 */
static void failed_allocation_undoes_each_block(struct kunit *test)
{
	const struct blocks_flags_param *param = test->param_value;
	struct blocks *blocks = test->priv;
	struct vmemmap_walk walk = {};
	unsigned int nth;
	char after[32];
	bool failed;
	int err = 0;

	for (nth = 0; ; nth++) {
		KUNIT_EXPECT_NO_WARN(test, err = ALLOC_FAULT(test, nth, &failed,
							     blocks_add(blocks, param->flags)));
		if (!err) {
			KUNIT_EXPECT_EQ_MSG(test, fake_dev_linear(blocks->dev).mapped,
					    NR_BLOCKS * BLOCK_PAGES,
					    "pages that the linear mapping maps, step %u", nth);
			vmemmap_walk((unsigned long)__va(block_start(blocks, 0)), &walk);
			KUNIT_ASSERT_EQ(test, blocks_remove(blocks), 0);
		}
		if (!failed)
			break;
		snprintf(after, sizeof(after), "allocation %u failed", nth);
		blocks_expect_nothing_left(blocks, after);
		/* Without memory for the resource, the range counts as taken: -EEXIST. */
		if (err && err != -ENOMEM && err != -EEXIST)
			KUNIT_FAIL(test, "%s: error %pe", after, ERR_PTR(err));
		if (test->status == KUNIT_FAILURE) {
			alloc_fault_report(test);
			return;
		}
	}
	KUNIT_EXPECT_EQ_MSG(test, err, 0, "when no allocation fails");
	/* Blocks may need no table. */
	if (walk.size == PAGE_SIZE)
		KUNIT_EXPECT_FALSE_MSG(test, alloc_fault_overlooks_tables(),
				       "no allocation of a table of the linear mapping was seen");
	/* With the memmap on the block, all allocations are from slab. */
	if (IS_ENABLED(CONFIG_FAILSLAB) || !memmap_fits_on_block(param->flags))
		KUNIT_EXPECT_GT(test, nth, 0);
	kunit_info(test, "%u allocations, each of which failed once", nth);
}

/* How often the reader has held the lock. One test runs at a time. */
static unsigned long nr_locked;
/* The steps and sections that were checked, and those of them in which the lock was free. */
static unsigned int nr_steps, nr_sections, nr_unlocked;

/* Take and release the memory hot-plug lock, as a reader of page tables does. */
static int take_lock(void *data)
{
	while (!kthread_should_stop()) {
		get_online_mems();
		WRITE_ONCE(nr_locked, nr_locked + 1);
		put_online_mems();
		usleep_range(10, 50);
	}
	return 0;
}

/* If the reader is slow, this misses an error, but reports none that is not there. */
static void check_lock(void)
{
	unsigned long before = READ_ONCE(nr_locked);

	fsleep(4000);
	nr_unlocked += READ_ONCE(nr_locked) != before;
}

static int check_step(struct notifier_block *nb, unsigned long action, void *arg)
{
	nr_steps++;
	check_lock();
	return NOTIFY_OK;
}

static struct notifier_block step_nb = { .notifier_call = check_step };

static void check_section(long delta)
{
	nr_sections++;
	check_lock();
}

static void end_notifier(void *nb)
{
	unregister_memory_notifier(nb);
}

static void stop_reader(void *task)
{
	kthread_stop(task);
}

static void start_reader(struct kunit *test)
{
	unsigned long end = jiffies + 60 * HZ;
	struct task_struct *task;

	nr_locked = 0;
	task = kthread_run(take_lock, NULL, "mem_hotplug_reader");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, stop_reader, task));
	while (!READ_ONCE(nr_locked) && time_before(jiffies, end))
		fsleep(1000);
	KUNIT_ASSERT_NE_MSG(test, READ_ONCE(nr_locked), 0, "the reader does not get the lock");
}

/*
 * G23: the kernel holds the memory hot-plug lock for writing in each step from the addition of a
 * block to its removal.
 */
static void each_step_is_locked(struct kunit *test)
{
	const struct blocks_flags_param *param = test->param_value;
	struct blocks *blocks = test->priv;
	int err;

	start_reader(test);
	nr_steps = 0;
	nr_sections = 0;
	nr_unlocked = 0;
	func_redirect_begin(test, memmap_pages_add, check_section);
	KUNIT_ASSERT_EQ(test, register_memory_notifier(&step_nb), 0);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, end_notifier, &step_nb));
	err = blocks_add_some(blocks, 0, 1, test_nid(), param->flags) ?:
	      blocks_online_one(blocks, 0) ?: blocks_offline_one(blocks, 0) ?:
	      blocks_remove_some(blocks, 0, 1);
	kunit_release_action(test, end_notifier, &step_nb);
	func_redirect_end(test, memmap_pages_add);
	KUNIT_ASSERT_EQ(test, err, 0);
	KUNIT_EXPECT_GE_MSG(test, nr_steps, 4, "announced steps");
	/* With CONFIG_PAGE_EXTENSION, more is counted for each section. */
	KUNIT_EXPECT_GE_MSG(test, nr_sections, 2 * BLOCK_PAGES / PAGES_PER_SECTION,
			    "sections that were added or removed");
	KUNIT_EXPECT_EQ_MSG(test, nr_unlocked, 0, "steps and sections in which the lock was free");
}

static int keep_page(struct memory_block *mem, void *data)
{
	if (mem->altmap)
		mem->altmap->alloc++;
	return 0;
}

/* G8: the kernel WARNs if a block does not get back all pages of its memmap. */
static void missing_pages_are_reported(struct kunit *test)
{
	struct blocks *blocks = test->priv;
	int err = 0;

	KUNIT_ASSERT_EQ(test, blocks_add(blocks, MHP_MEMMAP_ON_MEMORY), 0);
	lock_device_hotplug();
	err = walk_memory_blocks(block_start(blocks, 1), BLOCK_BYTES, NULL, keep_page);
	unlock_device_hotplug();
	KUNIT_ASSERT_EQ(test, err, 0);
	KUNIT_EXPECT_WARNS(test, memmap_fits_on_block(MHP_MEMMAP_ON_MEMORY),
			   "mm/memory_hotplug.c",
			   err = remove_memory(block_start(blocks, 0), NR_BLOCKS * BLOCK_BYTES));
	KUNIT_ASSERT_EQ(test, err, 0);
	KUNIT_ASSERT_EQ(test, blocks_are_gone(blocks, 0, NR_BLOCKS), 0);
	blocks_expect_nothing_left(blocks, "removal");
}

static int count_block(struct memory_block *mem, void *nr)
{
	++*(unsigned int *)nr;
	return 0;
}

/* G22: each section that was there at boot lies in a memory block. */
static void boot_memory_has_blocks(struct kunit *test)
{
	unsigned int nr, nr_sections = 0;
	unsigned long pfn;

	for (pfn = 0; pfn < max_pfn; pfn += PAGES_PER_SECTION) {
		if (!pfn_in_present_section(pfn) || !early_section(__pfn_to_section(pfn)))
			continue;
		nr = 0;
		walk_memory_blocks(PFN_PHYS(pfn), PFN_PHYS(PAGES_PER_SECTION), &nr, count_block);
		KUNIT_EXPECT_EQ_MSG(test, nr, 1, "memory blocks of the section at page frame %#lx",
				    pfn);
		nr_sections++;
	}
	KUNIT_EXPECT_GT(test, nr_sections, 0);
}

static int get_root(struct memory_block *mem, void *root)
{
	*(struct device **)root = bus_get_dev_root(mem->dev.bus);
	return 1;
}

/* G22: user space reads the size of a block in hexadecimal. */
static void block_size_is_hexadecimal(struct kunit *test)
{
	u64 start = ALIGN_DOWN(virt_to_phys(test->priv), BLOCK_BYTES), size = 0;
	struct device *root = NULL;
	const char *contents;

	KUNIT_ASSERT_EQ(test, walk_memory_blocks(start, BLOCK_BYTES, &root, get_root), 1);
	KUNIT_ASSERT_NOT_NULL(test, root);
	contents = device_file_read(test, root, "block_size_bytes");
	put_device(root);
	KUNIT_ASSERT_EQ_MSG(test, kstrtoull(contents, 16, &size), 0, "\"%s\"", contents);
	KUNIT_EXPECT_EQ_MSG(test, size, BLOCK_BYTES, "\"%s\"", contents);
}

static struct kunit_case memory_blocks_cases[] = {
	KUNIT_CASE(boot_memory_has_blocks),
	KUNIT_CASE(block_size_is_hexadecimal),
	KUNIT_CASE_PARAM(each_block_has_its_memmap, flags_gen_params),
	KUNIT_CASE(each_block_spares_its_memmap),
	KUNIT_CASE(online_blocks_are_counted),
	KUNIT_CASE(each_step_is_announced),
	KUNIT_CASE_PARAM(refused_block_stays_offline, veto_gen_params),
	KUNIT_CASE(refused_block_stays_online),
	KUNIT_CASE_PARAM(each_step_is_locked, flags_gen_params),
	KUNIT_CASE_PARAM(refused_block_leaves_others_alone, refused_gen_params),
	KUNIT_CASE(refused_block_leaves_isolation_of_others),
	KUNIT_CASE_PARAM(used_block_stays_online, use_gen_params),
	KUNIT_CASE(released_page_goes_offline),
	KUNIT_CASE(online_blocks_cannot_be_removed),
	KUNIT_CASE_PARAM(removed_blocks_leave_no_object, refusal_gen_params),
	KUNIT_CASE_PARAM(failed_add_leaves_no_object, flags_gen_params),
	KUNIT_CASE_PARAM(failed_add_undoes_each_block, flags_gen_params),
	KUNIT_CASE_PARAM(failed_allocation_undoes_each_block, flags_gen_params),
	KUNIT_CASE(missing_pages_are_reported),
	{}
};

static struct kunit_suite memory_blocks_suite = {
	.name = "memory_blocks",
	.init = memory_blocks_init,
	.test_cases = memory_blocks_cases,
};

kunit_test_suite(memory_blocks_suite);

MODULE_DESCRIPTION("KUnit tests for several memory blocks with their own memmap");
MODULE_LICENSE("GPL");

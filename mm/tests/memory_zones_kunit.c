// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory blocks that go online and offline one by one: the spans and counts of their zone
 * and node, and their struct pages.
 *
 * The expected spans follow from the blocks that are online and from the other zones, so
 * no case depends on an earlier one.
 *
 * Documentation/mm/vmemmap_altmap.rst states the rules. The cases cite them as
 * G9, G12 and so on.
 */
#include <kunit/test.h>
#include <linux/compaction.h>
#include <linux/device.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/mmzone.h>
#include <linux/page-flags.h>
#include <linux/uaccess.h>
#include <linux/writeback.h>

#include "../internal.h"
#include "device_file.h"
#include "func_redirect.h"
#include "hotplug_blocks.h"
#include "memremap_dev.h"
#include "vmemmap_adapt.h"

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
 * @before: the span of this zone without it
 */
struct zones_test {
	struct blocks *blocks;
	struct pglist_data *node;
	struct zone *zone;
	struct span before;
};

/* An empty zone begins at 0. */
static struct span zone_span(const struct zone *zone)
{
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
	t->node = NODE_DATA(test_nid());
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

	/* The kernel does not check for holes in a contiguous zone. */
	if (online && t->zone->contiguous)
		KUNIT_EXPECT_TRUE_MSG(test, is_in_one_piece(online),
				      "%s: the zone has a hole, but counts as contiguous", when);
	KUNIT_EXPECT_EQ_MSG(test, t->zone->nr_isolate_pageblock, 0,
			    "%s: pageblocks that are isolated", when);
}

static const struct order_param {
	const char *name;
	mhp_t flags;
	/* The order in which the blocks go online, and then offline. */
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
 * G9: after each step, zone and node span exactly the first to the last block that is
 * online. A zone with a hole does not count as contiguous.
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

		t->blocks->watch.block = block;
		t->blocks->watch.veto = MEM_GOING_ONLINE;
		KUNIT_ASSERT_EQ(test, blocks_online_one(t->blocks, block), -EPERM);
		t->blocks->watch.veto = ADAPT_NO_STEP;
		snprintf(when, sizeof(when), "block %u may not go online", block);
		expect_spans(test, online, when);
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
		/* When a block goes offline, the kernel updates zone->contiguous. */
		if (online && t->before.start == t->before.end)
			KUNIT_EXPECT_EQ_MSG(test, t->zone->contiguous, is_in_one_piece(online),
					    "%s: the zone is contiguous", when);
	}
}

/*
 * K2: a node spans a present device even if memory of another zone goes offline.
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
	KUNIT_ASSERT_EQ(test, blocks_add_some(t->blocks, 0, 1, test_nid(), MHP_NONE), 0);
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
	if (page_to_nid(page) != test_nid())
		return "is in another node";
	if (PageReserved(page))
		return "is reserved";
	if (PageOffline(page))
		return "is offline";
	return NULL;
}

/*
 * G12: when a block goes online, the kernel initializes each struct page of it, whatever
 * it held before. The pageblocks are movable, except for those of the memmap.
 */
static void each_online_page_is_initialized(struct kunit *test)
{
	const struct blocks_flags_param *param = test->param_value;
	struct zones_test *t = test->priv;
	unsigned long pfn, end = block_pfn(t->blocks, 2);

	KUNIT_ASSERT_EQ(test, blocks_add_some(t->blocks, 0, 2, test_nid(), param->flags), 0);
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
 * G9: a zone that already has memory keeps its per-CPU lists of free pages when more goes
 * online. The kernel threads of the node run as long as it has memory.
 */
static void second_block_keeps_what_zone_has(struct kunit *test)
{
	struct zones_test *t = test->priv;
	struct per_cpu_pages __percpu *lists;

	KUNIT_ASSERT_EQ(test, blocks_add_some(t->blocks, 0, 2, test_nid(),
					      MHP_MEMMAP_ON_MEMORY), 0);
	KUNIT_ASSERT_EQ(test, blocks_online_one(t->blocks, 0), 0);
	lists = t->zone->per_cpu_pageset;
	/* Memory that goes online starts kcompactd if it does not run. */
	mem_hotplug_begin();
	kcompactd_stop(0);
	mem_hotplug_done();
	KUNIT_ASSERT_EQ(test, blocks_online_one(t->blocks, 1), 0);
	KUNIT_EXPECT_TRUE_MSG(test, t->zone->per_cpu_pageset == lists,
			      "the zone has other per-CPU lists of free pages");
	KUNIT_ASSERT_EQ(test, blocks_offline_one(t->blocks, 1), 0);
	KUNIT_EXPECT_TRUE_MSG(test, t->zone->per_cpu_pageset == lists,
			      "the zone has other per-CPU lists of free pages");
	KUNIT_ASSERT_EQ(test, blocks_offline_one(t->blocks, 0), 0);
	KUNIT_EXPECT_NOT_NULL_MSG(test, t->node->kswapd, "kswapd has stopped");
#ifdef CONFIG_COMPACTION
	KUNIT_EXPECT_NOT_NULL_MSG(test, t->node->kcompactd, "kcompactd does not run");
#endif
	KUNIT_EXPECT_TRUE_MSG(test, node_state(test_nid(), N_MEMORY), "the node has no memory");
}

/* Return whether an allocation with these flags can use the zone. */
static bool is_in_zonelist(struct zone *wanted, gfp_t gfp)
{
	struct zonelist *zonelist = node_zonelist(test_nid(), gfp);
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
			    "%s: does the zone have its own per-CPU lists of free pages?", when);
	/* The gaps between the watermarks depend on the managed pages of the zone. */
	KUNIT_EXPECT_EQ_MSG(test, low_wmark_pages(t->zone) > min_wmark_pages(t->zone), is_in_use,
			    "%s: do the watermarks of the zone differ?", when);
}

/*
 * G17: a zone is used for allocations, and its watermarks differ, as long as it has a
 * block that is online. The memmap on a block does not count, nor does a block that a
 * notifier keeps offline.
 */
static void zone_without_blocks_is_not_used(struct kunit *test)
{
	const struct blocks_flags_param *param = test->param_value;
	struct zones_test *t = test->priv;

	if (t->before.start != t->before.end)
		kunit_skip(test, "the zone has other memory");
	KUNIT_ASSERT_EQ(test, blocks_add_some(t->blocks, 0, 2, test_nid(), param->flags), 0);
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

/* G17: the kernel recomputes the limit of dirty memory when memory goes online or offline. */
static void dirty_limit_follows_memory(struct kunit *test)
{
	struct zones_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, blocks_add_some(t->blocks, 0, 1, test_nid(), MHP_NONE), 0);
	/* A limit that is too low is safe: the kernel then uses the threshold. */
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

	KUNIT_ASSERT_EQ(test, blocks_add_some(t->blocks, 0, 1, test_nid(), MHP_NONE), 0);
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

/* Count the pages of a user mapping that are in a block. */
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

/* Let the test use memory of the first block, which goes online. Return its address. */
static unsigned long use_first_block(struct kunit *test)
{
	struct zones_test *t = test->priv;
	unsigned long addr, i;

	/* A process gets memory of its CPU's node as long as there is any. */
	if (numa_mem_id() != test_nid())
		kunit_skip(test, "the memory is on another node than the CPU");
	KUNIT_ASSERT_EQ(test, blocks_add_some(t->blocks, 0, 1, test_nid(), MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, blocks_online_one(t->blocks, 0), 0);
	addr = kunit_vm_mmap(test, NULL, 0, (NR_USED + 1) * PAGE_SIZE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, 0);
	KUNIT_ASSERT_TRUE(test, addr && !IS_ERR_VALUE(addr));
	for (i = 0; i <= NR_USED; i++)
		KUNIT_ASSERT_EQ(test, put_user(i, (unsigned long __user *)
					       (addr + i * PAGE_SIZE)), 0);
	/* Free the first page, which is usually the first page of the block. */
	KUNIT_ASSERT_EQ(test, vm_munmap(addr, PAGE_SIZE), 0);
	addr += PAGE_SIZE;
	KUNIT_ASSERT_GT_MSG(test, nr_in_block(test, addr, 0), 0,
			    "pages of the memory that is in use, in the block");
	return addr;
}

/* Take the first block offline. The memory at the address moves and keeps its contents. */
static void expect_moves(struct kunit *test, unsigned long addr)
{
	struct zones_test *t = test->priv;
	unsigned long i, value;

	KUNIT_ASSERT_EQ(test, blocks_offline_one(t->blocks, 0), 0);
	KUNIT_EXPECT_EQ_MSG(test, nr_in_block(test, addr, 0), 0,
			    "pages of the memory that is in use, in an offline block");
	expect_spans(test, 0, "the block is offline");
	for (i = 0; i < NR_USED; i++) {
		KUNIT_ASSERT_EQ(test, get_user(value, (unsigned long __user *)
					       (addr + i * PAGE_SIZE)), 0);
		KUNIT_EXPECT_EQ_MSG(test, value, i + 1, "contents of page %lu", i);
	}
}

/* G16: memory that is in use moves to other memory when its block goes offline. */
static void used_memory_moves(struct kunit *test)
{
	expect_moves(test, use_first_block(test));
}

/*
 * Redirected migrate_pages(): the first page cannot move, and a signal arrives. The kernel dumps
 * each page that cannot move, so put the others back.
 */
static int migrate_nothing(struct list_head *from, new_folio_t get_new, free_folio_t put_new,
			   unsigned long private, enum migrate_mode mode,
			   ADAPT_MIGRATE_REASON reason, unsigned int *nr_succeeded)
{
	struct folio *first = list_first_entry(from, struct folio, lru);

	list_del(&first->lru);
	putback_movable_pages(from);
	list_add(&first->lru, from);
	set_thread_flag(TIF_SIGPENDING);
	return 1;
}

/* Count the pages that are on no LRU list, and put them back, so that they can be freed. */
static unsigned int put_back_isolated(struct kunit *test, unsigned long addr)
{
	unsigned int i, nr = 0;
	struct folio *folio;
	struct page *page;

	lru_add_drain_all();
	for (i = 0; i < NR_USED; i++, addr += PAGE_SIZE) {
		KUNIT_ASSERT_EQ(test, get_user_pages_fast(addr, 1, 0, &page), 1);
		folio = page_folio(page);
		if (!folio_test_lru(folio)) {
			nr++;
			folio_putback_lru(folio);
		}
		folio_put(folio);
	}
	return nr;
}

/*
 * G16: memory that is in use and cannot move stays where it is, on its LRU list. It moves when
 * the block goes offline later. Here, a signal ends the first attempt.
 */
static void memory_that_cannot_move_stays(struct kunit *test)
{
	struct zones_test *t = test->priv;
	unsigned long addr = use_first_block(test);
	unsigned int nr = nr_in_block(test, addr, 0);
	int err;

	func_redirect_begin(test, migrate_pages, migrate_nothing);
	err = blocks_offline_one(t->blocks, 0);
	clear_thread_flag(TIF_SIGPENDING);
	func_redirect_end(test, migrate_pages);
	KUNIT_EXPECT_EQ(test, err, -EINTR);
	KUNIT_EXPECT_EQ_MSG(test, nr_in_block(test, addr, 0), nr,
			    "pages of the memory that is in use, in the block");
	KUNIT_EXPECT_EQ_MSG(test, put_back_isolated(test, addr), 0, "pages on no LRU list");
	expect_moves(test, addr);
}

static int get_root(struct memory_block *mem, void *root)
{
	*(struct device **)root = bus_get_dev_root(mem->dev.bus);
	return 0;
}

/* Return /sys/devices/system/memory, which is always there. Any memory block leads to it. */
static struct device *memory_root(struct kunit *test)
{
	struct device *root = NULL;

	KUNIT_ASSERT_EQ(test, walk_memory_blocks(__pa(test->priv), 1, &root, get_root), 0);
	KUNIT_ASSERT_NOT_NULL(test, root);
	put_device(root);
	return root;
}

static int online(struct memory_block *mem, void *data)
{
	return device_online(&mem->dev);
}

static int write_state(struct memory_block *mem, void *state)
{
	return device_file_write(&mem->dev, "state", state);
}

/*
 * G22: writing to the state of a block takes it online or offline. Writing the state that
 * it already has fails with EINVAL.
 */
static void state_is_written_once(struct kunit *test)
{
	struct zones_test *t = test->priv;
	struct zone *normal = &t->node->node_zones[ZONE_NORMAL];
	/* Refuse what would give memory to the kernel, which may never free it. */
	const struct {
		char *state;
		bool is_refused;
		int err;
		struct zone *zone;	/* that the block is in, or would have been in */
	} writes[] = {
		{ "offline", false, -EINVAL, NULL },
		{ "sideways", false, -EINVAL, NULL },
		{ "online", true, -EPERM, normal },
		{ "online_kernel", true, -EPERM, normal },
		{ "online_movable", false, 0, t->zone },
		{ "online_movable", false, -EINVAL, t->zone },
		{ "offline", false, 0, NULL },
		{ "offline", false, -EINVAL, NULL },
	};
	struct zone *zone;
	int i;

	KUNIT_ASSERT_EQ(test, blocks_add_some(t->blocks, 1, 1, test_nid(), MHP_NONE), 0);
	for (i = 0; i < ARRAY_SIZE(writes); i++) {
		t->blocks->watch.veto = writes[i].is_refused ? MEM_GOING_ONLINE : ADAPT_NO_STEP;
		KUNIT_ASSERT_EQ_MSG(test, writes[i].err,
				    walk_memory_blocks(block_start(t->blocks, 1), 1,
						       writes[i].state, write_state),
				    "write %d: \"%s\"", i, writes[i].state);
		zone = writes[i].is_refused ? t->blocks->watch.zone : block_zone(t->blocks, 1);
		KUNIT_ASSERT_PTR_EQ_MSG(test, zone, writes[i].zone, "zone after write %d: \"%s\"",
					i, writes[i].state);
	}
}

/*
 * Let a block go online in the zone that the kernel chooses, but refuse it: the kernel
 * could use memory of ZONE_NORMAL and never free it.
 *
 * Return: the zone.
 */
static struct zone *zone_when_refused(struct kunit *test, struct blocks *blocks,
				      unsigned int block)
{
	int err;

	blocks->watch.block = block;
	blocks->watch.veto = MEM_GOING_ONLINE;
	lock_device_hotplug();
	err = walk_memory_blocks(block_start(blocks, block), BLOCK_BYTES, NULL, online);
	unlock_device_hotplug();
	blocks->watch.veto = ADAPT_NO_STEP;
	KUNIT_EXPECT_EQ(test, err, -EPERM);
	return blocks->watch.zone;
}

static struct zone *kernel_zone(unsigned long pfn, unsigned long nr)
{
	return zone_for_pfn_range(MMOP_ONLINE_KERNEL, test_nid(), NULL, pfn, nr);
}

/*
 * G19: added memory goes online at once if auto_online_blocks is set. It goes online in
 * the zone that the caller asks for. If the caller names none, it goes online in the zone
 * whose span contains it. If none does, or if both kinds of zone do, it goes online in a
 * kernel zone.
 *
 *	block		|   0   |   1   |   2   |
 *	movable		|=======|       |=======|
 */
static void zone_is_the_one_asked_for(struct kunit *test)
{
	struct zones_test *t = test->priv;
	struct zone *normal = &t->node->node_zones[ZONE_NORMAL];
	unsigned long pfn = block_pfn(t->blocks, 1);
	struct device *root = memory_root(test);
	const char *policy = device_file_read(test, root, "auto_online_blocks");
	unsigned long nr;
	int err;

	KUNIT_ASSERT_EQ(test, blocks_add_some(t->blocks, 1, 1, test_nid(), MHP_NONE), 0);
	/* A request that failed has no effect on the next one. */
	t->blocks->watch.veto = MEM_GOING_ONLINE;
	KUNIT_ASSERT_EQ(test, blocks_online_one(t->blocks, 1), -EPERM);
	KUNIT_EXPECT_PTR_EQ_MSG(test, zone_when_refused(test, t->blocks, 1), normal,
				"the zone of memory far from any other");

	KUNIT_ASSERT_EQ(test, device_file_write(root, "auto_online_blocks", "online_movable"), 0);
	KUNIT_EXPECT_STREQ(test, device_file_read(test, root, "auto_online_blocks"),
			   "online_movable");
	err = blocks_add_some(t->blocks, 2, 1, test_nid(), MHP_NONE);
	if (!err) {
		KUNIT_EXPECT_PTR_EQ_MSG(test, zone_when_refused(test, t->blocks, 1), normal,
					"the zone of memory below movable memory");
		err = blocks_add_some(t->blocks, 0, 1, test_nid(), MHP_NONE);
	}
	KUNIT_EXPECT_EQ(test, device_file_write(root, "auto_online_blocks", policy), 0);
	KUNIT_ASSERT_EQ(test, err, 0);
	KUNIT_EXPECT_PTR_EQ_MSG(test, block_zone(t->blocks, 0), t->zone, "the first block");
	KUNIT_EXPECT_NULL_MSG(test, block_zone(t->blocks, 1),
			      "the block between them, which was there before");
	KUNIT_EXPECT_PTR_EQ_MSG(test, block_zone(t->blocks, 2), t->zone, "the last block");

	KUNIT_EXPECT_PTR_EQ(test, t->zone,
			    zone_for_pfn_range(MMOP_ONLINE_MOVABLE, test_nid(), NULL, pfn,
					       BLOCK_PAGES));
	KUNIT_EXPECT_PTR_EQ(test, normal,
			    zone_for_pfn_range(MMOP_ONLINE_KERNEL, test_nid(), NULL, pfn,
					       BLOCK_PAGES));
	KUNIT_EXPECT_PTR_EQ_MSG(test, t->zone,
				zone_for_pfn_range(MMOP_ONLINE, test_nid(), NULL, pfn, BLOCK_PAGES),
				"the zone of memory between movable memory");
	pfn = block_pfn(t->blocks, 0) - 1;
	KUNIT_EXPECT_PTR_NE_MSG(test, t->zone,
				zone_for_pfn_range(MMOP_ONLINE, test_nid(), NULL, pfn, 1),
				"the zone of the page before movable memory");
	pfn = block_pfn(t->blocks, 2) + BLOCK_PAGES;
	KUNIT_EXPECT_PTR_NE_MSG(test, t->zone,
				zone_for_pfn_range(MMOP_ONLINE, test_nid(), NULL, pfn, 1),
				"the zone of the page after movable memory");
	pfn = t->node->node_start_pfn;
	nr = block_pfn(t->blocks, 0) + 1 - pfn;
	KUNIT_EXPECT_PTR_EQ_MSG(test, kernel_zone(pfn, nr),
				zone_for_pfn_range(MMOP_ONLINE, test_nid(), NULL, pfn, nr),
				"the zone of pages from boot memory to movable memory");
}

/*
 * G19: memory that is added with MHP_MERGE_RESOURCE also goes online at once. Merging frees its
 * claim, and KASAN reports if the kernel uses that.
 */
static void merged_memory_goes_online(struct kunit *test)
{
	struct zones_test *t = test->priv;
	struct device *root = memory_root(test);
	const char *policy = device_file_read(test, root, "auto_online_blocks");
	int err, i;

	KUNIT_ASSERT_EQ(test, device_file_write(root, "auto_online_blocks", "online_movable"), 0);
	err = blocks_add_some(t->blocks, 0, 1, test_nid(), MHP_MERGE_RESOURCE) ?:
	      blocks_add_some(t->blocks, 2, 1, test_nid(), MHP_MERGE_RESOURCE) ?:
	      blocks_add_some(t->blocks, 1, 1, test_nid(), MHP_MERGE_RESOURCE);
	KUNIT_EXPECT_EQ(test, device_file_write(root, "auto_online_blocks", policy), 0);
	KUNIT_ASSERT_EQ(test, err, 0);
	for (i = 0; i < NR_BLOCKS; i++)
		KUNIT_EXPECT_PTR_EQ_MSG(test, block_zone(t->blocks, i), t->zone, "block %d", i);
}

/*
 * G19: memory for the kernel goes online in the zone of boot memory if they overlap, and in
 * ZONE_NORMAL otherwise. No memory goes online here.
 *
 *	zone below ZONE_NORMAL	|=== boot memory ===|
 *	overlaps			        |===|
 *	does not				    |=======|
 */
static void kernel_memory_joins_zone_that_spans_it(struct kunit *test)
{
	struct zones_test *t = test->priv;
	struct zone *zones = t->node->node_zones, *zone, *first = NULL, *last = NULL;

	for (zone = zones; zone < &zones[ZONE_NORMAL]; zone++) {
		if (zone_is_empty(zone))
			continue;
		first = first ?: zone;
		last = zone;
	}
	if (!first)
		kunit_skip(test, "no memory below ZONE_NORMAL");

	if (first->zone_start_pfn)
		KUNIT_EXPECT_PTR_EQ_MSG(test, first, kernel_zone(first->zone_start_pfn - 1, 2),
					"the zone of two pages, the second of which begins zone %s",
					first->name);
	KUNIT_EXPECT_PTR_EQ_MSG(test, last, kernel_zone(zone_end_pfn(last) - 1, 1),
				"the zone of the last page of zone %s", last->name);
	KUNIT_EXPECT_PTR_EQ_MSG(test, &zones[ZONE_NORMAL],
				kernel_zone(zone_end_pfn(last), BLOCK_PAGES),
				"the zone of the pages after zone %s", last->name);
}

static unsigned long nr_given;

static void give_page(struct page *page, unsigned int order)
{
	nr_given += 1UL << order;
	generic_online_page(page, order);
}

/*
 * G20: the online callback gets each page of a block that goes online. Only one callback
 * can be set.
 */
static void online_callback_gets_each_page(struct kunit *test)
{
	struct zones_test *t = test->priv;
	unsigned long memmap = memmap_fits_on_block(MHP_MEMMAP_ON_MEMORY) ?
			       MEMMAP_SIZE / PAGE_SIZE : 0;
	int err, again;

	KUNIT_ASSERT_EQ(test, blocks_add_some(t->blocks, 0, 2, test_nid(),
					      MHP_MEMMAP_ON_MEMORY), 0);
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

/* Count the pages of boot memory. Other memory does not change it. */
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

	KUNIT_ASSERT_EQ(test, blocks_add_some(t->blocks, 0, 1, test_nid(),
					      MHP_MEMMAP_ON_MEMORY), 0);
	KUNIT_ASSERT_EQ(test, blocks_online_one(t->blocks, 0), 0);
	KUNIT_EXPECT_EQ_MSG(test, early_pages(t->node), nr, "pages of boot memory");
	KUNIT_EXPECT_EQ_MSG(test, t->zone->present_early_pages, 0,
			    "pages of boot memory in the zone");
}

/* G9: a block between others can be removed alone, and leaves a hole in the zone. */
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

	KUNIT_ASSERT_EQ(test, blocks_add_some(blocks, 1, 1, test_nid(), MHP_MEMMAP_ON_MEMORY), 0);
	expect_spans(test, BIT(0) | BIT(2), "the block is back");
	expect_no_zone(test, blocks, 1);
	KUNIT_ASSERT_EQ(test, blocks_online_one(blocks, 1), 0);
	expect_spans(test, BIT(0) | BIT(1) | BIT(2), "the block is online");
	blocks_expect_memmap(blocks, MHP_MEMMAP_ON_MEMORY);
}

static struct kunit_case memory_zones_cases[] = {
	KUNIT_CASE_PARAM(spans_follow_online_blocks, order_gen_params),
	KUNIT_CASE(node_spans_device_behind_blocks),
	KUNIT_CASE_PARAM(each_online_page_is_initialized, flags_gen_params),
	KUNIT_CASE(second_block_keeps_what_zone_has),
	KUNIT_CASE_PARAM(zone_without_blocks_is_not_used, flags_gen_params),
	KUNIT_CASE(dirty_limit_follows_memory),
	KUNIT_CASE(node_has_memory_all_the_time),
	KUNIT_CASE(state_is_written_once),
	KUNIT_CASE(zone_is_the_one_asked_for),
	KUNIT_CASE(merged_memory_goes_online),
	KUNIT_CASE(kernel_memory_joins_zone_that_spans_it),
	KUNIT_CASE(online_callback_gets_each_page),
	KUNIT_CASE(used_memory_moves),
	KUNIT_CASE(memory_that_cannot_move_stays),
	KUNIT_CASE(hot_added_memory_is_not_early),
	KUNIT_CASE(block_between_others_comes_back),
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

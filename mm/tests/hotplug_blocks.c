// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory blocks that add_memory() adds: see hotplug_blocks.h.
 */
#include <linux/bitops.h>
#include <linux/device.h>
#include <linux/ioport.h>
#include <linux/memblock.h>
#include <linux/mm.h>
#include <linux/page-isolation.h>

#include "hotplug_blocks.h"
#include "vmemmap_adapt.h"
#include "warn_log.h"

const struct blocks_flags_param blocks_flags_params[2] = {
	{ "memmap on memory", MHP_MEMMAP_ON_MEMORY },
	{ "memmap in system RAM", MHP_NONE },
};

/**
 * blocks_unclaim() - let somebody else claim the memory
 * @blocks: the memory
 */
void blocks_unclaim(struct blocks *blocks)
{
	if (blocks->is_claimed)
		release_resource(&blocks->dev->res);
	blocks->is_claimed = false;
}

/* Claim the memory again. Return 0, or an error if somebody else claims a part of it. */
static int claim(struct blocks *blocks)
{
	int err = request_resource(&iomem_resource, &blocks->dev->res);

	blocks->is_claimed = !err;
	return err;
}

/**
 * blocks_add_some() - add some of the blocks with one add_memory()
 * @blocks: the memory
 * @first: the first block
 * @nr: how many blocks
 * @nid: the node, or a memory group if @flags say so
 * @flags: for add_memory()
 *
 * Return: 0, or what add_memory() returns.
 */
int blocks_add_some(struct blocks *blocks, unsigned int first, unsigned int nr, int nid,
		    mhp_t flags)
{
	int err;

	blocks_unclaim(blocks);
	err = add_memory(nid, block_start(blocks, first), nr * BLOCK_BYTES, flags);
	blocks->is_whole = !err && nr == NR_BLOCKS;
	if (!err) {
		blocks->present |= GENMASK(first + nr - 1, first);
	} else if (!blocks->present) {
		KUNIT_EXPECT_EQ_MSG(blocks->test, claim(blocks), 0,
				    "a failed add_memory() leaves its claim");
	}
	return err;
}

/**
 * blocks_add() - add all blocks with one add_memory()
 * @blocks: the memory
 * @flags: for add_memory()
 *
 * Return: 0, or what add_memory() returns.
 */
int blocks_add(struct blocks *blocks, mhp_t flags)
{
	return blocks_add_some(blocks, 0, NR_BLOCKS, test_nid(), flags);
}

/**
 * blocks_are_gone() - note that the kernel has removed some of the blocks
 * @blocks: the memory
 * @first: the first block
 * @nr: how many blocks
 *
 * Return: 0, or an error if a claim on the memory is left.
 */
int blocks_are_gone(struct blocks *blocks, unsigned int first, unsigned int nr)
{
	blocks->present &= ~GENMASK(first + nr - 1, first);
	blocks->is_whole = false;
	if (blocks->present)
		return 0;
	return claim(blocks);
}

/**
 * blocks_remove_some() - take some of the blocks offline and remove them
 * @blocks: the memory
 * @first: the first block
 * @nr: how many blocks, all of which are present
 *
 * Return: 0, or an error. The memory is then abandoned.
 */
int blocks_remove_some(struct blocks *blocks, unsigned int first, unsigned int nr)
{
	int err = 0;

	KUNIT_EXPECT_NO_WARN(blocks->test,
			     err = offline_and_remove_memory(block_start(blocks, first),
							     nr * BLOCK_BYTES));
	if (err) {
		fake_dev_abandon(blocks->dev);
		return err;
	}
	return blocks_are_gone(blocks, first, nr);
}

/**
 * blocks_remove() - remove all blocks that are present
 * @blocks: the memory
 *
 * offline_and_remove_memory() does not release the claims of several add_memory().
 *
 * Return: 0, or an error.
 */
int blocks_remove(struct blocks *blocks)
{
	int err = 0;

	if (blocks->is_whole)
		return blocks_remove_some(blocks, 0, NR_BLOCKS);
	while (blocks->present && !err)
		err = blocks_remove_some(blocks, __ffs(blocks->present), 1);
	return err;
}

/*
 * Remove the blocks, and also the sections that a kernel leaves behind if it does not
 * undo a failed add. Later cases must not find them.
 */
static void blocks_put(void *data)
{
	struct blocks *blocks = data;
	unsigned int i;

	if (blocks_remove(blocks))
		return;
	mem_hotplug_begin();
	for (i = 0; i < NR_BLOCKS; i++)
		if (pfn_in_present_section(block_pfn(blocks, i)))
			adapt_remove_pages(block_pfn(blocks, i), BLOCK_PAGES, NULL);
	mem_hotplug_done();
}

static int get_state(struct memory_block *mem, void *state)
{
	*(unsigned long *)state = mem->state;
	return 0;
}

/**
 * block_state() - get the state of a memory block
 * @pfn: a page frame of the block
 *
 * Return: MEM_ONLINE or another state, or 0 if there is no block.
 */
unsigned long block_state(unsigned long pfn)
{
	unsigned long state = 0;

	walk_memory_blocks(PFN_PHYS(pfn), PAGE_SIZE, &state, get_state);
	return state;
}

/* Whether the page allocator can use memory that is in a zone. */
static bool is_usable(const struct blocks *blocks, unsigned long pfn)
{
	/* A broken kernel may announce any page frame. */
	return fake_dev_has(blocks->dev, pfn) && !is_migrate_isolate_page(pfn_to_page(pfn));
}

static int watch_notify(struct notifier_block *nb, unsigned long action, void *data)
{
	struct blocks *blocks = container_of(nb, struct blocks, watch.nb);
	unsigned long first = block_pfn(blocks, blocks->watch.block);
	struct blocks_watch *watch = &blocks->watch;
	struct memory_notify *arg = data;

	if (watch->nr < ARRAY_SIZE(watch->seen)) {
		watch->seen[watch->nr].action = action;
		watch->seen[watch->nr].arg = *arg;
		watch->seen[watch->nr].is_usable = is_usable(blocks, arg->start_pfn);
		watch->seen[watch->nr].present = NODE_DATA(test_nid())->node_present_pages;
		watch->seen[watch->nr].state = block_state(arg->start_pfn);
	}
	watch->nr++;
	if (action == MEM_GOING_ONLINE && fake_dev_has(blocks->dev, arg->start_pfn))
		watch->zone = page_zone(pfn_to_page(arg->start_pfn));
	if (action == watch->veto && arg->start_pfn >= first &&
	    arg->start_pfn < first + BLOCK_PAGES)
		return NOTIFY_BAD;
	return NOTIFY_OK;
}

static void watch_end(void *data)
{
	struct blocks_watch *watch = data;

	unregister_memory_notifier(&watch->nb);
}

static void watch_begin(struct blocks *blocks)
{
	struct kunit *test = blocks->test;
	struct blocks_watch *watch = &blocks->watch;

	watch->nb.notifier_call = watch_notify;
	/* Run before the notifiers that account for memory. */
	watch->nb.priority = INT_MAX;
	watch->veto = ADAPT_NO_STEP;
	watch->block = 1;
	KUNIT_ASSERT_EQ(test, register_memory_notifier(&watch->nb), 0);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, watch_end, watch));
}

/**
 * blocks_get() - get memory for some memory blocks
 * @test: the test context
 *
 * Skips the test if there is none. Watches what the kernel announces until the test ends.
 *
 * Return: the memory. Blocks that are present at the end of the test are removed.
 */
struct blocks *blocks_get(struct kunit *test)
{
	struct blocks *blocks;

	if (BLOCK_PAGES != PAGES_PER_SECTION)
		kunit_skip(test, "memory blocks of several sections");
	blocks = kunit_kzalloc(test, sizeof(*blocks), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, blocks);
	blocks->test = test;
	blocks->dev = fake_dev_get_memory(test, NR_BLOCKS);
	blocks->is_claimed = true;
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, blocks_put, blocks));
	watch_begin(blocks);
	return blocks;
}

static int online_movable(struct memory_block *mem, void *nr)
{
	mem->online_type = MMOP_ONLINE_MOVABLE;
	++*(unsigned int *)nr;
	return device_online(&mem->dev);
}

static int offline(struct memory_block *mem, void *nr)
{
	++*(unsigned int *)nr;
	return device_offline(&mem->dev);
}

static int walk(struct blocks *blocks, unsigned int first, unsigned int nr,
		walk_memory_blocks_func_t func)
{
	unsigned int seen = 0;
	int err;

	lock_device_hotplug();
	err = walk_memory_blocks(block_start(blocks, first), nr * BLOCK_BYTES, &seen, func);
	unlock_device_hotplug();
	return err ?: seen == nr ? 0 : -ENODEV;
}

/**
 * blocks_online() - take all blocks online, as movable memory
 * @blocks: the memory, all of which is present
 *
 * Return: 0, or the error of the first block that does not go online.
 */
int blocks_online(struct blocks *blocks)
{
	return walk(blocks, 0, NR_BLOCKS, online_movable);
}

/**
 * blocks_online_one() - take one block online, as movable memory
 * @blocks: the memory
 * @i: which block
 *
 * Return: 0, or an error.
 */
int blocks_online_one(struct blocks *blocks, unsigned int i)
{
	return walk(blocks, i, 1, online_movable);
}

/**
 * blocks_offline_one() - take one block offline
 * @blocks: the memory
 * @i: which block
 *
 * Return: 0, or an error.
 */
int blocks_offline_one(struct blocks *blocks, unsigned int i)
{
	return walk(blocks, i, 1, offline);
}

/**
 * blocks_expect_memmap() - check where the memmap of each present block lies
 * @blocks: the memory
 * @flags: what it was added with
 *
 * Page j of the memmap of a block is page j of the block, or a page of system RAM.
 */
void blocks_expect_memmap(struct blocks *blocks, mhp_t flags)
{
	struct kunit *test = blocks->test;
	struct fake_dev *dev = blocks->dev;
	struct vmemmap_walk walk;
	unsigned long i, j, pfn;

	for_each_set_bit(i, &blocks->present, NR_BLOCKS) {
		for (j = 0; j < MEMMAP_SIZE / PAGE_SIZE; j++) {
			unsigned long addr = fake_dev_memmap(dev, i * BLOCK_PAGES) +
					     j * PAGE_SIZE;

			vmemmap_walk(addr, &walk);
			KUNIT_ASSERT_TRUE_MSG(test, walk.leaf,
					      "block %lu: %#lx: hole at level %s", i, addr,
					      walk_level_name(walk.level));
			pfn = walk.pfn + (addr & (walk.size - 1)) / PAGE_SIZE;
			if (memmap_fits_on_block(flags))
				KUNIT_ASSERT_EQ_MSG(test, pfn, block_pfn(blocks, i) + j,
						    "block %lu: page frame behind %#lx", i, addr);
			else
				KUNIT_ASSERT_TRUE_MSG(test,
						      pfn_valid(pfn) && !fake_dev_has(dev, pfn),
						      "block %lu: page frame %#lx behind %#lx is not in system RAM",
						      i, pfn, addr);
		}
	}
}

/**
 * blocks_expect_pageblocks() - check the pageblocks of the blocks that are online
 * @blocks: the memory
 * @flags: what it was added with
 * @when: the operation before, for messages
 *
 * A pageblock of the memmap is unmovable. All others are movable.
 */
void blocks_expect_pageblocks(struct blocks *blocks, mhp_t flags, const char *when)
{
	/* With little memory, all pageblocks have the type 0, which is MIGRATE_UNMOVABLE. */
	int movable = page_group_by_mobility_disabled ? MIGRATE_UNMOVABLE : MIGRATE_MOVABLE;
	unsigned long memmap = memmap_fits_on_block(flags) ? MEMMAP_SIZE / PAGE_SIZE : 0;
	struct kunit *test = blocks->test;
	unsigned long i, j;

	for_each_set_bit(i, &blocks->present, NR_BLOCKS) {
		for (j = 0; j < BLOCK_PAGES; j += pageblock_nr_pages) {
			struct page *page = pfn_to_online_page(block_pfn(blocks, i) + j);

			if (!page)
				break;
			KUNIT_ASSERT_EQ_MSG(test, get_pageblock_migratetype(page),
					    j < memmap ? MIGRATE_UNMOVABLE : movable,
					    "%s: block %lu: migratetype of the pageblock at page %lu",
					    when, i, j);
		}
	}
}

static int count_block(struct memory_block *mem, void *nr)
{
	++*(unsigned int *)nr;
	return 0;
}

#ifdef CONFIG_ARCH_KEEP_MEMBLOCK
/* Return how many bytes of a range are memory in memblock. */
static u64 bytes_in_memblock(u64 start, u64 end)
{
	struct memblock_region *region;
	u64 nr = 0;

	for_each_mem_region(region) {
		u64 first = max_t(u64, start, region->base);
		u64 last = min_t(u64, end, region->base + region->size);

		nr += last > first ? last - first : 0;
	}
	return nr;
}
#else
static u64 bytes_in_memblock(u64 start, u64 end)
{
	return 0;
}
#endif

/**
 * blocks_expect_nothing_left() - check that nothing is left of any block
 * @blocks: the memory, none of which is present
 * @after: the operation before, for messages
 *
 * No block has a section, a device, a memmap, a linear mapping or a claim, and memblock
 * does not treat any part of it as memory.
 */
void blocks_expect_nothing_left(struct blocks *blocks, const char *after)
{
	struct fake_dev *dev = blocks->dev;
	struct kunit *test = blocks->test;
	u64 start = block_start(blocks, 0), end = block_start(blocks, NR_BLOCKS);
	unsigned int i, nr = 0;

	for (i = 0; i < NR_BLOCKS; i++)
		KUNIT_EXPECT_FALSE_MSG(test, pfn_in_present_section(block_pfn(blocks, i)),
				       "%s: block %u has a section", after, i);
	walk_memory_blocks(start, end - start, &nr, count_block);
	KUNIT_EXPECT_EQ_MSG(test, nr, 0, "%s: blocks that have a device", after);
	KUNIT_EXPECT_EQ_MSG(test, bytes_in_memblock(start, end), 0,
			    "%s: bytes that are memory in memblock", after);
	KUNIT_EXPECT_TRUE_MSG(test, blocks->is_claimed && !dev->res.child,
			      "%s: a claim on the memory is left", after);
	fake_dev_expect_unmapped(test, dev, after);
}

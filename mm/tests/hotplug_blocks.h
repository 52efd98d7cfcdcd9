/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory blocks that add_memory() adds, what the kernel announces about them, and checks
 * of their memmap, of their pageblocks and of what removal leaves. The checks do not
 * compare with an earlier state, so they do not depend on the cases that ran before.
 */
#ifndef _MM_TESTS_HOTPLUG_BLOCKS_H
#define _MM_TESTS_HOTPLUG_BLOCKS_H

#include <kunit/test.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/notifier.h>

#include "fake_dev.h"

#define NR_BLOCKS	3
#define BLOCK_BYTES	memory_block_size_bytes()
#define BLOCK_PAGES	PHYS_PFN(BLOCK_BYTES)
#define MEMMAP_SIZE	(BLOCK_PAGES * sizeof(struct page))

/**
 * struct blocks_watch - what the kernel announces about memory
 * @nb: the notifier
 * @veto: refuse this action for a block, or ADAPT_NO_STEP for none
 * @block: the block
 * @nr: how many announcements there were. A case may set it to 0.
 * @zone: the zone that memory was about to go online in, the last time
 * @seen: the first announcements, each with the state of the block, whether the page
 *	  allocator could use it, and the present pages of the node
 */
struct blocks_watch {
	struct notifier_block nb;
	unsigned long veto;
	unsigned int block;
	unsigned int nr;
	struct zone *zone;
	struct {
		unsigned long action;
		struct memory_notify arg;
		unsigned long state;
		bool is_usable;
		unsigned long present;
	} seen[2 * 3 * NR_BLOCKS];
};

/**
 * struct blocks - the memory
 * @test: the test context
 * @dev: the claim on it
 * @is_claimed: the claim is in iomem_resource. add_memory() makes a claim of its own.
 * @present: which blocks have been added, bit by bit
 * @is_whole: one add_memory() has added all of them, so they have a single claim
 * @watch: what the kernel announces, and what is refused
 */
struct blocks {
	struct kunit *test;
	struct fake_dev *dev;
	bool is_claimed;
	unsigned long present;
	bool is_whole;
	struct blocks_watch watch;
};

/**
 * struct blocks_flags_param - how to add memory, as a parameter of a case
 * @name: where the memmap lies
 * @flags: the flags of add_memory()
 */
struct blocks_flags_param {
	const char *name;
	mhp_t flags;
};

extern const struct blocks_flags_param blocks_flags_params[2];

/* The parameters of all built-in code. */
extern const struct kernel_param __start___param[], __stop___param[];

struct blocks *blocks_get(struct kunit *test);
void blocks_unclaim(struct blocks *blocks);
int blocks_add(struct blocks *blocks, mhp_t flags);
int blocks_add_some(struct blocks *blocks, unsigned int first, unsigned int nr, int nid,
		    mhp_t flags);
int blocks_are_gone(struct blocks *blocks, unsigned int first, unsigned int nr);
int blocks_remove(struct blocks *blocks);
int blocks_remove_some(struct blocks *blocks, unsigned int first, unsigned int nr);
int blocks_online(struct blocks *blocks);
int blocks_online_one(struct blocks *blocks, unsigned int i);
int blocks_offline_one(struct blocks *blocks, unsigned int i);
unsigned long block_state(unsigned long pfn);
void blocks_expect_memmap(struct blocks *blocks, mhp_t flags);
void blocks_expect_pageblocks(struct blocks *blocks, mhp_t flags, const char *when);
void blocks_expect_nothing_left(struct blocks *blocks, const char *after);

static inline unsigned long block_pfn(const struct blocks *blocks, unsigned int i)
{
	return blocks->dev->pfn + i * BLOCK_PAGES;
}

static inline u64 block_start(const struct blocks *blocks, unsigned int i)
{
	return PFN_PHYS(block_pfn(blocks, i));
}

/* The zone of a block that is online, or NULL. */
static inline struct zone *block_zone(const struct blocks *blocks, unsigned int i)
{
	struct page *page = pfn_to_online_page(block_pfn(blocks, i));

	return page ? page_zone(page) : NULL;
}

/* With memmap_on_memory=force, a block holds its own memmap if the memmap fills PMDs. */
static inline bool memmap_fits_on_block(mhp_t flags)
{
	return flags & MHP_MEMMAP_ON_MEMORY && IS_ALIGNED(MEMMAP_SIZE, PMD_SIZE);
}

#endif /* _MM_TESTS_HOTPLUG_BLOCKS_H */

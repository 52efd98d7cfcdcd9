// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finds out where the struct pages of a device lie by their contents. Each struct page
 * gets a unique mark, and the suite then searches the memory of the devices for the
 * marks. This needs no page tables, so it also works where the kernel maps the memmap by
 * other means (powerpc's hash MMU) and where the memmap of a section is less than a page
 * (powerpc with 64K pages).
 *
 * A struct page that is not mapped fails the test and does not oops. The devices are then
 * not removed, and their memory is not used again.
 *
 * Documentation/mm/vmemmap_altmap.rst states the rules. The cases cite them as
 * L1, L2 and so on.
 */
#include <kunit/test.h>
#include <linux/log2.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/prandom.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "fake_dev.h"
#include "warn_log.h"

#define NR_PARTS	4
#define MIB(mib)	((unsigned long)(mib) * SZ_1M / PAGE_SIZE)

/* Page frames whose memmap has 2 MiB, which one PMD maps in many kernels. */
#define BLOCK_PAGES	(SZ_2M / sizeof(struct page))

/**
 * struct part - a device, which is a part of the memory that the test has
 * @pfn: its first page frame
 * @nr: how many it has
 * @offer: pages after the first one that its altmap offers, or 0 for no altmap
 * @present: it has been added
 * @pgmap: the pgmap that it was last added with
 */
struct part {
	unsigned long pfn;
	unsigned long nr;
	unsigned long offer;
	bool present;
	struct dev_pagemap pgmap;
};

/**
 * struct contents - the devices of a test
 * @test: the test context
 * @dev: the claim on the memory of all
 * @part: the devices
 */
struct contents {
	struct kunit *test;
	struct fake_dev *dev;
	struct part part[NR_PARTS];
};

/* Each round has new marks, so that old ones do not count. One test runs at a time. */
static u16 marking_round;

static bool is_broken(const struct contents *contents)
{
	return contents->dev->abandoned;
}

static void contents_put(void *data)
{
	struct contents *contents = data;
	int i;

	/* The kernel may still use the pgmaps. */
	if (is_broken(contents))
		return;
	for (i = 0; i < NR_PARTS; i++)
		if (contents->part[i].present)
			memunmap_pages(&contents->part[i].pgmap);
	kfree(contents);
}

static struct contents *contents_get(struct kunit *test, unsigned long nr, unsigned long align)
{
	struct fake_dev *dev = fake_dev_claim_memory(test, nr, align);
	struct contents *contents = kzalloc(sizeof(*contents), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, contents);
	contents->test = test;
	contents->dev = dev;
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, contents_put, contents));
	return contents;
}

/* A mark fits into a word, and no two are equal. */
static u64 mark_of(unsigned long pfn)
{
	return (u64)marking_round << 48 | pfn;
}

static u64 *word_of(unsigned long pfn)
{
	return (u64 *)&pfn_to_page(pfn)->zone_device_data;
}

static void mark(const struct contents *contents, const struct part *part)
{
	unsigned long pfn;

	for (pfn = part->pfn; pfn < part->pfn + part->nr; pfn++) {
		u64 value = mark_of(pfn);

		if (copy_to_kernel_nofault(word_of(pfn), &value, sizeof(value))) {
			KUNIT_FAIL(contents->test,
				   "the struct page of page frame %#lx is not mapped", pfn);
			fake_dev_abandon(contents->dev);
			return;
		}
	}
}

static void expect_marks(struct contents *contents, const struct part *part, const char *after)
{
	unsigned long pfn;
	u64 value;

	for (pfn = part->pfn; pfn < part->pfn + part->nr; pfn++) {
		if (copy_from_kernel_nofault(&value, word_of(pfn), sizeof(value)))
			KUNIT_FAIL(contents->test,
				   "%s: the struct page of page frame %#lx is not mapped any more",
				   after, pfn);
		else if (value != mark_of(pfn))
			KUNIT_FAIL(contents->test,
				   "%s: the struct page of page frame %#lx contains %#llx instead of %#llx",
				   after, pfn, value, mark_of(pfn));
		else
			continue;
		fake_dev_abandon(contents->dev);
		return;
	}
}

static unsigned long first_of_offer(const struct part *part)
{
	return part->pfn + 1;
}

/* Return the page frame in the offer of a device that has a mark, or 0. */
static unsigned long find_mark(const struct part *part, unsigned long offset, u64 value)
{
	unsigned long pfn;

	for (pfn = first_of_offer(part); pfn < first_of_offer(part) + part->offer; pfn++)
		if (*(u64 *)((unsigned long)__va(PFN_PHYS(pfn)) + offset) == value)
			return pfn;
	return 0;
}

/* Check whether a page of the memmap holds struct pages of this device only. */
static bool is_whole(const struct part *part, unsigned long addr)
{
	return addr >= (unsigned long)pfn_to_page(part->pfn) &&
	       addr + PAGE_SIZE <= (unsigned long)(pfn_to_page(part->pfn) + part->nr);
}

/* L2: check where each page of the memmap lies. */
static void expect_places(struct contents *contents, const struct part *part, const char *after)
{
	unsigned long pfn, addr, last = 0, found, nr = 0;
	int i;

	for (pfn = part->pfn; pfn < part->pfn + part->nr; pfn++) {
		addr = (unsigned long)word_of(pfn);
		if (PAGE_ALIGN_DOWN(addr) == last)
			continue;
		last = PAGE_ALIGN_DOWN(addr);

		for (i = 0; i < NR_PARTS; i++) {
			const struct part *other = &contents->part[i];

			if (!other->present || !other->offer)
				continue;
			found = find_mark(other, offset_in_page(addr), mark_of(pfn));
			if (found && (other != part || !is_whole(part, last)))
				KUNIT_FAIL(contents->test,
					   "%s: the memmap at %#lx lies in page frame %#lx of a device that is not its only user",
					   after, last, found);
			if (!found && other == part && is_whole(part, last))
				KUNIT_FAIL(contents->test,
					   "%s: the memmap at %#lx lies in none of the %lu page frames that the altmap offers",
					   after, last, part->offer);
			nr += found && other == part;
		}
		if (contents->test->status == KUNIT_FAILURE)
			return;
	}
	if (part->offer)
		KUNIT_EXPECT_EQ_MSG(contents->test, part->pgmap.altmap.alloc, nr,
				    "%s: pages allocated from the altmap, and pages of memmap in them",
				    after);
}

/* L1, L2: check each device after an operation on one of them. */
static bool check(struct contents *contents, const char *after)
{
	int i;

	for (i = 0; i < NR_PARTS && !is_broken(contents); i++)
		if (contents->part[i].present)
			expect_marks(contents, &contents->part[i], after);
	marking_round++;
	for (i = 0; i < NR_PARTS && !is_broken(contents); i++)
		if (contents->part[i].present)
			mark(contents, &contents->part[i]);
	for (i = 0; i < NR_PARTS && !is_broken(contents); i++)
		if (contents->part[i].present)
			expect_places(contents, &contents->part[i], after);
	if (contents->test->status == KUNIT_FAILURE)
		fake_dev_abandon(contents->dev);
	return !is_broken(contents);
}

static bool add(struct contents *contents, struct part *part)
{
	struct vmem_altmap altmap = {
		.base_pfn = part->pfn,
		.end_pfn = part->pfn + part->nr - 1,
		.reserve = 1,
		.free = part->offer,
	};
	void *addr = NULL;

	memset(&part->pgmap, 0, sizeof(part->pgmap));
	part->pgmap.type = MEMORY_DEVICE_GENERIC;
	part->pgmap.nr_range = 1;
	part->pgmap.range.start = PFN_PHYS(part->pfn);
	part->pgmap.range.end = PFN_PHYS(part->pfn + part->nr) - 1;
	if (part->offer) {
		part->pgmap.flags = PGMAP_ALTMAP_VALID;
		memcpy(&part->pgmap.altmap, &altmap, sizeof(altmap));
	}
	KUNIT_EXPECT_NO_WARN(contents->test, addr = memremap_pages(&part->pgmap, test_nid()));
	KUNIT_EXPECT_FALSE_MSG(contents->test, IS_ERR(addr), "adding page frames [%#lx, %#lx): %pe",
			       part->pfn, part->pfn + part->nr, addr);
	if (IS_ERR(addr))
		return false;
	mark(contents, part);
	part->present = true;
	return !is_broken(contents) && check(contents, "add");
}

/* L3: removal does not WARN, and the altmap has all its pages back. */
static bool remove(struct contents *contents, struct part *part)
{
	part->present = false;
	KUNIT_EXPECT_NO_WARN(contents->test, memunmap_pages(&part->pgmap));
	KUNIT_EXPECT_EQ_MSG(contents->test, part->pgmap.altmap.alloc, 0,
			    "pages still allocated from the altmap of a removed device");
	return check(contents, "removal");
}

/* Place a device. An altmap gets enough for the memmap and for aligning a block of it. */
static void place(struct contents *contents, struct part *part, unsigned long start,
		  unsigned long nr, bool has_altmap)
{
	unsigned long memmap = DIV_ROUND_UP(nr * sizeof(struct page), PAGE_SIZE);

	if (nr * sizeof(struct page) >= SZ_2M)
		memmap += SZ_2M / PAGE_SIZE;
	part->pfn = contents->dev->pfn + start;
	part->nr = nr;
	part->offer = has_altmap ? min(memmap, nr - 2) : 0;
}

static const struct geometry {
	const char *name;
	unsigned long mib[NR_PARTS];
	bool has_altmap;
} geometries[] = {
	{ "two of 16 MiB, altmaps", { 16, 16 }, true },
	{ "two of 16 MiB, no altmaps", { 16, 16 }, false },
	{ "16, 80 and 32 MiB, altmaps", { 16, 80, 32 }, true },
	{ "three of 64 MiB, altmaps", { 64, 64, 64 }, true },
	{ "160, 208 and 16 MiB, altmaps", { 160, 208, 16 }, true },
};

KUNIT_ARRAY_PARAM_DESC(geometry, geometries, name);

static struct contents *contents_get_for(struct kunit *test, const struct geometry *geometry)
{
	unsigned long mib = 0;
	int i;

	for (i = 0; i < NR_PARTS; i++)
		mib += geometry->mib[i];
	return contents_get(test, MIB(mib), MIB(64));
}

static unsigned int place_all(struct contents *contents, const struct geometry *geometry)
{
	unsigned long start = 0;
	unsigned int i;

	for (i = 0; i < NR_PARTS && geometry->mib[i]; i++) {
		place(contents, &contents->part[i], start, MIB(geometry->mib[i]),
		      geometry->has_altmap);
		start += MIB(geometry->mib[i]);
	}
	return i;
}

/* L1, L2, L3: neighbours are removed in the order in which they were added. */
static void neighbours_removed_in_order(struct kunit *test)
{
	struct contents *contents = contents_get_for(test, test->param_value);
	unsigned int i, nr = place_all(contents, test->param_value);

	for (i = 0; i < nr; i++)
		if (!add(contents, &contents->part[i]))
			return;
	for (i = 0; i < nr; i++)
		if (!remove(contents, &contents->part[i]))
			return;
}

/* L1, L2, L3: neighbours are removed in reverse order. The first one is then added again. */
static void neighbours_removed_in_reverse(struct kunit *test)
{
	struct contents *contents = contents_get_for(test, test->param_value);
	unsigned int i, nr = place_all(contents, test->param_value);

	for (i = 0; i < nr; i++)
		if (!add(contents, &contents->part[i]))
			return;
	for (i = nr; i > 0; i--)
		if (!remove(contents, &contents->part[i - 1]))
			return;
	if (add(contents, &contents->part[0]))
		remove(contents, &contents->part[0]);
}

/*
 * Two devices share a block of the memmap. Each has an altmap of @offer pages, or none if
 * that is 0.
 *
 *	memmap		|<------------ 2 MiB ------------>|
 *	devices		|  first  | second |
 */
static void add_and_remove_in_block(struct kunit *test, unsigned long offer)
{
	struct contents *contents = contents_get(test, MIB(48), BLOCK_PAGES);
	struct part *first = &contents->part[0], *second = &contents->part[1];

	place(contents, first, 0, MIB(32), false);
	place(contents, second, MIB(32), MIB(16), false);
	first->offer = offer;
	second->offer = offer;
	if (!add(contents, first) || !add(contents, second) || !remove(contents, first))
		return;
	if (add(contents, first) && remove(contents, second))
		remove(contents, first);
}

/* L1, L3: powerpc maps the block when the first device is added. */
static void neighbours_share_block(struct kunit *test)
{
	add_and_remove_in_block(test, 0);
}

/* L1, L2, L3: either altmap could hold the whole block, but is not its only user. */
static void shared_block_lies_in_no_altmap(struct kunit *test)
{
	/* A block, and what it takes to align it. */
	add_and_remove_in_block(test, 2 * PHYS_PFN(SZ_2M));
}

/* L2: the memmap of this device fills a block, or a little more if struct page has 80 bytes. */
static void block_lies_in_device(struct kunit *test)
{
	unsigned long nr = ALIGN(BLOCK_PAGES, PHYS_PFN(memremap_compat_align()));
	struct contents *contents = contents_get(test, nr, roundup_pow_of_two(nr));
	struct part *part = &contents->part[0];

	place(contents, part, 0, nr, true);
	if (add(contents, part))
		remove(contents, part);
}

/* L1, L2, L3: these rules hold after each step of a random sequence. */
static void random_sequence_keeps_contents(struct kunit *test)
{
	unsigned long unit = PHYS_PFN(memremap_compat_align()), step;
	struct contents *contents = contents_get(test, MIB(512), MIB(64));
	unsigned long each = MIB(512) / NR_PARTS / unit;
	struct rnd_state rnd;

	prandom_seed_state(&rnd, 1);
	for (step = 0; step < 60; step++) {
		unsigned int i = prandom_u32_state(&rnd) % NR_PARTS;
		unsigned long nr = 1 + prandom_u32_state(&rnd) % each;
		struct part *part = &contents->part[i];
		bool ok;

		if (part->present) {
			ok = remove(contents, part);
		} else {
			/*
			 * Each device has a quarter. Even ones end and odd ones begin at
			 * the boundary between two quarters, so that neighbours share
			 * pages of the memmap.
			 */
			place(contents, part, (i & 1 ? i * each : (i + 1) * each - nr) * unit,
			      nr * unit, prandom_u32_state(&rnd) % 4);
			ok = add(contents, part);
		}
		if (!ok) {
			kunit_info(test, "step %lu", step);
			return;
		}
	}
}

static struct kunit_case memremap_contents_cases[] = {
	KUNIT_CASE(block_lies_in_device),
	KUNIT_CASE(neighbours_share_block),
	KUNIT_CASE(shared_block_lies_in_no_altmap),
	KUNIT_CASE_PARAM(neighbours_removed_in_order, geometry_gen_params),
	KUNIT_CASE_PARAM(neighbours_removed_in_reverse, geometry_gen_params),
	KUNIT_CASE(random_sequence_keeps_contents),
	{}
};

static struct kunit_suite memremap_contents_suite = {
	.name = "memremap_contents",
	.test_cases = memremap_contents_cases,
};

kunit_test_suite(memremap_contents_suite);

MODULE_DESCRIPTION("KUnit tests that find the struct pages of devices by what they contain");
MODULE_LICENSE("GPL");

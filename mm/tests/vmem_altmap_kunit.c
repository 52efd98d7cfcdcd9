// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmemmap_alloc_block_buf() with a struct vmem_altmap: it allocates from the
 * altmap, or fails.
 *
 * Documentation/mm/vmemmap_altmap.rst states the rules. The cases cite them as
 * A1, A2 and so on.
 */
#include <kunit/test.h>
#include <linux/gfp.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/prandom.h>
#include <linux/sizes.h>

#include "fake_dev.h"
#include "func_redirect.h"
#include "vmemmap_adapt.h"
#include "warn_log.h"

/* No block of the vmemmap is larger, with any page size. */
#define MAX_BLOCK	(SZ_2M >> PAGE_SHIFT)

struct ram_block {
	void *buf;
	unsigned long size;
};

static void free_ram_block(void *data)
{
	struct ram_block *block = data;

	free_pages((unsigned long)block->buf, get_order(block->size));
}

/* Allocate a block. If it is system RAM, free it at the end of the test. */
static void *alloc_block(struct kunit *test, unsigned long size,
			 struct vmem_altmap *altmap)
{
	struct ram_block *block;
	void *buf;

	buf = adapt_alloc_block_buf(size, test_nid(), altmap);
	if (!buf || !pfn_valid(PHYS_PFN(__pa(buf))))
		return buf;

	block = kunit_kzalloc(test, sizeof(*block), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, block);
	block->buf = buf;
	block->size = size;
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_ram_block,
							   block));
	return buf;
}

static void *alloc_pages_of(struct kunit *test, unsigned long nr,
			    struct vmem_altmap *altmap)
{
	return alloc_block(test, nr * PAGE_SIZE, altmap);
}

/* Return the linear-map address of a page frame, mapped or not. */
static void *frame(unsigned long pfn)
{
	return __va(PFN_PHYS(pfn));
}

static void expect_frame(struct kunit *test, void *buf, unsigned long pfn)
{
	KUNIT_EXPECT_PTR_EQ_MSG(test, buf, frame(pfn),
				"address of the block, expected at page frame %#lx",
				pfn);
}

static void expect_counters(struct kunit *test, const struct vmem_altmap *altmap,
			    unsigned long alloc, unsigned long align)
{
	KUNIT_EXPECT_EQ_MSG(test, altmap->alloc, alloc,
			    "pages allocated from the altmap at %#lx",
			    altmap->base_pfn);
	KUNIT_EXPECT_EQ_MSG(test, altmap->align, align,
			    "pages lost to alignment in the altmap at %#lx",
			    altmap->base_pfn);
}

/* A1: a block lies in the pages that the altmap offers. */
static void alloc_block_buf_takes_from_altmap(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = 4);

	expect_frame(test, alloc_pages_of(test, 1, &altmap), dev->pfn);
	expect_counters(test, &altmap, 1, 0);
}

/* A2: each block follows the previous one, and no page is allocated twice. */
static void alloc_block_buf_takes_in_order(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = 8);
	unsigned long i;

	for (i = 0; i < 8; i++) {
		expect_frame(test, alloc_pages_of(test, 1, &altmap), dev->pfn + i);
		expect_counters(test, &altmap, i + 1, 0);
	}
}

/*
 * A3: the reserved pages are never allocated.
 *
 *	base_pfn
 *	| reserve = 5    | free = 3   |
 *	|----------------|XX|XX|XX|
 */
static void alloc_block_buf_respects_reserve(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .reserve = 5, .free = 3);
	unsigned long i;

	for (i = 0; i < 3; i++)
		expect_frame(test, alloc_pages_of(test, 1, &altmap),
			     dev->pfn + 5 + i);
	KUNIT_EXPECT_NULL_MSG(test, alloc_pages_of(test, 1, &altmap),
			      "a block was allocated from the reserve");
	expect_counters(test, &altmap, 3, 0);
}

/*
 * A4: a block is aligned to its size. The skipped pages are added to align, once, and are
 * not allocated later.
 *
 *	base_pfn, aligned to 2 * nr
 *	| reserve |   pad    | block       | page |
 *	|    1    |  nr - 1  | nr          |  1   |
 */
static void alloc_block_buf_aligns_block_to_its_size(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	unsigned long nr;

	for (nr = 2; nr <= MAX_BLOCK; nr *= 2) {
		struct vmem_altmap altmap = FAKE_ALTMAP(dev, .reserve = 1, .free = 3 * nr);

		expect_frame(test, alloc_pages_of(test, nr, &altmap), dev->pfn + nr);
		expect_counters(test, &altmap, nr, nr - 1);
		expect_frame(test, alloc_pages_of(test, 1, &altmap),
			     dev->pfn + 2 * nr);
		expect_counters(test, &altmap, nr + 1, nr - 1);
	}
}

/* A4: a block that needs no padding adds nothing to align. */
static void alloc_block_buf_charges_no_needless_alignment(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = 2 * MAX_BLOCK);

	expect_frame(test, alloc_pages_of(test, MAX_BLOCK, &altmap), dev->pfn);
	expect_frame(test, alloc_pages_of(test, MAX_BLOCK, &altmap),
		     dev->pfn + MAX_BLOCK);
	expect_counters(test, &altmap, 2 * MAX_BLOCK, 0);
}

/* A5: an allocation succeeds if it needs all remaining pages, with and without padding. */
static void alloc_block_buf_exact_fit(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap whole = FAKE_ALTMAP(dev, .free = 16);
	struct vmem_altmap padded = FAKE_ALTMAP(dev, .reserve = 3, .free = 16 - 3 + 16);

	expect_frame(test, alloc_pages_of(test, 16, &whole), dev->pfn);
	expect_counters(test, &whole, 16, 0);

	expect_frame(test, alloc_pages_of(test, 16, &padded), dev->pfn + 16);
	expect_counters(test, &padded, 16, 13);
}

/* A5: with one page less, it fails. A6: a failed allocation does not change the counters. */
static void alloc_block_buf_one_page_short(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap whole = FAKE_ALTMAP(dev, .free = 15);
	struct vmem_altmap padded = FAKE_ALTMAP(dev, .reserve = 3, .free = 16 - 3 + 15);

	KUNIT_EXPECT_NULL(test, alloc_pages_of(test, 16, &whole));
	expect_counters(test, &whole, 0, 0);

	KUNIT_EXPECT_NULL(test, alloc_pages_of(test, 16, &padded));
	expect_counters(test, &padded, 0, 0);
}

/* A5: an allocation from an altmap that offers no page fails. */
static void alloc_block_buf_nothing_free(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .reserve = 8, .free = 0);

	KUNIT_EXPECT_NULL(test, alloc_pages_of(test, 1, &altmap));
	expect_counters(test, &altmap, 0, 0);
}

/* A6: after a failed allocation, a smaller block that fits can still be allocated. */
static void alloc_block_buf_refusal_leaves_counters(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = 6);

	expect_frame(test, alloc_pages_of(test, 1, &altmap), dev->pfn);
	expect_counters(test, &altmap, 1, 0);
	KUNIT_EXPECT_NULL(test, alloc_pages_of(test, 4, &altmap));
	expect_counters(test, &altmap, 1, 0);
	expect_frame(test, alloc_pages_of(test, 2, &altmap), dev->pfn + 2);
	expect_counters(test, &altmap, 3, 1);
}

/* A7: a size that is not a multiple of the page size is refused. */
static void alloc_block_buf_odd_size(struct kunit *test)
{
	static const unsigned long odd[] = {
		1, 64, PAGE_SIZE - 1, PAGE_SIZE + 1, 2 * PAGE_SIZE - 64,
	};
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = 16);
	int i;

	for (i = 0; i < ARRAY_SIZE(odd); i++)
		KUNIT_EXPECT_NULL_MSG(test, alloc_block(test, odd[i], &altmap),
				      "a block of %lu bytes", odd[i]);
	expect_counters(test, &altmap, 0, 0);
}

/* A8: if the altmap is exhausted, the allocation fails and does not fall back to system RAM. */
static void alloc_block_buf_exhausted_spends_no_ram(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = 2);
	void *buf;
	int i;

	expect_frame(test, alloc_pages_of(test, 2, &altmap), dev->pfn);
	for (i = 0; i < 3; i++) {
		buf = alloc_pages_of(test, 1, &altmap);
		KUNIT_EXPECT_NULL_MSG(test, buf, "page frame %#lx, of system RAM: %d",
				      PHYS_PFN(__pa(buf)),
				      buf && pfn_valid(PHYS_PFN(__pa(buf))));
	}
	expect_counters(test, &altmap, 2, 0);
}

/* A8: an allocation from the altmap uses no system RAM. */
static void alloc_block_buf_spends_no_ram(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = 8 * MAX_BLOCK);
	unsigned long before, after;
	void *block;
	int i;

	/* Other tasks may allocate at the same time, but not in each try. */
	for (i = 0; i < 8; i++) {
		before = free_ram_pages();
		block = alloc_pages_of(test, MAX_BLOCK, &altmap);
		after = free_ram_pages();
		expect_frame(test, block, dev->pfn + i * MAX_BLOCK);
		if (after == before)
			break;
	}
	KUNIT_EXPECT_EQ_MSG(test, after, before,
			    "free pages of system RAM, after and before one block");
}

/* A9: without an altmap, a block is system RAM, aligned to its size. */
static void alloc_block_buf_without_altmap_is_ram(struct kunit *test)
{
	unsigned long nr;
	void *buf;

	for (nr = 1; nr <= MAX_BLOCK; nr *= 2) {
		buf = alloc_pages_of(test, nr, NULL);
		KUNIT_ASSERT_NOT_NULL(test, buf);
		KUNIT_EXPECT_TRUE_MSG(test, pfn_valid(PHYS_PFN(__pa(buf))),
				      "page frame %#lx is not system RAM",
				      PHYS_PFN(__pa(buf)));
		KUNIT_EXPECT_TRUE_MSG(test, IS_ALIGNED(PHYS_PFN(__pa(buf)), nr),
				      "page frame %#lx for a block of %lu pages",
				      PHYS_PFN(__pa(buf)), nr);
	}
}

static struct {
	unsigned int nr;
	gfp_t gfp;
} report;

static void count_report(gfp_t gfp, ADAPT_WARN_ALLOC_NODES nodes, const char *fmt, ...)
{
	report.nr++;
	report.gfp = gfp;
}

/*
 * A9: if system RAM has no such block, the allocation fails. The kernel reports only the
 * first failure since boot, and no other case makes an allocation fail here.
 */
static void alloc_block_reports_first_failure(struct kunit *test)
{
	const unsigned long size = PAGE_SIZE << (MAX_PAGE_ORDER + 1);
	static bool is_reported;
	void *blocks[2];

	memset(&report, 0, sizeof(report));
	func_redirect_begin(test, warn_alloc, count_report);
	KUNIT_EXPECT_NO_WARN(test, blocks[0] = vmemmap_alloc_block(size, test_nid()));
	KUNIT_EXPECT_NO_WARN(test, blocks[1] = vmemmap_alloc_block(size, test_nid()));
	func_redirect_end(test, warn_alloc);

	KUNIT_EXPECT_NULL(test, blocks[0]);
	KUNIT_EXPECT_NULL(test, blocks[1]);
	KUNIT_EXPECT_EQ_MSG(test, report.nr, is_reported ? 0 : 1,
			    "reports of two allocations that failed");
	if (report.nr)
		KUNIT_EXPECT_TRUE_MSG(test, report.gfp & __GFP_RETRY_MAYFAIL,
				      "the OOM killer may run");
	is_reported = true;
}

/*
 * The allocator as a page-by-page search: find the first run of @nr pages, not
 * below @next, that starts at a multiple of the largest power of two that divides
 * @nr. Return whether it ends by @limit.
 */
static bool model_alloc(unsigned long next, unsigned long limit,
			unsigned long nr, unsigned long *pfn)
{
	unsigned long unit = 1;

	while (nr % (2 * unit) == 0)
		unit *= 2;
	for (*pfn = next; *pfn % unit; (*pfn)++)
		;
	return *pfn + nr <= limit;
}

static const struct model_param {
	const char *name;
	unsigned long skip;
	unsigned long reserve;
	unsigned long free;
	unsigned long max_nr;
	u64 seed;
} model_params[] = {
	{ "single pages", 0, 0, 64, 1, 1 },
	{ "small blocks at an odd start", 3, 0, 100, 8, 2 },
	{ "small blocks after a reserve", 0, 7, 100, 8, 3 },
	{ "mixed sizes at an odd start after a reserve", 5, 9, 700, 64, 4 },
	{ "sizes that are no power of two", 1, 1, 1000, 100, 5 },
	{ "blocks larger than what is free", 0, 0, 12, 32, 6 },
	{ "a scarce altmap", 1, 0, 3, 4, 7 },
	{ "a large altmap", 17, 31, 8000, 512, 8 },
};

static void model_desc(const struct model_param *param, char *desc)
{
	strscpy(desc, param->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(model, model_params, model_desc);

/* A1 to A6: the allocator follows the model in a random sequence of sizes. */
static void alloc_block_buf_follows_model(struct kunit *test)
{
	const struct model_param *param = test->param_value;
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .skip = param->skip,
						.reserve = param->reserve, .free = param->free);
	unsigned long next = dev->pfn + param->skip + param->reserve;
	unsigned long limit = next + param->free;
	unsigned long alloc = 0, align = 0;
	unsigned long refused = 0, given = 0;
	struct rnd_state rnd;
	int step;

	prandom_seed_state(&rnd, param->seed);
	for (step = 0; step < 200; step++) {
		unsigned long nr = 1 + prandom_u32_state(&rnd) % param->max_nr;
		unsigned long pfn;
		void *buf, *expected = NULL;

		if (model_alloc(next, limit, nr, &pfn)) {
			expected = frame(pfn);
			align += pfn - next;
			alloc += nr;
			next = pfn + nr;
			given++;
		} else {
			refused++;
		}

		buf = alloc_pages_of(test, nr, &altmap);
		KUNIT_ASSERT_PTR_EQ_MSG(test, buf, expected,
					"seed %llu step %d: %lu pages, next free page frame %#lx",
					param->seed, step, nr, next);
		KUNIT_ASSERT_EQ_MSG(test, altmap.alloc, alloc, "seed %llu step %d",
				    param->seed, step);
		KUNIT_ASSERT_EQ_MSG(test, altmap.align, align, "seed %llu step %d",
				    param->seed, step);
	}
	KUNIT_EXPECT_GT_MSG(test, given, 0, "nothing was tested");
	KUNIT_EXPECT_GT_MSG(test, refused, 0, "exhaustion was not tested");
}

/* A10: vmem_altmap_free() subtracts the pages from alloc and changes nothing else. */
static void altmap_free_gives_pages_back(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .reserve = 1, .free = 12);

	expect_frame(test, alloc_pages_of(test, 4, &altmap), dev->pfn + 4);
	expect_frame(test, alloc_pages_of(test, 2, &altmap), dev->pfn + 8);
	expect_counters(test, &altmap, 6, 3);

	vmem_altmap_free(&altmap, 2);
	expect_counters(test, &altmap, 4, 3);
	KUNIT_EXPECT_EQ(test, altmap.reserve, 1);
	KUNIT_EXPECT_EQ(test, altmap.free, 12);

	expect_frame(test, alloc_pages_of(test, 2, &altmap), dev->pfn + 8);
	vmem_altmap_free(&altmap, 6);
	expect_counters(test, &altmap, 0, 3);
}

/*
 * A12: align keeps its value when all blocks are freed. The next allocation returns
 * the same block and adds nothing to align.
 */
static void altmap_reused_costs_no_more_alignment(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .reserve = 3, .free = 13);
	int round;

	for (round = 0; round < 3; round++) {
		expect_frame(test, alloc_pages_of(test, 8, &altmap), dev->pfn + 8);
		expect_counters(test, &altmap, 8, 5);
		vmem_altmap_free(&altmap, 8);
		expect_counters(test, &altmap, 0, 5);
	}
}

/* A11: vmem_altmap_offset() is reserve + free. */
static void altmap_offset_is_reserve_plus_free(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .skip = 3, .reserve = 5, .free = 16);

	KUNIT_EXPECT_EQ(test, vmem_altmap_offset(&altmap), 5 + 16);

	/* Allocations do not change it. */
	alloc_pages_of(test, 4, &altmap);
	KUNIT_EXPECT_EQ(test, vmem_altmap_offset(&altmap), 5 + 16);
	KUNIT_EXPECT_EQ_MSG(test, vmem_altmap_offset(NULL), 0,
			    "offset without an altmap");
}

static struct kunit_case vmem_altmap_cases[] = {
	KUNIT_CASE(alloc_block_buf_takes_from_altmap),
	KUNIT_CASE(alloc_block_buf_takes_in_order),
	KUNIT_CASE(alloc_block_buf_respects_reserve),
	KUNIT_CASE(alloc_block_buf_aligns_block_to_its_size),
	KUNIT_CASE(alloc_block_buf_charges_no_needless_alignment),
	KUNIT_CASE(alloc_block_buf_exact_fit),
	KUNIT_CASE(alloc_block_buf_one_page_short),
	KUNIT_CASE(alloc_block_buf_nothing_free),
	KUNIT_CASE(alloc_block_buf_refusal_leaves_counters),
	KUNIT_CASE(alloc_block_buf_odd_size),
	KUNIT_CASE(alloc_block_buf_exhausted_spends_no_ram),
	KUNIT_CASE(alloc_block_buf_spends_no_ram),
	KUNIT_CASE(alloc_block_buf_without_altmap_is_ram),
	KUNIT_CASE(alloc_block_reports_first_failure),
	KUNIT_CASE_PARAM(alloc_block_buf_follows_model, model_gen_params),
	KUNIT_CASE(altmap_free_gives_pages_back),
	KUNIT_CASE(altmap_reused_costs_no_more_alignment),
	KUNIT_CASE(altmap_offset_is_reserve_plus_free),
	{}
};

static struct kunit_suite vmem_altmap_suite = {
	.name = "vmem_altmap",
	.test_cases = vmem_altmap_cases,
};

kunit_test_suite(vmem_altmap_suite);

MODULE_DESCRIPTION("KUnit tests for the altmap allocator");
MODULE_LICENSE("GPL");

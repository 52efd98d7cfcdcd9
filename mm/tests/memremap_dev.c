// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device that memremap_pages() adds: see memremap_dev.h.
 */
#include <linux/bitmap.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/memblock.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "memremap_dev.h"
#include "vmemmap_adapt.h"

/* Some types need callbacks. Nothing calls this one here. */
static vm_fault_t no_migrate_to_ram(struct vm_fault *vmf)
{
	return VM_FAULT_SIGBUS;
}

static void no_free(void *page_or_folio)
{
}

static void page_free(void *page_or_folio)
{
	struct page *page = page_or_folio;
	struct memremap_dev *mdev = adapt_page_pgmap(page)->owner;

	mdev->freed = page;
	mdev->freed_mapping = page->mapping;
	mdev->nr_freed++;
}

/* The member without a name is page_free(), or folio_free() since Linux 7. */
const struct dev_pagemap_ops memremap_no_ops = {
	(void *)no_free,
	.migrate_to_ram = no_migrate_to_ram,
};

static const struct dev_pagemap_ops ops = {
	(void *)page_free,
	.migrate_to_ram = no_migrate_to_ram,
};

/**
 * memremap_dev_add() - add the device
 * @mdev: the device
 * @how: how
 *
 * Return: 0, or what memremap_pages() returns.
 */
int memremap_dev_add(struct memremap_dev *mdev, struct memremap_how how)
{
	struct vmem_altmap altmap = FAKE_ALTMAP(mdev->dev, .reserve = how.reserve,
						.free = how.offer);
	struct dev_pagemap *pgmap = mdev->pgmap;
	unsigned int i;
	void *addr;

	if (!how.nr_range) {
		how.nr_range = 1;
		how.range[0].nr = mdev->dev->nr / PAGES_PER_SECTION;
	}

	memset(pgmap, 0, struct_size(pgmap, ranges, MEMREMAP_RANGES));
	pgmap->type = how.type ?: MEMORY_DEVICE_GENERIC;
	pgmap->ops = &ops;
	pgmap->owner = mdev;
	mdev->has_altmap = how.offer;
	if (how.offer) {
		pgmap->flags = PGMAP_ALTMAP_VALID;
		memcpy(&pgmap->altmap, &altmap, sizeof(altmap));
	}
	pgmap->nr_range = how.nr_range;
	for (i = 0; i < how.nr_range; i++) {
		unsigned long pfn = mdev->dev->pfn + how.range[i].first * PAGES_PER_SECTION;

		pgmap->ranges[i].start = PFN_PHYS(pfn);
		pgmap->ranges[i].end = PFN_PHYS(pfn + how.range[i].nr * PAGES_PER_SECTION) - 1;
	}
	pgmap->range.start += PFN_PHYS(how.skip);
	if (how.nr_pages)
		pgmap->range.end = pgmap->range.start + PFN_PHYS(how.nr_pages) - 1;

	addr = memremap_pages(pgmap, how.no_node ? NUMA_NO_NODE : test_nid());
	if (IS_ERR(addr))
		return PTR_ERR(addr);
	KUNIT_EXPECT_PTR_EQ(mdev->test, addr, __va(pgmap->ranges[0].start));
	mdev->present = true;
	return 0;
}

/**
 * memremap_dev_remove() - remove the device
 * @mdev: the device, present or not
 */
void memremap_dev_remove(struct memremap_dev *mdev)
{
	if (!mdev->present)
		return;
	mdev->present = false;
	memunmap_pages(mdev->pgmap);
}

static struct {
	struct dev_pagemap *pgmap;
	struct completion end;
} removal;

static int remove_device(void *unused)
{
	/* A signal must not end the wait for references. */
	allow_signal(SIGTERM);
	send_sig(SIGTERM, current, 0);
	memunmap_pages(removal.pgmap);
	complete_all(&removal.end);
	return 0;
}

/**
 * memremap_start_removal() - remove a device that is in use, in another task
 * @test: the test context
 * @pgmap: the pgmap of the device
 *
 * Only one such removal at a time.
 *
 * Context: Process context, may sleep. Returns once nobody can get a new reference, or fails
 *	the test after a second.
 */
void memremap_start_removal(struct kunit *test, struct dev_pagemap *pgmap)
{
	struct task_struct *task;
	int i;

	removal.pgmap = pgmap;
	init_completion(&removal.end);
	task = kthread_run(remove_device, NULL, "remove_device");
	if (IS_ERR(task))
		removal.pgmap = NULL;
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	for (i = 0; i < 1000 && !percpu_ref_is_dying(&pgmap->ref); i++)
		fsleep(1000);
	KUNIT_EXPECT_TRUE_MSG(test, percpu_ref_is_dying(&pgmap->ref),
			      "after a second, the removal had not begun");
}

/**
 * memremap_removal_ends_soon() - check whether the removal ends although a reference is held
 *
 * Context: Process context. Sleeps for 50 milliseconds if it has not ended before.
 * Return: true if the removal has ended.
 */
bool memremap_removal_ends_soon(void)
{
	return wait_for_completion_timeout(&removal.end, msecs_to_jiffies(50));
}

/**
 * memremap_wait_for_removal() - wait until the removal, if there is one, has ended
 *
 * Context: Process context. If a reference to the device is left, it sleeps for ever.
 */
void memremap_wait_for_removal(void)
{
	if (removal.pgmap)
		wait_for_completion(&removal.end);
	removal.pgmap = NULL;
}

/*
 * Remove the device, and also the sections that a kernel leaves behind if it does
 * not undo a failed add. Later cases must not find them.
 */
static void memremap_dev_put(void *data)
{
	struct memremap_dev *mdev = data;
	struct vmem_altmap *altmap = mdev->has_altmap ? &mdev->pgmap->altmap : NULL;
	unsigned long pfn = mdev->dev->pfn;

	memremap_wait_for_removal();
	memremap_dev_remove(mdev);
	mem_hotplug_begin();
	for (; pfn < mdev->dev->pfn + mdev->dev->nr; pfn += PAGES_PER_SECTION)
		if (pfn_in_present_section(pfn))
			adapt_remove_pages(pfn, PAGES_PER_SECTION, altmap);
	mem_hotplug_done();
	/* After a failure, the kernel may still use it. */
	if (mdev->test->status != KUNIT_FAILURE)
		kfree(mdev->pgmap);
}

/**
 * memremap_dev_of() - get a device that can be added
 * @test: the test context
 * @dev: the claim on its memory
 *
 * Return: the device. It is removed at the end of the test, if it is present.
 */
struct memremap_dev *memremap_dev_of(struct kunit *test, struct fake_dev *dev)
{
	struct memremap_dev *mdev = kunit_kzalloc(test, sizeof(*mdev), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, mdev);
	mdev->test = test;
	mdev->dev = dev;
	/* Do not let KUnit free it, because that would happen before the device is removed. */
	mdev->pgmap = kzalloc(struct_size(mdev->pgmap, ranges, MEMREMAP_RANGES), GFP_KERNEL);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, memremap_dev_put, mdev));
	KUNIT_ASSERT_NOT_NULL(test, mdev->pgmap);
	return mdev;
}

/**
 * memremap_dev_get() - get a device of some sections that can be added
 * @test: the test context
 * @nr_sections: its size
 *
 * Skips the test if there is no memory for it.
 *
 * Return: the device. It is removed at the end of the test, if it is present.
 */
struct memremap_dev *memremap_dev_get(struct kunit *test, unsigned long nr_sections)
{
	return memremap_dev_of(test, fake_dev_get_memory(test, nr_sections));
}

/**
 * memremap_enough() - pages that an altmap must offer for the memmap of some sections
 * @nr_sections: how many sections
 *
 * Return: the number of pages, including those to align the first block.
 */
unsigned long memremap_enough(unsigned int nr_sections)
{
	unsigned long align = IS_ALIGNED(SECTION_MEMMAP_PAGES * PAGE_SIZE, PMD_SIZE) ?
			      PMD_SIZE / PAGE_SIZE : 0;

	return nr_sections * SECTION_MEMMAP_PAGES + align;
}

static bool is_in_offer(const struct memremap_dev *mdev, unsigned long pfn)
{
	const struct vmem_altmap *altmap = &mdev->pgmap->altmap;

	return pfn >= altmap->base_pfn + altmap->reserve &&
	       pfn < altmap->base_pfn + altmap->reserve + altmap->free;
}

/* Describe what is wrong with the page frame of a page of the memmap, or return NULL. */
static const char *wrong_frame(const struct memremap_dev *mdev,
			       const struct vmemmap_walk *walk, unsigned long pfn,
			       unsigned long *seen)
{
	if (!walk->leaf)
		return "not mapped";
	if (mdev->has_altmap) {
		if (!is_in_offer(mdev, pfn))
			return "not in the pages that the altmap offers";
	} else {
		if (!pfn_valid(pfn) || fake_dev_has(mdev->dev, pfn))
			return "not in system RAM";
		/* The first page of a block holds the reference. */
		if (PageBuddy(pfn_to_page(pfn)) || !page_ref_count(pfn_to_page(walk->pfn)))
			return "in system RAM that is free";
		if (pfn_to_nid(pfn) != test_nid())
			return "in the system RAM of another node";
	}
	return test_and_set_bit(pfn, seen) ? "where another page of it lies" : NULL;
}

/**
 * memremap_expect_memmap() - check where the memmap of each section lies
 * @mdev: the device, which is present
 *
 * Each page of the memmap lies in the pages that the altmap offers, or in system RAM
 * of the device's node if there is no altmap. No two pages share a page frame. The
 * altmap counts these pages and no others.
 */
void memremap_expect_memmap(struct memremap_dev *mdev)
{
	struct kunit *test = mdev->test;
	struct dev_pagemap *pgmap = mdev->pgmap;
	unsigned long *seen, nr = 0;
	struct vmemmap_walk walk;
	const char *wrong = NULL;
	int i;

	seen = bitmap_zalloc(max(max_pfn, mdev->dev->pfn + mdev->dev->nr), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, seen);
	for (i = 0; i < pgmap->nr_range && !wrong; i++) {
		unsigned long addr = (unsigned long)pfn_to_page(PHYS_PFN(pgmap->ranges[i].start));
		unsigned long end = addr + PHYS_PFN(range_len(&pgmap->ranges[i])) *
				    sizeof(struct page);

		for (; addr < end && !wrong; addr += PAGE_SIZE, nr++) {
			unsigned long pfn;

			vmemmap_walk(addr, &walk);
			pfn = walk.pfn + (addr & (walk.size - 1)) / PAGE_SIZE;
			wrong = wrong_frame(mdev, &walk, pfn, seen);
			if (wrong)
				KUNIT_FAIL(test,
					   "range %d, section %lu: the memmap at %#lx is %s (page frame %#lx)",
					   i, (page_to_pfn((struct page *)addr) - mdev->dev->pfn) /
					   PAGES_PER_SECTION, addr, wrong, pfn);
		}
	}
	bitmap_free(seen);
	if (!wrong && mdev->has_altmap)
		KUNIT_EXPECT_EQ_MSG(test, pgmap->altmap.alloc, nr,
				    "pages allocated from the altmap, and pages of memmap");
}

/* Return the first page frame that is not mapped to itself, or @end. */
static unsigned long linear_mismatch(unsigned long pfn, unsigned long end)
{
	struct vmemmap_walk walk;
	unsigned long addr, skip;

	while (pfn < end) {
		addr = (unsigned long)__va(PFN_PHYS(pfn));
		vmemmap_walk(addr, &walk);
		skip = (addr & (walk.size - 1)) / PAGE_SIZE;
		if (!walk.leaf || walk.pfn + skip != pfn)
			break;
		pfn += walk.size / PAGE_SIZE - skip;
	}
	return min(pfn, end);
}

static bool is_in_range(const struct dev_pagemap *pgmap, unsigned long pfn)
{
	int i;

	for (i = 0; i < pgmap->nr_range; i++)
		if (PFN_PHYS(pfn) >= pgmap->ranges[i].start &&
		    PFN_PHYS(pfn) <= pgmap->ranges[i].end)
			return true;
	return false;
}

/**
 * memremap_expect_linear_map() - check that each page of each range is mapped to itself
 * @mdev: the device, which is present
 * @mapped: expect them to be mapped; otherwise, expect none
 *
 * Sections of the claim that are in no range must not be mapped.
 */
void memremap_expect_linear_map(struct memremap_dev *mdev, bool mapped)
{
	struct fake_dev section = { .nr = PAGES_PER_SECTION };
	const struct fake_dev *dev = mdev->dev;
	unsigned long end;

	for (section.pfn = dev->pfn; section.pfn < dev->pfn + dev->nr; section.pfn = end) {
		end = section.pfn + PAGES_PER_SECTION;
		if (mapped && is_in_range(mdev->pgmap, section.pfn))
			KUNIT_EXPECT_EQ_MSG(mdev->test, linear_mismatch(section.pfn, end), end,
					    "the first page frame of section %lu that is not mapped to itself, or the end of the section",
					    (section.pfn - dev->pfn) / PAGES_PER_SECTION);
		else
			KUNIT_EXPECT_EQ_MSG(mdev->test, fake_dev_linear(&section).mapped, 0,
					    "pages of section %lu that the linear mapping maps",
					    (section.pfn - dev->pfn) / PAGES_PER_SECTION);
	}
}

/**
 * memremap_expect_nothing_left() - check that no part of the device is left
 * @mdev: the device
 * @after: the operation before, for messages
 *
 * No section is present. No page of the memmap or the linear mapping is mapped, and
 * none of their page tables is empty. No page frame has a pgmap. The altmap has all
 * its pages back.
 */
void memremap_expect_nothing_left(struct memremap_dev *mdev, const char *after)
{
	struct fake_dev *dev = mdev->dev;
	struct kunit *test = mdev->test;
	unsigned long i, pfn;

	for (i = 0; i < dev->nr / PAGES_PER_SECTION; i++) {
		struct dev_pagemap *pgmap;

		pfn = dev->pfn + i * PAGES_PER_SECTION;
		KUNIT_EXPECT_FALSE_MSG(test, pfn_in_present_section(pfn),
				       "%s: section %lu is present", after, i);
		pgmap = adapt_get_dev_pagemap(pfn, NULL);
		KUNIT_EXPECT_NULL_MSG(test, pgmap, "%s: section %lu leads to a pgmap",
				      after, i);
		put_dev_pagemap(pgmap);
	}
	fake_dev_expect_unmapped(test, dev, after);
	if (mdev->has_altmap)
		KUNIT_EXPECT_EQ_MSG(test, mdev->pgmap->altmap.alloc, 0,
				    "%s: pages still allocated from the altmap", after);
}

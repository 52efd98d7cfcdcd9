// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device that begins where boot memory ends, in the middle of a section.
 * The whole memmap of that section has existed since boot, in system RAM:
 *
 *	section     |        boot memory's          |      next        |
 *	memory      |=== boot memory ===|============ device ==========|
 *	memmap      |   since boot, in system RAM   | the device's own |
 *
 * Documentation/mm/vmemmap_altmap.rst states the rules. The cases cite them as
 * H1, H2 and so on.
 */
#include <kunit/test.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/memory_hotplug.h>
#include <linux/memremap.h>
#include <linux/mm.h>

#include "fake_dev.h"
#include "memremap_dev.h"
#include "vmemmap_adapt.h"
#include "warn_log.h"

/**
 * struct tail - the device, and the memmap that existed before it
 * @dev: the claim on it
 * @first_pfn: the first page frame of the section that it begins in
 * @early: how many of its page frames are in that section
 * @reserve: pages at its start that its driver keeps
 * @offer: pages after those that its altmap offers
 * @pgmap: the pgmap that it was last added with
 * @present: it has been added
 * @nr: how many pages the memmap of that section has
 * @frame: the page frame that each of them had
 */
struct tail {
	struct fake_dev *dev;
	unsigned long first_pfn;
	unsigned long early;
	unsigned long reserve;
	unsigned long offer;
	struct dev_pagemap pgmap;
	bool present;
	unsigned long nr;
	unsigned long frame[] __counted_by(nr);
};

static void tail_remove(struct tail *tail)
{
	if (!tail->present)
		return;
	memunmap_pages(&tail->pgmap);
	tail->present = false;
}

/*
 * If a failed add does not remove its page frames, they stay online, with struct pages
 * that are not initialized. With DEBUG_VM, they would crash later cases, so remove
 * them.
 */
static void tail_put(void *data)
{
	struct tail *tail = data;
	unsigned long pfn = tail->dev->pfn;

	memremap_wait_for_removal();
	tail_remove(tail);
	if (!pfn_section_valid(__pfn_to_section(pfn), pfn))
		return;
	mem_hotplug_begin();
	adapt_remove_pages(pfn, tail->early, NULL);
	mem_hotplug_done();
}

static int tail_add(struct tail *tail)
{
	struct vmem_altmap altmap = FAKE_ALTMAP(tail->dev, .reserve = tail->reserve,
						.free = tail->offer);
	void *addr;

	memset(&tail->pgmap, 0, sizeof(tail->pgmap));
	tail->pgmap.type = MEMORY_DEVICE_GENERIC;
	tail->pgmap.flags = PGMAP_ALTMAP_VALID;
	tail->pgmap.nr_range = 1;
	tail->pgmap.range.start = tail->dev->res.start;
	tail->pgmap.range.end = tail->dev->res.end;
	memcpy(&tail->pgmap.altmap, &altmap, sizeof(altmap));

	addr = memremap_pages(&tail->pgmap, test_nid());
	if (IS_ERR(addr))
		return PTR_ERR(addr);
	tail->present = true;
	return 0;
}

static unsigned long memmap_addr(const struct tail *tail, unsigned long i)
{
	return (unsigned long)pfn_to_page(tail->first_pfn) + i * PAGE_SIZE;
}

/*
 * A device leaves its zone in the struct pages, and the section keeps the mark that it has had a
 * device. Undo that, so that the order of cases does not matter.
 */
static void forget_earlier_devices(const struct tail *tail)
{
	unsigned long zone = page_zonenum(pfn_to_page(tail->dev->pfn - 1)), i;

	for (i = 0; i < tail->early; i++)
		set_page_zone(pfn_to_page(tail->dev->pfn + i), zone);
	__pfn_to_section(tail->dev->pfn)->section_mem_map &= ~SECTION_TAINT_ZONE_DEVICE;
}

static struct tail *tail_get(struct kunit *test, unsigned long nr_sections)
{
	struct fake_dev *dev = fake_dev_get_tail(test, nr_sections);
	unsigned long nr = PAGES_PER_SECTION * sizeof(struct page) / PAGE_SIZE;
	struct tail *tail;
	unsigned long i;

	tail = kunit_kzalloc(test, struct_size(tail, frame, nr), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, tail);
	tail->nr = nr;
	tail->dev = dev;
	tail->first_pfn = SECTION_ALIGN_DOWN(dev->pfn);
	tail->early = tail->first_pfn + PAGES_PER_SECTION - dev->pfn;
	forget_earlier_devices(tail);
	for (i = 0; i < nr; i++) {
		tail->frame[i] = vmemmap_frame(memmap_addr(tail, i));
		KUNIT_ASSERT_NE_MSG(test, tail->frame[i], 0,
				    "boot left a hole in the memmap at %#lx",
				    memmap_addr(tail, i));
	}
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, tail_put, tail));
	return tail;
}

/* H1: the memmap of the section with boot memory stays where it was. */
static void expect_early_memmap_stays(struct kunit *test, const struct tail *tail,
				      const char *after)
{
	unsigned long i;

	for (i = 0; i < tail->nr; i++)
		KUNIT_ASSERT_EQ_MSG(test, vmemmap_frame(memmap_addr(tail, i)), tail->frame[i],
				    "%s: page frame behind %#lx, now and since boot",
				    after, memmap_addr(tail, i));
}

/*
 * H1, H2: a device inside the section uses the memmap that exists since boot. Nothing is
 * allocated for it, neither from the altmap nor from system RAM.
 */
static void tail_uses_memmap_of_boot(struct kunit *test)
{
	struct tail *tail = tail_get(test, 0);
	unsigned long pfn = tail->dev->pfn;
	int err = 0;

	tail->offer = 64;
	KUNIT_EXPECT_NO_WARN(test, err = tail_add(tail));
	KUNIT_ASSERT_EQ(test, err, 0);
	expect_early_memmap_stays(test, tail, "add");
	KUNIT_EXPECT_EQ_MSG(test, tail->pgmap.altmap.alloc, 0,
			    "pages allocated from the altmap for an existing memmap");
	for (pfn += tail->offer; pfn < tail->dev->pfn + tail->dev->nr; pfn++)
		KUNIT_ASSERT_PTR_EQ_MSG(test, adapt_page_pgmap(pfn_to_page(pfn)), &tail->pgmap,
					"device of page frame %#lx", pfn);

	KUNIT_EXPECT_NO_WARN(test, tail_remove(tail));
	expect_early_memmap_stays(test, tail, "removal");
	KUNIT_EXPECT_EQ_MSG(test, tail->pgmap.altmap.alloc, 0, "pages still allocated");
}

static void expect_not_online(struct kunit *test, const struct tail *tail, const char *when)
{
	unsigned long pfn = tail->dev->pfn, end = pfn + tail->early;

	while (pfn < end && !pfn_to_online_page(pfn))
		pfn++;
	KUNIT_EXPECT_EQ_MSG(test, pfn, end,
			    "%s: first page frame of the device that is online, or the end of the section",
			    when);
}

/* H1, H6: the struct pages of boot memory do not change. The case checks the last one. */
static void tail_spares_boot_memory(struct kunit *test)
{
	struct tail *tail = tail_get(test, 1);
	unsigned long last = tail->dev->pfn - 1;
	unsigned long zone = page_zonenum(pfn_to_page(last));
	int err = 0;

	tail->offer = tail->dev->nr / 2;
	KUNIT_EXPECT_NO_WARN(test, err = tail_add(tail));
	KUNIT_ASSERT_EQ(test, err, 0);
	KUNIT_EXPECT_EQ_MSG(test, page_zonenum(pfn_to_page(last)), zone,
			    "zone of page frame %#lx, the last of boot memory", last);
	KUNIT_EXPECT_PTR_EQ(test, pfn_to_online_page(last), pfn_to_page(last));
	expect_not_online(test, tail, "add");
	KUNIT_EXPECT_NO_WARN(test, tail_remove(tail));
	KUNIT_EXPECT_EQ_MSG(test, page_zonenum(pfn_to_page(last)), zone,
			    "zone of page frame %#lx, the last of boot memory", last);
	KUNIT_EXPECT_PTR_EQ(test, pfn_to_online_page(last), pfn_to_page(last));
}

/* Count the memmap of the next section. */
static struct vmemmap_census census_behind(const struct tail *tail)
{
	struct vmemmap_census census;
	unsigned long pfn = tail->first_pfn + PAGES_PER_SECTION;

	vmemmap_census((unsigned long)pfn_to_page(pfn),
		       (unsigned long)pfn_to_page(pfn + PAGES_PER_SECTION),
		       tail->dev->pfn, tail->dev->nr, &census);
	return census;
}

/* H2: the next section belongs to the device only, and its memmap lies in the altmap. */
static void section_behind_tail_takes_altmap(struct kunit *test)
{
	struct tail *tail = tail_get(test, 1);
	struct vmemmap_census census;
	int err = 0;

	tail->offer = tail->dev->nr / 2;
	KUNIT_EXPECT_NO_WARN(test, err = tail_add(tail));
	KUNIT_ASSERT_EQ(test, err, 0);
	expect_early_memmap_stays(test, tail, "add");
	census = census_behind(tail);
	KUNIT_EXPECT_EQ_MSG(test, census.device, tail->nr,
			    "pages of the next section's memmap that lie in the device");
	KUNIT_EXPECT_EQ_MSG(test, tail->pgmap.altmap.alloc, tail->nr,
			    "pages allocated from the altmap");

	KUNIT_EXPECT_NO_WARN(test, tail_remove(tail));
	expect_early_memmap_stays(test, tail, "removal");
	census = census_behind(tail);
	KUNIT_EXPECT_EQ_MSG(test, census.holes, tail->nr,
			    "unmapped pages of the next section's memmap");
	KUNIT_EXPECT_EQ_MSG(test, census.empty_tables, 0,
			    "page-table pages of the next section's memmap without an entry");
	KUNIT_EXPECT_EQ_MSG(test, tail->pgmap.altmap.alloc, 0, "pages still allocated");
}

/* H3: an add that fails in the next section leaves no trace in the section of boot memory. */
static void failed_add_leaves_tail_free(struct kunit *test)
{
	struct tail *tail = tail_get(test, 1);
	unsigned long pfn = tail->dev->pfn;
	int err = 0;

	tail->offer = tail->nr - 1;
	KUNIT_EXPECT_NO_WARN(test, err = tail_add(tail));
	KUNIT_ASSERT_EQ_MSG(test, err, -ENOMEM, "adding with %lu of %lu pages offered",
			    tail->offer, tail->nr);
	expect_early_memmap_stays(test, tail, "failed add");
	KUNIT_EXPECT_FALSE_MSG(test, pfn_section_valid(__pfn_to_section(pfn), pfn),
			       "page frame %#lx still counts as present", pfn);
	KUNIT_EXPECT_NULL_MSG(test, pfn_to_online_page(pfn),
			      "page frame %#lx counts as online", pfn);

	tail->offer = tail->dev->nr / 2;
	KUNIT_EXPECT_NO_WARN(test, err = tail_add(tail));
	KUNIT_EXPECT_EQ_MSG(test, err, 0, "adding with enough pages offered");
	expect_early_memmap_stays(test, tail, "add");
}

static void drop_pgmap(void *pgmap)
{
	put_dev_pagemap(pgmap);
}

/**
 * struct watcher - a task that looks whether a page frame is online
 * @pfn: the page frame
 * @is_online: it was
 * @task: the task
 */
struct watcher {
	unsigned long pfn;
	bool is_online;
	struct task_struct *task;
};

static int watch(void *data)
{
	struct watcher *watcher = data;

	while (!kthread_should_stop()) {
		/* Without the lock, a removal may end in the middle of the look. */
		get_online_mems();
		if (pfn_to_online_page(watcher->pfn))
			watcher->is_online = true;
		put_online_mems();
		/* With one CPU, the removal needs it. */
		if (num_online_cpus() > 1)
			cond_resched();
		else
			usleep_range(10, 50);
	}
	return 0;
}

static void stop_watching(void *data)
{
	struct watcher *watcher = data;

	kthread_stop(watcher->task);
}

/*
 * H6: while a removal waits for the last reference, get_dev_pagemap() does not find the device
 * any more, but none of its page frames becomes online, until it is gone.
 */
static void tail_being_removed_is_not_online(struct kunit *test)
{
	struct tail *tail = tail_get(test, 0);
	unsigned long last = tail->dev->pfn + tail->early - 1;
	struct dev_pagemap *pgmap, *late;
	struct watcher *watcher;

	watcher = kunit_kzalloc(test, sizeof(*watcher), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, watcher);
	watcher->pfn = last;
	tail->reserve = 16;
	tail->offer = 64;
	KUNIT_ASSERT_EQ(test, tail_add(tail), 0);
	expect_not_online(test, tail, "add");
	pgmap = adapt_get_dev_pagemap(last, NULL);
	KUNIT_ASSERT_PTR_EQ(test, pgmap, &tail->pgmap);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, drop_pgmap, pgmap));

	memremap_start_removal(test, pgmap);
	tail->present = false;
	if (memremap_removal_ends_soon()) {
		kunit_remove_action(test, drop_pgmap, pgmap);
		KUNIT_FAIL(test, "the removal ended although a reference is held");
		return;
	}
	late = adapt_get_dev_pagemap(last, NULL);
	KUNIT_EXPECT_NULL_MSG(test, late, "a new reference during the removal");
	put_dev_pagemap(late);
	expect_not_online(test, tail, "during the removal");

	watcher->task = kthread_run(watch, watcher, "watch_page_frame");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, watcher->task);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, stop_watching, watcher));
	kunit_release_action(test, drop_pgmap, pgmap);
	memremap_wait_for_removal();
	kunit_release_action(test, stop_watching, watcher);
	KUNIT_EXPECT_FALSE_MSG(test, watcher->is_online,
			       "page frame %#lx was online at the end of the removal", last);
	expect_not_online(test, tail, "after the removal");
}

static struct kunit_case memremap_early_cases[] = {
	KUNIT_CASE(tail_uses_memmap_of_boot),
	KUNIT_CASE(tail_spares_boot_memory),
	KUNIT_CASE(section_behind_tail_takes_altmap),
	KUNIT_CASE(failed_add_leaves_tail_free),
	KUNIT_CASE(tail_being_removed_is_not_online),
	{}
};

static struct kunit_suite memremap_early_suite = {
	.name = "memremap_early",
	.test_cases = memremap_early_cases,
};

kunit_test_suite(memremap_early_suite);

MODULE_DESCRIPTION("KUnit tests for devices in a section that has boot memory");
MODULE_LICENSE("GPL");

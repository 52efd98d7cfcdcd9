// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several devices, added and removed in any order with memremap_pages() and
 * memunmap_pages(): at any alignment that the kernel accepts, without an altmap,
 * with one, and with one that is too small.
 *
 * After each step, the suite compares the page tables of all of the memory, the
 * accounting of the altmaps and some struct pages with a simple model. It never
 * accesses a struct page that is not mapped, so a broken kernel fails here and
 * does not oops. After a failure, the devices and their memory are left alone.
 *
 * Documentation/mm/vmemmap_altmap.rst states the rules. The cases cite them as
 * F1, F2 and so on.
 */
#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/memblock.h>
#include <linux/memory_hotplug.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/prandom.h>
#include <linux/rcupdate.h>
#include <linux/sizes.h>
#include <linux/vmstat.h>

#include "../internal.h"
#include "alloc_fault.h"
#include "fake_dev.h"
#include "func_redirect.h"
#include "vmemmap_adapt.h"
#include "warn_log.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "vmemmap_kunit."

static ulong seed = 1;
module_param(seed, ulong, 0);
MODULE_PARM_DESC(seed, "seed of the random sequence");

static uint steps = 250;
module_param(steps, uint, 0);
MODULE_PARM_DESC(steps, "number of steps of the random sequence");

#define NR_SLOTS	6
#define MIB(mib)	((mib) * SZ_1M / (PAGES_PER_SUBSECTION * PAGE_SIZE))

/* Two sections where they are small. */
#define NR_SECTIONS	DIV_ROUND_UP(MIB(256), SUBSECTIONS_PER_SECTION)

/**
 * struct slot - a device, present or not
 * @arena: the memory that it is a part of
 * @start: its first subsection, within the arena
 * @nr: how many subsections it has
 * @reserve: pages at its start that its driver keeps
 * @offer: pages that its altmap offers, or 0 if it has none
 * @present: it has been added
 * @held: pages of its altmap that hold memmap, at the last check
 * @counted: how much nr_memmap_pages has grown for it
 * @pgmap: the pgmap that it was last added with
 */
struct slot {
	struct arena *arena;
	unsigned long start;
	unsigned long nr;
	unsigned long reserve;
	unsigned long offer;
	bool present;
	unsigned long held;
	long counted;
	struct dev_pagemap pgmap;
};

/**
 * struct arena - the memory that the devices are in
 * @dev: the claim on it
 * @nr: its size in subsections
 * @maps_both_ends: this kernel maps the last page of a memmap that begins
 *	inside a page. If it does not, memremap_pages() oopses.
 * @broken: a check failed, so do not touch the devices
 * @frames: which page frames of it hold memmap, at the last check
 * @nr_ram: how many page frames there are up to the end of boot memory
 * @ram: which of those hold memmap of the arena, at the last check
 * @slot: the devices
 */
struct arena {
	struct fake_dev *dev;
	unsigned long nr;
	bool maps_both_ends;
	bool broken;
	unsigned long *frames;
	unsigned long nr_ram;
	unsigned long *ram;
	struct slot slot[NR_SLOTS];
};

static unsigned long slot_pfn(const struct slot *slot)
{
	return slot->arena->dev->pfn + slot->start * PAGES_PER_SUBSECTION;
}

static unsigned long slot_nr_pages(const struct slot *slot)
{
	return slot->nr * PAGES_PER_SUBSECTION;
}

/* The first page frame after the reserve and the altmap. */
static unsigned long slot_first_data(const struct slot *slot)
{
	return slot_pfn(slot) + (slot->offer ? slot->reserve + slot->offer : 0);
}

/* The number of memmap pages that hold struct pages of this device only. */
static unsigned long slot_whole_pages(const struct slot *slot)
{
	unsigned long start = (unsigned long)pfn_to_page(slot_pfn(slot));
	unsigned long end = start + slot_nr_pages(slot) * sizeof(struct page);

	start = ALIGN(start, PAGE_SIZE);
	end = ALIGN_DOWN(end, PAGE_SIZE);
	return end > start ? (end - start) / PAGE_SIZE : 0;
}

/* Enough pages for the memmap, and to align a block if there may be any. */
static unsigned long slot_enough(const struct slot *slot)
{
	unsigned long nr = slot_nr_pages(slot);
	unsigned long enough = slot_whole_pages(slot) + 2;

	if (nr >= PAGES_PER_SECTION)
		enough += PMD_SIZE / PAGE_SIZE;
	return min(enough, nr - slot->reserve - 1);
}

/* How much nr_memmap_pages has grown since this was reset. One test runs at a time. */
static long memmap_pages;

static void count_memmap_pages(long delta)
{
	memmap_pages += delta;
}

/* Add the device with its current pgmap. */
static int slot_map(struct slot *slot)
{
	void *addr;

	memmap_pages = 0;
	addr = memremap_pages(&slot->pgmap, test_nid());
	slot->counted = memmap_pages;
	if (IS_ERR(addr))
		return PTR_ERR(addr);
	slot->present = true;
	return 0;
}

static int slot_add(struct slot *slot)
{
	unsigned long pfn = slot_pfn(slot);
	struct vmem_altmap altmap = {
		.base_pfn = pfn,
		.end_pfn = pfn + slot_nr_pages(slot) - 1,
		.reserve = slot->reserve,
		.free = slot->offer,
	};

	memset(&slot->pgmap, 0, sizeof(slot->pgmap));
	slot->pgmap.type = MEMORY_DEVICE_GENERIC;
	slot->pgmap.nr_range = 1;
	slot->pgmap.range.start = PFN_PHYS(pfn);
	slot->pgmap.range.end = PFN_PHYS(pfn + slot_nr_pages(slot)) - 1;
	if (slot->offer) {
		slot->pgmap.flags = PGMAP_ALTMAP_VALID;
		memcpy(&slot->pgmap.altmap, &altmap, sizeof(altmap));
	}
	return slot_map(slot);
}

static void slot_remove(struct slot *slot)
{
	memmap_pages = 0;
	memunmap_pages(&slot->pgmap);
	slot->counted += memmap_pages;
	slot->present = false;
}

static void arena_put(void *data)
{
	struct arena *arena = data;
	int i;

	if (arena->broken)
		return;
	for (i = 0; i < NR_SLOTS; i++)
		if (arena->slot[i].present)
			slot_remove(&arena->slot[i]);
	bitmap_free(arena->frames);
	bitmap_free(arena->ram);
	kfree(arena);
}

/*
 * Check whether this kernel maps both pages of a range from the middle of one memmap page
 * to the middle of the next. If subsections fill pages, there is no such range.
 */
static bool maps_both_ends(struct fake_dev *dev)
{
	unsigned long start = fake_dev_memmap(dev, 0);
	struct vmemmap_walk walk;

	if (IS_ALIGNED(PAGES_PER_SUBSECTION * sizeof(struct page), PAGE_SIZE))
		return true;

	mem_hotplug_begin();
	vmemmap_populate(start + PAGE_SIZE / 2, start + PAGE_SIZE + PAGE_SIZE / 2, test_nid(),
			 NULL);
	vmemmap_walk(start + PAGE_SIZE, &walk);
	mem_hotplug_done();
	fake_dev_unmap(dev, start, start + 2 * PAGE_SIZE);
	return walk.leaf;
}

static struct arena *arena_get(struct kunit *test, unsigned long nr_sections)
{
	struct fake_dev *dev = fake_dev_get_memory(test, nr_sections);
	struct arena *arena;
	int i;

	arena = kzalloc(sizeof(*arena), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, arena);
	arena->dev = dev;
	arena->nr = nr_sections * SUBSECTIONS_PER_SECTION;
	arena->maps_both_ends = maps_both_ends(dev);
	arena->frames = bitmap_zalloc(dev->nr, GFP_KERNEL);
	arena->nr_ram = PHYS_PFN(memblock_end_of_DRAM());
	arena->ram = bitmap_zalloc(arena->nr_ram, GFP_KERNEL);
	for (i = 0; i < NR_SLOTS; i++)
		arena->slot[i].arena = arena;
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, arena_put, arena));
	KUNIT_ASSERT_NOT_NULL(test, arena->frames);
	KUNIT_ASSERT_NOT_NULL(test, arena->ram);
	func_redirect_begin(test, memmap_pages_add, count_memmap_pages);
	return arena;
}

/*
 * The model: return how many devices have struct pages in this page of the memmap.
 * If it is one device, store it in @only, and in @whole whether it fills the page.
 */
static unsigned int model_users(struct arena *arena, unsigned long addr,
				struct slot **only, bool *whole)
{
	unsigned long end = addr + PAGE_SIZE;
	unsigned int users = 0;
	int i;

	for (i = 0; i < NR_SLOTS; i++) {
		struct slot *slot = &arena->slot[i];
		unsigned long first = (unsigned long)pfn_to_page(slot_pfn(slot));
		unsigned long last = first + slot_nr_pages(slot) * sizeof(struct page);

		if (!slot->present || first >= end || last <= addr)
			continue;
		users++;
		*only = slot;
		*whole = first <= addr && last >= end;
	}
	return users;
}

/* Check that a page of system RAM that holds memmap is allocated, and only used once. */
static const char *wrong_ram_page(struct arena *arena, const struct vmemmap_walk *walk,
				  unsigned long pfn)
{
	if (pfn >= arena->nr_ram || !pfn_valid(pfn))
		return "lies where there is no memory";
	if (test_and_set_bit(pfn, arena->ram))
		return "shares a page frame with another page of the memmap";
	/* The first page of a block holds the reference. */
	if (page_count(pfn_to_page(walk->pfn)) != 1 || PageBuddy(pfn_to_page(pfn)))
		return "is in a page of system RAM that is free or has other users";
	return NULL;
}

/* Describe what is wrong with a page of the memmap, or return NULL. */
static const char *wrong_page(struct arena *arena, unsigned long addr,
			      unsigned long *pfn)
{
	struct fake_dev *dev = arena->dev;
	struct slot *only = NULL;
	bool whole = false;
	unsigned int users = model_users(arena, addr, &only, &whole);
	struct vmemmap_walk walk;

	vmemmap_walk(addr, &walk);
	*pfn = walk.pfn + (addr & (walk.size - 1)) / PAGE_SIZE;
	if (!walk.leaf)
		return users ? "is not mapped, but in use" : NULL;
	if (!users)
		return "is mapped, but not in use";

	if (!fake_dev_has(dev, *pfn)) {
		/* A page that neighbours share, or may share later, is in system RAM. */
		if (users == 1 && whole && only->offer)
			return "is not in its device";
		return wrong_ram_page(arena, &walk, *pfn);
	}
	if (users > 1)
		return "is in one device, but another one uses it as well";
	if (!only->offer || *pfn < slot_pfn(only) + only->reserve ||
	    *pfn >= slot_first_data(only))
		return "is not in the pages that its device offers";
	if (test_and_set_bit(*pfn - dev->pfn, arena->frames))
		return "shares a page frame with another page of the memmap";
	only->held++;
	return NULL;
}

/* F3, F4: nr_memmap_pages does not count devices that are not present. */
static bool absent_slots_are_not_counted(struct kunit *test, struct arena *arena,
					 unsigned int step, const char *after)
{
	bool ok = true;
	int i;

	for (i = 0; i < NR_SLOTS; i++) {
		struct slot *slot = &arena->slot[i];

		if (slot->present || !slot->counted)
			continue;
		KUNIT_FAIL(test,
			   "step %u, %s: nr_memmap_pages is off by %ld for page frames [%#lx, %#lx)",
			   step, after, slot->counted, slot_pfn(slot),
			   slot_pfn(slot) + slot_nr_pages(slot));
		slot->counted = 0;
		ok = false;
	}
	return ok;
}

/* F1, F2, F3: compare the page tables and the accounting with the model. */
static bool arena_check(struct kunit *test, struct arena *arena,
			unsigned int step, const char *after)
{
	struct fake_dev *dev = arena->dev;
	unsigned long end = fake_dev_memmap(dev, dev->nr);
	unsigned long addr, pfn;
	const char *wrong;
	int i, j;

	bitmap_zero(arena->frames, dev->nr);
	bitmap_zero(arena->ram, arena->nr_ram);
	for (i = 0; i < NR_SLOTS; i++)
		arena->slot[i].held = 0;
	for (addr = fake_dev_memmap(dev, 0); addr < end; addr += PAGE_SIZE) {
		wrong = wrong_page(arena, addr, &pfn);
		if (!wrong)
			continue;
		KUNIT_FAIL(test,
			   "step %u, %s: the memmap at %#lx, of page frame %#lx, %s (page frame %#lx)",
			   step, after, addr, page_to_pfn((struct page *)addr), wrong,
			   pfn);
		goto broken;
	}

	for (i = 0; i < NR_SLOTS; i++) {
		struct slot *slot = &arena->slot[i];
		unsigned long first = slot_first_data(slot);
		unsigned long last = slot_pfn(slot) + slot_nr_pages(slot) - 1;
		unsigned long sample[] = { first, first + (last - first) / 2, last };

		if (!slot->present)
			continue;
		if (slot->offer && slot->pgmap.altmap.alloc != slot->held) {
			KUNIT_FAIL(test,
				   "step %u, %s: %ld pages allocated from the altmap at %#lx, but %lu in use",
				   step, after, slot->pgmap.altmap.alloc,
				   slot_pfn(slot), slot->held);
			goto broken;
		}
		for (j = 0; j < ARRAY_SIZE(sample); j++) {
			struct page *page = pfn_to_page(sample[j]);

			if (is_zone_device_page(page) && adapt_page_pgmap(page) == &slot->pgmap)
				continue;
			KUNIT_FAIL(test,
				   "step %u, %s: the struct page of page frame %#lx has changed",
				   step, after, sample[j]);
			goto broken;
		}
	}
	return absent_slots_are_not_counted(test, arena, step, after);

broken:
	for (i = 0; i < NR_SLOTS; i++)
		if (arena->slot[i].present)
			kunit_info(test, "present: page frames [%#lx, %#lx), reserve %lu, altmap %lu",
				   slot_pfn(&arena->slot[i]),
				   slot_pfn(&arena->slot[i]) + slot_nr_pages(&arena->slot[i]),
				   arena->slot[i].reserve, arena->slot[i].offer);
	arena->broken = true;
	fake_dev_abandon(dev);
	return false;
}

/* Fail instead of oopsing: this kernel would not map the last page of the memmap. */
static bool would_oops(struct kunit *test, const struct slot *slot)
{
	unsigned long start = (unsigned long)pfn_to_page(slot_pfn(slot));
	unsigned long end = start + slot_nr_pages(slot) * sizeof(struct page);

	if (slot->arena->maps_both_ends || !offset_in_page(end) ||
	    offset_in_page(start) < offset_in_page(end))
		return false;
	KUNIT_FAIL(test,
		   "page frames [%#lx, %#lx): the last page of the memmap [%#lx, %#lx) would not be mapped",
		   slot_pfn(slot), slot_pfn(slot) + slot_nr_pages(slot), start, end);
	return true;
}

static bool add(struct kunit *test, struct arena *arena, unsigned int step,
		struct slot *slot)
{
	int err = 0;

	if (would_oops(test, slot))
		return false;
	KUNIT_EXPECT_NO_WARN(test, err = slot_add(slot));
	if (err)
		KUNIT_FAIL(test,
			   "step %u: adding page frames [%#lx, %#lx), %lu pages offered: error %d",
			   step, slot_pfn(slot), slot_pfn(slot) + slot_nr_pages(slot),
			   slot->offer, err);
	return arena_check(test, arena, step, "add") && !err;
}

/*
 * F4: if the altmap is too small, adding the device returns -ENOMEM, does not WARN, and
 * leaves no trace.
 */
static bool add_short(struct kunit *test, struct arena *arena,
		      unsigned int step, struct slot *slot)
{
	unsigned long enough = slot->offer;
	int err = 0;

	if (would_oops(test, slot))
		return false;
	slot->offer = slot_whole_pages(slot) - 1;
	KUNIT_EXPECT_NO_WARN(test, err = slot_add(slot));
	if (err != -ENOMEM)
		KUNIT_FAIL(test,
			   "step %u: adding page frames [%#lx, %#lx), with %lu pages offered of %lu needed: error %d",
			   step, slot_pfn(slot), slot_pfn(slot) + slot_nr_pages(slot),
			   slot->offer, slot_whole_pages(slot), err);
	if (!arena_check(test, arena, step, "failed add") || err != -ENOMEM)
		return false;
	slot->offer = enough;
	return true;
}

static bool remove(struct kunit *test, struct arena *arena, unsigned int step,
		   struct slot *slot)
{
	KUNIT_EXPECT_NO_WARN(test, slot_remove(slot));
	return arena_check(test, arena, step, "removal");
}

static void slot_set(struct slot *slot, unsigned long start, unsigned long nr,
		     bool has_altmap)
{
	slot->start = start;
	slot->nr = nr;
	slot->reserve = has_altmap ? 1 : 0;
	slot->offer = has_altmap ? slot_enough(slot) : 0;
}

/* Return NR_PAGETABLE, including what the CPUs have not added to the counter yet. */
static long nr_page_tables(void)
{
	struct per_cpu_nodestat *stat;
	struct pglist_data *pgdat;
	long nr = 0;
	int cpu;

	for_each_online_pgdat(pgdat) {
		nr += atomic_long_read(&pgdat->vm_stat[NR_PAGETABLE]);
		for_each_online_cpu(cpu) {
			stat = per_cpu_ptr(pgdat->per_cpu_nodestats, cpu);
			nr += stat->vm_node_stat_diff[NR_PAGETABLE];
		}
	}
	return nr;
}

/* F6: adding and removing a device leaves NR_PAGETABLE unchanged. */
static void removed_device_leaves_table_count(struct kunit *test)
{
	struct arena *arena = arena_get(test, NR_SECTIONS);
	long before = nr_page_tables();

	slot_set(&arena->slot[0], MIB(32), MIB(16), false);
	KUNIT_ASSERT_EQ(test, slot_add(&arena->slot[0]), 0);
	slot_remove(&arena->slot[0]);
	KUNIT_EXPECT_EQ_MSG(test, nr_page_tables(), before,
			    "pages in NR_PAGETABLE, after and before a device");
}

/*
 * F7: adding a device raises max_pfn and highest_memmap_pfn to the end of the device.
 * Another device below it changes neither.
 */
static void add_below_keeps_max_pfn(struct kunit *test)
{
	struct arena *arena = arena_get(test, NR_SECTIONS);
	struct slot *above = &arena->slot[0], *below = &arena->slot[1];
	unsigned long end, highest, before = highest_memmap_pfn;
	int err;

	slot_set(above, arena->nr - MIB(64), MIB(64), false);
	slot_set(below, 0, MIB(64), false);
	/* s390 never raises it: from boot on, it covers all memory, unless mem= hides some. */
	end = IS_ENABLED(CONFIG_S390) ? max_pfn :
	      max(max_pfn, slot_pfn(above) + slot_nr_pages(above));
	highest = slot_pfn(above) + slot_nr_pages(above) - 1;
	/* Other cases may have raised it, and nothing lowers it. */
	highest_memmap_pfn = slot_pfn(above) - 1;
	err = slot_add(above);
	if (err)
		highest_memmap_pfn = before;
	KUNIT_ASSERT_EQ(test, err, 0);
	KUNIT_EXPECT_EQ_MSG(test, max_pfn, end, "max_pfn, with a device above boot memory");
	KUNIT_EXPECT_EQ_MSG(test, highest_memmap_pfn, highest,
			    "highest_memmap_pfn, with a device above boot memory");
	err = slot_add(below);
	KUNIT_EXPECT_EQ_MSG(test, highest_memmap_pfn, highest,
			    "highest_memmap_pfn, with another device below");
	highest_memmap_pfn = max(highest_memmap_pfn, before);
	KUNIT_ASSERT_EQ(test, err, 0);
	KUNIT_EXPECT_EQ_MSG(test, max_pfn, end, "max_pfn, with another device below");
}

/*
 * Neighbours in one section. With 64K pages, a page of the memmap holds the struct
 * pages of 64 MiB, and with 16K pages, those of 4 MiB.
 */
static const struct geometry {
	const char *name;
	unsigned long start_mib;
	unsigned long mib[3];
	bool has_altmap;
} geometries[] = {
	{ "two of 16 MiB, altmaps", 0, { 16, 16 }, true },
	{ "two of 16 MiB, no altmaps", 0, { 16, 16 }, false },
	{ "two of 2 MiB, altmaps", 0, { 2, 2 }, true },
	{ "two of 2 MiB, no altmaps", 0, { 2, 2 }, false },
	{ "48, 32 and 48 MiB, altmaps", 0, { 48, 32, 48 }, true },
	{ "three of 2 MiB from 6 MiB on, altmaps", 6, { 2, 2, 2 }, true },
	{ "66, 2 and 10 MiB from 2 MiB on, altmaps", 2, { 66, 2, 10 }, true },
	{ "62 and 2 MiB, altmaps", 0, { 62, 2 }, true },
	{ "three of 64 MiB, altmaps", 0, { 64, 64, 64 }, true },
	{ "130 and 30 MiB from 94 MiB on, altmaps", 94, { 130, 30 }, true },
	/* Whole sections, where these have 128 MiB. */
	{ "two of 128 MiB, altmaps", 0, { 128, 128 }, true },
	{ "two of 128 MiB, no altmaps", 0, { 128, 128 }, false },
};

KUNIT_ARRAY_PARAM_DESC(geometry, geometries, name);

static unsigned int place(struct arena *arena, const struct geometry *geometry)
{
	unsigned long start = MIB(geometry->start_mib);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(geometry->mib) && geometry->mib[i]; i++) {
		slot_set(&arena->slot[i], start, MIB(geometry->mib[i]),
			 geometry->has_altmap);
		start += MIB(geometry->mib[i]);
	}
	return i;
}

/* F2, F3: neighbours are removed in the order in which they were added. */
static void neighbours_removed_in_order(struct kunit *test)
{
	struct arena *arena = arena_get(test, NR_SECTIONS);
	unsigned int i, nr = place(arena, test->param_value);

	for (i = 0; i < nr; i++)
		if (!add(test, arena, i, &arena->slot[i]))
			return;
	for (i = 0; i < nr; i++)
		if (!remove(test, arena, nr + i, &arena->slot[i]))
			return;
}

/* F2, F3: neighbours are removed in reverse order. */
static void neighbours_removed_in_reverse(struct kunit *test)
{
	struct arena *arena = arena_get(test, NR_SECTIONS);
	unsigned int i, nr = place(arena, test->param_value);

	for (i = 0; i < nr; i++)
		if (!add(test, arena, i, &arena->slot[i]))
			return;
	for (i = nr; i > 0; i--)
		if (!remove(test, arena, 2 * nr - i, &arena->slot[i - 1]))
			return;
}

/* F2, F3: a device in the middle is removed and added again. */
static void neighbour_comes_back(struct kunit *test)
{
	struct arena *arena = arena_get(test, NR_SECTIONS);
	unsigned int i, nr = place(arena, test->param_value);
	struct slot *middle = &arena->slot[nr / 2];

	for (i = 0; i < nr; i++)
		if (!add(test, arena, i, &arena->slot[i]))
			return;
	if (!remove(test, arena, nr, middle))
		return;
	add(test, arena, nr + 1, middle);
}

/*
 * F4: if the altmap is exhausted in the second section, the memmap of the first one
 * is removed. The same device can be added when the altmap is large enough.
 */
static void failed_add_leaves_no_trace(struct kunit *test)
{
	struct arena *arena = arena_get(test, 2);
	struct slot *slot = &arena->slot[0];

	slot_set(slot, 0, arena->nr, true);
	if (!add_short(test, arena, 0, slot))
		return;
	if (!add(test, arena, 1, slot))
		return;
	remove(test, arena, 2, slot);
}

/* F4: a failed add does not harm a neighbour. */
static void failed_add_spares_neighbour(struct kunit *test)
{
	struct arena *arena = arena_get(test, 2);
	struct slot *slot = &arena->slot[1];

	slot_set(&arena->slot[0], 0, MIB(16), true);
	slot_set(slot, MIB(16), arena->nr - MIB(16), true);
	if (!add(test, arena, 0, &arena->slot[0]))
		return;
	if (!add_short(test, arena, 1, slot))
		return;
	add(test, arena, 2, slot);
}

/*
 * F4: the altmap of a failed add can be used again. Here it is used for a part of the
 * device, with exactly the pages that this part needs. With 4K pages, the failed add
 * skipped some pages to align a block. They must be available again.
 */
static void failed_add_leaves_altmap_unused(struct kunit *test)
{
	struct arena *arena = arena_get(test, 2);
	struct slot *slot = &arena->slot[0];
	int err = 0;

	slot_set(slot, 0, arena->nr, true);
	if (!add_short(test, arena, 0, slot))
		return;
	slot->nr = MIB(64);
	slot->offer = slot_whole_pages(slot);
	slot->pgmap.range.end = PFN_PHYS(slot_pfn(slot) + slot_nr_pages(slot)) - 1;
	slot->pgmap.altmap.free = slot->offer;
	KUNIT_EXPECT_NO_WARN(test, err = slot_map(slot));
	KUNIT_EXPECT_EQ_MSG(test, err, 0, "adding less with the same altmap");
	arena_check(test, arena, 1, "add");
}

/*
 * Place a device across two sections, with some pages of its memmap in each. With
 * large pages, it begins inside a page of the memmap.
 *
 *	section 0                 section 1
 *	----------------|--------|-------|-----------------
 *	                |side + 1| side  |
 */
static void slot_set_astride(struct slot *slot, bool has_altmap)
{
	unsigned long memmap = PAGES_PER_SUBSECTION * sizeof(struct page);
	unsigned long side = max(2, 2 * PAGE_SIZE / memmap);

	slot_set(slot, SUBSECTIONS_PER_SECTION - side - 1, 2 * side + 1, has_altmap);
}

/* F4: the altmap is exhausted at each page of the memmap in turn. Each add fails cleanly. */
static void altmap_runs_out_at_each_page(struct kunit *test)
{
	struct arena *arena = arena_get(test, 2);
	struct slot *slot = &arena->slot[0];
	unsigned long offer;
	int err = 0;

	slot_set_astride(slot, true);
	for (offer = 1; offer < slot_whole_pages(slot); offer++) {
		slot->offer = offer;
		KUNIT_EXPECT_NO_WARN(test, err = slot_add(slot));
		KUNIT_EXPECT_EQ_MSG(test, err, -ENOMEM, "adding with %lu of %lu pages",
				    offer, slot_whole_pages(slot));
		if (!arena_check(test, arena, offer, "failed add") || !err)
			return;
	}
	slot->offer = offer;
	add(test, arena, offer, slot);
}

static const struct {
	const char *name;
	bool has_altmap;
} memory_params[] = {
	{ "memmap in the device", true },
	{ "memmap in system RAM", false },
};

KUNIT_ARRAY_PARAM_DESC(memory, memory_params, name);

/*
 * Make each allocation of memremap_pages() fail in turn, until none fails: page
 * tables, memmap and others. Return false if a check fails.
 */
static bool fail_each_allocation(struct kunit *test, struct arena *arena,
				 struct slot *slot)
{
	unsigned int nth;
	bool failed;
	int err = 0;

	for (nth = 0; ; nth++) {
		KUNIT_EXPECT_NO_WARN(test, err = ALLOC_FAULT(test, nth, &failed, slot_add(slot)));
		if (err && (!failed || err != -ENOMEM))
			KUNIT_FAIL(test, "step %u, %s allocation failed: error %d", nth,
				   failed ? "an" : "no", err);
		if (!arena_check(test, arena, nth, err ? "failed add" : "add") ||
		    (err && (!failed || err != -ENOMEM)))
			break;
		/* memremap_pages() can succeed without some allocations. */
		if (!err && !remove(test, arena, nth, slot))
			break;
		if (!failed) {
			kunit_info(test, "%u allocations, each of which failed once", nth);
			/* s390 does not get its tables from vmemmap_alloc_block(). */
			if (!nth && slot->offer && !vmemmap_has_generic_tables())
				kunit_skip(test, "no allocation is seen that could fail");
			KUNIT_EXPECT_GT(test, nth, 0);
			return true;
		}
	}
	alloc_fault_report(test);
	return false;
}

/*
 * F4: if an allocation fails, no system RAM is lost. The first try may make
 * one-time allocations. Other tasks may allocate or free a few pages at the same
 * time, but a leak costs at least one page in each try.
 */
static void each_allocation_can_fail(struct kunit *test)
{
	const typeof(memory_params[0]) *param = test->param_value;
	struct arena *arena = arena_get(test, 2);
	struct slot *slot = &arena->slot[0];
	long lost = 0, lost_now;
	int try;

	slot_set_astride(slot, param->has_altmap);
	for (try = 0; try < 8; try++) {
		lost_now = free_ram_pages();
		if (!fail_each_allocation(test, arena, slot))
			return;
		lost_now -= free_ram_pages();
		if (!lost_now || !free_ram_is_exact())
			return;
		if (try)
			lost += lost_now;
	}
	KUNIT_EXPECT_LT_MSG(test, lost, try - 1,
			    "pages of system RAM that failed adds lost in %d tries",
			    try - 1);
}

static bool is_free(const struct arena *arena, unsigned long start,
		    unsigned long nr)
{
	int i;

	for (i = 0; i < NR_SLOTS; i++) {
		const struct slot *slot = &arena->slot[i];

		if (slot->present && start < slot->start + slot->nr &&
		    slot->start < start + nr)
			return false;
	}
	return true;
}

/* Return a random size: mostly small, sometimes a section or more. */
static unsigned long random_nr(const struct arena *arena, struct rnd_state *rnd)
{
	u32 kind = prandom_u32_state(rnd) % 8;

	if (kind < 4)
		return 1 + prandom_u32_state(rnd) % MIB(24);
	if (kind < 6)
		return 1 + prandom_u32_state(rnd) % SUBSECTIONS_PER_SECTION;
	return 1 + prandom_u32_state(rnd) % arena->nr;
}

static bool random_step(struct kunit *test, struct arena *arena,
			struct rnd_state *rnd, unsigned int step)
{
	struct slot *slot = &arena->slot[prandom_u32_state(rnd) % NR_SLOTS];
	unsigned long start, nr = random_nr(arena, rnd);
	u32 how = prandom_u32_state(rnd) % 8;

	if (slot->present)
		return remove(test, arena, step, slot);

	start = prandom_u32_state(rnd) % (arena->nr - nr + 1);
	if (!is_free(arena, start, nr))
		return true;
	slot_set(slot, start, nr, how > 2);
	if (how >= 6 && slot_whole_pages(slot) > 1)
		return add_short(test, arena, step, slot);
	return add(test, arena, step, slot);
}

/*
 * F5: the model holds after each step of a random sequence. A failure prints the
 * seed and the number of steps that reproduce it.
 */
static void random_sequence_follows_model(struct kunit *test)
{
	struct arena *arena = arena_get(test, NR_SECTIONS);
	struct fake_dev *dev = arena->dev;
	unsigned long tables = dev->tables;
	struct rnd_state rnd;
	unsigned int step;
	int i;

	prandom_seed_state(&rnd, seed);
	for (step = 0; step < steps; step++) {
		if (!random_step(test, arena, &rnd, step)) {
			kunit_info(test, "reproduce with vmemmap_kunit.seed=%lu vmemmap_kunit.steps=%u",
				   seed, step + 1);
			return;
		}
		cond_resched();
	}

	for (i = 0; i < NR_SLOTS; i++)
		if (arena->slot[i].present &&
		    !remove(test, arena, step, &arena->slot[i]))
			return;
	KUNIT_EXPECT_EQ_MSG(test, fake_dev_census(dev).tables, tables,
			    "page-table pages of the memmap, after and before %u steps",
			    steps);
}

static struct kunit_case memremap_devices_cases[] = {
	/* These two run first, because a later case that fails may leave no memory. */
	KUNIT_CASE(removed_device_leaves_table_count),
	KUNIT_CASE(add_below_keeps_max_pfn),
	KUNIT_CASE_PARAM(neighbours_removed_in_order, geometry_gen_params),
	KUNIT_CASE_PARAM(neighbours_removed_in_reverse, geometry_gen_params),
	KUNIT_CASE_PARAM(neighbour_comes_back, geometry_gen_params),
	KUNIT_CASE(failed_add_leaves_no_trace),
	KUNIT_CASE(failed_add_spares_neighbour),
	KUNIT_CASE(failed_add_leaves_altmap_unused),
	KUNIT_CASE(altmap_runs_out_at_each_page),
	KUNIT_CASE_PARAM(each_allocation_can_fail, memory_gen_params),
	KUNIT_CASE_SLOW(random_sequence_follows_model),
	{}
};

static struct kunit_suite memremap_devices_suite = {
	.name = "memremap_devices",
	.test_cases = memremap_devices_cases,
};

kunit_test_suite(memremap_devices_suite);

MODULE_DESCRIPTION("KUnit tests for memremap_pages() of several devices");
MODULE_LICENSE("GPL");

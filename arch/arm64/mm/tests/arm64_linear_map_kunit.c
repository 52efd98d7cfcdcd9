// SPDX-License-Identifier: GPL-2.0-only
/*
 * The leaves of the linear mapping of device memory: blocks, contiguous entries or base
 * pages. Devices begin and end anywhere in a block, next to other devices.
 *
 * After each step, the linear mapping of all of the memory is compared with a model, leaf
 * by leaf.
 *
 * Documentation/mm/vmemmap_altmap.rst states the rules. The cases cite them as
 * J4, J5 and so on.
 */
#include <kunit/test.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/memremap.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/prandom.h>
#include <linux/set_memory.h>
#include <linux/sizes.h>

#include "memremap_dev.h"
#include "warn_log.h"

/* The memory begins at a section. With 4K pages, it contains a whole PUD block. */
#define NR_SECTIONS	(DIV_ROUND_UP(SZ_1G + SZ_512M, PAGES_PER_SECTION * PAGE_SIZE) + 1)
#define NR_SLOTS	5
/*
 * The model counts in units: the pages whose struct pages fill a page, but at least 2
 * MiB. So the cases do not depend on memmap pages that devices share.
 */
#define PAGE_STRUCTS	(PAGE_SIZE / sizeof(struct page))
#define UNIT_PAGES	MAX(PAGE_STRUCTS, PAGES_PER_SUBSECTION)
#define SECTION		(PAGES_PER_SECTION / UNIT_PAGES)

#define SEED		20261128
#define STEPS		60

/**
 * struct slot - a part of the memory that is a device, or system RAM
 * @start: first unit
 * @nr: how many units
 * @present: it has been added
 * @is_ram: it was added with add_memory()
 * @type: which kind of device memory, or 0 for MEMORY_DEVICE_GENERIC
 * @pgmap: what it was added with, for a device
 */
struct slot {
	unsigned long start;
	unsigned long nr;
	bool present;
	bool is_ram;
	enum memory_type type;
	struct dev_pagemap pgmap;
};

/**
 * struct linear_test - what each case has
 * @dev: the claim on the memory
 * @slot: the parts of it
 * @pages_only: the kernel maps devices by base pages only
 */
struct linear_test {
	struct fake_dev *dev;
	struct slot slot[NR_SLOTS];
	bool pages_only;
};

static unsigned long unit_pfn(const struct linear_test *linear, unsigned long unit)
{
	return linear->dev->pfn + unit * UNIT_PAGES;
}

static unsigned long nr_units(const struct linear_test *linear)
{
	return linear->dev->nr / UNIT_PAGES;
}

static void slot_set(struct slot *slot, unsigned long start, unsigned long nr)
{
	slot->start = start;
	slot->nr = nr;
}

static int slot_add(struct linear_test *linear, struct slot *slot)
{
	void *addr;

	memset(&slot->pgmap, 0, sizeof(slot->pgmap));
	slot->pgmap.type = slot->type ?: MEMORY_DEVICE_GENERIC;
	/* Some types need these. */
	slot->pgmap.ops = &memremap_no_ops;
	slot->pgmap.owner = linear;
	slot->pgmap.nr_range = 1;
	slot->pgmap.range.start = PFN_PHYS(unit_pfn(linear, slot->start));
	slot->pgmap.range.end = PFN_PHYS(unit_pfn(linear, slot->start + slot->nr)) - 1;
	addr = memremap_pages(&slot->pgmap, test_nid());
	if (IS_ERR(addr))
		return PTR_ERR(addr);
	slot->is_ram = false;
	slot->present = true;
	return 0;
}

static void slot_remove(struct slot *slot)
{
	if (!slot->present || slot->is_ram)
		return;
	slot->present = false;
	memunmap_pages(&slot->pgmap);
}

static void remove_slots(void *data)
{
	struct linear_test *linear = data;
	int i;

	for (i = 0; i < NR_SLOTS; i++)
		slot_remove(&linear->slot[i]);
}

static void linear_walk(unsigned long pfn, struct vmemmap_walk *walk)
{
	vmemmap_walk((unsigned long)__va(PFN_PHYS(pfn)), walk);
}

static int arm64_linear_map_init(struct kunit *test)
{
	struct linear_test *linear = kunit_kzalloc(test, sizeof(*linear), GFP_KERNEL);
	struct vmemmap_walk walk;
	struct slot *slot;

	KUNIT_ASSERT_NOT_NULL(test, linear);
	linear->dev = fake_dev_get_memory(test, NR_SECTIONS);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, remove_slots, linear));
	test->priv = linear;

	/* A section fills a PMD block at least. */
	slot = &linear->slot[0];
	slot_set(slot, 0, SECTION);
	KUNIT_ASSERT_EQ(test, slot_add(linear, slot), 0);
	linear_walk(linear->dev->pfn, &walk);
	linear->pages_only = walk.size == PAGE_SIZE;
	slot_remove(slot);
	return 0;
}

/* --- The model ------------------------------------------------------------ */

static const struct slot *slot_at(const struct linear_test *linear, unsigned long pfn)
{
	unsigned long unit = (pfn - linear->dev->pfn) / UNIT_PAGES;
	int i;

	for (i = 0; i < NR_SLOTS; i++) {
		const struct slot *slot = &linear->slot[i];

		if (slot->present && unit >= slot->start && unit - slot->start < slot->nr)
			return slot;
	}
	return NULL;
}

/* Check whether the naturally aligned block around a page frame lies in the slot. */
static bool block_fits(const struct linear_test *linear, const struct slot *slot,
		       unsigned long pfn, unsigned long size)
{
	unsigned long first = ALIGN_DOWN(pfn, PHYS_PFN(size));

	return first >= unit_pfn(linear, slot->start) &&
	       first + PHYS_PFN(size) <= unit_pfn(linear, slot->start + slot->nr);
}

static bool has_pages_only(const struct linear_test *linear, const struct slot *slot)
{
	return slot->is_ram ? can_set_direct_map() : linear->pages_only;
}

/* The largest block there is. With larger pages than 4K, there is no PUD block. */
#define LARGEST		(IS_ENABLED(CONFIG_ARM64_4K_PAGES) ? PUD_SIZE : PMD_SIZE)

/* The largest leaf that fits. */
static unsigned long leaf_size(const struct linear_test *linear, const struct slot *slot,
			       unsigned long pfn)
{
	if (has_pages_only(linear, slot))
		return PAGE_SIZE;
	if (block_fits(linear, slot, pfn, LARGEST))
		return LARGEST;
	return block_fits(linear, slot, pfn, PMD_SIZE) ? PMD_SIZE : PAGE_SIZE;
}

static bool is_contiguous(const struct linear_test *linear, const struct slot *slot,
			  unsigned long pfn, unsigned long leaf)
{
	if (has_pages_only(linear, slot) || (leaf != PAGE_SIZE && leaf != PMD_SIZE))
		return false;
	return block_fits(linear, slot, pfn, leaf == PAGE_SIZE ? CONT_PTE_SIZE : CONT_PMD_SIZE);
}

/*
 * J10: the memory of a PCI device is not cached, and system RAM may have tags. Do not ask
 * pgprot_mhp() about these: it decides how the kernel maps hot-added memory.
 */
static pgprot_t slot_prot(const struct slot *slot)
{
	if (slot->is_ram)
		return pgprot_tagged(PAGE_KERNEL);
	if (slot->type == MEMORY_DEVICE_PCI_P2PDMA)
		return pgprot_noncached(PAGE_KERNEL);
	return PAGE_KERNEL;
}

/* Describe what is wrong with the leaf of a page frame, or return NULL. */
static const char *wrong_leaf(const struct linear_test *linear, const struct slot *slot,
			      unsigned long pfn, const struct vmemmap_walk *walk)
{
	unsigned long size;

	if (!slot)
		return walk->leaf ? "mapped, but no memory is present" : NULL;
	if (!walk->leaf)
		return "not mapped";
	size = leaf_size(linear, slot, pfn);
	if (walk->size != size)
		return walk->size < size ? "mapped by a smaller leaf than fits" :
					   "mapped by a larger leaf than expected";
	if (walk->pfn != ALIGN_DOWN(pfn, PHYS_PFN(size)))
		return "mapped to another page frame";
	if (!!(walk->desc & PTE_CONT) != is_contiguous(linear, slot, pfn, size))
		return walk->desc & PTE_CONT ? "marked contiguous" : "not marked contiguous";
	if (~walk->desc & (PTE_PXN | PTE_UXN | PTE_AF | PTE_WRITE))
		return "mapped with other permissions than PAGE_KERNEL";
	if ((walk->desc ^ pgprot_val(slot_prot(slot))) & PTE_ATTRINDX_MASK)
		return "mapped as memory of another type";
	return NULL;
}

/* J1 to J6, J10: check each page of the memory. Return false if something is wrong. */
static bool linear_check(struct kunit *test, unsigned int step, const char *after)
{
	struct linear_test *linear = test->priv;
	unsigned long pfn, nr, end = linear->dev->pfn + linear->dev->nr;
	struct fake_dev_linear found;
	struct vmemmap_walk walk;
	const struct slot *slot;
	const char *wrong;

	for (pfn = linear->dev->pfn; pfn < end; pfn += nr) {
		slot = slot_at(linear, pfn);
		linear_walk(pfn, &walk);
		wrong = wrong_leaf(linear, slot, pfn, &walk);
		if (wrong) {
			KUNIT_FAIL(test,
				   "step %u, %s: page frame %#lx (unit %lu) is %s; level %s, size %#lx, descriptor %#llx",
				   step, after, pfn,
				   (pfn - linear->dev->pfn) / UNIT_PAGES, wrong,
				   walk_level_name(walk.level), walk.size, walk.desc);
			return false;
		}
		if (walk.leaf)
			nr = PHYS_PFN(walk.size);
		else
			nr = walk.level == WALK_PTE ? 1 : PAGES_PER_SUBSECTION;
	}
	found = fake_dev_linear(linear->dev);
	KUNIT_EXPECT_EQ_MSG(test, found.empty_tables, 0,
			    "step %u, %s: page tables without an entry", step, after);
	return !found.empty_tables;
}

/* --- The steps ------------------------------------------------------------ */

static bool add(struct kunit *test, unsigned int step, struct slot *slot)
{
	int err = 0;

	KUNIT_EXPECT_NO_WARN(test, err = slot_add(test->priv, slot));
	KUNIT_EXPECT_EQ_MSG(test, err, 0, "step %u: adding [%lu, %lu)", step, slot->start,
			    slot->start + slot->nr);
	return !err && linear_check(test, step, "add");
}

static bool remove(struct kunit *test, unsigned int step, struct slot *slot)
{
	KUNIT_EXPECT_NO_WARN(test, slot_remove(slot));
	return linear_check(test, step, "removal");
}

/*
 * J4: a device from the second unit to the last but one is mapped by the largest leaves
 * that fit. With 4K pages, there is a PUD block in the middle.
 */
static void device_is_mapped_by_largest_leaves(struct kunit *test)
{
	struct linear_test *linear = test->priv;
	struct slot *slot = &linear->slot[0];
	struct vmemmap_walk walk;
	unsigned long pfn;

	/* Without rodata=full and the like, every kernel uses blocks. */
	if (linear->pages_only && can_set_direct_map())
		kunit_skip(test, "this kernel maps devices by base pages");
	KUNIT_EXPECT_FALSE(test, linear->pages_only);

	slot_set(slot, 1, nr_units(linear) - 2);
	if (!add(test, 0, slot))
		return;
	/* Check one leaf without the model. */
	pfn = ALIGN(unit_pfn(linear, slot->start), PHYS_PFN(LARGEST));
	linear_walk(pfn, &walk);
	KUNIT_EXPECT_EQ_MSG(test, walk.size, LARGEST,
			    "size of the leaf of the first page frame with the largest alignment");
	KUNIT_EXPECT_EQ(test, walk.pfn, pfn);
	remove(test, 1, slot);
}

/* Units of half a PMD block. */
#define HALF		MAX(PMD_SIZE / PAGE_SIZE / UNIT_PAGES / 2, 1UL)

/*
 * Neighbours in units, before and after the start of the third section. With 4K pages,
 * all of them are in one PUD block.
 */
static const struct neighbours {
	const char *name;
	struct {
		unsigned long start;
		unsigned long nr;
	} slot[3];
} neighbours[] = {
	{ "of a unit each", {
		{ 2 * SECTION - 2, 1 }, { 2 * SECTION - 1, 1 }, { 2 * SECTION, 1 } } },
	{ "of 1, 15 and 7 units", {
		{ 2 * SECTION - 16, 1 }, { 2 * SECTION - 15, 15 }, { 2 * SECTION, 7 } } },
	{ "with a whole section between two", {
		{ 2 * SECTION - 3, 3 }, { 2 * SECTION, SECTION }, { 3 * SECTION, 5 } } },
	{ "of half a PMD block, the same, and a PMD block", {
		{ 2 * SECTION - 2 * HALF, HALF }, { 2 * SECTION - HALF, HALF },
		{ 2 * SECTION, 2 * HALF } } },
};

KUNIT_ARRAY_PARAM_DESC(neighbours, neighbours, name);

/*
 * J5: three neighbours in one block are mapped as the model expects, whichever is removed
 * first or added again.
 */
static void neighbours_come_and_go(struct kunit *test)
{
	const struct neighbours *param = test->param_value;
	struct linear_test *linear = test->priv;
	unsigned int i, first, step = 0;
	struct slot *slot;

	for (i = 0; i < 3; i++)
		slot_set(&linear->slot[i], param->slot[i].start, param->slot[i].nr);
	for (first = 0; first < 3; first++) {
		for (i = 0; i < 3; i++)
			if (!linear->slot[i].present && !add(test, step++, &linear->slot[i]))
				return;
		slot = &linear->slot[first];
		if (!remove(test, step++, slot) || !add(test, step++, slot) ||
		    !remove(test, step++, slot) ||
		    !remove(test, step++, &linear->slot[(first + 1) % 3]))
			return;
	}
}

/* J10: the memory type of the linear mapping is that of the device. */
static void mapping_has_type_of_device(struct kunit *test)
{
	static const enum memory_type types[] = {
		MEMORY_DEVICE_GENERIC, MEMORY_DEVICE_FS_DAX, MEMORY_DEVICE_COHERENT,
		MEMORY_DEVICE_PCI_P2PDMA,
	};
	struct linear_test *linear = test->priv;
	struct slot *slot = &linear->slot[0];
	int i;

	slot_set(slot, 1, SECTION);
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		slot->type = types[i];
		if (!add(test, 2 * i, slot) || !remove(test, 2 * i + 1, slot))
			return;
	}
}

/*
 * J6: the linear mapping of hot-added system RAM, here between two devices, consists of
 * base pages if the kernel may have to change the protection of single pages.
 */
static void hot_added_ram_is_mapped_by_pages(struct kunit *test)
{
	static const mhp_t flags[] = { MHP_NONE, MHP_MEMMAP_ON_MEMORY };
	struct linear_test *linear = test->priv;
	struct slot *ram = &linear->slot[0];
	u64 start, size = memory_block_size_bytes();
	int i, err;

	if (size != PFN_PHYS(PAGES_PER_SECTION))
		kunit_skip(test, "memory blocks of several sections");

	slot_set(&linear->slot[1], SECTION - 1, 1);
	slot_set(&linear->slot[2], 2 * SECTION, 1);
	if (!add(test, 0, &linear->slot[1]) || !add(test, 1, &linear->slot[2]))
		return;

	slot_set(ram, SECTION, SECTION);
	start = PFN_PHYS(unit_pfn(linear, ram->start));
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		/* add_memory() makes a claim of its own. */
		KUNIT_ASSERT_EQ(test, release_resource(&linear->dev->res), 0);
		err = add_memory(test_nid(), start, size, flags[i]);
		KUNIT_EXPECT_EQ(test, err, 0);
		if (!err) {
			ram->present = true;
			ram->is_ram = true;
			linear_check(test, 2 + 2 * i, "add_memory()");
			KUNIT_EXPECT_NO_WARN(test, err = offline_and_remove_memory(start, size));
			KUNIT_EXPECT_EQ(test, err, 0);
			ram->present = err;
			if (err) {
				fake_dev_abandon(linear->dev);
				return;
			}
		}
		KUNIT_ASSERT_EQ(test, request_resource(&iomem_resource, &linear->dev->res), 0);
		linear_check(test, 3 + 2 * i, "remove_memory()");
	}
}

static bool overlaps(const struct linear_test *linear, const struct slot *slot)
{
	int i;

	for (i = 0; i < NR_SLOTS; i++) {
		const struct slot *other = &linear->slot[i];

		if (other->present && slot->start < other->start + other->nr &&
		    other->start < slot->start + slot->nr)
			return true;
	}
	return false;
}

static bool random_step(struct kunit *test, struct rnd_state *rnd, unsigned int step)
{
	struct linear_test *linear = test->priv;
	struct slot *slot = &linear->slot[prandom_u32_state(rnd) % NR_SLOTS];
	u32 kind = prandom_u32_state(rnd) % 8;
	unsigned long most = kind < 5 ? 24 : kind < 7 ? SECTION : nr_units(linear);

	if (slot->present)
		return remove(test, step, slot);
	slot->nr = 1 + prandom_u32_state(rnd) % most;
	slot->start = prandom_u32_state(rnd) % (nr_units(linear) - slot->nr + 1);
	/* Often, a device begins where another one ends. */
	if (prandom_u32_state(rnd) % 2) {
		const struct slot *other = &linear->slot[prandom_u32_state(rnd) % NR_SLOTS];
		unsigned long start = other->start + other->nr;

		if (other->present && start + slot->nr <= nr_units(linear))
			slot->start = start;
	}
	if (overlaps(linear, slot))
		return true;
	return add(test, step, slot);
}

/* J1 to J5: these rules hold after each step of a random sequence. */
static void random_sequence_follows_model(struct kunit *test)
{
	struct linear_test *linear = test->priv;
	struct rnd_state rnd;
	unsigned int step;

	prandom_seed_state(&rnd, SEED);
	for (step = 0; step < STEPS; step++) {
		if (!random_step(test, &rnd, step)) {
			kunit_info(test, "seed %u, step %u", SEED, step);
			return;
		}
		cond_resched();
	}
	remove_slots(linear);
	linear_check(test, step, "removal of all");
}

static struct kunit_case arm64_linear_map_cases[] = {
	KUNIT_CASE(device_is_mapped_by_largest_leaves),
	KUNIT_CASE_PARAM(neighbours_come_and_go, neighbours_gen_params),
	KUNIT_CASE(mapping_has_type_of_device),
	KUNIT_CASE(hot_added_ram_is_mapped_by_pages),
	KUNIT_CASE_SLOW(random_sequence_follows_model),
	{}
};

static struct kunit_suite arm64_linear_map_suite = {
	.name = "arm64_linear_map",
	.init = arm64_linear_map_init,
	.test_cases = arm64_linear_map_cases,
};

kunit_test_suite(arm64_linear_map_suite);

MODULE_DESCRIPTION("KUnit tests for the linear mapping of devices on arm64");
MODULE_LICENSE("GPL");

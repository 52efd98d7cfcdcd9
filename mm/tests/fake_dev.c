// SPDX-License-Identifier: GPL-2.0-only
/* A device whose memory does not have a memmap yet: see fake_dev.h. */
#include <kunit/test-bug.h>
#include <linux/io.h>
#include <linux/kernel.h>
#include <linux/memblock.h>
#include <linux/memory_hotplug.h>
#include <linux/mmzone.h>
#include <linux/moduleparam.h>
#include <linux/pgtable.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/vmstat.h>

#include <asm/tlbflush.h>
#ifdef CONFIG_ARM64
#include <asm/fixmap.h>
#endif

#include "fake_dev.h"
#include "vmemmap_adapt.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "vmemmap_kunit."

static char *memory;
module_param(memory, charp, 0);
MODULE_PARM_DESC(memory, "SIZE@ADDRESS of memory that the kernel does not use and tests may write to");

static unsigned int nr_abandoned;

/**
 * free_ram_pages() - count the free pages of system RAM
 *
 * First frees what waits for RCU, and drains the page lists of the CPUs.
 *
 * Context: Process context, may sleep.
 * Return: pages in the buddy allocator, exact if nothing else allocates.
 */
unsigned long free_ram_pages(void)
{
	unsigned long nr = 0;
	struct zone *zone;

	/* Usage maps of sections wait for RCU. They are small, but many of them fill a page. */
	kvfree_rcu_barrier();
	rcu_barrier();
	drain_all_pages(NULL);
	for_each_populated_zone(zone)
		nr += zone_page_state_snapshot(zone, NR_FREE_PAGES);
	return nr;
}

/**
 * fake_dev_census() - count the entries and page tables that map the device's memmap
 * @dev: the device
 *
 * Context: Process context, may sleep. Takes the memory hot-plug lock.
 * Return: the counts.
 */
struct vmemmap_census fake_dev_census(const struct fake_dev *dev)
{
	struct vmemmap_census census;

	vmemmap_census(fake_dev_memmap(dev, 0), fake_dev_memmap(dev, dev->nr),
		       dev->pfn, dev->nr, &census);
	return census;
}

/**
 * fake_dev_linear() - count mapped pages and empty tables of the linear mapping
 * @dev: the device
 *
 * Context: Process context, may sleep. Takes the memory hot-plug lock.
 * Return: the counts.
 */
struct fake_dev_linear fake_dev_linear(const struct fake_dev *dev)
{
	struct vmemmap_census census;

	vmemmap_census((unsigned long)__va(PFN_PHYS(dev->pfn)),
		       (unsigned long)__va(PFN_PHYS(dev->pfn + dev->nr)),
		       dev->pfn, dev->nr, &census);
	return (struct fake_dev_linear) {
		.mapped = dev->nr - census.holes,
		.empty_tables = census.empty_tables,
	};
}

static void clear_device_entries(const struct fake_dev *dev,
				 unsigned long start, unsigned long end)
{
	struct vmemmap_walk walk;
	unsigned long addr;
	pmd_t *pmdp;

	for (addr = start; addr < end; addr += PAGE_SIZE) {
		vmemmap_walk(addr, &walk);
		if (!walk.leaf || !fake_dev_has(dev, walk.pfn))
			continue;

		pmdp = pmd_off_k(addr);
		if (walk.level == WALK_PMD)
			pmd_clear(pmdp);
		else
			pte_clear(&init_mm, addr, pte_offset_kernel(pmdp, addr));
		flush_tlb_kernel_range(addr, addr + walk.size);
	}
}

/**
 * fake_dev_clear() - clear entries that map pages of the device, but keep the tables
 * @dev: the device
 * @start: first address, a multiple of PAGE_SIZE
 * @end: the address after the last, likewise
 *
 * Context: Process context, may sleep. Takes the memory hot-plug lock.
 */
void fake_dev_clear(const struct fake_dev *dev, unsigned long start,
		    unsigned long end)
{
	mem_hotplug_begin();
	clear_device_entries(dev, start, end);
	mem_hotplug_done();
}

/**
 * fake_dev_unmap() - unmap a memmap, whether or not vmemmap_free() handles altmaps
 * @dev: the device
 * @start: first address of the memmap, a multiple of PAGE_SIZE
 * @end: the address after the last, likewise
 *
 * Clears the entries that map pages of the device. vmemmap_free() then frees only
 * system RAM: the rest of the memmap, and the page tables.
 *
 * Context: Process context, may sleep. Takes the memory hot-plug lock.
 */
void fake_dev_unmap(const struct fake_dev *dev, unsigned long start,
		    unsigned long end)
{
	mem_hotplug_begin();
	clear_device_entries(dev, start, end);
	vmemmap_free(start, end, NULL);
	mem_hotplug_done();
}

/*
 * Check whether this kernel's vmemmap_free() returns pages to an altmap. Free a
 * page of system RAM that is part of an altmap: this is safe either way.
 */
static bool free_takes_altmap(struct kunit *test, struct fake_dev *dev)
{
	struct vmem_altmap altmap = { .free = 1 };
	unsigned long start = fake_dev_memmap(dev, 0);
	struct vmemmap_walk walk;
	struct page *page;
	int err;

	if (!vmemmap_has_generic_tables())
		return true;

	mem_hotplug_begin();
	err = adapt_populate_basepages(start, start + PAGE_SIZE, test_nid(), NULL);
	vmemmap_walk(start, &walk);
	mem_hotplug_done();
	KUNIT_ASSERT_EQ_MSG(test, err, 0, "no memory for the fixture");
	KUNIT_ASSERT_TRUE_MSG(test, walk.leaf && pfn_valid(walk.pfn),
			      "%#lx is not mapped to system RAM",
			      start);

	page = pfn_to_page(walk.pfn);
	get_page(page);
	altmap.base_pfn = walk.pfn;
	altmap.alloc = 1;

	mem_hotplug_begin();
	vmemmap_free(start, start + PAGE_SIZE, &altmap);
	mem_hotplug_done();

	/* The test holds one reference. If there is another, the mapping's was not dropped. */
	if (page_count(page) > 1)
		put_page(page);
	__free_page(page);
	return altmap.alloc == 0;
}

/* A test that failed may not have got its claim back from the kernel. */
static void drop_claim(struct fake_dev *dev)
{
	if (dev->res.parent)
		release_resource(&dev->res);
}

static void fake_dev_put(void *data)
{
	struct fake_dev *dev = data;
	unsigned long start = fake_dev_memmap(dev, 0);
	unsigned long end = fake_dev_memmap(dev, dev->nr);
	struct kunit *test = kunit_get_current_test();
	struct vmemmap_census census;

	if (dev->abandoned)
		return;
	fake_dev_unmap(dev, start, end);
	census = fake_dev_census(dev);
	KUNIT_EXPECT_EQ_MSG(test, census.tables, dev->tables,
			    "page-table pages for [%#lx, %#lx), now and before",
			    start, end);
	drop_claim(dev);
	kfree(dev);
}

static bool range_is_unused(unsigned long pfn, unsigned long nr)
{
	unsigned long i;

	for (i = 0; i < nr; i += PAGES_PER_SECTION)
		if (pfn_in_present_section(pfn + i))
			return false;
	return true;
}

static struct fake_dev *fake_dev_claim(struct kunit *test, unsigned long sections,
				       u64 min, u64 max, unsigned long align)
{
	u64 section = PFN_PHYS(PAGES_PER_SECTION);
	struct fake_dev *dev = kzalloc(sizeof(*dev), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, dev);
	dev->res.name = "vmemmap_kunit";
	dev->res.flags = IORESOURCE_MEM | IORESOURCE_BUSY;
	if (allocate_resource(&iomem_resource, &dev->res, sections * section,
			      min, max, align * section, NULL, NULL)) {
		kfree(dev);
		return NULL;
	}
	dev->pfn = PHYS_PFN(dev->res.start);
	dev->nr = PHYS_PFN(resource_size(&dev->res));
	return dev;
}

/* Complete a device that is claimed. Each failure releases the claim. */
static struct fake_dev *fake_dev_init(struct kunit *test, struct fake_dev *dev)
{
	unsigned long start = fake_dev_memmap(dev, 0);
	unsigned long end = fake_dev_memmap(dev, dev->nr);
	struct vmemmap_census census;

	census = fake_dev_census(dev);
	if (!range_is_unused(dev->pfn, dev->nr) || census.pages || census.blocks) {
		release_resource(&dev->res);
		kfree(dev);
		kunit_skip(test,
			   "the memmap [%#lx, %#lx) is in use, but its page frames are not claimed",
			   start, end);
	}
	dev->tables = census.tables;

	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, fake_dev_put, dev));
	dev->free_takes_altmap = free_takes_altmap(test, dev);
	return dev;
}

/**
 * fake_dev_get() - get a device of page frames without memory
 * @test: the test context
 * @nr_sections: its size
 * @align_sections: alignment of its start in sections, a power of two
 *
 * A test must not access these page frames: there is no memory. At the end of the
 * test, fake_dev_unmap() unmaps the memmap, and the page frames are released. A
 * page-table page that is left fails the test. Skips the test if there are not enough
 * unclaimed page frames.
 *
 * Return: the device.
 */
struct fake_dev *fake_dev_get(struct kunit *test, unsigned long nr_sections,
			      unsigned long align_sections)
{
	struct range range = mhp_get_pluggable_range(true);
	struct fake_dev *dev;

	dev = fake_dev_claim(test, nr_sections, max(range.start, PFN_PHYS(max_pfn)),
			     range.end, align_sections);
	if (!dev)
		kunit_skip(test, "no %lu sections of unclaimed page frames above RAM",
			   nr_sections);
	return fake_dev_init(test, dev);
}

/**
 * fake_dev_get_far_across() - get a device without memory across a boundary
 * @test: the test context
 * @size: the size that a page-table entry maps, a power of two
 *
 * In the linear mapping, one section of the device lies on each side of a multiple of
 * @size, at the lowest free place where no RAM shares a table with it. If there is no such
 * place, RAM may share one. Otherwise like fake_dev_get().
 *
 * Return: the device, or NULL if the linear mapping has no room for it.
 */
struct fake_dev *fake_dev_get_far_across(struct kunit *test, u64 size)
{
	struct range range = mhp_get_pluggable_range(true);
	u64 section = PFN_PHYS(PAGES_PER_SECTION);
	u64 linear = (unsigned long)__va(0);
	u64 min = max_t(u64, range.start, PFN_PHYS(max_pfn)) + section;
	u64 at = ALIGN(linear + min, size) - linear, last = range.end - section + 1;
	struct fake_dev *dev = NULL;
	u64 i, nr = at >= min && at <= last ? (last - at) / size + 1 : 0;

	/* RAM may be in the table before the first boundary, so try that one last. */
	for (i = 1; !dev && i <= nr; i++)
		dev = fake_dev_claim(test, 2, at + i % nr * size - section,
				     at + i % nr * size + section - 1, 1);
	return dev ? fake_dev_init(test, dev) : NULL;
}

/**
 * fake_dev_get_at() - get a device of one section without memory at a given place
 * @test: the test context
 * @pfn: its first page frame
 *
 * Otherwise like fake_dev_get().
 *
 * Return: the device, or NULL if its page frames are claimed or cannot be hot-plugged.
 */
struct fake_dev *fake_dev_get_at(struct kunit *test, unsigned long pfn)
{
	struct range range = mhp_get_pluggable_range(true);
	u64 start = PFN_PHYS(pfn), end = PFN_PHYS(pfn + PAGES_PER_SECTION) - 1;
	struct fake_dev *dev;

	if (start < range.start || end > range.end)
		return NULL;
	dev = fake_dev_claim(test, 1, start, end, 1);
	return dev ? fake_dev_init(test, dev) : NULL;
}

/* Return the memory that the command line names. If it names none, the start is 0. */
static struct range fake_dev_memory(void)
{
	struct range range = { 0, 0 };
	char *at;
	u64 size;

	if (memory) {
		size = memparse(memory, &at);
		if (*at == '@')
			range.start = memparse(at + 1, NULL);
		range.end = range.start + size - 1;
	}
	return range;
}

/**
 * fake_dev_memory_sections() - count the sections that a device with memory can have
 *
 * Return: the number of whole sections in the memory that the command line names.
 */
unsigned long fake_dev_memory_sections(void)
{
	struct range range = fake_dev_memory();
	unsigned long first = SECTION_ALIGN_UP(PHYS_PFN(range.start));
	unsigned long end = SECTION_ALIGN_DOWN(PHYS_PFN(range.end + 1));

	return range.start && end > first ? (end - first) / PAGES_PER_SECTION : 0;
}

/**
 * fake_dev_get_memory() - get a device that has memory
 * @test: the test context
 * @nr_sections: its size
 *
 * Takes sections of the memory that the command line names. Skips the test if
 * it names none, or if not enough of it is left.
 *
 * Return: the device.
 */
struct fake_dev *fake_dev_get_memory(struct kunit *test,
				     unsigned long nr_sections)
{
	struct range range = fake_dev_memory();
	struct fake_dev *dev;

	if (!range.start)
		kunit_skip(test, "no memory to write to: see vmemmap_kunit.memory=");

	dev = fake_dev_claim(test, nr_sections, range.start, range.end, 1);
	KUNIT_ASSERT_TRUE_MSG(test, dev || !nr_abandoned,
			      "%u earlier tests abandoned their memory, and none is left",
			      nr_abandoned);
	if (!dev)
		kunit_skip(test, "vmemmap_kunit.memory=%s has no %lu sections left",
			   memory, nr_sections);
	return fake_dev_init(test, dev);
}

/**
 * fake_dev_get_across() - get a device that has memory on both sides of a boundary
 * @test: the test context
 * @nr_sections: its size, an even number
 * @size: a power of two
 *
 * The linear address of the middle of the device is a multiple of @size. If a
 * page-table entry maps @size bytes, the device therefore needs two entries.
 *
 * Return: the device, or NULL if the memory that the command line names has no such
 * place, or the place is in use.
 */
struct fake_dev *fake_dev_get_across(struct kunit *test, unsigned long nr_sections,
				     unsigned long size)
{
	u64 half = PFN_PHYS(PAGES_PER_SECTION * nr_sections / 2);
	struct range range = fake_dev_memory();
	unsigned long linear;
	struct fake_dev *dev;
	u64 middle;

	if (!range.start)
		kunit_skip(test, "no memory to write to: see vmemmap_kunit.memory=");
	/* A device consists of sections, which begin at multiples of their size. */
	size = max(size, PFN_PHYS(PAGES_PER_SECTION));
	linear = ALIGN((unsigned long)__va(range.start + half), size);
	/* The next multiple of a large size can be behind all addresses. */
	if (!linear)
		return NULL;
	middle = __pa(linear);
	if (middle + half - 1 > range.end ||
	    !IS_ALIGNED(middle, PFN_PHYS(PAGES_PER_SECTION)))
		return NULL;

	dev = fake_dev_claim(test, nr_sections, middle - half, middle + half - 1, 1);
	return dev ? fake_dev_init(test, dev) : NULL;
}

/**
 * fake_dev_get_after() - get a device that has the memory right after another device
 * @test: the test context
 * @other: the other device, whose memory the command line names
 * @nr_sections: its size
 *
 * Skips the test if that memory is not there, or is in use.
 *
 * Return: the device.
 */
struct fake_dev *fake_dev_get_after(struct kunit *test, const struct fake_dev *other,
				    unsigned long nr_sections)
{
	u64 start = PFN_PHYS(other->pfn + other->nr);
	u64 end = start + PFN_PHYS(PAGES_PER_SECTION * nr_sections) - 1;
	struct fake_dev *dev = NULL;

	if (end <= fake_dev_memory().end)
		dev = fake_dev_claim(test, nr_sections, start, end, 1);
	if (!dev)
		kunit_skip(test, "vmemmap_kunit.memory=%s has no %lu sections after %#llx",
			   memory, nr_sections, start);
	return fake_dev_init(test, dev);
}

static void fake_dev_release(void *data)
{
	struct fake_dev *dev = data;

	if (dev->abandoned)
		return;
	drop_claim(dev);
	kfree(dev);
}

/**
 * fake_dev_claim_memory() - get a device that has memory, and only claim the memory
 * @test: the test context
 * @nr: how many page frames it has
 * @align: alignment of its first page frame, a power of two
 *
 * Takes a part of the memory that the command line names. Skips the test if there is
 * no such part. Does not check page tables or sections.
 *
 * Return: the device.
 */
struct fake_dev *fake_dev_claim_memory(struct kunit *test, unsigned long nr,
				       unsigned long align)
{
	struct range range = fake_dev_memory();
	struct fake_dev *dev;

	if (!range.start)
		kunit_skip(test, "no memory to write to: see vmemmap_kunit.memory=");

	dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, dev);
	dev->res.name = "vmemmap_kunit";
	dev->res.flags = IORESOURCE_MEM | IORESOURCE_BUSY;
	if (allocate_resource(&iomem_resource, &dev->res, PFN_PHYS(nr),
			      PFN_PHYS(SECTION_ALIGN_UP(PHYS_PFN(range.start))), range.end,
			      PFN_PHYS(align), NULL, NULL)) {
		kfree(dev);
		KUNIT_ASSERT_EQ_MSG(test, nr_abandoned, 0,
				    "earlier tests abandoned their memory");
		kunit_skip(test, "vmemmap_kunit.memory=%s has no %lu pages aligned to %lu",
			   memory, nr, align);
	}
	dev->pfn = PHYS_PFN(dev->res.start);
	dev->nr = nr;
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, fake_dev_release, dev));
	return dev;
}

/**
 * fake_dev_get_tail() - get a device that begins in a section of boot memory
 * @test: the test context
 * @nr_sections: how many sections follow the one that it begins in
 *
 * Takes the beginning of the memory that the command line names. Skips the test
 * unless that memory begins where boot memory ends, inside a section. The memmap of
 * that section exists since boot. It is neither checked nor unmapped.
 *
 * Return: the device.
 */
struct fake_dev *fake_dev_get_tail(struct kunit *test, unsigned long nr_sections)
{
	struct range range = fake_dev_memory();
	unsigned long pfn = PHYS_PFN(range.start);
	struct fake_dev *dev;

	if (!range.start)
		kunit_skip(test, "no memory to write to: see vmemmap_kunit.memory=");
	if (!pfn_in_present_section(pfn) || pfn != PHYS_PFN(memblock_end_of_DRAM()))
		kunit_skip(test,
			   "vmemmap_kunit.memory=%s does not begin where boot memory ends inside a section",
			   memory);

	dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, dev);
	dev->pfn = pfn;
	dev->nr = SECTION_ALIGN_UP(pfn) + nr_sections * PAGES_PER_SECTION - pfn;
	dev->res.name = "vmemmap_kunit";
	dev->res.flags = IORESOURCE_MEM | IORESOURCE_BUSY;
	dev->res.start = PFN_PHYS(dev->pfn);
	dev->res.end = PFN_PHYS(dev->pfn + dev->nr) - 1;
	if (request_resource(&iomem_resource, &dev->res)) {
		kfree(dev);
		KUNIT_ASSERT_EQ_MSG(test, nr_abandoned, 0,
				    "earlier tests abandoned the memory after boot memory");
		kunit_skip(test, "the memory after boot memory is already claimed");
	}
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, fake_dev_release, dev));
	return dev;
}

/**
 * fake_dev_abandon() - do not clean up the device at the end of the test
 * @dev: the device
 *
 * For a test that failed, if the cleanup could oops. The page frames stay claimed,
 * so that no other test uses them, and nothing is unmapped.
 */
void fake_dev_abandon(struct fake_dev *dev)
{
	dev->abandoned = true;
	nr_abandoned++;
}

#ifdef CONFIG_ARM64
void fixmap_expect_no_table(struct kunit *test, const char *after)
{
	static const enum fixed_addresses slots[] = { FIX_PTE, FIX_PMD, FIX_PUD, FIX_P4D };
	struct vmemmap_walk walk;
	int i;

	for (i = 0; i < ARRAY_SIZE(slots); i++) {
		vmemmap_walk(__fix_to_virt(slots[i]), &walk);
		KUNIT_EXPECT_FALSE_MSG(test, walk.leaf,
				       "%s: slot %d of the fixmap leads to page frame %#lx",
				       after, slots[i], walk.pfn);
	}
}
#endif

/**
 * fake_dev_expect_unmapped() - check that neither memmap nor linear mapping is left
 * @test: the test context
 * @dev: the device
 * @after: the operation before, for messages
 *
 * No page table without an entry may be left, and none in the fixmap.
 */
void fake_dev_expect_unmapped(struct kunit *test, struct fake_dev *dev, const char *after)
{
	struct vmemmap_census census = fake_dev_census(dev);
	struct fake_dev_linear linear = fake_dev_linear(dev);

	KUNIT_EXPECT_EQ_MSG(test, census.holes, dev->nr * sizeof(struct page) / PAGE_SIZE,
			    "%s: unmapped pages of the memmap, and all its pages", after);
	KUNIT_EXPECT_EQ_MSG(test, census.empty_tables, 0,
			    "%s: page-table pages of the memmap without an entry", after);
	KUNIT_EXPECT_EQ_MSG(test, linear.mapped, 0,
			    "%s: pages of the linear mapping that are mapped", after);
	KUNIT_EXPECT_EQ_MSG(test, linear.empty_tables, 0,
			    "%s: page-table pages of the linear mapping without an entry",
			    after);
	fixmap_expect_no_table(test, after);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cost of adding and removing memory, in instructions and in pages.
 *
 * Each measurement prints a line to the log of its case:
 *
 *   bench: kernel page=4096 section=134217728 struct_page=64 block=2097152
 *   bench: row call=memremap_pages of=device origin=device bytes=134217728
 *          own=1623040 insns=1623057 ns=1623056 ram=66 device=512 window=13
 *
 * call: the function that was called.
 * of: what it was called for. "device"; "compound", a device of compound pages
 *     as large as a PMD block; "dimm"; or the memmap of a "section",
 *     "subsection" or "page" for vmemmap_populate() and vmemmap_free() alone.
 *     "section_by_pages" avoids blocks. For "page_by_table", the page table
 *     exists before.
 * origin: where the memmap lies, "device" or "ram".
 * bytes: the size of the memory, or of the memmap if it is measured alone.
 * own, insns: the instructions of the calling task, and of all tasks.
 * ns: virtual time, which includes the time when the CPU is idle.
 * ram, device: the pages of system RAM and of the altmap that the call uses.
 * window: the number of measurements that began earlier. It identifies the
 *     measurement in a trace from the outside.
 *
 * A measurement is repeated, and the lowest count is printed: the others
 * include an interrupt or one-time work.
 *
 * In an emulator that counts instructions, all counts repeat exactly: see
 * Documentation/dev-tools/kunit/bench.rst. No case fails because a number is
 * large: tools/testing/kunit/altmap bench compares kernels.
 */
#include <kunit/test.h>
#include <linux/cpumask.h>
#include <linux/device.h>
#include <linux/ktime.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/sched/cputime.h>
#include <linux/sizes.h>

#include <asm/arm_pmuv3.h>
#include <asm/sysreg.h>

#include "fake_dev.h"
#include "vmemmap_adapt.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "memmap_bench."

static uint rounds = 8;
module_param(rounds, uint, 0);
MODULE_PARM_DESC(rounds, "how often each measurement is made");

static ulong largest = 3072;
module_param(largest, ulong, 0);
MODULE_PARM_DESC(largest, "MiB of the largest device");

#define INST_RETIRED	0x08
#define COUNTER		BIT(0)

/* In MiB: parts of a section, and whole sections of 128 and 512 MiB. */
static const unsigned long sizes[] = { 2, 16, 64, 128, 256, 512, 1024, 2048, 3072 };

/* The number of sections that the largest size needs. */
#define NR_SECTIONS	(3072UL * SZ_1M / (PAGES_PER_SECTION * PAGE_SIZE))

/**
 * struct cost - the cost of a call
 * @insns: instructions of all tasks
 * @own: instructions of the calling task, with a precision of 16
 * @ns: virtual time, with a precision of 16
 * @switches: context switches during the call. They make @own inexact: after a wakeup,
 *	the scheduler need not read the clock for the switch, and then charges the next
 *	task for instructions of the calling task.
 * @window: the number of the measurement
 */
struct cost {
	u64 insns;
	u64 own;
	u64 ns;
	unsigned long switches;
	unsigned int window;
};

/* The cost of an empty measurement. */
static struct cost nothing;
static unsigned int windows;
static bool counting;
static struct kunit *hidden;

static bool counter_is_there(void)
{
	return pmuv3_implemented(read_pmuver()) &&
	       read_sysreg(pmceid0_el0) & BIT(INST_RETIRED);
}

static void counter_start(void)
{
	counting = true;
	write_sysreg(INST_RETIRED, pmevtyper0_el0);
	write_sysreg(COUNTER, pmcntenset_el0);
	write_sysreg(BIT(0), pmcr_el0);
	isb();
}

static void counter_stop(void)
{
	if (!counting)
		return;
	counting = false;
	write_sysreg(COUNTER, pmcntenclr_el0);
}

static u32 counter_read(void)
{
	u32 count;

	isb();
	count = read_sysreg(pmevcntr0_el0);
	isb();
	return count;
}

/*
 * Between cost_begin() and cost_end(), the task does not count as a test's task. So
 * code in hot paths that asks for the current test sees at once that there is none.
 * Do not assert anything there. A trace from the outside finds both functions by
 * name.
 */
static noinline void cost_begin(struct cost *cost)
{
	hidden = current->kunit_test;
	current->kunit_test = NULL;
	cost->window = windows++;
	cost->switches = current->nvcsw + current->nivcsw;
	cost->own = task_sched_runtime(current);
	cost->ns = ktime_get_ns();
	cost->insns = counter_read();
}

static noinline void cost_end(struct cost *cost)
{
	cost->insns = (u32)(counter_read() - (u32)cost->insns);
	cost->ns = ktime_get_ns() - cost->ns;
	cost->own = task_sched_runtime(current) - cost->own;
	cost->switches = current->nvcsw + current->nivcsw - cost->switches;
	current->kunit_test = hidden;
	cost->insns -= min(cost->insns, nothing.insns);
	cost->ns -= min(cost->ns, nothing.ns);
	cost->own -= min(cost->own, nothing.own);
}

/* Keep the cheapest of the rounds with the fewest context switches. */
static void cost_keep(struct cost *best, const struct cost *now, uint round)
{
	bool is_better;

	if (!round)
		is_better = true;
	else if (now->switches != best->switches)
		is_better = now->switches < best->switches;
	else
		is_better = now->own < best->own;
	if (is_better)
		memcpy(best, now, sizeof(*best));
}

/**
 * struct spent - pages that a call allocates
 * @ram: of system RAM
 * @device: of the altmap
 */
struct spent {
	long ram;
	long device;
};

static void print_row(struct kunit *test, const char *call, const char *of,
		      bool has_altmap, u64 bytes, const struct cost *cost,
		      const struct spent *spent)
{
	kunit_info(test, "bench: row call=%s of=%s origin=%s bytes=%llu own=%llu insns=%llu ns=%llu ram=%ld device=%ld window=%u\n",
		   call, of, has_altmap ? "device" : "ram", bytes, cost->own,
		   cost->insns, cost->ns, spent ? spent->ram : 0,
		   spent ? spent->device : 0, cost->window);
}

static const struct origin {
	const char *name;
	bool has_altmap;
} origins[] = {
	{ "memmap in the device", true },
	{ "memmap in system RAM", false },
};

KUNIT_ARRAY_PARAM_DESC(origin, origins, name);

static bool has_altmap(const struct kunit *test)
{
	const struct origin *origin = test->param_value;

	return origin->has_altmap;
}

/* --- Devices ------------------------------------------------------------- */

static unsigned long memmap_pages(u64 bytes)
{
	return DIV_ROUND_UP(PHYS_PFN(bytes) * sizeof(struct page), PAGE_SIZE);
}

/*
 * Set up a driver's request for memory from the start of the device on. With an altmap,
 * whole compound pages begin after the pages that it offers.
 */
static void pgmap_set_compound(struct dev_pagemap *pgmap, const struct fake_dev *dev,
			       u64 bytes, bool has_altmap, unsigned int order)
{
	struct vmem_altmap altmap = {
		.base_pfn = dev->pfn,
		.end_pfn = dev->pfn + PHYS_PFN(bytes) - 1,
		.free = ALIGN(memmap_pages(bytes), 1UL << order),
	};

	memset(pgmap, 0, sizeof(*pgmap));
	pgmap->type = MEMORY_DEVICE_GENERIC;
	pgmap->vmemmap_shift = order;
	pgmap->nr_range = 1;
	pgmap->range.start = PFN_PHYS(dev->pfn);
	pgmap->range.end = PFN_PHYS(dev->pfn) + bytes - 1;
	if (has_altmap) {
		pgmap->flags = PGMAP_ALTMAP_VALID;
		memcpy(&pgmap->altmap, &altmap, sizeof(altmap));
	}
}

static void pgmap_set(struct dev_pagemap *pgmap, const struct fake_dev *dev,
		      u64 bytes, bool has_altmap)
{
	pgmap_set_compound(pgmap, dev, bytes, has_altmap, 0);
}

static void measure_device(struct kunit *test, struct fake_dev *dev, u64 bytes,
			   const char *of, unsigned int order)
{
	struct cost now, add, remove;
	struct dev_pagemap pgmap;
	struct spent spent;
	long before;
	void *addr;
	uint round;

	for (round = 0; round < rounds; round++) {
		pgmap_set_compound(&pgmap, dev, bytes, has_altmap(test), order);
		before = free_ram_pages();

		cost_begin(&now);
		addr = memremap_pages(&pgmap, 0);
		cost_end(&now);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, addr);
		cost_keep(&add, &now, round);
		spent.ram = before - (long)free_ram_pages();
		spent.device = pgmap.altmap.alloc + pgmap.altmap.align;

		cost_begin(&now);
		memunmap_pages(&pgmap);
		cost_end(&now);
		cost_keep(&remove, &now, round);
	}
	print_row(test, "memremap_pages", of, has_altmap(test), bytes, &add, &spent);
	print_row(test, "memunmap_pages", of, has_altmap(test), bytes, &remove, NULL);
}

/* Measure memremap_pages() and memunmap_pages() as a whole. */
static void memremap_pages_by_size(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get_memory(test, NR_SECTIONS);
	int i;

	for (i = 0; i < ARRAY_SIZE(sizes) && sizes[i] <= largest; i++)
		measure_device(test, dev, sizes[i] * SZ_1M, "device", 0);
}

/* The same for compound pages as large as a PMD block, which device-dax requests. */
static void compound_pages_by_size(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get_memory(test, NR_SECTIONS);
	int i;

	for (i = 0; i < ARRAY_SIZE(sizes) && sizes[i] <= largest; i++)
		/* The memmap of a device may take up one compound page. */
		if (sizes[i] * SZ_1M >= max(2 * PMD_SIZE, PFN_PHYS(PAGES_PER_SECTION)))
			measure_device(test, dev, sizes[i] * SZ_1M, "compound",
				       PMD_SHIFT - PAGE_SHIFT);
}

/*
 * The calls that memremap_pages() and memunmap_pages() make. arch_add_memory()
 * creates the linear mapping and calls __add_pages(), which calls
 * vmemmap_populate(). The functions that remove memory call each other in the same
 * way.
 */
enum part {
	ARCH_ADD_MEMORY,
	MOVE_PFN_RANGE_TO_ZONE,
	MEMMAP_INIT_ZONE_DEVICE,
	REMOVE_PFN_RANGE_FROM_ZONE,
	ARCH_REMOVE_MEMORY,
	ADD_PAGES,
	REMOVE_PAGES,
	VMEMMAP_POPULATE,
	VMEMMAP_FREE,
	NR_PARTS
};

static const char * const part_names[NR_PARTS] = {
	[ARCH_ADD_MEMORY] = "arch_add_memory",
	[MOVE_PFN_RANGE_TO_ZONE] = "move_pfn_range_to_zone",
	[MEMMAP_INIT_ZONE_DEVICE] = "memmap_init_zone_device",
	[REMOVE_PFN_RANGE_FROM_ZONE] = "remove_pfn_range_from_zone",
	[ARCH_REMOVE_MEMORY] = "arch_remove_memory",
	[ADD_PAGES] = "__add_pages",
	[REMOVE_PAGES] = "__remove_pages",
	[VMEMMAP_POPULATE] = "vmemmap_populate",
	[VMEMMAP_FREE] = "vmemmap_free",
};

/* Make the calls of pagemap_range() and then those of pageunmap_range(). */
static int add_and_remove(struct dev_pagemap *pgmap, struct cost parts[NR_PARTS])
{
	struct zone *zone = &NODE_DATA(0)->node_zones[ZONE_DEVICE];
	struct mhp_params params = {
		.altmap = pgmap_altmap(pgmap),
		.pgmap = pgmap,
		.pgprot = PAGE_KERNEL,
	};
	u64 start = pgmap->range.start;
	u64 bytes = range_len(&pgmap->range);
	int err;

	mem_hotplug_begin();
	cost_begin(&parts[ARCH_ADD_MEMORY]);
	err = arch_add_memory(0, start, bytes, &params);
	cost_end(&parts[ARCH_ADD_MEMORY]);
	if (err) {
		mem_hotplug_done();
		return err;
	}

	cost_begin(&parts[MOVE_PFN_RANGE_TO_ZONE]);
	move_pfn_range_to_zone(zone, PHYS_PFN(start), PHYS_PFN(bytes),
			       params.altmap, MIGRATE_MOVABLE);
	cost_end(&parts[MOVE_PFN_RANGE_TO_ZONE]);
	mem_hotplug_done();

	cost_begin(&parts[MEMMAP_INIT_ZONE_DEVICE]);
	memmap_init_zone_device(zone, PHYS_PFN(start), PHYS_PFN(bytes), pgmap);
	cost_end(&parts[MEMMAP_INIT_ZONE_DEVICE]);

	mem_hotplug_begin();
	cost_begin(&parts[REMOVE_PFN_RANGE_FROM_ZONE]);
	remove_pfn_range_from_zone(zone, PHYS_PFN(start), PHYS_PFN(bytes));
	cost_end(&parts[REMOVE_PFN_RANGE_FROM_ZONE]);

	cost_begin(&parts[ARCH_REMOVE_MEMORY]);
	arch_remove_memory(start, bytes, params.altmap, pgmap);
	cost_end(&parts[ARCH_REMOVE_MEMORY]);
	mem_hotplug_done();
	return 0;
}

/* The same without the linear mapping. */
static int add_and_remove_pages(struct dev_pagemap *pgmap, struct cost parts[NR_PARTS])
{
	struct mhp_params params = {
		.altmap = pgmap_altmap(pgmap),
		.pgmap = pgmap,
		.pgprot = PAGE_KERNEL,
	};
	unsigned long pfn = PHYS_PFN(pgmap->range.start);
	unsigned long nr = PHYS_PFN(range_len(&pgmap->range));
	int err;

	mem_hotplug_begin();
	cost_begin(&parts[ADD_PAGES]);
	err = __add_pages(0, pfn, nr, &params);
	cost_end(&parts[ADD_PAGES]);
	if (!err) {
		cost_begin(&parts[REMOVE_PAGES]);
		__remove_pages(pfn, nr, params.altmap, pgmap);
		cost_end(&parts[REMOVE_PAGES]);
	}
	mem_hotplug_done();
	return err;
}

/* The same without the sections: whole pages of the memmap, section by section. */
static int map_and_unmap(struct dev_pagemap *pgmap, struct cost parts[NR_PARTS])
{
	unsigned long start = (unsigned long)pfn_to_page(PHYS_PFN(pgmap->range.start));
	unsigned long end = start + memmap_pages(range_len(&pgmap->range)) * PAGE_SIZE;
	unsigned long step = PAGES_PER_SECTION * sizeof(struct page);
	struct vmem_altmap *altmap = pgmap_altmap(pgmap);
	unsigned long addr;
	int err = 0;

	mem_hotplug_begin();
	cost_begin(&parts[VMEMMAP_POPULATE]);
	for (addr = start; addr < end && !err; addr += step)
		err = vmemmap_populate(addr, min(addr + step, end), 0, altmap);
	cost_end(&parts[VMEMMAP_POPULATE]);

	cost_begin(&parts[VMEMMAP_FREE]);
	for (addr = start; addr < end; addr += step)
		vmemmap_free(addr, min(addr + step, end), altmap);
	cost_end(&parts[VMEMMAP_FREE]);
	mem_hotplug_done();
	return err;
}

static void measure_parts(struct kunit *test, struct fake_dev *dev, u64 bytes)
{
	struct cost now[NR_PARTS], best[NR_PARTS];
	struct dev_pagemap pgmap;
	enum part part;
	uint round;

	for (round = 0; round < rounds; round++) {
		pgmap_set(&pgmap, dev, bytes, has_altmap(test));
		KUNIT_ASSERT_EQ(test, add_and_remove(&pgmap, now), 0);
		pgmap_set(&pgmap, dev, bytes, has_altmap(test));
		KUNIT_ASSERT_EQ(test, add_and_remove_pages(&pgmap, now), 0);
		pgmap_set(&pgmap, dev, bytes, has_altmap(test));
		KUNIT_ASSERT_EQ(test, map_and_unmap(&pgmap, now), 0);

		for (part = 0; part < NR_PARTS; part++)
			cost_keep(&best[part], &now[part], round);
	}
	for (part = 0; part < NR_PARTS; part++)
		print_row(test, part_names[part], "device", has_altmap(test), bytes,
			  &best[part], NULL);
}

/* Measure each call that memremap_pages() and memunmap_pages() make. */
static void memremap_pages_by_part(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get_memory(test, NR_SECTIONS);
	int i;

	for (i = 0; i < ARRAY_SIZE(sizes) && sizes[i] <= largest; i++)
		measure_parts(test, dev, sizes[i] * SZ_1M);
}

/* --- The memmap alone ---------------------------------------------------- */

static const struct extent {
	const char *of;
	unsigned long pages;
	bool avoids_blocks;
	bool has_table;
} extents[] = {
	{ "section", PAGES_PER_SECTION },
	{ "section_by_pages", PAGES_PER_SECTION, .avoids_blocks = true },
	{ "subsection", PAGES_PER_SUBSECTION },
	{ "page", 1 },
	{ "page_by_table", 1, .has_table = true },
};

static int extent_populate(const struct extent *extent, unsigned long start,
			   unsigned long end, struct vmem_altmap *altmap)
{
	if (extent->avoids_blocks)
		return adapt_populate_basepages(start, end, 0, altmap);
	return vmemmap_populate(start, end, 0, altmap);
}

static void measure_extent(struct kunit *test, struct fake_dev *dev,
			   const struct extent *extent)
{
	unsigned long start = fake_dev_memmap(dev, 0);
	u64 bytes = memmap_pages(PFN_PHYS(extent->pages)) * PAGE_SIZE;
	unsigned long end = start + bytes;
	struct cost now, populate, release;
	struct spent spent = { 0, 0 };
	uint round;
	int err;
	long before;

	mem_hotplug_begin();
	/* Map a neighbour, so that the table exists and stays. */
	if (extent->has_table)
		KUNIT_EXPECT_EQ(test, 0, vmemmap_populate(end, end + PAGE_SIZE, 0, NULL));
	for (round = 0; round < rounds; round++) {
		struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = bytes / PAGE_SIZE);
		struct vmem_altmap *from = has_altmap(test) ? &altmap : NULL;

		before = free_ram_pages();

		cost_begin(&now);
		err = extent_populate(extent, start, end, from);
		cost_end(&now);
		KUNIT_EXPECT_EQ(test, err, 0);
		cost_keep(&populate, &now, round);
		spent.ram = before - (long)free_ram_pages();
		spent.device = from ? altmap.alloc + altmap.align : 0;

		cost_begin(&now);
		vmemmap_free(start, end, from);
		cost_end(&now);
		cost_keep(&release, &now, round);
	}
	if (extent->has_table)
		vmemmap_free(end, end + PAGE_SIZE, NULL);
	mem_hotplug_done();

	print_row(test, extent->avoids_blocks ? "vmemmap_populate_basepages" : "vmemmap_populate",
		  extent->of, has_altmap(test), bytes, &populate, &spent);
	print_row(test, "vmemmap_free", extent->of, has_altmap(test), bytes, &release, NULL);
}

static void vmemmap_populate_alone(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get_memory(test, NR_SECTIONS);
	int i;

	for (i = 0; i < ARRAY_SIZE(extents); i++)
		measure_extent(test, dev, &extents[i]);
}

/* --- System RAM, hot-added ----------------------------------------------- */

static int do_with_blocks(u64 start, u64 bytes, int (*fn)(struct memory_block *))
{
	u64 addr;
	int err = 0;

	for (addr = start; addr < start + bytes && !err; addr += memory_block_size_bytes()) {
		struct memory_block *mem = find_memory_block(pfn_to_section_nr(PHYS_PFN(addr)));

		if (!mem)
			return -ENODEV;
		lock_device_hotplug();
		err = fn(mem);
		unlock_device_hotplug();
		put_device(&mem->dev);
	}
	return err;
}

static int block_online(struct memory_block *mem)
{
	mem->online_type = MMOP_ONLINE_MOVABLE;
	return device_online(&mem->dev);
}

static int block_offline(struct memory_block *mem)
{
	return device_offline(&mem->dev);
}

/* The cost of each step in the life of hot-added memory. */
struct dimm_costs {
	struct cost add_memory;
	struct cost device_online;
	struct cost device_offline;
	struct cost remove_memory;
};

static int add_online_offline_remove(u64 start, u64 bytes, mhp_t flags,
				     struct dimm_costs *costs, struct spent *spent)
{
	long before;
	int err;

	before = free_ram_pages();
	cost_begin(&costs->add_memory);
	err = add_memory(0, start, bytes, flags);
	cost_end(&costs->add_memory);
	if (err)
		return err;
	spent->ram = before - (long)free_ram_pages();
	spent->device = flags & MHP_MEMMAP_ON_MEMORY ? memmap_pages(bytes) : 0;

	cost_begin(&costs->device_online);
	err = do_with_blocks(start, bytes, block_online);
	cost_end(&costs->device_online);
	if (err)
		return err;

	cost_begin(&costs->device_offline);
	err = do_with_blocks(start, bytes, block_offline);
	cost_end(&costs->device_offline);
	if (err)
		return err;

	cost_begin(&costs->remove_memory);
	err = remove_memory(start, bytes);
	cost_end(&costs->remove_memory);
	return err;
}

static void measure_dimm(struct kunit *test, struct fake_dev *dev, u64 bytes)
{
	mhp_t flags = has_altmap(test) ? MHP_MEMMAP_ON_MEMORY : MHP_NONE;
	struct dimm_costs now, best;
	struct spent spent;
	uint round;
	int err = 0;

	/* add_memory() makes a claim of its own. */
	release_resource(&dev->res);
	for (round = 0; round < rounds && !err; round++) {
		err = add_online_offline_remove(dev->res.start, bytes, flags, &now,
						&spent);
		cost_keep(&best.add_memory, &now.add_memory, round);
		cost_keep(&best.device_online, &now.device_online, round);
		cost_keep(&best.device_offline, &now.device_offline, round);
		cost_keep(&best.remove_memory, &now.remove_memory, round);
	}
	if (err)
		fake_dev_abandon(dev);
	KUNIT_ASSERT_EQ_MSG(test, err, 0, "round %u of %llu bytes", round, bytes);
	KUNIT_ASSERT_EQ(test, request_resource(&iomem_resource, &dev->res), 0);

	print_row(test, "add_memory", "dimm", has_altmap(test), bytes, &best.add_memory, &spent);
	print_row(test, "device_online", "dimm", has_altmap(test), bytes, &best.device_online,
		  NULL);
	print_row(test, "device_offline", "dimm", has_altmap(test), bytes, &best.device_offline,
		  NULL);
	print_row(test, "remove_memory", "dimm", has_altmap(test), bytes, &best.remove_memory,
		  NULL);
}

static void add_memory_by_size(struct kunit *test)
{
	u64 section = PFN_PHYS(PAGES_PER_SECTION);
	struct fake_dev *dev;
	u64 bytes;

	if (memory_block_size_bytes() != section)
		kunit_skip(test, "memory blocks of several sections");
	if (has_altmap(test) && !mhp_supports_memmap_on_memory())
		kunit_skip(test, "memory_hotplug.memmap_on_memory= is off or refused");

	dev = fake_dev_get_memory(test, NR_SECTIONS);
	for (bytes = section; bytes <= min(SZ_1G, largest * SZ_1M); bytes *= 2)
		measure_dimm(test, dev, bytes);
}

/* --- The suite ----------------------------------------------------------- */

static int memmap_bench_init(struct kunit *test)
{
	struct cost now, least;
	uint round;

	if (num_online_cpus() != 1)
		kunit_skip(test, "what other CPUs do would be counted");
	if (!counter_is_there())
		kunit_skip(test, "this CPU counts no instructions; QEMU does with -icount shift=0");

	/* Avoid context switches. */
	sched_set_fifo(current);
	rounds = max(rounds, 1U);
	counter_start();
	memset(&nothing, 0, sizeof(nothing));
	for (round = 0; round < rounds; round++) {
		cost_begin(&now);
		cost_end(&now);
		cost_keep(&least, &now, round);
	}
	memcpy(&nothing, &least, sizeof(nothing));
	return 0;
}

static void memmap_bench_exit(struct kunit *test)
{
	counter_stop();
	sched_set_normal(current, 0);
}

/* Print the kernel's parameters, which the counts depend on. */
static void kernel_is_reported(struct kunit *test)
{
	kunit_info(test, "bench: kernel page=%lu section=%lu subsection=%lu struct_page=%zu block=%lu\n",
		   PAGE_SIZE, PAGES_PER_SECTION * PAGE_SIZE,
		   PAGES_PER_SUBSECTION * PAGE_SIZE, sizeof(struct page), PMD_SIZE);
}

static struct kunit_case memmap_bench_cases[] = {
	KUNIT_CASE(kernel_is_reported),
	KUNIT_CASE_PARAM(memremap_pages_by_size, origin_gen_params),
	KUNIT_CASE_PARAM(compound_pages_by_size, origin_gen_params),
	KUNIT_CASE_PARAM(memremap_pages_by_part, origin_gen_params),
	KUNIT_CASE_PARAM(vmemmap_populate_alone, origin_gen_params),
	KUNIT_CASE_PARAM(add_memory_by_size, origin_gen_params),
	{}
};

static struct kunit_suite memmap_bench_suite = {
	.name = "memmap_bench",
	.init = memmap_bench_init,
	.exit = memmap_bench_exit,
	.test_cases = memmap_bench_cases,
};

kunit_test_suite(memmap_bench_suite);

MODULE_DESCRIPTION("KUnit suite that counts what adding and removing memory costs");
MODULE_LICENSE("GPL");

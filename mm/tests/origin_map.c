// SPDX-License-Identifier: GPL-2.0-only
/* Prints the memory that backs a memmap: see origin_map.h. */
#include <linux/memory_hotplug.h>
#include <linux/mm.h>

#include "origin_map.h"

/* Do not print more runs than this. */
#define MAX_RUNS	96

struct run {
	unsigned long at;
	unsigned long nr;
	unsigned long leaf;
	unsigned long pfn;
	const char *from;
};

static struct run run_at(const struct fake_dev *dev, unsigned long start,
			 unsigned long at)
{
	unsigned long addr = start + at * PAGE_SIZE;
	struct run run = { .at = at, .nr = 1, .from = "hole" };
	struct vmemmap_walk walk;

	vmemmap_walk(addr, &walk);
	if (!walk.leaf)
		return run;
	run.leaf = walk.size;
	run.pfn = walk.pfn + ((addr & (walk.size - 1)) >> PAGE_SHIFT);
	run.from = fake_dev_has(dev, run.pfn) ? "device" : "ram";
	return run;
}

static bool continues(const struct run *run, const struct run *next)
{
	return run->from == next->from && run->leaf == next->leaf &&
	       (!run->leaf || run->pfn + run->nr == next->pfn);
}

/**
 * origin_map_print() - print the memory that backs the memmap of a device
 * @test: the test context, whose log gets the lines
 * @dev: the device
 * @nr: how many of its page frames have a memmap, from the first one on
 * @altmap: the altmap of the device
 *
 * Context: Process context, may sleep. Takes the memory hot-plug lock.
 * Return: base pages' worth of memmap that are not mapped.
 */
unsigned long origin_map_print(struct kunit *test, const struct fake_dev *dev,
			       unsigned long nr, const struct vmem_altmap *altmap)
{
	unsigned long start = fake_dev_memmap(dev, 0);
	unsigned long pages = DIV_ROUND_UP(fake_dev_memmap(dev, nr) - start, PAGE_SIZE);
	unsigned long at, holes = 0, runs = 0;
	struct run run, next;

	kunit_info(test, "origin-map: begin page=%lu pfn=%#lx pages=%lu offered=%#lx+%lu\n",
		   PAGE_SIZE, dev->pfn, nr, altmap->base_pfn + altmap->reserve,
		   altmap->free);
	get_online_mems();
	run = run_at(dev, start, 0);
	for (at = 1; at <= pages; at++) {
		next = run_at(dev, start, at);
		if (at < pages && continues(&run, &next)) {
			run.nr++;
			continue;
		}
		if (!run.leaf)
			holes += run.nr;
		if (runs++ < MAX_RUNS)
			kunit_info(test, "origin-map: run at=%lu pages=%lu leaf=%lu from=%s pfn=%#lx\n",
				   run.at, run.nr, run.leaf, run.from, run.pfn);
		run = next;
	}
	put_online_mems();
	kunit_info(test, "origin-map: end pages=%lu tables=%lu\n", pages,
		   fake_dev_census(dev).tables - dev->tables);
	return holes;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * arm64 does not let boot memory go offline. The struct pages behind boot memory are
 * reserved.
 *
 * Documentation/mm/vmemmap_altmap.rst states the rules. The cases cite H4 and H5.
 */
#include <kunit/test.h>
#include <linux/memblock.h>
#include <linux/memory.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/numa.h>
#include <linux/string.h>

/* Ask the notifiers whether these sections may go offline. Nothing goes offline. */
static int ask(unsigned long section, unsigned long nr_sections)
{
	struct memory_notify arg;
	int err;

	/* Older kernels also pass the nodes that lose all memory. Here, there are none. */
	memset(&arg, NUMA_NO_NODE, sizeof(arg));
	arg.start_pfn = section_nr_to_pfn(section);
	arg.nr_pages = nr_sections * PAGES_PER_SECTION;
	err = notifier_to_errno(memory_notify(MEM_GOING_OFFLINE, &arg));
	memory_notify(MEM_CANCEL_OFFLINE, &arg);
	return err;
}

/*
 * H4: a range is refused if any section of it is boot memory, for example the first or
 * the last one. A range after boot memory is not refused.
 *
 *	section		... |  last |  next |
 *	boot memory	=======|
 */
static void boot_memory_may_not_go_offline(struct kunit *test)
{
	unsigned long first = pfn_to_section_nr(PHYS_PFN(memblock_start_of_DRAM()));
	unsigned long last = pfn_to_section_nr(PHYS_PFN(memblock_end_of_DRAM()) - 1);
	unsigned long i;

	for (i = first; i <= last; i++)
		KUNIT_EXPECT_EQ_MSG(test, ask(i, 1), -EPERM, "section %lu", i);
	KUNIT_EXPECT_EQ_MSG(test, ask(first, last + 1 - first), -EPERM, "all boot memory");
	KUNIT_EXPECT_EQ_MSG(test, ask(last, 2), -EPERM, "the last section and the next");
	KUNIT_EXPECT_EQ_MSG(test, ask(last + 1, 1), 0, "the section after boot memory");
	if (first)
		KUNIT_EXPECT_EQ_MSG(test, ask(first - 1, 2), -EPERM,
				    "the first section and the one before it");
	if (first)
		KUNIT_EXPECT_EQ_MSG(test, ask(first - 1, 1), 0,
				    "the section before boot memory");
}

/*
 * H5: the struct pages behind boot memory, in its last section, are reserved. This suite
 * runs before those that add devices there.
 *
 *	section		|          last         |
 *	boot memory	===============|
 *	reserved			|=======|
 */
static void pages_behind_boot_memory_are_reserved(struct kunit *test)
{
	unsigned long pfn = PHYS_PFN(memblock_end_of_DRAM());
	unsigned long end = SECTION_ALIGN_UP(pfn);
	struct page *last = pfn_to_page(pfn - 1), *page;

	if (pfn == end)
		kunit_skip(test, "boot memory ends at the end of a section");

	for (; pfn < end; pfn++) {
		page = pfn_to_page(pfn);
		KUNIT_ASSERT_TRUE_MSG(test, PageReserved(page), "page frame %#lx is reserved", pfn);
		KUNIT_ASSERT_EQ_MSG(test, page_ref_count(page), 1,
				    "references to page frame %#lx", pfn);
		KUNIT_ASSERT_EQ_MSG(test, page_zonenum(page), page_zonenum(last),
				    "zone of page frame %#lx, and of boot memory", pfn);
	}
}

static struct kunit_case arm64_boot_memory_cases[] = {
	KUNIT_CASE(boot_memory_may_not_go_offline),
	KUNIT_CASE(pages_behind_boot_memory_are_reserved),
	{}
};

static struct kunit_suite arm64_boot_memory_suite = {
	.name = "arm64_boot_memory",
	.test_cases = arm64_boot_memory_cases,
};

kunit_test_suite(arm64_boot_memory_suite);

MODULE_DESCRIPTION("KUnit tests for boot memory that must not go offline");
MODULE_LICENSE("GPL");

// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the other suites have made the kernel allocate and forget. Built with
 * CONFIG_DEBUG_KMEMLEAK alone, and linked last so that it runs last.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/slab.h>

#include "leak_scan.h"

/* kmemleak leaves alone what is younger than five seconds. */
#define OLD_ENOUGH_MS	6000
#define NR_HIDDEN	16

/* The first scan takes a checksum of what it suspects, the second one reports. */
static unsigned int leaks(void)
{
	msleep(OLD_ENOUGH_MS);
	kmemleak_scan_for_test();
	return kmemleak_scan_for_test();
}

/*
 * A scan that finds nothing says something only if it would find something. A
 * stack may hold the addresses of some of these by chance, but not of all.
 */
static void kmemleak_finds_nothing(struct kunit *test)
{
	unsigned int i, before = leaks();
	unsigned long hidden[NR_HIDDEN];

	KUNIT_EXPECT_EQ_MSG(test, before, 0, "objects that nothing points to");

	for (i = 0; i < NR_HIDDEN; i++)
		hidden[i] = ~(unsigned long)kmalloc(128, GFP_KERNEL);
	KUNIT_EXPECT_GT_MSG(test, leaks(), before,
			    "objects that nothing points to, of %d more", NR_HIDDEN);
	for (i = 0; i < NR_HIDDEN; i++)
		kfree((void *)~hidden[i]);
}

static struct kunit_case kmemleak_cases[] = {
	KUNIT_CASE_SLOW(kmemleak_finds_nothing),
	{}
};

static struct kunit_suite kmemleak_suite = {
	.name = "vmemmap_kmemleak",
	.test_cases = kmemleak_cases,
};

kunit_test_suite(kmemleak_suite);

MODULE_DESCRIPTION("KUnit test of what the vmemmap tests leave behind");
MODULE_LICENSE("GPL");

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Checks that the other suites leak no memory. Built only with
 * CONFIG_DEBUG_KMEMLEAK, and linked last so that it runs last.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/slab.h>

#include "leak_scan.h"

/* kmemleak ignores objects that are younger than five seconds. */
#define OLD_ENOUGH_MS	6000
#define NR_HIDDEN	16

/* The first scan stores the checksum of a suspect, and the second one reports it. */
static unsigned int leaks(void)
{
	msleep(OLD_ENOUGH_MS);
	kmemleak_scan_for_test();
	return kmemleak_scan_for_test();
}

/*
 * The scan finds no leak, but finds objects whose addresses the case hides. A stack
 * may hold the addresses of some of them by chance, but not of all.
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

MODULE_DESCRIPTION("KUnit test for memory that the vmemmap tests leak");
MODULE_LICENSE("GPL");

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes one allocation of a call fail, chosen by its number.
 *
 * Counts the blocks that vmemmap_alloc_block() returns, the objects that slab returns
 * (with CONFIG_FAILSLAB) and other pages (with CONFIG_FAIL_PAGE_ALLOC), if the running
 * test allocates them itself. If the caller may not sleep, the next object of the same
 * cache fails as well, because an xarray then tries again when it may sleep.
 */
#include <linux/fault-inject.h>
#include <linux/kallsyms.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/stacktrace.h>

#include "alloc_fault.h"
#include "func_redirect.h"
#ifdef CONFIG_ARM64_VMEMMAP_KUNIT_TEST
#include "../../arch/arm64/mm/tests/unmap_hotplug.h"
#else
/* Only arm64's linear mapping may stop the kernel if a table cannot be had. */
static inline bool linear_mapping_can_fail(void)
{
	return !IS_ENABLED(CONFIG_ARM64);
}
#endif

#define CALLERS		16
/* A linear mapping has hundreds of similar tables. Count one of so many only. */
#define TABLES		16

/* One test runs at a time. */
static struct {
	unsigned int left;
	bool struck;
	struct kmem_cache *strike_again;	/* the next object of this cache fails, too */
	bool spare;		/* do not count allocations */
	unsigned int nr_tables;	/* tables of the linear mapping */
	unsigned int nr_callers;
	unsigned long callers[CALLERS];
} fault;

static bool strikes(void)
{
	if (fault.struck || fault.spare)
		return false;
	if (fault.left) {
		fault.left--;
		return false;
	}
	fault.struck = true;
	fault.nr_callers = stack_trace_save(fault.callers, CALLERS, 2);
	return true;
}

static void *fault_alloc_block(unsigned long size, int node)
{
	struct page *page;

	if (strikes())
		return NULL;
	fault.spare = true;
	page = alloc_pages_node(node, GFP_KERNEL, get_order(size));
	fault.spare = false;
	return page ? page_address(page) : NULL;
}

#ifdef CONFIG_FAILSLAB
/* An xarray first allocates a node without sleeping, and then tries again. */
static int fault_slab(struct kmem_cache *s, gfp_t gfp)
{
	bool again = fault.strike_again == s && !fault.spare;

	if (gfp & __GFP_NOFAIL)
		return 0;
	if (!again && !strikes())
		return 0;
	fault.strike_again = again || gfpflags_allow_blocking(gfp) ? NULL : s;
	return -ENOMEM;
}
#endif

#ifdef CONFIG_FAIL_PAGE_ALLOC
/* Check whether the page is for a table of arm64's linear mapping. */
static bool for_linear_mapping(void)
{
	unsigned long callers[CALLERS];
	char name[KSYM_SYMBOL_LEN];
	unsigned int i, nr;

	nr = stack_trace_save(callers, CALLERS, 0);
	for (i = 0; i < nr; i++) {
		sprint_symbol_no_offset(name, callers[i]);
		if (!strcmp(name, "__pgd_pgtable_alloc"))
			return true;
	}
	return false;
}

/*
 * Slab allocates compound pages, and its objects are counted already. Newer kernels allocate
 * the tables of the linear mapping as compound pages, too.
 */
static bool fault_page(gfp_t gfp, unsigned int order)
{
	bool for_table;

	if (gfp & __GFP_NOFAIL)
		return false;
	for_table = !order && for_linear_mapping();
	if (for_table && (!linear_mapping_can_fail() || fault.nr_tables++ % TABLES))
		return false;
	if (!for_table && gfp & __GFP_COMP)
		return false;
	return strikes();
}
#endif

/**
 * alloc_fault_begin() - make one allocation of this test fail
 * @test: the test context
 * @nth: the number of the allocation, counted from 0
 *
 * Context: Process context, may sleep. Does not nest.
 */
void alloc_fault_begin(struct kunit *test, unsigned int nth)
{
	/* func_redirect_begin() allocates as well. */
	fault.spare = true;
	func_redirect_begin(test, vmemmap_alloc_block, fault_alloc_block);
#ifdef CONFIG_FAILSLAB
	func_redirect_begin(test, should_failslab, fault_slab);
#endif
#ifdef CONFIG_FAIL_PAGE_ALLOC
	func_redirect_begin(test, should_fail_alloc_page, fault_page);
#endif
	fault.left = nth;
	fault.struck = false;
	fault.strike_again = NULL;
	fault.nr_tables = 0;
	fault.spare = false;
}

/**
 * alloc_fault_end() - stop failing allocations
 * @test: the test context
 *
 * Context: Process context, may sleep.
 * Return: true if there were enough allocations for one to fail.
 */
bool alloc_fault_end(struct kunit *test)
{
	bool struck = fault.struck;

	/* func_redirect_end() may allocate as well. */
	fault.spare = true;
#ifdef CONFIG_FAIL_PAGE_ALLOC
	func_redirect_end(test, should_fail_alloc_page);
#endif
#ifdef CONFIG_FAILSLAB
	func_redirect_end(test, should_failslab);
#endif
	func_redirect_end(test, vmemmap_alloc_block);
	fault.spare = false;
	return struck;
}

/**
 * alloc_fault_report() - print the callers of the allocation that failed
 * @test: the test context
 */
void alloc_fault_report(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < fault.nr_callers; i++)
		kunit_info(test, "failed for %pS", (void *)fault.callers[i]);
}

/**
 * alloc_fault_overlooks_tables() - check that tables of arm64's linear mapping can fail
 *
 * They are recognized by the name of the function that allocates them, which may change.
 *
 * Return: true if the last call added memory on arm64, but no such table was seen.
 */
bool alloc_fault_overlooks_tables(void)
{
	return IS_ENABLED(CONFIG_FAIL_PAGE_ALLOC) && IS_ENABLED(CONFIG_ARM64) &&
	       linear_mapping_can_fail() && !fault.nr_tables;
}

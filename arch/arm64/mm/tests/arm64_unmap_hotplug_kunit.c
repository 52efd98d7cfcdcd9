// SPDX-License-Identifier: GPL-2.0-only
/*
 * unmap_hotplug_range() of arm64: which calls cause a WARN, and whether it frees
 * memory.
 *
 * Documentation/mm/vmemmap_altmap.rst states the rules. The cases cite them as
 * D1, D2 and so on.
 */
#include <kunit/test.h>
#include <linux/log2.h>
#include <linux/memblock.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/pgalloc.h>
#include <linux/pgtable.h>
#include <linux/uaccess.h>

#include <asm/tlbflush.h>

#include "fake_dev.h"
#include "unmap_hotplug.h"
#include "warn_log.h"

#define NR	4

#define SECTION_MEMMAP	(PAGES_PER_SECTION * sizeof(struct page))

/* Map NR base pages of memmap, in the device or, without an altmap, in system RAM. */
static unsigned long get_mapping(struct kunit *test, struct fake_dev *dev,
				 struct vmem_altmap *altmap)
{
	unsigned long start = fake_dev_memmap(dev, 0);
	int err;

	mem_hotplug_begin();
	err = adapt_populate_basepages(start, start + NR * PAGE_SIZE, 0,
				       altmap);
	mem_hotplug_done();
	KUNIT_ASSERT_EQ(test, err, 0);
	return start;
}

static void unmap(unsigned long start, unsigned long size, bool free_mapped,
		  struct vmem_altmap *altmap)
{
	mem_hotplug_begin();
	kunit_unmap_hotplug_range(start, start + size, free_mapped, altmap);
	mem_hotplug_done();
}

static void expect_holes(struct kunit *test, const struct fake_dev *dev,
			 unsigned long start, unsigned long nr)
{
	struct vmemmap_census census;

	vmemmap_census(start, start + nr * PAGE_SIZE, dev->pfn, dev->nr, &census);
	KUNIT_EXPECT_EQ_MSG(test, census.holes, nr, "unmapped pages from %#lx on",
			    start);
}

/* Otherwise, a page of the device would go to the page allocator. */
static void assert_free_takes_altmap(struct kunit *test, struct fake_dev *dev)
{
	KUNIT_ASSERT_TRUE_MSG(test, dev->free_takes_altmap,
			      "unmap_hotplug_range() returns nothing to an altmap");
}

/*
 * D1: the function WARNs about an altmap without free_mapped, which is a bug in the
 * caller: an altmap can only back the vmemmap, whose memory is freed.
 */
static void altmap_without_free_warns_once(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = NR);
	unsigned long start = get_mapping(test, dev, &altmap);

	KUNIT_EXPECT_WARNS(test, 1, MMU_C,
			   unmap(start, NR * PAGE_SIZE, false, &altmap));
}

static void unmap_three_times(unsigned long start, struct vmem_altmap *altmap)
{
	int i;

	for (i = 0; i < 3; i++)
		unmap(start + i * PAGE_SIZE, PAGE_SIZE, false, altmap);
}

/* D1: it WARNs about each such call, not only about the first one since boot. */
static void altmap_without_free_warns_each_time(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = NR);
	unsigned long start = get_mapping(test, dev, &altmap);

	KUNIT_EXPECT_WARNS(test, 3, MMU_C,
			   unmap_three_times(start, &altmap));
}

/* D1: it also WARNs if nothing is mapped in the range. */
static void altmap_without_free_warns_on_empty_range(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = NR);

	KUNIT_EXPECT_WARNS(test, 1, MMU_C,
			   unmap(fake_dev_memmap(dev, 0), NR * PAGE_SIZE, false,
				 &altmap));
}

/* D2: such a call unmaps the range, but returns nothing to the altmap. */
static void altmap_without_free_gives_nothing_back(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = NR);
	unsigned long start = get_mapping(test, dev, &altmap);

	KUNIT_ASSERT_EQ(test, altmap.alloc, NR);
	KUNIT_EXPECT_WARNS(test, 1, MMU_C,
			   unmap(start, NR * PAGE_SIZE, false, &altmap));
	KUNIT_EXPECT_EQ_MSG(test, altmap.alloc, NR, "allocated pages, now and before");
	expect_holes(test, dev, start, NR);
}

/* D3: an altmap with free_mapped does not cause a WARN. */
static void altmap_with_free_does_not_warn(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = NR);
	unsigned long start;

	assert_free_takes_altmap(test, dev);
	start = get_mapping(test, dev, &altmap);
	KUNIT_EXPECT_NO_WARN(test, unmap(start, NR * PAGE_SIZE, true, &altmap));
	KUNIT_EXPECT_EQ_MSG(test, altmap.alloc, 0, "pages still allocated");
	expect_holes(test, dev, start, NR);
}

/* D3: free_mapped without an altmap does not cause a WARN: a vmemmap in system RAM. */
static void no_altmap_with_free_does_not_warn(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	unsigned long start = get_mapping(test, dev, NULL);

	KUNIT_EXPECT_NO_WARN(test, unmap(start, NR * PAGE_SIZE, true, NULL));
	expect_holes(test, dev, start, NR);
}

/* D3: neither an altmap nor free_mapped: the linear mapping, whose memory is not freed. */
static void no_altmap_without_free_does_not_warn(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	unsigned long start = get_mapping(test, dev, NULL);
	struct page *page[NR];
	struct vmemmap_walk walk;
	int i;

	for (i = 0; i < NR; i++) {
		vmemmap_walk(start + i * PAGE_SIZE, &walk);
		KUNIT_ASSERT_TRUE(test, walk.leaf && pfn_valid(walk.pfn));
		page[i] = pfn_to_page(walk.pfn);
	}
	KUNIT_EXPECT_NO_WARN(test, unmap(start, NR * PAGE_SIZE, false, NULL));
	expect_holes(test, dev, start, NR);
	for (i = 0; i < NR; i++) {
		KUNIT_EXPECT_EQ_MSG(test, page_count(page[i]), 1,
				    "references to page frame %#lx, which must not be freed",
				    page_to_pfn(page[i]));
		if (page_count(page[i]) == 1)
			__free_page(page[i]);
	}
}

/* Make the tables for an address, down to a level. Return NULL if there is no memory. */
static void *new_table(void)
{
	void *table = vmemmap_alloc_block(PAGE_SIZE, test_nid());

	return table ? memset(table, 0, PAGE_SIZE) : NULL;
}

static pud_t *make_pud(unsigned long addr)
{
	pgd_t *pgdp = pgd_offset_k(addr);
	p4d_t *p4dp;
	void *table;

	if (pgd_none(READ_ONCE(*pgdp))) {
		table = new_table();
		if (!table)
			return NULL;
		pgd_populate(&init_mm, pgdp, table);
	}
	p4dp = p4d_offset(pgdp, addr);
	if (p4d_none(READ_ONCE(*p4dp))) {
		table = new_table();
		if (!table)
			return NULL;
		p4d_populate(&init_mm, p4dp, table);
	}
	return pud_offset(p4dp, addr);
}

static pmd_t *make_pmd(unsigned long addr)
{
	pud_t *pudp = make_pud(addr);
	void *table;

	if (!pudp)
		return NULL;
	if (pud_none(READ_ONCE(*pudp))) {
		table = new_table();
		if (!table)
			return NULL;
		pud_populate(&init_mm, pudp, table);
	}
	return pmd_offset(pudp, addr);
}

static pte_t *make_pte(unsigned long addr)
{
	pmd_t *pmdp = make_pmd(addr);
	void *table;

	if (!pmdp)
		return NULL;
	if (pmd_none(READ_ONCE(*pmdp))) {
		table = new_table();
		if (!table)
			return NULL;
		pmd_populate_kernel(&init_mm, pmdp, table);
	}
	return pte_offset_kernel(pmdp, addr);
}

/* The size of the largest block. If the PUD level is folded, PUD_SIZE is PMD_SIZE. */
static unsigned long largest_block(void)
{
	return pud_sect_supported() ? PUD_SIZE : PMD_SIZE;
}

/* A device whose memmap has an address that such a block fits at. */
static struct fake_dev *get_dev_for_block(struct kunit *test, unsigned long *start)
{
	unsigned long size = largest_block();
	struct fake_dev *dev = fake_dev_get(test, 1,
					    roundup_pow_of_two(2 * size / SECTION_MEMMAP));

	*start = ALIGN_DOWN(fake_dev_memmap(dev, 0), size);
	return dev;
}

/*
 * The vmemmap has no blocks of that size yet, so set an empty entry to one: see
 * free_subsection_returns_empty_tables().
 */
static void make_block(struct kunit *test, unsigned long start, unsigned long pfn)
{
	bool done = false;
	pud_t *pudp;
	pmd_t *pmdp;

	mem_hotplug_begin();
	/* A PUD that is folded is never empty. */
	if (pud_sect_supported()) {
		pudp = make_pud(start);
		done = pudp && pud_none(*pudp);
		if (done)
			set_pud(pudp, pfn_pud(pfn, mk_pud_sect_prot(PAGE_KERNEL)));
	} else {
		pmdp = make_pmd(start);
		done = pmdp && pmd_none(*pmdp);
		if (done)
			set_pmd(pmdp, pmd_mkhuge(pfn_pmd(pfn, PAGE_KERNEL)));
	}
	mem_hotplug_done();
	KUNIT_ASSERT_TRUE_MSG(test, done, "no memory for the tables, or no empty entry at %#lx",
			      start);
}

/* D3: a block of the largest size returns to the altmap as a whole. */
static void altmap_with_free_takes_largest_block(struct kunit *test)
{
	unsigned long size = largest_block(), start;
	struct fake_dev *dev = get_dev_for_block(test, &start);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = size / PAGE_SIZE);
	struct vmemmap_walk walk;

	assert_free_takes_altmap(test, dev);
	make_block(test, start, dev->pfn);
	altmap.alloc = size / PAGE_SIZE;
	KUNIT_EXPECT_NO_WARN(test, unmap(start, size, true, &altmap));
	KUNIT_EXPECT_EQ_MSG(test, altmap.alloc, 0, "pages still allocated, of a block of %lu",
			    size / PAGE_SIZE);
	vmemmap_walk(start, &walk);
	KUNIT_EXPECT_FALSE_MSG(test, walk.leaf, "%#lx is still mapped", start);
}

/* C14: after a block of the largest size is freed, it cannot be read. */
static void largest_block_is_flushed(struct kunit *test)
{
	unsigned long size = largest_block(), nr = size / PAGE_SIZE, start;
	struct fake_dev *mem = fake_dev_claim_memory(test, nr, nr);
	struct fake_dev *dev = get_dev_for_block(test, &start);
	struct vmem_altmap altmap = FAKE_ALTMAP(mem, .free = nr);
	u64 value;

	assert_free_takes_altmap(test, dev);
	make_block(test, start, mem->pfn);
	altmap.alloc = nr;
	KUNIT_EXPECT_EQ_MSG(test, 0, copy_from_kernel_nofault(&value, (void *)start, sizeof(value)),
			    "reading at %#lx, mapped", start);
	unmap(start, size, true, &altmap);
	KUNIT_EXPECT_EQ_MSG(test, -EFAULT,
			    copy_from_kernel_nofault(&value, (void *)start, sizeof(value)),
			    "reading at %#lx, freed", start);
}

/*
 * D4: the vmemmap has no contiguous entries. The function WARNs if it frees one,
 * but frees it. The cases make whole groups of such entries, as the architecture
 * requires: aligned, and for consecutive page frames.
 */
static struct fake_dev *get_contiguous(struct kunit *test, unsigned long size,
				       unsigned int nr, unsigned long *start)
{
	unsigned long sections = roundup_pow_of_two(DIV_ROUND_UP(nr * size, SECTION_MEMMAP));
	/* If a section's memmap is no power of two, alignment takes more sections. */
	unsigned long times = is_power_of_2(SECTION_MEMMAP) ? 1 : 2;
	struct fake_dev *dev = fake_dev_get(test, times * sections, sections);
	bool done;
	unsigned int i;
	pmd_t *pmdp;
	pte_t *ptep;

	*start = ALIGN(fake_dev_memmap(dev, 0), nr * size);
	mem_hotplug_begin();
	for (i = 0; i < nr; i++) {
		unsigned long addr = *start + i * size;
		unsigned long pfn = dev->pfn + i * (size / PAGE_SIZE);

		/* Only new tables are allocated. They are freed with the device. */
		if (size == PMD_SIZE) {
			pmdp = make_pmd(addr);
			if (!pmdp)
				break;
			set_pmd(pmdp, pmd_mkhuge(pmd_mkcont(pfn_pmd(pfn, PAGE_KERNEL))));
			continue;
		}
		ptep = make_pte(addr);
		if (!ptep)
			break;
		/* Do not use set_pte(), which clears the contiguous bit. */
		__set_pte(ptep, pte_mkcont(pfn_pte(pfn, PAGE_KERNEL)));
	}
	done = i == nr;
	mem_hotplug_done();
	KUNIT_ASSERT_TRUE_MSG(test, done, "no memory for the tables");
	return dev;
}

static void contiguous_pages_warn_when_freed(struct kunit *test)
{
	unsigned long start;
	struct fake_dev *dev = get_contiguous(test, PAGE_SIZE, CONT_PTES, &start);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = CONT_PTES);

	assert_free_takes_altmap(test, dev);
	altmap.alloc = CONT_PTES;
	KUNIT_EXPECT_WARNS(test, CONT_PTES, MMU_C,
			   unmap(start, CONT_PTES * PAGE_SIZE, true, &altmap));
	expect_holes(test, dev, start, CONT_PTES);
	KUNIT_EXPECT_EQ(test, altmap.alloc, 0);
}

static void contiguous_blocks_warn_when_freed(struct kunit *test)
{
	unsigned long start;
	struct fake_dev *dev = get_contiguous(test, PMD_SIZE, CONT_PMDS, &start);
	unsigned long nr = CONT_PMDS * (PMD_SIZE / PAGE_SIZE);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = nr);

	assert_free_takes_altmap(test, dev);
	altmap.alloc = nr;
	KUNIT_EXPECT_WARNS(test, CONT_PMDS, MMU_C,
			   unmap(start, CONT_PMDS * PMD_SIZE, true, &altmap));
	expect_holes(test, dev, start, nr);
	KUNIT_EXPECT_EQ(test, altmap.alloc, 0);
}

/* D4: it does not WARN if it only unmaps contiguous entries. The linear mapping has many. */
static void contiguous_pages_do_not_warn_when_kept(struct kunit *test)
{
	unsigned long start;
	struct fake_dev *dev = get_contiguous(test, PAGE_SIZE, CONT_PTES, &start);

	KUNIT_EXPECT_NO_WARN(test, unmap(start, CONT_PTES * PAGE_SIZE, false, NULL));
	expect_holes(test, dev, start, CONT_PTES);
}

static void contiguous_blocks_do_not_warn_when_kept(struct kunit *test)
{
	unsigned long start;
	struct fake_dev *dev = get_contiguous(test, PMD_SIZE, CONT_PMDS, &start);

	KUNIT_EXPECT_NO_WARN(test, unmap(start, CONT_PMDS * PMD_SIZE, false, NULL));
	expect_holes(test, dev, start, CONT_PMDS * (PMD_SIZE / PAGE_SIZE));
}

/*
 * D5: the function WARNs about a reserved page that would go to the page allocator.
 * Here, one of NR pages is reserved.
 */
static void reserved_page_warns_when_freed(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	unsigned long start = get_mapping(test, dev, NULL);
	struct vmemmap_walk walk;
	struct page *page;

	vmemmap_walk(start + PAGE_SIZE, &walk);
	KUNIT_ASSERT_TRUE(test, walk.leaf && pfn_valid(walk.pfn));
	page = pfn_to_page(walk.pfn);
	/* Keep a reference: a reserved page must not be freed. */
	get_page(page);
	SetPageReserved(page);

	KUNIT_EXPECT_WARNS(test, 1, MMU_C,
			   unmap(start, NR * PAGE_SIZE, true, NULL));
	expect_holes(test, dev, start, NR);

	ClearPageReserved(page);
	__free_page(page);
}

/* D5: it does not check the pages of an altmap, whose struct pages may not exist. */
static void reserved_page_in_altmap_does_not_warn(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	/* This altmap contains all page frames. */
	struct vmem_altmap altmap = { .free = max_pfn };
	unsigned long start = get_mapping(test, dev, NULL);
	struct page *page[NR];
	struct vmemmap_walk walk;
	int i;

	/* Use reserved pages of system RAM, whose struct pages can be read. */
	for (i = 0; i < NR; i++) {
		vmemmap_walk(start + i * PAGE_SIZE, &walk);
		KUNIT_ASSERT_TRUE(test, walk.leaf && pfn_valid(walk.pfn));
		page[i] = pfn_to_page(walk.pfn);
		get_page(page[i]);
		SetPageReserved(page[i]);
	}
	altmap.alloc = NR;

	KUNIT_EXPECT_NO_WARN(test, unmap(start, NR * PAGE_SIZE, true, &altmap));
	KUNIT_EXPECT_EQ_MSG(test, altmap.alloc, 0, "pages still allocated");

	for (i = 0; i < NR; i++) {
		KUNIT_EXPECT_EQ_MSG(test, page_count(page[i]), 2,
				    "references to page frame %#lx, by the test and the mapping",
				    page_to_pfn(page[i]));
		ClearPageReserved(page[i]);
		if (page_count(page[i]) > 1)
			put_page(page[i]);
		__free_page(page[i]);
	}
}

/*
 * Make an entry invalid, as debug_pagealloc does for a free page. It is global, or not
 * global as with kernel page-table isolation. Return the page.
 */
static struct page *make_invalid(struct kunit *test, unsigned long addr, bool global)
{
	pteval_t not_global = global ? 0 : PTE_NG;
	pte_t *ptep = pte_offset_kernel(pmd_off_k(addr), addr);
	struct vmemmap_walk walk;

	vmemmap_walk(addr, &walk);
	KUNIT_ASSERT_TRUE(test, walk.leaf && pfn_valid(walk.pfn));
	mem_hotplug_begin();
	__set_pte(ptep, __pte((pte_val(__ptep_get(ptep)) & ~(PTE_VALID | PTE_NG)) | not_global));
	flush_tlb_kernel_range(addr, addr + PAGE_SIZE);
	mem_hotplug_done();
	return pfn_to_page(walk.pfn);
}

/*
 * D6: debug_pagealloc makes the entries of free pages in the linear mapping
 * invalid. The function clears them without a WARN.
 */
static void invalid_page_does_not_warn_when_kept(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	unsigned long start = get_mapping(test, dev, NULL);
	struct page *page[NR];
	int i;

	for (i = 0; i < NR; i++)
		page[i] = make_invalid(test, start + i * PAGE_SIZE, true);
	KUNIT_EXPECT_NO_WARN(test, unmap(start, NR * PAGE_SIZE, false, NULL));
	expect_holes(test, dev, start, NR);
	for (i = 0; i < NR; i++)
		__free_page(page[i]);
}

/* D6: the function WARNs about an invalid entry if it frees memory, which was in use. */
static void invalid_page_warns_when_freed(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	unsigned long start = get_mapping(test, dev, NULL);

	make_invalid(test, start + PAGE_SIZE, true);
	KUNIT_EXPECT_WARNS(test, 1, MMU_C,
			   unmap(start, NR * PAGE_SIZE, true, NULL));
	expect_holes(test, dev, start, NR);
}

/*
 * D6: it does not WARN about an invalid entry that is not global, because pte_present()
 * treats such an entry as present.
 */
static void invalid_page_not_global_does_not_warn(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	unsigned long start = get_mapping(test, dev, NULL);

	make_invalid(test, start + PAGE_SIZE, false);
	KUNIT_EXPECT_NO_WARN(test, unmap(start, NR * PAGE_SIZE, true, NULL));
	expect_holes(test, dev, start, NR);
}

/* Take the type off the PMD or the PUD for an address, unmap it, and put the type back. */
static void unmap_without_type(struct kunit *test, unsigned long start, bool is_pud)
{
	pud_t *pudp = pud_offset(p4d_offset(pgd_offset_k(start), start), start);
	pmd_t *pmdp = pmd_off_k(start);
	pud_t pud = READ_ONCE(*pudp);
	pmd_t pmd = READ_ONCE(*pmdp);

	mem_hotplug_begin();
	if (is_pud)
		set_pud(pudp, __pud(pud_val(pud) & ~PUD_TYPE_MASK));
	else
		set_pmd(pmdp, __pmd(pmd_val(pmd) & ~PMD_TYPE_MASK));
	mem_hotplug_done();

	/* It is not present, and no table. */
	KUNIT_EXPECT_WARNS(test, 2, MMU_C, unmap(start, PAGE_SIZE, true, NULL));

	mem_hotplug_begin();
	if (is_pud)
		set_pud(pudp, pud);
	else
		set_pmd(pmdp, pmd);
	mem_hotplug_done();
}

/* D7: a PMD or PUD that points to a table, but lacks the type of a table entry. */
static void entry_without_type_warns(struct kunit *test)
{
	unsigned long start;
	pte_t *ptep;

	get_dev_for_block(test, &start);
	mem_hotplug_begin();
	ptep = make_pte(start);
	mem_hotplug_done();
	KUNIT_ASSERT_NOT_NULL_MSG(test, ptep, "no memory for the tables");

	unmap_without_type(test, start, false);
	if (pud_sect_supported())
		unmap_without_type(test, start, true);

	mem_hotplug_begin();
	vmemmap_free(start, start + PAGE_SIZE, NULL);
	mem_hotplug_done();
}

static struct kunit_case arm64_unmap_hotplug_cases[] = {
	KUNIT_CASE(altmap_without_free_warns_once),
	KUNIT_CASE(altmap_without_free_warns_each_time),
	KUNIT_CASE(altmap_without_free_warns_on_empty_range),
	KUNIT_CASE(altmap_without_free_gives_nothing_back),
	KUNIT_CASE(altmap_with_free_does_not_warn),
	KUNIT_CASE(altmap_with_free_takes_largest_block),
	KUNIT_CASE(largest_block_is_flushed),
	KUNIT_CASE(no_altmap_with_free_does_not_warn),
	KUNIT_CASE(no_altmap_without_free_does_not_warn),
	KUNIT_CASE(contiguous_pages_warn_when_freed),
	KUNIT_CASE(contiguous_blocks_warn_when_freed),
	KUNIT_CASE(contiguous_pages_do_not_warn_when_kept),
	KUNIT_CASE(contiguous_blocks_do_not_warn_when_kept),
	KUNIT_CASE(reserved_page_warns_when_freed),
	KUNIT_CASE(reserved_page_in_altmap_does_not_warn),
	KUNIT_CASE(invalid_page_does_not_warn_when_kept),
	KUNIT_CASE(invalid_page_warns_when_freed),
	KUNIT_CASE(invalid_page_not_global_does_not_warn),
	KUNIT_CASE(entry_without_type_warns),
	{}
};

static struct kunit_suite arm64_unmap_hotplug_suite = {
	.name = "arm64_unmap_hotplug",
	.test_cases = arm64_unmap_hotplug_cases,
};

kunit_test_suite(arm64_unmap_hotplug_suite);

MODULE_DESCRIPTION("KUnit tests for arm64's unmap_hotplug_range()");
MODULE_LICENSE("GPL");

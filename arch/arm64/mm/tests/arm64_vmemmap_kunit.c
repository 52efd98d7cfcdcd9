// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmemmap_populate() and vmemmap_free() of arm64 with a struct vmem_altmap: which
 * memory backs the struct pages, how it is mapped, and where it is freed to.
 *
 * Documentation/mm/vmemmap_altmap.rst states the rules. The cases cite them as
 * C1, C2 and so on.
 */
#include <kunit/test.h>
#include <linux/io.h>
#include <linux/log2.h>
#include <linux/memory_hotplug.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/sizes.h>
#include <linux/vmalloc.h>

#include <asm/mmu.h>
#include <asm/sysreg.h>

#include "fake_dev.h"
#include "func_redirect.h"
#include "unmap_hotplug.h"
#include "vmemmap_adapt.h"
#include "warn_log.h"

#define SECTION_MEMMAP		(PAGES_PER_SECTION * sizeof(struct page))

/* The memmap of a subsection, or with large pages, of as many as fill a page. */
#define SUBSECTION_MEMMAP	MAX(PAGES_PER_SUBSECTION * sizeof(struct page), PAGE_SIZE)
#define SUBSECTIONS		(SECTION_MEMMAP / SUBSECTION_MEMMAP)

/*
 * With 4K pages, a whole section is mapped by blocks if its memmap fills them: if a
 * struct page has 64 bytes, but not if it has 80. Everything else is mapped by base
 * pages.
 */
#define HAS_BLOCKS	(IS_ENABLED(CONFIG_ARM64_4K_PAGES) && IS_ALIGNED(SECTION_MEMMAP, PMD_SIZE))
#define LEAF_SIZE	(HAS_BLOCKS ? PMD_SIZE : PAGE_SIZE)
#define LEAF_PAGES	(LEAF_SIZE / PAGE_SIZE)
#define SECTION_PAGES	(SECTION_MEMMAP / PAGE_SIZE)

/* A range of addresses in the vmemmap. */
struct span {
	unsigned long start;
	unsigned long end;
};

static struct span section_span(const struct fake_dev *dev, unsigned long nr)
{
	unsigned long start = fake_dev_memmap(dev, nr * PAGES_PER_SECTION);

	return (struct span) { start, start + SECTION_MEMMAP };
}

static struct span subsection_span(const struct fake_dev *dev, unsigned long nr)
{
	unsigned long start = fake_dev_memmap(dev, 0) + nr * SUBSECTION_MEMMAP;

	return (struct span) { start, start + SUBSECTION_MEMMAP };
}

/* Extend a span to whole pages. */
static struct span span_pages(struct span span)
{
	return (struct span) { ALIGN_DOWN(span.start, PAGE_SIZE),
			       ALIGN(span.end, PAGE_SIZE) };
}

static unsigned long span_nr_pages(struct span span)
{
	span = span_pages(span);
	return (span.end - span.start) / PAGE_SIZE;
}

static int populate(struct span span, struct vmem_altmap *altmap)
{
	int err;

	mem_hotplug_begin();
	err = vmemmap_populate(span.start, span.end, test_nid(), altmap);
	mem_hotplug_done();
	return err;
}

/*
 * If vmemmap_free() of this kernel does not handle altmaps, it would free pages of
 * the device to the page allocator. Fail the case instead of calling it.
 */
static void depopulate(struct kunit *test, struct fake_dev *dev, struct span span,
		       struct vmem_altmap *altmap)
{
	if (altmap && !dev->free_takes_altmap) {
		KUNIT_FAIL(test, "vmemmap_free() returns nothing to an altmap");
		span = span_pages(span);
		fake_dev_unmap(dev, span.start, span.end);
		return;
	}
	mem_hotplug_begin();
	vmemmap_free(span.start, span.end, altmap);
	mem_hotplug_done();
}

static struct vmemmap_census census_of(const struct fake_dev *dev, struct span span)
{
	struct vmemmap_census census;

	span = span_pages(span);
	vmemmap_census(span.start, span.end, dev->pfn, dev->nr, &census);
	return census;
}

/* Page i of the span is mapped to page frame @pfn + i, by leaves of @size. */
static void expect_frames(struct kunit *test, struct span span,
			  unsigned long pfn, unsigned long size)
{
	struct span pages = span_pages(span);
	struct vmemmap_walk walk;
	unsigned long addr, i = 0;

	for (addr = pages.start; addr < pages.end; addr += PAGE_SIZE, i++) {
		vmemmap_walk(addr, &walk);
		KUNIT_ASSERT_TRUE_MSG(test, walk.leaf,
				      "%#lx, page %lu of [%#lx, %#lx): hole at level %s",
				      addr, i, span.start, span.end,
				      walk_level_name(walk.level));
		KUNIT_ASSERT_EQ_MSG(test, walk.size, size,
				    "size of the leaf behind %#lx, page %lu of [%#lx, %#lx)",
				    addr, i, span.start, span.end);
		KUNIT_ASSERT_EQ_MSG(test,
				    walk.pfn + (addr % walk.size) / PAGE_SIZE, pfn + i,
				    "page frame behind %#lx, page %lu of [%#lx, %#lx)",
				    addr, i, span.start, span.end);
	}
}

static void expect_unmapped(struct kunit *test, const struct fake_dev *dev,
			    struct span span)
{
	struct vmemmap_census census = census_of(dev, span);

	KUNIT_EXPECT_EQ_MSG(test, census.holes, span_nr_pages(span),
			    "unmapped pages in [%#lx, %#lx), where nothing should be mapped",
			    span.start, span.end);
}

static void expect_system_ram(struct kunit *test, const struct fake_dev *dev,
			      struct span span)
{
	struct span pages = span_pages(span);
	struct vmemmap_walk walk;
	unsigned long addr;

	for (addr = pages.start; addr < pages.end; addr += PAGE_SIZE) {
		vmemmap_walk(addr, &walk);
		KUNIT_ASSERT_TRUE_MSG(test, walk.leaf,
				      "%#lx in [%#lx, %#lx): hole at level %s",
				      addr, span.start, span.end,
				      walk_level_name(walk.level));
		KUNIT_ASSERT_TRUE_MSG(test, pfn_valid(walk.pfn) &&
				      !fake_dev_has(dev, walk.pfn),
				      "%#lx is mapped to page frame %#lx, not to system RAM",
				      addr, walk.pfn);
	}
}

/* C1: the memmap of a section lies in the pages that the altmap offers, in order. */
static void populate_section_lies_in_device(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = SECTION_PAGES);
	struct span span = section_span(dev, 0);

	KUNIT_EXPECT_EQ(test, populate(span, &altmap), 0);
	expect_frames(test, span, dev->pfn, LEAF_SIZE);
	KUNIT_EXPECT_EQ_MSG(test, altmap.alloc, SECTION_PAGES,
			    "pages taken from the altmap");
	KUNIT_EXPECT_EQ(test, altmap.align, 0);
}

/* C1: the memmaps of several sections lie there one after the other. */
static void populate_sections_share_altmap(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 3, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = 3 * SECTION_PAGES);
	unsigned long i;

	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, populate(section_span(dev, i), &altmap), 0);
		KUNIT_EXPECT_EQ(test, altmap.alloc, (i + 1) * SECTION_PAGES);
	}
	for (i = 0; i < 3; i++)
		expect_frames(test, section_span(dev, i),
			      dev->pfn + i * SECTION_PAGES, LEAF_SIZE);
}

/* C2: a section is mapped by blocks only, if its memmap fills them, and otherwise by base pages. */
static void populate_section_mapping_size(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = SECTION_PAGES);
	struct span span = section_span(dev, 0);
	struct vmemmap_census census;
	unsigned long blocks = 0, pages = SECTION_PAGES;

	if (HAS_BLOCKS) {
		blocks = SECTION_MEMMAP / PMD_SIZE;
		pages = 0;
	}

	KUNIT_EXPECT_EQ(test, populate(span, &altmap), 0);
	census = census_of(dev, span);
	KUNIT_EXPECT_EQ(test, census.blocks, blocks);
	KUNIT_EXPECT_EQ(test, census.pages, pages);
	KUNIT_EXPECT_EQ(test, census.huge, 0);
	KUNIT_EXPECT_EQ(test, census.holes, 0);
	KUNIT_EXPECT_EQ_MSG(test, census.device, SECTION_PAGES,
			    "pages of the memmap that lie in the device");
}

/*
 * C3: a block is aligned to its size, and the padding is added to align.
 *
 *	base_pfn
 *	| reserve | padding (4K pages only)   | memmap of the section
 *	|    3    | LEAF_PAGES - 3, or none   | SECTION_PAGES
 */
static void populate_section_aligns_blocks(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	unsigned long padding = ALIGN(3, LEAF_PAGES) - 3;
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .reserve = 3, .free = padding + SECTION_PAGES);
	struct span span = section_span(dev, 0);

	KUNIT_EXPECT_EQ(test, populate(span, &altmap), 0);
	expect_frames(test, span, dev->pfn + 3 + padding, LEAF_SIZE);
	KUNIT_EXPECT_EQ(test, altmap.alloc, SECTION_PAGES);
	KUNIT_EXPECT_EQ_MSG(test, altmap.align, padding,
			    "pages skipped for alignment");
}

static const struct subsection_param {
	const char *name;
	unsigned long index;
} subsection_params[] = {
	{ "first of a section", 0 },
	{ "second of a section", 1 },
	{ "last of a section", SUBSECTIONS - 1 },
	{ "first of the next section", SUBSECTIONS },
};

static void subsection_desc(const struct subsection_param *param, char *desc)
{
	strscpy(desc, param->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(subsection, subsection_params, subsection_desc);

/* C4: a subsection is mapped by base pages that lie in the device. Nothing else is mapped. */
static void populate_subsection_lies_in_device(struct kunit *test)
{
	const struct subsection_param *param = test->param_value;
	struct fake_dev *dev = fake_dev_get(test, 2, 1);
	struct span span = subsection_span(dev, param->index);
	unsigned long nr = span_nr_pages(span);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .reserve = 1, .free = nr);
	struct vmemmap_census census;

	KUNIT_EXPECT_EQ(test, populate(span, &altmap), 0);
	expect_frames(test, span, dev->pfn + 1, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, altmap.alloc, nr);
	KUNIT_EXPECT_EQ(test, altmap.align, 0);

	census = fake_dev_census(dev);
	KUNIT_EXPECT_EQ_MSG(test, census.pages, nr, "base pages in two sections");
	KUNIT_EXPECT_EQ_MSG(test, census.blocks, 0, "blocks in two sections");
}

/* C4: freeing a subsection returns all its pages to the altmap. */
static void free_subsection_gives_pages_back(struct kunit *test)
{
	const struct subsection_param *param = test->param_value;
	struct fake_dev *dev = fake_dev_get(test, 2, 1);
	struct span span = subsection_span(dev, param->index);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .reserve = 1, .free = span_nr_pages(span));

	KUNIT_EXPECT_EQ(test, populate(span, &altmap), 0);
	depopulate(test, dev, span, &altmap);
	expect_unmapped(test, dev, span);
	KUNIT_EXPECT_EQ_MSG(test, altmap.alloc, 0, "pages still allocated");
}

/*
 * C5: check each bit of a descriptor by the VMSAv8-64 formats of the Arm Architecture
 * Reference Manual (DDI 0487, "Translation table descriptor formats"). These checks
 * do not use asm/pgtable-hwdef.h.
 */
static bool desc_has_52_bit_oa(void)
{
	/* TCR_EL1.DS: FEAT_LPA2 descriptors. */
	return read_sysreg(tcr_el1) & BIT_ULL(59);
}

static unsigned long desc_pfn(u64 desc)
{
	u64 oa = desc & GENMASK_ULL(47, PAGE_SHIFT);

	if (desc_has_52_bit_oa())
		oa = (desc & GENMASK_ULL(49, PAGE_SHIFT)) |
		     (desc & GENMASK_ULL(9, 8)) << (50 - 8);
	else if (IS_ENABLED(CONFIG_ARM64_64K_PAGES) && IS_ENABLED(CONFIG_ARM64_PA_BITS_52))
		oa |= (desc & GENMASK_ULL(15, 12)) << (48 - 12);
	return oa >> PAGE_SHIFT;
}

static void expect_field(struct kunit *test, const struct vmemmap_walk *walk,
			 unsigned int hi, unsigned int lo, u64 value,
			 const char *meaning)
{
	KUNIT_EXPECT_EQ_MSG(test, (walk->desc & GENMASK_ULL(hi, lo)) >> lo, value,
			    "%s, bits %u:%u of the %s descriptor %#llx", meaning,
			    hi, lo, walk_level_name(walk->level), walk->desc);
}

static void expect_descriptor(struct kunit *test, unsigned long addr,
			      unsigned int type, unsigned long pfn)
{
	struct vmemmap_walk walk;
	unsigned int attr;

	vmemmap_walk(addr, &walk);
	KUNIT_ASSERT_TRUE_MSG(test, walk.leaf, "%#lx: hole at level %s", addr,
			      walk_level_name(walk.level));

	expect_field(test, &walk, 1, 0, type, "type");
	expect_field(test, &walk, 7, 6, 0, "AP: read and write, kernel only");
	expect_field(test, &walk, 10, 10, 1, "AF: accessed");
	/* With kernel page-table isolation, no kernel entry may stay in the TLB. */
	expect_field(test, &walk, 11, 11, arm64_kernel_unmapped_at_el0(), "nG: not global");
	expect_field(test, &walk, 52, 52, 0, "Contiguous");
	expect_field(test, &walk, 53, 53, 1, "PXN");
	expect_field(test, &walk, 54, 54, 1, "UXN");
	if (!desc_has_52_bit_oa())
		expect_field(test, &walk, 9, 8, 3, "SH: inner shareable");

	attr = (walk.desc >> 2) & 0x7;
	KUNIT_EXPECT_EQ_MSG(test, (read_sysreg(mair_el1) >> (8 * attr)) & 0xff, 0xff,
			    "memory attribute %u of %#lx: normal, write-back",
			    attr, addr);
	KUNIT_EXPECT_EQ_MSG(test, desc_pfn(walk.desc), pfn,
			    "output address of the descriptor %#llx of %#lx",
			    walk.desc, addr);
}

static void populate_section_descriptors(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = SECTION_PAGES);
	struct span span = section_span(dev, 0);
	unsigned int type = HAS_BLOCKS ? 1 : 3;
	unsigned long i;

	KUNIT_EXPECT_EQ(test, populate(span, &altmap), 0);
	for (i = 0; i < SECTION_PAGES; i += LEAF_PAGES)
		expect_descriptor(test, span.start + i * PAGE_SIZE, type,
				  dev->pfn + i);
}

static void populate_subsection_descriptors(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct span span = subsection_span(dev, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = span_nr_pages(span));
	unsigned long i;

	KUNIT_EXPECT_EQ(test, populate(span, &altmap), 0);
	for (i = 0; i < span_nr_pages(span); i++)
		expect_descriptor(test, span_pages(span).start + i * PAGE_SIZE, 3,
				  dev->pfn + i);
}

/*
 * C6: page tables exist only where the mapping needs them. They are system RAM and do not
 * come from the altmap.
 */
static void populate_section_tables_are_ram(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = 2 * SECTION_PAGES);
	struct span span = section_span(dev, 0);
	unsigned long pmds = ALIGN(span.end, PMD_SIZE) - ALIGN_DOWN(span.start, PMD_SIZE);
	unsigned long ptes = HAS_BLOCKS ? 0 : pmds / PMD_SIZE;
	struct vmemmap_census census;
	struct vmemmap_walk walk;
	enum walk_level level;

	KUNIT_EXPECT_EQ(test, populate(span, &altmap), 0);
	census = census_of(dev, span);
	KUNIT_EXPECT_EQ_MSG(test, census.level_tables[WALK_PTE], ptes,
			    "PTE tables for a section");
	KUNIT_EXPECT_EQ_MSG(test, census.device, SECTION_PAGES,
			    "pages of the memmap that lie in the device");
	KUNIT_EXPECT_EQ_MSG(test, altmap.alloc, SECTION_PAGES,
			    "pages taken from the altmap: the memmap, no tables");

	vmemmap_walk(span.start, &walk);
	for (level = WALK_P4D; level <= walk.level; level++) {
		unsigned long pfn;

		if (!walk.table[level])
			continue;
		pfn = PHYS_PFN(__pa(walk.table[level]));
		KUNIT_EXPECT_TRUE_MSG(test, pfn_valid(pfn) && !fake_dev_has(dev, pfn),
				      "the %s table for %#lx is page frame %#lx, not system RAM",
				      walk_level_name(level), span.start, pfn);
	}
}

/* C7: if the altmap is too small, -ENOMEM is returned and system RAM is not used instead. */
static void populate_section_short_altmap(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = SECTION_PAGES - 1);
	struct span span = section_span(dev, 0);
	/* The last block does not fit, or the last base page. */
	unsigned long nr = SECTION_PAGES - LEAF_PAGES;
	struct vmemmap_census census;

	KUNIT_EXPECT_EQ(test, populate(span, &altmap), -ENOMEM);
	census = census_of(dev, span);
	KUNIT_EXPECT_EQ_MSG(test, census.device, nr, "pages of the memmap that lie in the device");
	KUNIT_EXPECT_EQ_MSG(test, census.holes, LEAF_PAGES,
			    "pages that are not mapped, to the device or to RAM");
	KUNIT_EXPECT_EQ(test, altmap.alloc, nr);

	depopulate(test, dev, span, &altmap);
	expect_unmapped(test, dev, span);
	KUNIT_EXPECT_EQ_MSG(test, altmap.alloc, 0, "pages still allocated");
}

/*
 * C7: populate fails if an altmap has enough pages for the memmap, but none to
 * align a block. The kernel does not use base pages instead, although they would
 * fit.
 */
static void populate_section_without_room_to_align(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	const unsigned long reserve = 1;
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .reserve = reserve, .free = SECTION_PAGES);
	struct span span = section_span(dev, 0);

	if (LEAF_PAGES == 1) {
		KUNIT_EXPECT_EQ(test, populate(span, &altmap), 0);
		expect_frames(test, span, dev->pfn + reserve, LEAF_SIZE);
		depopulate(test, dev, span, &altmap);
	} else {
		KUNIT_EXPECT_EQ(test, populate(span, &altmap), -ENOMEM);
	}
	expect_unmapped(test, dev, span);
	KUNIT_EXPECT_EQ_MSG(test, altmap.alloc, 0, "pages still allocated");
}

/* C8: without an altmap, the memmap is system RAM and mapped by the same leaves. */
static void populate_section_without_altmap_is_ram(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct span span = section_span(dev, 0);
	struct vmemmap_census census;

	KUNIT_EXPECT_EQ(test, populate(span, NULL), 0);
	expect_system_ram(test, dev, span);
	census = census_of(dev, span);
	KUNIT_EXPECT_EQ_MSG(test, census.blocks + census.pages,
			    SECTION_PAGES / LEAF_PAGES, "leaves for a section");
}

/* Allocate as if no two free pages of system RAM were adjacent. */
static void *alloc_no_blocks(unsigned long size, int node)
{
	struct page *page;

	if (size > PAGE_SIZE)
		return NULL;
	page = alloc_pages_node(node, GFP_KERNEL, 0);
	return page ? page_address(page) : NULL;
}

/* C16: without an altmap, base pages replace a block if system RAM has no block. */
static void populate_section_without_blocks_has_pages(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct span span = section_span(dev, 0);
	struct vmemmap_census census;

	func_redirect_begin(test, vmemmap_alloc_block, alloc_no_blocks);
	KUNIT_EXPECT_EQ(test, populate(span, NULL), 0);
	func_redirect_end(test, vmemmap_alloc_block);
	expect_system_ram(test, dev, span);
	census = census_of(dev, span);
	KUNIT_EXPECT_EQ_MSG(test, census.pages, SECTION_PAGES, "base pages for a section");
}

/* How many pages of system RAM are left, without any block. */
static unsigned int ram_left;

static void *alloc_what_is_left(unsigned long size, int node)
{
	if (size > PAGE_SIZE || !ram_left)
		return NULL;
	ram_left--;
	return alloc_no_blocks(size, node);
}

/*
 * C17: if system RAM has too few base pages as well, for the tables or for the
 * memmap, -ENOMEM is returned. The range can then be freed.
 */
static void populate_section_without_ram_fails(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct span span = section_span(dev, 0);
	unsigned int pages;

	func_redirect_begin(test, vmemmap_alloc_block, alloc_what_is_left);
	/* The memmap of a section has at least eight pages. */
	for (pages = 0; pages < 8; pages++) {
		ram_left = pages;
		KUNIT_EXPECT_EQ_MSG(test, populate(span, NULL), -ENOMEM,
				    "with %u pages of system RAM for %lu of memmap",
				    pages, SECTION_PAGES);
		depopulate(test, dev, span, NULL);
		expect_unmapped(test, dev, span);
	}
	func_redirect_end(test, vmemmap_alloc_block);
}

/* C9: freeing clears the entries and returns the pages to the altmap. */
static void free_section_gives_pages_back(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = SECTION_PAGES);
	struct span span = section_span(dev, 0);

	KUNIT_EXPECT_EQ(test, populate(span, &altmap), 0);
	KUNIT_EXPECT_EQ(test, altmap.alloc, SECTION_PAGES);
	depopulate(test, dev, span, &altmap);
	expect_unmapped(test, dev, span);
	KUNIT_EXPECT_EQ_MSG(test, altmap.alloc, 0, "pages still allocated");
}

/* C9: freeing one section of three clears only its entries and returns only its pages. */
static void free_one_section_of_three(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 3, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = 3 * SECTION_PAGES);
	unsigned long i;

	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, populate(section_span(dev, i), &altmap), 0);
	depopulate(test, dev, section_span(dev, 1), &altmap);

	expect_frames(test, section_span(dev, 0), dev->pfn, LEAF_SIZE);
	expect_unmapped(test, dev, section_span(dev, 1));
	expect_frames(test, section_span(dev, 2), dev->pfn + 2 * SECTION_PAGES,
		      LEAF_SIZE);
	KUNIT_EXPECT_EQ(test, altmap.alloc, 2 * SECTION_PAGES);
}

/*
 * C10: freeing a section keeps the tables that its neighbour uses, and their entries.
 *
 *	section      0          1
 *	before     mapped     mapped
 *	after      freed      as it was
 */
static void free_section_keeps_neighbours_tables(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 2, 2);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = 2 * SECTION_PAGES);
	struct span other = section_span(dev, 1);
	struct vmemmap_walk before, after;
	enum walk_level level;

	KUNIT_EXPECT_EQ(test, populate(section_span(dev, 0), &altmap), 0);
	KUNIT_EXPECT_EQ(test, populate(other, &altmap), 0);
	vmemmap_walk(other.start, &before);
	depopulate(test, dev, section_span(dev, 0), &altmap);
	vmemmap_walk(other.start, &after);

	for (level = WALK_PGD; level < WALK_LEVELS; level++)
		KUNIT_EXPECT_PTR_EQ_MSG(test, after.table[level], before.table[level],
					"%s table for the neighbour at %#lx",
					walk_level_name(level), other.start);
	expect_frames(test, other, dev->pfn + SECTION_PAGES, LEAF_SIZE);
}

/* C10: freeing a subsection keeps the tables that it shares with another one. */
static void free_subsection_keeps_neighbours_tables(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct span gone = subsection_span(dev, 0);
	struct span kept = subsection_span(dev, 1);
	unsigned long nr = span_nr_pages(gone);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = 2 * nr);

	KUNIT_EXPECT_EQ(test, populate(gone, &altmap), 0);
	KUNIT_EXPECT_EQ(test, populate(kept, &altmap), 0);
	depopulate(test, dev, gone, &altmap);

	expect_unmapped(test, dev, gone);
	expect_frames(test, kept, dev->pfn + nr, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, altmap.alloc, nr);
}

/*
 * C10: removing memory keeps a page of the memmap, and its table, that a neighbour
 * uses in part. Both are added as memory, because vmemmap_free() cannot know a
 * neighbour otherwise. They lie where no other memory uses the table.
 *
 *	page of the memmap	|     0     |     1     |
 *	the neighbour		            |     [=====|
 *	comes and goes		      [=====|=====)
 */
static void remove_memory_keeps_neighbours_table(struct kunit *test)
{
	unsigned long align = 2 * PMD_SIZE / SECTION_MEMMAP ?: 1;
	u64 sections = mhp_get_pluggable_range(true).end / PFN_PHYS(PAGES_PER_SECTION);
	struct fake_dev *dev = fake_dev_get(test, 1, align > sections / 2 ? 1 : align);
	unsigned long half = max(PAGE_SIZE / sizeof(struct page) / 2, PAGES_PER_SUBSECTION);
	struct mhp_params params = { .pgprot = PAGE_KERNEL };
	unsigned long neighbour = dev->pfn + 3 * half;
	struct vmemmap_walk before, after;
	int err;

	mem_hotplug_begin();
	err = __add_pages(test_nid(), neighbour, half, &params);
	mem_hotplug_done();
	KUNIT_ASSERT_EQ(test, err, 0);
	vmemmap_walk(fake_dev_memmap(dev, 3 * half), &before);

	mem_hotplug_begin();
	err = __add_pages(test_nid(), dev->pfn + half, 2 * half, &params);
	if (!err)
		adapt_remove_pages(dev->pfn + half, 2 * half, NULL);
	mem_hotplug_done();
	KUNIT_EXPECT_EQ(test, err, 0);

	vmemmap_walk(fake_dev_memmap(dev, 3 * half), &after);
	KUNIT_EXPECT_TRUE_MSG(test, after.leaf, "%#lx, of memory that is present: hole at level %s",
			      fake_dev_memmap(dev, 3 * half), walk_level_name(after.level));
	KUNIT_EXPECT_EQ_MSG(test, after.desc, before.desc, "descriptor of %#lx",
			    fake_dev_memmap(dev, 3 * half));
	mem_hotplug_begin();
	adapt_remove_pages(neighbour, half, NULL);
	mem_hotplug_done();
	expect_unmapped(test, dev, section_span(dev, 0));
}

struct ram_use {
	long spent;	/* pages that vmemmap_populate() uses */
	long kept;	/* pages that are not free after vmemmap_free() */
	long tables;	/* page-table pages that were added */
};

/*
 * Measure the system RAM that populate uses and free returns. @expected pages of the
 * memmap are system RAM, and the others lie in the device. Other tasks may allocate at
 * the same time, but not in each try.
 */
static struct ram_use ram_use_of(struct kunit *test, struct fake_dev *dev,
				 struct span span, struct vmem_altmap *altmap,
				 long expected)
{
	unsigned long before, populated, after, nr = span_nr_pages(span);
	struct vmemmap_census census;
	struct ram_use use;
	int try, err;

	for (try = 0; try < 5; try++) {
		before = free_ram_pages();
		err = populate(span, altmap);
		populated = free_ram_pages();
		use.tables = fake_dev_census(dev).tables - dev->tables;
		census = census_of(dev, span);
		/* Without a memmap, the counts would prove nothing. */
		KUNIT_ASSERT_EQ(test, err, 0);
		KUNIT_ASSERT_EQ_MSG(test, census.holes, 0, "unmapped pages in [%#lx, %#lx)",
				    span.start, span.end);
		KUNIT_ASSERT_EQ_MSG(test, census.device, nr - expected,
				    "pages of [%#lx, %#lx) that lie in the device",
				    span.start, span.end);
		depopulate(test, dev, span, altmap);
		after = free_ram_pages();

		use.spent = before - populated;
		use.kept = before - after;
		if (use.spent == use.tables + expected && !use.kept)
			break;
		if (altmap)
			altmap->align = 0;
	}
	return use;
}

/* C11: with an altmap, page tables are the only system RAM used. */
static void populate_section_spends_ram_on_tables_only(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = SECTION_PAGES);
	struct ram_use use = ram_use_of(test, dev, section_span(dev, 0), &altmap, 0);

	KUNIT_EXPECT_EQ_MSG(test, use.spent, use.tables,
			    "pages of system RAM for %lu pages of memmap, against page tables",
			    SECTION_PAGES);
}

static void populate_subsection_spends_ram_on_tables_only(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct span span = subsection_span(dev, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = span_nr_pages(span));
	struct ram_use use = ram_use_of(test, dev, span, &altmap, 0);

	KUNIT_EXPECT_EQ_MSG(test, use.spent, use.tables,
			    "pages of system RAM for %lu pages of memmap, against page tables",
			    span_nr_pages(span));
}

static unsigned int check_tables_return(struct kunit *test, struct fake_dev *dev,
					struct span span)
{
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = span_nr_pages(span));
	struct ram_use use = ram_use_of(test, dev, span, &altmap, 0);

	KUNIT_EXPECT_EQ_MSG(test, fake_dev_census(dev).tables, dev->tables,
			    "page-table pages for [%#lx, %#lx), after and before",
			    span.start, span.end);
	KUNIT_EXPECT_EQ_MSG(test, use.spent, use.tables,
			    "pages of system RAM for [%#lx, %#lx), against page tables",
			    span.start, span.end);
	KUNIT_EXPECT_EQ_MSG(test, use.kept, 0,
			    "pages of system RAM not returned, of %ld tables for [%#lx, %#lx)",
			    use.tables, span.start, span.end);
	return use.tables;
}

/*
 * C10, C11: a table that becomes empty is freed, at each level, and is system RAM
 * again. A subsection has base pages, and so a table of each level. The device lies
 * where no other memory uses the table: at a multiple of twice the table's span,
 * because the vmemmap begins with the first page of RAM. The case skips levels
 * whose tables span more than all physical addresses, and folded levels, whose span
 * is that of the level below.
 */
static void free_subsection_returns_empty_tables(struct kunit *test)
{
	static const unsigned long table_spans[] = {
		PMD_SIZE, PUD_SIZE, P4D_SIZE, PGDIR_SIZE,
	};
	u64 sections = mhp_get_pluggable_range(true).end / PFN_PHYS(PAGES_PER_SECTION);
	unsigned int i, added = 0;

	for (i = 0; i < ARRAY_SIZE(table_spans); i++) {
		unsigned long align = roundup_pow_of_two(2 * table_spans[i] / SECTION_MEMMAP ?: 1);
		struct fake_dev *dev;

		if (i > 0 && table_spans[i] == table_spans[i - 1])
			continue;
		if (align > sections / 2)
			break;
		dev = fake_dev_get(test, 1, align);
		added += check_tables_return(test, dev, subsection_span(dev, 0));
	}
	KUNIT_EXPECT_GT_MSG(test, added, 0, "page tables that were added");
}

/*
 * C12: a page that returns to the altmap must not go to the page allocator as well. Its
 * reference count shows that, so this altmap offers system RAM. An additional reference
 * keeps each page from being freed.
 */
static void free_section_puts_no_altmap_page_into_buddy(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct span span = section_span(dev, 0);
	unsigned int order = get_order(SECTION_MEMMAP);
	/* A block is freed as one page, which has to be a compound page to have one count. */
	unsigned long i, nr = HAS_BLOCKS ? 1 : 1UL << order;
	struct vmem_altmap altmap = { .free = SECTION_PAGES };
	struct page *pages;

	/* Otherwise, the pages of the altmap would be freed. */
	KUNIT_ASSERT_TRUE_MSG(test, dev->free_takes_altmap,
			      "vmemmap_free() returns nothing to an altmap");
	pages = alloc_pages(GFP_KERNEL | (HAS_BLOCKS ? __GFP_COMP : 0), order);
	KUNIT_ASSERT_NOT_NULL(test, pages);
	if (!HAS_BLOCKS)
		split_page(pages, order);
	for (i = 0; i < nr; i++)
		get_page(pages + i);
	altmap.base_pfn = page_to_pfn(pages);

	KUNIT_EXPECT_EQ(test, populate(span, &altmap), 0);
	KUNIT_EXPECT_EQ(test, altmap.alloc, SECTION_PAGES);
	depopulate(test, dev, span, &altmap);
	KUNIT_EXPECT_EQ_MSG(test, altmap.alloc, 0, "pages still allocated");
	for (i = 0; i < nr; i++) {
		KUNIT_EXPECT_EQ_MSG(test, page_count(pages + i), 2,
				    "references to page %lu of the altmap", i);
		if (page_count(pages + i) > 1)
			put_page(pages + i);
		__free_pages(pages + i, HAS_BLOCKS ? order : 0);
	}
}

/* C12: freeing page tables does not credit the altmap. */
static void free_subsection_counts_no_table_into_altmap(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct span span = subsection_span(dev, 0);
	unsigned long nr = span_nr_pages(span);
	/* Start with 16 allocated pages, so that an underflow is visible. */
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = 16 + nr);
	unsigned long tables;

	altmap.alloc = 16;
	KUNIT_EXPECT_EQ(test, populate(span, &altmap), 0);
	tables = fake_dev_census(dev).tables - dev->tables;
	KUNIT_EXPECT_EQ(test, altmap.alloc, 16 + nr);
	depopulate(test, dev, span, &altmap);
	KUNIT_EXPECT_EQ_MSG(test, altmap.alloc, 16,
			    "allocated pages, after %lu of memmap and %lu tables were freed",
			    nr, tables);
}

/* C13: without an altmap, freeing returns all system RAM that was used. */
static void free_section_without_altmap_returns_ram(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct ram_use use = ram_use_of(test, dev, section_span(dev, 0), NULL,
					SECTION_PAGES);

	KUNIT_EXPECT_EQ_MSG(test, use.spent, use.tables + SECTION_PAGES,
			    "pages of system RAM for %lu pages of memmap and %ld tables",
			    SECTION_PAGES, use.tables);
	KUNIT_EXPECT_EQ_MSG(test, use.kept, 0, "pages of system RAM not returned");
}

#define OLD	0x0123456789abcdefULL
#define NEW	0xfedcba9876543210ULL

/* Write @value + i to the start of each of @nr page frames, through another mapping. */
static void fill_frames(struct kunit *test, unsigned long pfn, unsigned long nr,
			u64 value)
{
	char *map = memremap(PFN_PHYS(pfn), nr * PAGE_SIZE, MEMREMAP_WB);
	unsigned long i;

	KUNIT_ASSERT_NOT_NULL_MSG(test, map, "no mapping of page frame %#lx", pfn);
	for (i = 0; i < nr; i++)
		WRITE_ONCE(*(u64 *)(map + i * PAGE_SIZE), value + i);
	memunmap(map);
}

/* Check the last page first: the TLB may still have the pages that were accessed last. */
static void expect_pattern(struct kunit *test, struct span span, u64 value)
{
	unsigned long start = span_pages(span).start;
	unsigned long i = span_nr_pages(span);

	while (i--) {
		u64 *addr = (u64 *)(start + i * PAGE_SIZE);

		KUNIT_ASSERT_EQ_MSG(test, READ_ONCE(*addr), value + i,
				    "contents read through %#lx, page %lu of [%#lx, %#lx)",
				    (unsigned long)addr, i, span.start, span.end);
	}
}

/* Read each page, so that the TLB has entries for the end of a span. */
static void touch(struct span span)
{
	struct span pages = span_pages(span);
	unsigned long addr;

	for (addr = pages.start; addr < pages.end; addr += PAGE_SIZE)
		READ_ONCE(*(u64 *)addr);
}

/*
 * C14: after free and populate, the addresses translate to the new memory, for the
 * CPU as well as in the tables.
 */
static void check_remap(struct kunit *test, struct fake_dev *dev, struct span span)
{
	unsigned long nr = span_nr_pages(span);
	unsigned long skip = ALIGN(nr, LEAF_PAGES);
	struct vmem_altmap old = FAKE_ALTMAP(dev, .free = nr);
	struct vmem_altmap new = FAKE_ALTMAP(dev, .skip = skip, .free = nr);

	fill_frames(test, dev->pfn, nr, OLD);
	fill_frames(test, dev->pfn + skip, nr, NEW);

	KUNIT_ASSERT_EQ(test, populate(span, &old), 0);
	expect_pattern(test, span, OLD);
	touch(span);
	depopulate(test, dev, span, &old);

	KUNIT_ASSERT_EQ(test, populate(span, &new), 0);
	expect_pattern(test, span, NEW);
	depopulate(test, dev, span, &new);
}

static void populate_section_again_reaches_new_memory(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get_memory(test, 1);

	check_remap(test, dev, section_span(dev, 0));
}

static void populate_subsection_again_reaches_new_memory(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get_memory(test, 1);

	check_remap(test, dev, subsection_span(dev, 1));
}

/*
 * C15: vmemmap_populate() refuses a page outside the vmemmap with a WARN, and maps
 * nothing. The pages here, before the first and after the last page of the vmemmap,
 * are unused.
 */
static void populate_outside_vmemmap_is_refused(struct kunit *test)
{
	static const struct span spans[] = {
		{ VMEMMAP_START - PAGE_SIZE, VMEMMAP_START },
		{ VMEMMAP_END, VMEMMAP_END + PAGE_SIZE },
	};
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = ARRAY_SIZE(spans));
	int i, err = 0;

	for (i = 0; i < ARRAY_SIZE(spans); i++) {
		expect_unmapped(test, dev, spans[i]);
		KUNIT_EXPECT_WARNS(test, 1, MMU_C,
				   err = populate(spans[i], &altmap));
		KUNIT_EXPECT_EQ(test, err, -EINVAL);
		expect_unmapped(test, dev, spans[i]);
		fake_dev_clear(dev, spans[i].start, spans[i].end);
	}
	KUNIT_EXPECT_EQ_MSG(test, altmap.alloc, 0, "pages taken from the altmap");
}

/* C22: populating more than a section at once causes a WARN, but maps the memmap. */
static void populate_two_sections_warns(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 2, 1);
	struct span span = { section_span(dev, 0).start, section_span(dev, 1).end };
	int err = 0;

	KUNIT_EXPECT_WARNS(test, 1, MMU_C, err = populate(span, NULL));
	KUNIT_EXPECT_EQ(test, err, 0);
	KUNIT_EXPECT_EQ_MSG(test, census_of(dev, span).holes, 0, "pages that are not mapped");
	depopulate(test, dev, span, NULL);
	expect_unmapped(test, dev, span);
}

/* C15: a range that ends where the vmemmap ends is accepted. */
static void populate_end_of_vmemmap_is_accepted(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = 1);
	struct span span = { VMEMMAP_END - PAGE_SIZE, VMEMMAP_END };
	struct vmemmap_walk walk;
	int err = 0;

	vmemmap_walk(span.start, &walk);
	if (walk.leaf)
		kunit_skip(test, "the vmemmap is in use to its end");

	KUNIT_EXPECT_NO_WARN(test, err = populate(span, &altmap));
	vmemmap_walk(span.start, &walk);
	KUNIT_EXPECT_NO_WARN(test, depopulate(test, dev, span, &altmap));
	fake_dev_clear(dev, span.start, span.end);

	KUNIT_EXPECT_EQ(test, err, 0);
	KUNIT_EXPECT_TRUE_MSG(test, walk.leaf && walk.pfn == dev->pfn,
			      "%#lx: %s at level %s, page frame %#lx", span.start,
			      walk.leaf ? "leaf" : "hole", walk_level_name(walk.level),
			      walk.pfn);
	KUNIT_EXPECT_EQ_MSG(test, altmap.alloc, 0, "pages still allocated");
}

KUNIT_DEFINE_ACTION_WRAPPER(vfree_action, vfree, const void *);

/*
 * C15: vmemmap_free() refuses a range outside the vmemmap with a WARN and unmaps nothing:
 * here a page of vmalloc() and the page after the vmemmap.
 */
static void free_outside_vmemmap_is_refused(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct vmem_altmap altmap = { .free = 1 };
	void *buf = vmalloc(PAGE_SIZE);
	struct span behind = { VMEMMAP_END, VMEMMAP_END + PAGE_SIZE };
	struct vmemmap_walk before, after;
	struct span span;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, vfree_action, buf));
	KUNIT_ASSERT_TRUE_MSG(test, dev->free_takes_altmap,
			      "vmemmap_free() returns nothing to an altmap");

	/* The altmap contains the page, so that the page itself is not freed. */
	altmap.base_pfn = vmalloc_to_pfn(buf);
	altmap.alloc = 1;
	span.start = (unsigned long)buf;
	span.end = span.start + PAGE_SIZE;
	vmemmap_walk(span.start, &before);
	KUNIT_EXPECT_WARNS(test, 1, MMU_C,
			   depopulate(test, dev, span, &altmap));
	KUNIT_EXPECT_WARNS(test, 1, MMU_C,
			   depopulate(test, dev, behind, &altmap));
	vmemmap_walk(span.start, &after);
	KUNIT_EXPECT_EQ_MSG(test, after.desc, before.desc,
			    "descriptor of %#lx, which is not in the vmemmap", span.start);
	KUNIT_EXPECT_EQ_MSG(test, altmap.alloc, 1, "allocated pages, now and before");
}

/*
 * Parts of a section that, with large pages, begin or end inside a page of the
 * memmap. The unit is a quarter of a page of memmap, and at least a subsection: 16
 * MiB with 64K pages.
 */
static const struct range_param {
	unsigned long start;
	unsigned long end;
} range_params[] = {
	{ 0, 1 }, { 1, 2 }, { 1, 3 }, { 2, 5 }, { 3, 17 }, { 4, 9 },
};

static unsigned long range_unit(void)
{
	return MAX(PAGES_PER_SUBSECTION * sizeof(struct page), PAGE_SIZE / 4);
}

static void range_desc(const struct range_param *param, char *desc)
{
	unsigned long mib = range_unit() / sizeof(struct page) * PAGE_SIZE / SZ_1M;

	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%lu MiB at %lu MiB",
		 (param->end - param->start) * mib, param->start * mib);
}

KUNIT_ARRAY_PARAM(range, range_params, range_desc);

static struct span range_span(const struct fake_dev *dev, const struct range_param *param)
{
	unsigned long start = fake_dev_memmap(dev, 0);

	return (struct span) { start + param->start * range_unit(),
			       start + param->end * range_unit() };
}

/* Count the pages that hold struct pages of the span only. */
static unsigned long span_nr_whole_pages(struct span span)
{
	span.start = ALIGN(span.start, PAGE_SIZE);
	span.end = ALIGN_DOWN(span.end, PAGE_SIZE);
	return span.end > span.start ? (span.end - span.start) / PAGE_SIZE : 0;
}

/*
 * C18: each page of the range is mapped. The first and the last one are system RAM if
 * the range does not fill them, because other memory may later have struct pages
 * there.
 *
 *	page of the memmap	|     0     |     1     |     2     |
 *	range			|      [====|===========|==)        |
 *	lies in			     RAM       device       RAM
 */
static void populate_range_ends_are_ram(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct span span = range_span(dev, test->param_value);
	struct span pages = span_pages(span);
	unsigned long whole = span_nr_whole_pages(span);
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .reserve = 1, .free = span_nr_pages(span));
	unsigned long pfn = dev->pfn + 1;
	struct vmemmap_walk walk;
	unsigned long addr;

	KUNIT_EXPECT_EQ(test, populate(span, &altmap), 0);
	for (addr = pages.start; addr < pages.end; addr += PAGE_SIZE) {
		vmemmap_walk(addr, &walk);
		KUNIT_ASSERT_TRUE_MSG(test, walk.leaf && walk.level == WALK_PTE,
				      "%#lx in [%#lx, %#lx): %s at level %s", addr,
				      span.start, span.end, walk.leaf ? "leaf" : "hole",
				      walk_level_name(walk.level));
		if (addr < span.start || addr + PAGE_SIZE > span.end)
			KUNIT_ASSERT_TRUE_MSG(test, pfn_valid(walk.pfn) &&
					      !fake_dev_has(dev, walk.pfn),
					      "%#lx, at an end of [%#lx, %#lx), is mapped to page frame %#lx, not to system RAM",
					      addr, span.start, span.end, walk.pfn);
		else
			KUNIT_ASSERT_EQ_MSG(test, walk.pfn, pfn++,
					    "page frame behind %#lx in [%#lx, %#lx)",
					    addr, span.start, span.end);
	}
	KUNIT_EXPECT_EQ_MSG(test, altmap.alloc, whole, "pages taken from the altmap");
}

/* C19: freeing such a range unmaps each page, and returns it to where it came from. */
static void free_range_unmaps_both_ends(struct kunit *test)
{
	struct fake_dev *dev = fake_dev_get(test, 1, 1);
	struct span span = range_span(dev, test->param_value);
	unsigned long whole = span_nr_whole_pages(span);
	unsigned long ends = span_nr_pages(span) - whole;
	struct vmem_altmap altmap = FAKE_ALTMAP(dev, .free = span_nr_pages(span));
	struct ram_use use;

	KUNIT_EXPECT_EQ(test, populate(span, &altmap), 0);
	depopulate(test, dev, span, &altmap);
	expect_unmapped(test, dev, span);
	KUNIT_EXPECT_EQ_MSG(test, altmap.alloc, 0, "pages still allocated");

	use = ram_use_of(test, dev, span, &altmap, ends);
	KUNIT_EXPECT_EQ_MSG(test, use.spent, use.tables + ends,
			    "pages of system RAM for %lu pages at the ends and %ld tables",
			    ends, use.tables);
	KUNIT_EXPECT_EQ_MSG(test, use.kept, 0, "pages of system RAM not returned");
}

static struct kunit_case arm64_vmemmap_cases[] = {
	KUNIT_CASE(populate_section_lies_in_device),
	KUNIT_CASE(populate_sections_share_altmap),
	KUNIT_CASE(populate_section_mapping_size),
	KUNIT_CASE(populate_section_aligns_blocks),
	KUNIT_CASE_PARAM(populate_subsection_lies_in_device, subsection_gen_params),
	KUNIT_CASE(populate_section_descriptors),
	KUNIT_CASE(populate_subsection_descriptors),
	KUNIT_CASE(populate_section_tables_are_ram),
	KUNIT_CASE(populate_section_short_altmap),
	KUNIT_CASE(populate_section_without_room_to_align),
	KUNIT_CASE(populate_section_without_altmap_is_ram),
	KUNIT_CASE(populate_section_without_blocks_has_pages),
	KUNIT_CASE(populate_section_without_ram_fails),
	KUNIT_CASE(populate_section_spends_ram_on_tables_only),
	KUNIT_CASE(populate_subsection_spends_ram_on_tables_only),
	KUNIT_CASE(free_section_gives_pages_back),
	KUNIT_CASE_PARAM(free_subsection_gives_pages_back, subsection_gen_params),
	KUNIT_CASE(free_one_section_of_three),
	KUNIT_CASE(free_section_keeps_neighbours_tables),
	KUNIT_CASE(free_subsection_keeps_neighbours_tables),
	KUNIT_CASE(remove_memory_keeps_neighbours_table),
	KUNIT_CASE(free_subsection_returns_empty_tables),
	KUNIT_CASE(free_section_puts_no_altmap_page_into_buddy),
	KUNIT_CASE(free_subsection_counts_no_table_into_altmap),
	KUNIT_CASE(free_section_without_altmap_returns_ram),
	KUNIT_CASE(populate_section_again_reaches_new_memory),
	KUNIT_CASE(populate_subsection_again_reaches_new_memory),
	KUNIT_CASE(populate_outside_vmemmap_is_refused),
	KUNIT_CASE(populate_two_sections_warns),
	KUNIT_CASE(populate_end_of_vmemmap_is_accepted),
	KUNIT_CASE(free_outside_vmemmap_is_refused),
	KUNIT_CASE_PARAM(populate_range_ends_are_ram, range_gen_params),
	KUNIT_CASE_PARAM(free_range_unmaps_both_ends, range_gen_params),
	{}
};

static struct kunit_suite arm64_vmemmap_suite = {
	.name = "arm64_vmemmap",
	.test_cases = arm64_vmemmap_cases,
};

kunit_test_suite(arm64_vmemmap_suite);

MODULE_DESCRIPTION("KUnit tests for arm64's vmemmap_populate() and vmemmap_free()");
MODULE_LICENSE("GPL");

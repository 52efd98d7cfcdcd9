// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices of compound pages: memremap_pages() with a vmemmap_shift, which
 * device-dax uses for the struct pages of its 2 MiB or 1 GiB mappings.
 *
 * Each struct page is compared with a simple model, word by word. Ranges that do
 * not consist of whole compound pages must be refused: the kernel initialises whole
 * ones, and would write to struct pages after the range. The cases add a neighbour
 * after such a range. A kernel that accepts the range then writes to struct pages
 * that exist, and fails the case instead of crashing.
 *
 * The struct pages of most tail pages of a compound page are alike. A kernel with
 * CONFIG_ARCH_WANT_OPTIMIZE_DAX_VMEMMAP keeps them once: several pages of the
 * memmap are then the same page frame.
 *
 * Documentation/mm/vmemmap_altmap.rst states the rules. The cases cite them as
 * E2, N1 and so on.
 */
#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/memblock.h>
#include <linux/memory_hotplug.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/poison.h>
#include <linux/prandom.h>
#include <linux/vmstat.h>

#include "alloc_fault.h"
#include "fake_dev.h"
#include "func_redirect.h"
#include "vmemmap_adapt.h"
#include "warn_log.h"

/* The largest order of a compound page, up to a given one, that this kernel accepts. */
#define LARGEST(order)	min_t(unsigned int, order, adapt_max_device_order())

/* Four of them begin at a multiple of two, wherever the device begins. */
#define NR_SECTIONS	5
/* The order of a compound page of two sections. */
#define LARGE_ORDER	(PFN_SECTION_SHIFT + 1)

/* Parts of the memory for the random sequence. */
#define NR_PIECES	4
#define SEED		20261129
#define STEPS		48

#define WORDS		(sizeof(struct page) / sizeof(unsigned long))

/* The contents of a struct page, by name and by word. */
union model {
	struct page page;
	unsigned long word[WORDS];
};

/**
 * struct piece - a part of the device that is added with memremap_pages()
 * @pfn: its first page frame
 * @nr: how many page frames it has
 * @offset: how many of them, at its start, are reserved for the driver or for its
 *	memmap; if 0, there is no altmap
 * @free: how many of these are for its memmap; if 0, all but one
 * @order: of its compound pages
 * @present: it was added
 * @pgmap: what it was added with
 */
struct piece {
	unsigned long pfn;
	unsigned long nr;
	unsigned long offset;
	unsigned long free;
	unsigned int order;
	bool present;
	struct dev_pagemap pgmap;
};

/**
 * struct compound_test - what each case has
 * @dev: the device
 * @even_pfn: its first page frame at a multiple of two sections
 * @piece: the part of it that the case is about
 * @neighbour: single pages after that
 * @more: more parts
 */
struct compound_test {
	struct fake_dev *dev;
	unsigned long even_pfn;
	struct piece piece;
	struct piece neighbour;
	struct piece more[NR_PIECES];
};

static int piece_add(struct piece *piece)
{
	unsigned long free = piece->free ?: piece->offset - 1;
	struct vmem_altmap altmap = {
		.base_pfn = piece->pfn,
		.end_pfn = piece->pfn + piece->nr - 1,
		.reserve = piece->offset - free,
		.free = free,
	};
	void *addr;

	memset(&piece->pgmap, 0, sizeof(piece->pgmap));
	piece->pgmap.type = MEMORY_DEVICE_GENERIC;
	piece->pgmap.vmemmap_shift = piece->order;
	piece->pgmap.nr_range = 1;
	piece->pgmap.range.start = PFN_PHYS(piece->pfn);
	piece->pgmap.range.end = PFN_PHYS(piece->pfn + piece->nr) - 1;
	if (piece->offset) {
		piece->pgmap.flags = PGMAP_ALTMAP_VALID;
		memcpy(&piece->pgmap.altmap, &altmap, sizeof(altmap));
	}

	addr = memremap_pages(&piece->pgmap, test_nid());
	if (IS_ERR(addr))
		return PTR_ERR(addr);
	piece->present = true;
	return 0;
}

static void piece_remove(struct piece *piece)
{
	if (!piece->present)
		return;
	memunmap_pages(&piece->pgmap);
	piece->present = false;
}

static void remove_pieces(void *data)
{
	struct compound_test *compound = data;
	unsigned long pfn = compound->even_pfn;
	int i;

	piece_remove(&compound->piece);
	piece_remove(&compound->neighbour);
	for (i = 0; i < NR_PIECES; i++)
		piece_remove(&compound->more[i]);

	/* A kernel that does not undo a failed add leaves sections that others must not find. */
	mem_hotplug_begin();
	for (i = 0; i < NR_SECTIONS - 1; i++, pfn += PAGES_PER_SECTION)
		if (pfn_in_present_section(pfn))
			adapt_remove_pages(pfn, PAGES_PER_SECTION, NULL);
	mem_hotplug_done();
}

static int memremap_compound_init(struct kunit *test)
{
	struct compound_test *compound = kunit_kzalloc(test, sizeof(*compound), GFP_KERNEL);

	if (!compound)
		return -ENOMEM;
	compound->dev = fake_dev_get_memory(test, NR_SECTIONS);
	compound->even_pfn = ALIGN(compound->dev->pfn, 2 * PAGES_PER_SECTION);
	test->priv = compound;
	return kunit_add_action_or_reset(test, remove_pieces, compound);
}

/* The index of a page in its compound page. */
static unsigned long piece_index(const struct piece *piece, unsigned long pfn)
{
	return (pfn - piece->pfn - piece->offset) & ((1UL << piece->order) - 1);
}

/* The expected struct page of a page of the piece that nobody uses and that is reserved. */
static void model_page(const struct piece *piece, unsigned long pfn, union model *model)
{
	unsigned long index = piece_index(piece, pfn);
	unsigned long *flags = &model->word[0];
	struct page *page = &model->page;

	memset(model, 0, sizeof(*model));
	/* The bits of a page without a KASAN tag are 0. */
	*flags = BIT(PG_reserved) | (unsigned long)ZONE_DEVICE << ZONES_PGSHIFT;
#ifndef NODE_NOT_IN_PAGE_FLAGS
	*flags |= (unsigned long)test_nid() << NODES_PGSHIFT;
#endif
#ifdef LAST_CPUPID_NOT_IN_PAGE_FLAGS
	page->_last_cpupid = LAST_CPUPID_MASK;
#else
	*flags |= LAST_CPUPID_MASK << LAST_CPUPID_PGSHIFT;
#endif
#ifdef WANT_PAGE_VIRTUAL
	page->virtual = __va(PFN_PHYS(pfn));
#endif
	atomic_set(&page->_mapcount, -1);
	if (!index) {
		page->lru.next = (void *)&piece->pgmap;
		atomic_set(&page->_refcount, 1);
		if (piece->order)
			*flags |= BIT(PG_head);
		return;
	}
	/* Bit 0 says that this is the address of the head. */
	page->lru.next = (void *)pfn_to_page(pfn - index) + 1;
	page->mapping = TAIL_MAPPING;
	if (index == 1)
		*flags |= piece->order;
}

/* Words of the first tail pages that struct folio uses: see wrong_folio(). */
static bool is_of_folio(unsigned long index, unsigned int word)
{
	size_t at = word * sizeof(unsigned long);

	if (index == 1)
		return (at >= offsetof(struct page, lru.prev) &&
			at < offsetof(struct page, _mapcount)) ||
		       at > offsetof(struct page, _refcount);
	return index == 2 && (at == offsetof(struct page, lru.prev) ||
			      at == offsetof(struct page, mapping));
}

/* Describe what is wrong in the folio's part of the first tail pages, or return NULL. */
static const char *wrong_folio(const struct folio *folio, unsigned int order)
{
	if (folio_order(folio) != order || folio_nr_pages(folio) != 1L << order)
		return "another order";
	if (folio_mapcount(folio) || folio_entire_mapcount(folio))
		return "mappings";
	if (order > 1 && atomic_read(&folio->_pincount))
		return "pins";
	return NULL;
}

/* E2, E6: check each struct page of the piece after its memmap. Stop at the first error. */
static bool piece_check(struct kunit *test, const struct piece *piece, const char *when)
{
	/* With little memory, all pageblocks have the type 0, which is MIGRATE_UNMOVABLE. */
	int migratetype = page_group_by_mobility_disabled ? MIGRATE_UNMOVABLE : MIGRATE_MOVABLE;
	unsigned long pfn, index;
	union model model;
	unsigned int word;
	const char *wrong;
	int type;

	for (pfn = piece->pfn + piece->offset; pfn < piece->pfn + piece->nr; pfn++) {
		const unsigned long *words = (const unsigned long *)pfn_to_page(pfn);

		index = piece_index(piece, pfn);
		model_page(piece, pfn, &model);
		for (word = 0; word < WORDS; word++) {
			if (words[word] == model.word[word] || is_of_folio(index, word))
				continue;
			KUNIT_FAIL(test,
				   "%s, order %u: word %u of the struct page of page frame %#lx is %#lx, expected %#lx",
				   when, piece->order, word, pfn, words[word], model.word[word]);
			return false;
		}
		wrong = index || !piece->order ? NULL :
			wrong_folio((const struct folio *)words, piece->order);
		if (wrong) {
			KUNIT_FAIL(test,
				   "%s, order %u: the compound page at page frame %#lx has %s",
				   when, piece->order, pfn, wrong);
			return false;
		}
		type = get_pageblock_migratetype(pfn_to_page(pfn));
		if (!pageblock_aligned(pfn) || type == migratetype)
			continue;
		KUNIT_FAIL(test,
			   "%s, order %u: the pageblock at page frame %#lx has migratetype %d, expected %d",
			   when, piece->order, pfn, type, migratetype);
		return false;
	}
	return true;
}

static const struct {
	const char *name;
	bool has_altmap;
} memory_params[] = {
	{ "memmap in the device", true },
	{ "memmap in system RAM", false },
};

KUNIT_ARRAY_PARAM_DESC(memory, memory_params, name);

/* Enough for the memmap of whole sections, and for aligning a block of it. */
static unsigned long altmap_pages(unsigned long nr)
{
	return 2 * nr * sizeof(struct page) / PAGE_SIZE;
}

/*
 * E2, E6: struct pages are correct for single pages, and for compound pages of each order
 * up to a section.
 */
static void memremap_pages_initialises_compound_pages(struct kunit *test)
{
	const typeof(memory_params[0]) *param = test->param_value;
	struct compound_test *compound = test->priv;
	struct piece *piece = &compound->piece;
	int err = 0;

	piece->pfn = compound->dev->pfn;
	piece->nr = 2 * PAGES_PER_SECTION;
	for (piece->order = 0; piece->order <= LARGEST(PFN_SECTION_SHIFT); piece->order++) {
		piece->offset = !param->has_altmap ? 0 :
				ALIGN(altmap_pages(piece->nr), 1UL << piece->order);
		KUNIT_EXPECT_NO_WARN(test, err = piece_add(piece));
		KUNIT_ASSERT_EQ_MSG(test, err, 0, "adding compound pages of order %u",
				    piece->order);
		if (!piece_check(test, piece, "added"))
			return;
		KUNIT_EXPECT_NO_WARN(test, piece_remove(piece));
	}
}

/*
 * E2: compound pages beside boot memory have all their struct pages initialized. The memmap
 * has existed since boot, so no page of it is shared.
 */
static void compound_pages_beside_boot_memory(struct kunit *test)
{
	struct compound_test *compound = test->priv;
	struct fake_dev *dev = fake_dev_get_tail(test, 0);
	struct piece *piece = &compound->piece;
	int err = 0, order = LARGEST(min(__ffs(dev->pfn), __ffs(dev->nr)));
	bool is_right = true;

	piece->pfn = dev->pfn;
	piece->nr = dev->nr;
	/* End with single pages, so that nobody finds parts of compound pages later. */
	for (; order >= 0; order--) {
		piece->order = order;
		KUNIT_EXPECT_NO_WARN(test, err = piece_add(piece));
		KUNIT_ASSERT_EQ_MSG(test, err, 0, "adding compound pages of order %d", order);
		is_right = is_right && piece_check(test, piece, "added");
		KUNIT_EXPECT_NO_WARN(test, piece_remove(piece));
	}
}

/*
 * In sections, from a multiple of two on. A compound page has two sections.
 *
 *	|   compound page   |   compound page   |
 *	          | "begins"| neighbour
 *	| "ends"  | neighbour
 *	| memmap  | "data"  | neighbour
 */
static const struct part {
	const char *name;
	unsigned long first;
	unsigned long nr;
	unsigned long offset;
} parts[] = {
	{ "begins inside one", .first = 1, .nr = 1 },
	{ "ends inside one", .first = 0, .nr = 1 },
	{ "data begin inside one", .first = 0, .nr = 2, .offset = 1 },
};

KUNIT_ARRAY_PARAM_DESC(part, parts, name);

static void set_sections(struct piece *piece, const struct compound_test *compound,
			 unsigned long first, unsigned long nr)
{
	piece->pfn = compound->even_pfn + first * PAGES_PER_SECTION;
	piece->nr = nr * PAGES_PER_SECTION;
}

static void add_neighbour(struct kunit *test, unsigned long first)
{
	struct compound_test *compound = test->priv;

	set_sections(&compound->neighbour, compound, first, 1);
	KUNIT_ASSERT_EQ(test, piece_add(&compound->neighbour), 0);
	KUNIT_ASSERT_TRUE(test, piece_check(test, &compound->neighbour, "neighbour, before"));
}

/* The page frames have no struct page, no entry of the vmemmap and no section. */
static void expect_absent(struct kunit *test, unsigned long pfn, unsigned long nr)
{
	struct vmemmap_census census;

	vmemmap_census((unsigned long)pfn_to_page(pfn), (unsigned long)pfn_to_page(pfn + nr),
		       pfn, nr, &census);
	KUNIT_EXPECT_EQ_MSG(test, census.pages + census.blocks, 0,
			    "mappings of the memmap of page frames [%#lx, %#lx)", pfn, pfn + nr);
	KUNIT_EXPECT_FALSE_MSG(test, pfn_valid(pfn), "page frame %#lx is valid", pfn);
}

static void skip_without_large_order(struct kunit *test)
{
	if (adapt_max_device_order() < LARGE_ORDER)
		kunit_skip(test, "no compound page is that large without hugetlb");
}

/* E7: a range that is not made of whole compound pages is refused, and leaves no trace. */
static void memremap_pages_refuses_part_of_compound_page(struct kunit *test)
{
	const struct part *part = test->param_value;
	struct compound_test *compound = test->priv;
	struct piece *piece = &compound->piece;
	int err = 0;

	skip_without_large_order(test);
	add_neighbour(test, part->first + part->nr);
	set_sections(piece, compound, part->first, part->nr);
	piece->offset = part->offset * PAGES_PER_SECTION;
	piece->order = LARGE_ORDER;

	KUNIT_EXPECT_NO_WARN(test, err = piece_add(piece));
	KUNIT_EXPECT_EQ_MSG(test, err, -EINVAL, "adding a part of a compound page");
	piece_check(test, &compound->neighbour, "neighbour, after");
	piece_remove(piece);
	expect_absent(test, piece->pfn, piece->nr);

	/* The same range can be added as single pages. */
	piece->order = 0;
	KUNIT_EXPECT_NO_WARN(test, err = piece_add(piece));
	KUNIT_EXPECT_EQ_MSG(test, err, 0, "adding the same as single pages");
	if (!err)
		piece_check(test, piece, "added");
}

/* E7: if one range of a device does not consist of whole compound pages, none is added. */
static void memremap_pages_refuses_second_range(struct kunit *test)
{
	struct compound_test *compound = test->priv;
	unsigned long pfn = compound->even_pfn;
	struct dev_pagemap *pgmap;
	void *addr = NULL;

	skip_without_large_order(test);
	add_neighbour(test, 1);
	pgmap = kunit_kzalloc(test, struct_size(pgmap, ranges, 2), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, pgmap);
	pgmap->type = MEMORY_DEVICE_GENERIC;
	pgmap->vmemmap_shift = LARGE_ORDER;
	pgmap->nr_range = 2;
	/* A whole compound page after the neighbour, and half of one before it. */
	pgmap->ranges[0].start = PFN_PHYS(pfn + 2 * PAGES_PER_SECTION);
	pgmap->ranges[0].end = PFN_PHYS(pfn + 4 * PAGES_PER_SECTION) - 1;
	pgmap->ranges[1].start = PFN_PHYS(pfn);
	pgmap->ranges[1].end = PFN_PHYS(pfn + PAGES_PER_SECTION) - 1;

	KUNIT_EXPECT_NO_WARN(test, addr = memremap_pages(pgmap, test_nid()));
	KUNIT_EXPECT_EQ_MSG(test, PTR_ERR_OR_ZERO(addr), -EINVAL,
			    "adding two ranges, one of which is half a compound page");
	piece_check(test, &compound->neighbour, "neighbour, after");
	if (!IS_ERR(addr))
		memunmap_pages(pgmap);
	expect_absent(test, pfn, PAGES_PER_SECTION);
	expect_absent(test, pfn + 2 * PAGES_PER_SECTION, 2 * PAGES_PER_SECTION);
}

/* E7: with an altmap, only the pages after it must be whole compound pages. */
static void memremap_pages_accepts_whole_compound_page_behind_memmap(struct kunit *test)
{
	struct compound_test *compound = test->priv;
	struct piece *piece = &compound->piece;
	int err = 0;

	skip_without_large_order(test);
	set_sections(piece, compound, 1, 3);
	piece->offset = PAGES_PER_SECTION;
	piece->order = LARGE_ORDER;
	KUNIT_EXPECT_NO_WARN(test, err = piece_add(piece));
	KUNIT_ASSERT_EQ(test, err, 0);
	piece_check(test, piece, "added");
	KUNIT_EXPECT_NO_WARN(test, piece_remove(piece));
}

/* --- Struct pages that are there once --------------------------------------- */

/* Pages of the memmap of a compound page: those of its head, and those of tails. */
#define UNSHARED	2

/*
 * N1, N4: check whether the kernel keeps the struct pages of tail pages once. It does so
 * if the memmap of a compound page takes more than UNSHARED pages. With an altmap, the
 * compound page must not be larger than a section.
 */
static bool is_shared(const struct piece *piece)
{
	if (piece->offset && (!adapt_altmap_is_shared() || piece->order > PFN_SECTION_SHIFT))
		return false;
	return IS_ENABLED(CONFIG_ARCH_WANT_OPTIMIZE_DAX_VMEMMAP) &&
	       is_power_of_2(sizeof(struct page)) &&
	       (sizeof(struct page) << piece->order) / PAGE_SIZE > UNSHARED;
}

/* N6: the struct pages of the altmap's own pages are not shared. */
static bool is_unshared(const struct piece *piece, unsigned long addr)
{
	return !is_shared(piece) ||
	       addr < (unsigned long)pfn_to_page(piece->pfn + piece->offset);
}

/* The index of a page of the memmap in the memmap of its compound page, if that is shared. */
static unsigned long memmap_index(const struct piece *piece, unsigned long addr)
{
	unsigned long start = (unsigned long)pfn_to_page(piece->pfn + piece->offset);

	return (addr - start) % (sizeof(struct page) << piece->order) / PAGE_SIZE;
}

/* Describe what is wrong with the page frame of a page of the memmap, or return NULL. */
static const char *wrong_memmap_page(const struct piece *piece, unsigned long addr,
				     unsigned long *tails, unsigned long *seen,
				     const struct vmemmap_walk *walk)
{
	unsigned long pfn = walk->pfn + (addr & (walk->size - 1)) / PAGE_SIZE;
	unsigned long index = memmap_index(piece, addr);
	unsigned long nr = (sizeof(struct page) << piece->order) / PAGE_SIZE;
	unsigned long count = index && !piece->offset ? nr - UNSHARED + 1 : 1;

	if (is_unshared(piece, addr))
		return test_and_set_bit(pfn, seen) ? "where another page of it lies" : NULL;
	if (walk->size != PAGE_SIZE)
		return "in a block";
	if (index >= UNSHARED)
		return pfn == *tails ? NULL : "not where the previous page lies";
	if (test_and_set_bit(pfn, seen))
		return "where another page of it lies";
	*tails = pfn;
	if (piece->offset && (pfn < piece->pfn || pfn >= piece->pfn + piece->offset))
		return "not in the altmap";
	/* Each mapping holds a reference, except to a page of an altmap. */
	if (page_ref_count(pfn_to_page(pfn)) != count)
		return "in a page with a wrong reference count";
	return NULL;
}

/*
 * N1, N2: check and count the page frames that hold the memmap. Stop at the first error.
 * @seen has the page frames of other pieces.
 */
static bool memmap_check(struct kunit *test, const struct piece *piece, const char *when,
			 unsigned long *seen, unsigned long *frames)
{
	unsigned long addr = (unsigned long)pfn_to_page(piece->pfn);
	unsigned long end = (unsigned long)pfn_to_page(piece->pfn + piece->nr);
	unsigned long tails = 0;
	struct vmemmap_walk walk;
	const char *wrong;

	*frames = 0;
	for (; addr < end; addr += PAGE_SIZE) {
		vmemmap_walk(addr, &walk);
		wrong = walk.leaf ? wrong_memmap_page(piece, addr, &tails, seen, &walk) :
				    "not mapped";
		if (wrong) {
			KUNIT_FAIL(test,
				   "%s, order %u: page %lu of the memmap of the compound page of page frame %#lx is %s (page frame %#lx)",
				   when, piece->order, memmap_index(piece, addr),
				   page_to_pfn((struct page *)addr), wrong, walk.pfn);
			return false;
		}
		*frames += is_unshared(piece, addr) || memmap_index(piece, addr) < UNSHARED;
	}
	return true;
}

static unsigned long *seen_alloc(struct kunit *test)
{
	struct compound_test *compound = test->priv;
	unsigned long end = max(max_pfn, compound->dev->pfn + compound->dev->nr);
	unsigned long *seen = kunit_kzalloc(test, BITS_TO_LONGS(end) * sizeof(long), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, seen);
	return seen;
}

/* Other architectures have their own page tables and WARNs, which these cases do not know. */
static void skip_unless_arm64(struct kunit *test)
{
	if (!IS_ENABLED(CONFIG_ARM64))
		kunit_skip(test, "this has been tried on arm64 only");
}

/* How much nr_memmap_pages has grown. One test runs at a time. */
static long memmap_pages;

static void count_memmap_pages(long delta)
{
	memmap_pages += delta;
}

static unsigned long tables_of(const struct piece *piece)
{
	struct vmemmap_census memmap, linear;

	vmemmap_census((unsigned long)pfn_to_page(piece->pfn),
		       (unsigned long)pfn_to_page(piece->pfn + piece->nr),
		       piece->pfn, piece->nr, &memmap);
	vmemmap_census((unsigned long)__va(PFN_PHYS(piece->pfn)),
		       (unsigned long)__va(PFN_PHYS(piece->pfn + piece->nr)),
		       piece->pfn, piece->nr, &linear);
	return memmap.tables + linear.tables;
}

/*
 * N1 to N3, N6: compound pages of each order up to two sections have their tails once.
 * Other tasks may allocate and free system RAM at the same time, so try several times.
 */
static void compound_page_has_its_tails_once(struct kunit *test)
{
	const typeof(memory_params[0]) *param = test->param_value;
	struct compound_test *compound = test->priv;
	unsigned long *seen = seen_alloc(test), frames, before, spent, tables, cost;
	struct piece *piece = &compound->piece;
	int err, try;

	skip_unless_arm64(test);
	func_redirect_begin(test, memmap_pages_add, count_memmap_pages);
	set_sections(piece, compound, 0, param->has_altmap ? 4 : 2);
	for (piece->order = 0; piece->order <= LARGEST(LARGE_ORDER); piece->order++) {
		if (param->has_altmap)
			piece->offset = ALIGN(altmap_pages(piece->nr), 1UL << piece->order);
		for (try = 0; try < 8; try++) {
			tables = tables_of(piece);
			memmap_pages = 0;
			before = free_ram_pages();
			KUNIT_EXPECT_NO_WARN(test, err = piece_add(piece));
			KUNIT_ASSERT_EQ_MSG(test, err, 0, "adding order %u", piece->order);
			spent = before - free_ram_pages();
			tables = tables_of(piece) - tables;
			bitmap_zero(seen, max(max_pfn, compound->dev->pfn + compound->dev->nr));
			if (!piece_check(test, piece, "added") ||
			    !memmap_check(test, piece, "added", seen, &frames))
				return;
			KUNIT_EXPECT_EQ_MSG(test, memmap_pages, frames,
					    "order %u: pages that nr_memmap_pages has grown by",
					    piece->order);
			if (param->has_altmap)
				KUNIT_EXPECT_EQ_MSG(test, piece->pgmap.altmap.alloc, frames,
						    "order %u: pages of the altmap in use",
						    piece->order);
			KUNIT_EXPECT_NO_WARN(test, piece_remove(piece));
			KUNIT_EXPECT_EQ_MSG(test, memmap_pages, 0,
					    "order %u: pages that nr_memmap_pages has grown by, after removal",
					    piece->order);
			cost = tables + (param->has_altmap ? 0 : frames);
			if (spent == cost || !free_ram_is_exact())
				break;
		}
		if (free_ram_is_exact())
			KUNIT_EXPECT_EQ_MSG(test, spent, cost,
					    "order %u: pages of system RAM, and pages of memmap and tables",
					    piece->order);
		expect_absent(test, piece->pfn, piece->nr);
	}
}

/* N1: a compound page of a section has two pages of memmap, if the kernel supports that. */
static void section_has_two_pages_of_memmap(struct kunit *test)
{
	struct compound_test *compound = test->priv;
	unsigned long *seen = seen_alloc(test), frames, end;
	struct piece *piece = &compound->piece;

	skip_unless_arm64(test);
	if (!IS_ENABLED(CONFIG_ARCH_WANT_OPTIMIZE_DAX_VMEMMAP) ||
	    !is_power_of_2(sizeof(struct page)))
		kunit_skip(test, "this kernel has a struct page for each tail page");
	set_sections(piece, compound, 0, 2);
	piece->order = PFN_SECTION_SHIFT;
	if (piece->order > adapt_max_device_order())
		kunit_skip(test, "no compound page is that large without hugetlb");
	KUNIT_ASSERT_EQ(test, piece_add(piece), 0);
	end = max(max_pfn, compound->dev->pfn + compound->dev->nr);
	if (memmap_check(test, piece, "added", seen, &frames))
		KUNIT_EXPECT_EQ(test, bitmap_weight(seen, end), 2 * UNSHARED);
}

/* Make each allocation fail once. Return false if a check fails. */
static bool fail_each_allocation(struct kunit *test, struct piece *piece)
{
	unsigned int nth;
	bool failed;
	int err = 0;

	for (nth = 0; ; nth++) {
		memmap_pages = 0;
		KUNIT_EXPECT_NO_WARN(test, err = ALLOC_FAULT(test, nth, &failed, piece_add(piece)));
		if (err && (!failed || err != -ENOMEM)) {
			KUNIT_FAIL(test, "order %u, step %u, %s allocation failed: error %d",
				   piece->order, nth, failed ? "an" : "no", err);
			return false;
		}
		if (!err && !piece_check(test, piece, "added"))
			return false;
		KUNIT_EXPECT_NO_WARN(test, piece_remove(piece));
		expect_absent(test, piece->pfn, piece->nr);
		KUNIT_EXPECT_EQ_MSG(test, memmap_pages, 0,
				    "order %u, step %u: pages that nr_memmap_pages has grown by",
				    piece->order, nth);
		if (!failed)
			return nth;
	}
}

/* N3, N5: each allocation can fail. No system RAM is lost, and no memmap is counted. */
static void fail_allocations(struct kunit *test, struct piece *piece)
{
	long lost = 0, lost_now;
	int try;

	for (try = 0; try < 8; try++) {
		lost_now = free_ram_pages();
		if (!fail_each_allocation(test, piece))
			return;
		lost_now -= free_ram_pages();
		if (!lost_now || !free_ram_is_exact())
			break;
		if (try)
			lost += lost_now;
	}
	KUNIT_EXPECT_LT_MSG(test, lost, 7, "order %u, altmap of %lu pages: pages of RAM lost",
			    piece->order, piece->offset);
}

static void each_allocation_of_compound_pages_can_fail(struct kunit *test)
{
	struct compound_test *compound = test->priv;
	unsigned int least = LARGEST(LARGE_ORDER) - 2;
	struct piece *piece = &compound->piece;

	skip_unless_arm64(test);
	func_redirect_begin(test, memmap_pages_add, count_memmap_pages);
	set_sections(piece, compound, 0, 2);
	for (piece->order = least + 2; piece->order >= least; piece->order--)
		fail_allocations(test, piece);

	/* With an altmap, there are only page tables to allocate. */
	if (!adapt_altmap_is_shared())
		return;
	piece->order = PMD_SHIFT - PAGE_SHIFT;
	piece->offset = ALIGN(altmap_pages(piece->nr), 1UL << piece->order);
	fail_allocations(test, piece);
}

/* N7: if the altmap has too few pages, adding the device fails and leaves the altmap unused. */
static void altmap_for_compound_pages_can_run_out(struct kunit *test)
{
	struct compound_test *compound = test->priv;
	unsigned long *seen = seen_alloc(test), frames;
	struct piece *piece = &compound->piece;
	int err;

	skip_unless_arm64(test);
	if (!adapt_altmap_is_shared() || !is_power_of_2(sizeof(struct page)))
		kunit_skip(test, "an altmap has a struct page for each tail page");
	set_sections(piece, compound, 0, 2);
	piece->order = PMD_SHIFT - PAGE_SHIFT;
	piece->offset = 1UL << piece->order;
	func_redirect_begin(test, memmap_pages_add, count_memmap_pages);
	memmap_pages = 0;
	for (piece->free = 1; ; piece->free++) {
		KUNIT_EXPECT_NO_WARN(test, err = piece_add(piece));
		if (!err)
			break;
		KUNIT_ASSERT_EQ_MSG(test, err, -ENOMEM, "adding with %lu pages", piece->free);
		KUNIT_ASSERT_EQ_MSG(test, piece->pgmap.altmap.alloc, 0,
				    "pages in use of an altmap of %lu pages", piece->free);
		KUNIT_ASSERT_EQ_MSG(test, memmap_pages, 0,
				    "altmap of %lu pages: pages that nr_memmap_pages has grown by",
				    piece->free);
		expect_absent(test, piece->pfn, piece->nr);
		KUNIT_ASSERT_LT(test, piece->free, piece->offset);
	}
	if (memmap_check(test, piece, "added", seen, &frames))
		KUNIT_EXPECT_EQ_MSG(test, piece->free, frames,
				    "pages that the altmap needs, and pages of the memmap");
	piece_check(test, piece, "added");
	KUNIT_EXPECT_NO_WARN(test, piece_remove(piece));
	expect_absent(test, piece->pfn, piece->nr);
}

static bool overlaps(const struct compound_test *compound, const struct piece *piece)
{
	int i;

	for (i = 0; i < NR_PIECES; i++) {
		const struct piece *other = &compound->more[i];

		if (other->present && piece->pfn < other->pfn + other->nr &&
		    other->pfn < piece->pfn + piece->nr)
			return true;
	}
	return false;
}

/*
 * Choose compound pages of a random order at a random place. Neighbours share no page of
 * the memmap.
 */
static void random_piece(const struct compound_test *compound, struct piece *piece,
			 struct rnd_state *rnd)
{
	const unsigned int orders[] = {
		0, PMD_SHIFT - PAGE_SHIFT, PFN_SECTION_SHIFT - 2, PFN_SECTION_SHIFT, LARGE_ORDER,
	};
	unsigned int order = LARGEST(orders[prandom_u32_state(rnd) % ARRAY_SIZE(orders)]);
	unsigned long unit = max3(1UL << order, PAGES_PER_SUBSECTION,
				  PAGE_SIZE / sizeof(struct page));
	unsigned long units = 4 * PAGES_PER_SECTION / unit;
	unsigned long nr = 1 + prandom_u32_state(rnd) % min(units, 12UL);
	unsigned long first = prandom_u32_state(rnd) % (units - nr + 1);

	piece->order = order;
	piece->nr = nr * unit;
	piece->pfn = compound->even_pfn + first * unit;
	/* Enough for its memmap, with a block of it aligned. */
	piece->offset = ALIGN(2 * piece->nr * sizeof(struct page) / PAGE_SIZE +
			      PMD_SIZE / PAGE_SIZE + 1, 1UL << order);
	if (prandom_u32_state(rnd) % 4 || piece->offset >= piece->nr)
		piece->offset = 0;
}

static bool pieces_check(struct kunit *test, unsigned long *seen, unsigned int step)
{
	struct compound_test *compound = test->priv;
	unsigned long frames;
	int i;

	bitmap_zero(seen, max(max_pfn, compound->dev->pfn + compound->dev->nr));
	for (i = 0; i < NR_PIECES; i++)
		if (compound->more[i].present &&
		    (!piece_check(test, &compound->more[i], "random") ||
		     !memmap_check(test, &compound->more[i], "random", seen, &frames))) {
			kunit_info(test, "seed %u, step %u, piece %d", SEED, step, i);
			return false;
		}
	return true;
}

/* N1 to N5, E2, E6: these rules hold after each step of a random sequence. */
static void random_sequence_of_orders(struct kunit *test)
{
	struct compound_test *compound = test->priv;
	unsigned long *seen = seen_alloc(test);
	struct rnd_state rnd;
	unsigned int step;
	int err = 0;

	skip_unless_arm64(test);
	prandom_seed_state(&rnd, SEED);
	for (step = 0; step < STEPS; step++) {
		struct piece *piece = &compound->more[prandom_u32_state(&rnd) % NR_PIECES];

		if (piece->present) {
			KUNIT_EXPECT_NO_WARN(test, piece_remove(piece));
			expect_absent(test, piece->pfn, piece->nr);
		} else {
			random_piece(compound, piece, &rnd);
			if (overlaps(compound, piece))
				continue;
			KUNIT_EXPECT_NO_WARN(test, err = piece_add(piece));
			KUNIT_ASSERT_EQ_MSG(test, err, 0, "seed %u, step %u: adding order %u",
					    SEED, step, piece->order);
		}
		if (!pieces_check(test, seen, step))
			return;
	}
	remove_pieces(compound);
	expect_absent(test, compound->even_pfn, 4 * PAGES_PER_SECTION);
}

static struct kunit_case memremap_compound_cases[] = {
	KUNIT_CASE_PARAM(memremap_pages_initialises_compound_pages, memory_gen_params),
	KUNIT_CASE(compound_pages_beside_boot_memory),
	KUNIT_CASE_PARAM(memremap_pages_refuses_part_of_compound_page, part_gen_params),
	KUNIT_CASE(memremap_pages_refuses_second_range),
	KUNIT_CASE(memremap_pages_accepts_whole_compound_page_behind_memmap),
	KUNIT_CASE_PARAM(compound_page_has_its_tails_once, memory_gen_params),
	KUNIT_CASE(section_has_two_pages_of_memmap),
	KUNIT_CASE(each_allocation_of_compound_pages_can_fail),
	KUNIT_CASE(altmap_for_compound_pages_can_run_out),
	KUNIT_CASE_SLOW(random_sequence_of_orders),
	{}
};

static struct kunit_suite memremap_compound_suite = {
	.name = "memremap_compound",
	.init = memremap_compound_init,
	.test_cases = memremap_compound_cases,
};

kunit_test_suite(memremap_compound_suite);

MODULE_DESCRIPTION("KUnit tests for memremap_pages() of compound pages");
MODULE_LICENSE("GPL");

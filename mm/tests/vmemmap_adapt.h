/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Adapts the tests to the kernels that they are built in.
 *
 * The functions under test gain a struct vmem_altmap argument in the course of a
 * series, and the tests build at every patch of it. The wrappers always take the
 * altmap. They check the type of the function in this tree. If the function takes
 * no altmap, they drop the altmap, and the caller's assertions then fail.
 */
#ifndef _MM_TESTS_VMEMMAP_ADAPT_H
#define _MM_TESTS_VMEMMAP_ADAPT_H

#include <kunit/test.h>
#include <linux/compiler_types.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/memremap.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/node.h>
#include <linux/page-isolation.h>
#include <linux/rcupdate.h>

typedef void *(*alloc_altmap_fn)(unsigned long size, int node,
				 struct vmem_altmap *altmap);
typedef void *(*alloc_plain_fn)(unsigned long size, int node);

static inline void *adapt_alloc_block_buf(unsigned long size, int node,
					  struct vmem_altmap *altmap)
{
	void *fn = vmemmap_alloc_block_buf;

	if (__same_type(&vmemmap_alloc_block_buf, alloc_altmap_fn))
		return ((alloc_altmap_fn)fn)(size, node, altmap);
	return ((alloc_plain_fn)fn)(size, node);
}

typedef int (*populate_altmap_fn)(unsigned long start, unsigned long end,
				  int node, struct vmem_altmap *altmap);
typedef int (*populate_plain_fn)(unsigned long start, unsigned long end,
				 int node);

static inline int adapt_populate_basepages(unsigned long start,
					   unsigned long end, int node,
					   struct vmem_altmap *altmap)
{
	void *fn = vmemmap_populate_basepages;

	if (__same_type(&vmemmap_populate_basepages, populate_altmap_fn))
		return ((populate_altmap_fn)fn)(start, end, node, altmap);
	return ((populate_plain_fn)fn)(start, end, node);
}

typedef void (*unmap_altmap_fn)(unsigned long addr, unsigned long end,
				bool free_mapped, struct vmem_altmap *altmap);
typedef void (*unmap_plain_fn)(unsigned long addr, unsigned long end,
			       bool free_mapped);

/* For a static function, whose type only its own file knows. */
#define unmap_takes_altmap(fn)	__same_type(&(fn), unmap_altmap_fn)

static inline void adapt_unmap(void *fn, bool takes_altmap, unsigned long addr,
			       unsigned long end, bool free_mapped,
			       struct vmem_altmap *altmap)
{
	if (takes_altmap)
		((unmap_altmap_fn)fn)(addr, end, free_mapped, altmap);
	else
		((unmap_plain_fn)fn)(addr, end, free_mapped);
}

/* Older kernels do not pass a dev_pagemap to __remove_pages() and arch_remove_memory(). */
typedef void (*remove_pgmap_fn)(unsigned long pfn, unsigned long nr_pages,
				struct vmem_altmap *altmap,
				struct dev_pagemap *pgmap);
typedef void (*remove_plain_fn)(unsigned long pfn, unsigned long nr_pages,
				struct vmem_altmap *altmap);

static inline void adapt_remove_pages(unsigned long pfn, unsigned long nr_pages,
				      struct vmem_altmap *altmap)
{
	void *fn = __remove_pages;

	if (__same_type(&__remove_pages, remove_pgmap_fn))
		((remove_pgmap_fn)fn)(pfn, nr_pages, altmap, NULL);
	else
		((remove_plain_fn)fn)(pfn, nr_pages, altmap);
}

typedef void (*arch_remove_pgmap_fn)(u64 start, u64 size, struct vmem_altmap *altmap,
				     struct dev_pagemap *pgmap);
typedef void (*arch_remove_plain_fn)(u64 start, u64 size, struct vmem_altmap *altmap);

static inline void adapt_arch_remove_memory(u64 start, u64 size)
{
	void *fn = arch_remove_memory;

	if (__same_type(&arch_remove_memory, arch_remove_pgmap_fn))
		((arch_remove_pgmap_fn)fn)(start, size, NULL, NULL);
	else
		((arch_remove_plain_fn)fn)(start, size, NULL);
}

/*
 * get_dev_pagemap() of Linux 6.12 takes a second argument: a pgmap whose reference it
 * reuses or drops. In Linux 7.2, the caller drops that reference.
 */
typedef struct dev_pagemap *(*get_pgmap_fn)(unsigned long pfn);
typedef struct dev_pagemap *(*get_pgmap_cached_fn)(unsigned long pfn,
						   struct dev_pagemap *pgmap);

static inline struct dev_pagemap *adapt_get_dev_pagemap(unsigned long pfn,
							struct dev_pagemap *pgmap)
{
	void *fn = get_dev_pagemap;

	if (!__same_type(&get_dev_pagemap, get_pgmap_fn))
		return ((get_pgmap_cached_fn)fn)(pfn, pgmap);
	put_dev_pagemap(pgmap);
	return ((get_pgmap_fn)fn)(pfn);
}

/* In Linux 7.2, but not in 6.12, zone_device_page_init() takes a pgmap and an order. */
typedef void (*init_page_fn)(struct page *page);
typedef void (*init_page_order_fn)(struct page *page, struct dev_pagemap *pgmap,
				   unsigned int order);

static inline void adapt_zone_device_page_init(struct page *page, struct dev_pagemap *pgmap)
{
	void *fn = zone_device_page_init;

	if (__same_type(&zone_device_page_init, init_page_fn))
		((init_page_fn)fn)(page);
	else
		((init_page_order_fn)fn)(page, pgmap, 0);
}

/* In Linux 7.2, but not in 6.12, create_memory_block_devices() takes a node. */
typedef int (*create_blocks_node_fn)(unsigned long start, unsigned long size, int nid,
				     struct vmem_altmap *altmap, struct memory_group *group);
typedef int (*create_blocks_plain_fn)(unsigned long start, unsigned long size,
				      struct vmem_altmap *altmap, struct memory_group *group);

static inline int adapt_create_memory_block_devices(unsigned long start, unsigned long size,
						    int nid)
{
	void *fn = create_memory_block_devices;

	if (__same_type(&create_memory_block_devices, create_blocks_node_fn))
		return ((create_blocks_node_fn)fn)(start, size, nid, NULL, NULL);
	return ((create_blocks_plain_fn)fn)(start, size, NULL, NULL);
}

/*
 * Linux 6.12, but not 7.2, announces a step before MEM_GOING_ONLINE and one after
 * MEM_OFFLINE, and where the memmap is. Kernels with these steps have
 * MHP_OFFLINE_INACCESSIBLE.
 */
#define ADAPT_NO_STEP			(~0UL)

#ifdef MHP_OFFLINE_INACCESSIBLE
#define ADAPT_MEM_PREPARE_ONLINE	MEM_PREPARE_ONLINE
#define ADAPT_MEM_FINISH_OFFLINE	MEM_FINISH_OFFLINE

static inline unsigned long adapt_notified_memmap_pfn(const struct memory_notify *arg)
{
	return arg->altmap_start_pfn;
}

static inline unsigned long adapt_notified_memmap_pages(const struct memory_notify *arg)
{
	return arg->altmap_nr_pages;
}
#else
#define ADAPT_MEM_PREPARE_ONLINE	ADAPT_NO_STEP
#define ADAPT_MEM_FINISH_OFFLINE	ADAPT_NO_STEP

static inline unsigned long adapt_notified_memmap_pfn(const struct memory_notify *arg)
{
	return 0;
}

static inline unsigned long adapt_notified_memmap_pages(const struct memory_notify *arg)
{
	return 0;
}
#endif

/*
 * Isolate a pageblock, so that no page of it is allocated, and end that. The arguments
 * of the kernel's functions have changed several times.
 */
#ifdef MEMORY_OFFLINE
static inline int adapt_isolate(unsigned long pfn)
{
	return start_isolate_page_range(pfn, pfn + pageblock_nr_pages, MIGRATE_MOVABLE, 0,
					GFP_KERNEL);
}

static inline void adapt_undo_isolate(unsigned long pfn)
{
	undo_isolate_page_range(pfn, pfn + pageblock_nr_pages, MIGRATE_MOVABLE);
}
#else
static inline int adapt_isolate(unsigned long pfn)
{
	return start_isolate_page_range(pfn, pfn + pageblock_nr_pages, PB_ISOLATE_MODE_OTHER);
}

static inline void adapt_undo_isolate(unsigned long pfn)
{
	undo_isolate_page_range(pfn, pfn + pageblock_nr_pages);
}
#endif

/*
 * The largest order of a compound page that memremap_pages() accepts. Kernels with a
 * limit accept no larger pages than the page allocator has, unless they have hugetlb.
 */
static inline unsigned int adapt_max_device_order(void)
{
#ifdef MAX_FOLIO_ORDER
	return MAX_FOLIO_ORDER;
#else
	return UINT_MAX;
#endif
}

/*
 * Check whether compound pages of a device keep their tails once in an altmap as well.
 * arm64 then has its own vmemmap_can_optimize(), instead of a macro for the generic
 * one.
 */
static inline bool adapt_altmap_is_shared(void)
{
	return IS_ENABLED(CONFIG_ARM64) &&
	       IS_ENABLED(CONFIG_ARCH_WANT_OPTIMIZE_DAX_VMEMMAP) &&
	       !strcmp(__stringify(vmemmap_can_optimize), "vmemmap_can_optimize");
}

/*
 * Linux 6.12 passes memory notifiers the node that gets its first or loses its last
 * memory. Linux 7.2 has separate notifiers for nodes.
 */
static inline int adapt_changed_node(const struct memory_notify *arg)
{
#ifdef NODE_ADDING_FIRST_MEMORY
	return NUMA_NO_NODE;
#else
	return arg->status_change_nid;
#endif
}

/* The type of the nodes that warn_alloc() gets. Linux 7.3 makes them const. */
typedef void warn_alloc_fn(gfp_t gfp, nodemask_t *nodes, const char *fmt, ...);
#define ADAPT_WARN_ALLOC_NODES						\
	typeof(__builtin_choose_expr(__same_type(warn_alloc, warn_alloc_fn),	\
				     (nodemask_t *)NULL, (const nodemask_t *)NULL))

/* Linux 6.17 renamed this. */
#ifndef FOLIO_MAPPING_ANON
#define FOLIO_MAPPING_ANON	PAGE_MAPPING_ANON
#endif

/* Newer kernels declare this in a header in mm/. */
void drain_all_pages(struct zone *zone);

/*
 * Return the pgmap of a device's page. In Linux 7.2, the member pgmap is in
 * struct folio and no longer in struct page, but at the same offset.
 */
static inline struct dev_pagemap *adapt_page_pgmap(const struct page *page)
{
	return (struct dev_pagemap *)page->lru.next;
}

/*
 * Whether arm64 refuses to take memory offline if that splits a block. Kernels that do have
 * no MHP_OFFLINE_INACCESSIBLE any more.
 */
static inline bool adapt_refuses_splits(void)
{
#ifdef MHP_OFFLINE_INACCESSIBLE
	return false;
#else
	return true;
#endif
}

/* Why migrate_pages() is called. In Linux 7.3, this has a type of its own. */
typedef int migrate_pages_fn(struct list_head *from, new_folio_t get_new, free_folio_t put_new,
			     unsigned long private, enum migrate_mode mode, int reason,
			     unsigned int *nr_succeeded);
#define ADAPT_MIGRATE_REASON						\
	typeof(__builtin_choose_expr(__same_type(migrate_pages, migrate_pages_fn),	\
				     0, (enum migrate_reason)0))

/* What get_state_synchronize_rcu_full() fills. Linux 7.3 calls it struct rcu_gp_seq. */
struct rcu_gp_oldstate;
struct rcu_gp_seq;
typedef bool (*poll_gp_seq_fn)(struct rcu_gp_seq *cookie);
#define ADAPT_RCU_COOKIE						\
	typeof(*__builtin_choose_expr(__same_type(&poll_state_synchronize_rcu_full, \
						  poll_gp_seq_fn),	\
				      (struct rcu_gp_seq *)NULL,	\
				      (struct rcu_gp_oldstate *)NULL))

#endif /* _MM_TESTS_VMEMMAP_ADAPT_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The functions under test gain a struct vmem_altmap argument in the course
 * of a series, and the tests build at every patch of it. The wrappers here
 * take the altmap always and choose by the type that the function has in this
 * very tree. Where a function cannot take the altmap, the altmap is dropped,
 * and what the function then does fails the assertions of the caller.
 */
#ifndef _MM_TESTS_VMEMMAP_ADAPT_H
#define _MM_TESTS_VMEMMAP_ADAPT_H

#include <linux/compiler_types.h>
#include <linux/mm.h>

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

/* For a function that is private where it is: its type comes with it. */
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

#endif /* _MM_TESTS_VMEMMAP_ADAPT_H */

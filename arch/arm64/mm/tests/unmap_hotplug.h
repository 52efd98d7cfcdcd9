/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _ARM64_MM_TESTS_UNMAP_HOTPLUG_H
#define _ARM64_MM_TESTS_UNMAP_HOTPLUG_H

#include <linux/types.h>

#include "../../../../mm/tests/vmemmap_adapt.h"

/* The file of the WARNs of vmemmap_populate(), vmemmap_free() and unmap_hotplug_range(). */
#define MMU_C	"arch/arm64/mm/mmu.c"

/*
 * Calls unmap_hotplug_range(), which is static in arch/arm64/mm/mmu.c. If it takes
 * no altmap, the altmap is dropped.
 */
void kunit_unmap_hotplug_range(unsigned long addr, unsigned long end,
			       bool free_mapped, struct vmem_altmap *altmap);

/*
 * Tells whether memory hot-plug returns an error if no page can be had for a table of the
 * linear mapping. Otherwise, it calls BUG().
 */
bool linear_mapping_can_fail(void);

#endif /* _ARM64_MM_TESTS_UNMAP_HOTPLUG_H */

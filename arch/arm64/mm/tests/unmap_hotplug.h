/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _ARM64_MM_TESTS_UNMAP_HOTPLUG_H
#define _ARM64_MM_TESTS_UNMAP_HOTPLUG_H

#include <linux/types.h>

#include "../../../../mm/tests/vmemmap_adapt.h"

/* Where the WARNs of vmemmap_populate(), vmemmap_free() and unmap_hotplug_range() stand. */
#define MMU_C	"arch/arm64/mm/mmu.c"

/*
 * unmap_hotplug_range() is private to arch/arm64/mm/mmu.c. This is the way in,
 * with its arguments; an altmap is dropped where it takes none.
 */
void kunit_unmap_hotplug_range(unsigned long addr, unsigned long end,
			       bool free_mapped, struct vmem_altmap *altmap);

#endif /* _ARM64_MM_TESTS_UNMAP_HOTPLUG_H */

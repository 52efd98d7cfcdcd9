# SPDX-License-Identifier: GPL-2.0
"""What names in the kernel's memory management mean, and which names are easily confused."""

import re

# Variables that hold an error, an address or a size, or a number.
ERRORS = re.compile(r"(?:ret|rc|err|error|result|\w+_err)$")
ADDRESS = re.compile(
    r"(?:addr|start|end|next|size|floor|ceiling|len|length|phys|offset)\w*$"
    r"|\w+_(?:start|end|size|addr)$"
)
COUNT = re.compile(
    r"(?:pfn|nr|count|order|align|nid|i|n)$|(?:nr|start|end)_\w+$"
    r"|\w+_(?:pfn|pages|nr|id|order|count|vmemmap)$|\w*pages$|free|alloc|reserve|section_nr$"
)
# Functions that print, check or annotate. A correct kernel behaves the same without them.
NO_EFFECT = re.compile(
    r"(?:BUG_ON|pr_\w+|printk\w*|dev_\w+|VM_\w+_ON\w*|lockdep_\w+|might_\w+|cond_resched"
    r"|(?:trace|kmemleak|kasan|kmsan|page_table_check|mminit|print)_\w+)$"
)
# Functions that may be called twice without a difference.
IDEMPOTENT = re.compile(
    r"init_clear_pgtable|READ_ONCE|WRITE_ONCE|\w*_addr_end|\w*_offset\w*|\w*_index|\w*_to_\w+"
    r"|min(?:_t)?$|max(?:_t)?$|(?:SECTION_|PAGE_)?ALIGN\w*|PFN_\w+|memset$|\w*_page_size"
    r"|set_(?:pte|pmd)\w*|pfn_valid|\w+_clear_fixmap|pmdp?_get|ptep?_get|__\w*ptep_get|xa_\w*load"
)

# Constants, functions and members. A developer may take one for another one of its group.
CONSTANTS = (
    ("PAGE_SIZE", "PMD_SIZE", "PUD_SIZE", "PGDIR_SIZE"),
    ("PAGE_MASK", "PMD_MASK", "PUD_MASK"),
    ("CONT_PTE_SIZE", "CONT_PMD_SIZE", "PMD_SIZE"),
    ("PAGES_PER_SECTION", "PAGES_PER_SUBSECTION", "pageblock_nr_pages"),
    ("PAGE_SHIFT", "PMD_SHIFT", "PA_SECTION_SHIFT"),
    ("PAGE_KERNEL", "PAGE_KERNEL_RO", "PAGE_KERNEL_EXEC"),
    ("GFP_KERNEL", "GFP_ATOMIC", "GFP_NOWAIT"),
    ("NUMA_NO_NODE", "0"),
    ("true", "false"),
    ("MEM_ONLINE", "MEM_OFFLINE"),
    ("MIGRATE_MOVABLE", "MIGRATE_UNMOVABLE", "MIGRATE_ISOLATE"),
    ("MEMORY_DEVICE_PRIVATE", "MEMORY_DEVICE_COHERENT", "MEMORY_DEVICE_GENERIC"),
    ("ZONE_DEVICE", "ZONE_NORMAL", "ZONE_MOVABLE"),
)
CALLS = (
    ("pmd_addr_end", "pud_addr_end", "pgd_addr_end"),
    ("pte_cont_addr_end", "pmd_cont_addr_end", "pmd_addr_end"),
    ("pte_index", "pmd_index", "pud_index"),
    ("pfn_to_section_nr", "pfn_to_block_id"),
    ("ALIGN", "ALIGN_DOWN"),
    ("SECTION_ALIGN_UP", "SECTION_ALIGN_DOWN"),
    ("PFN_UP", "PFN_DOWN"),
    ("min", "max"),
    ("min_t", "max_t"),
    ("subsection_map_index", "pfn_to_section_nr"),
    ("bitmap_or", "bitmap_and", "bitmap_xor"),
    ("pmd_none", "pmd_present"),
    ("pud_none", "pud_present"),
    ("pmd_leaf", "pmd_none"),
    ("pte_none", "pte_present"),
    ("virt_to_page", "vmalloc_to_page"),
    ("pmd_page", "pud_page", "p4d_page"),
    ("p4d_offset", "pud_offset", "pmd_offset"),
    ("free_empty_pmd_table", "free_empty_pud_table", "free_empty_pte_table"),
    ("unmap_hotplug_pte_range", "unmap_hotplug_pmd_range", "unmap_hotplug_pud_range"),
    ("vmemmap_populate_pages", "vmemmap_populate_hugepages"),
    ("get_page", "put_page"),
    ("percpu_ref_get", "percpu_ref_put"),
)
MEMBERS = (
    ("base_pfn", "end_pfn"),
    ("reserve", "free", "alloc", "align"),
    ("start", "end"),
    ("pages_lo", "pages_hi"),
    ("zone_start_pfn", "spanned_pages", "present_pages"),
    ("node_start_pfn", "node_spanned_pages", "node_present_pages"),
)

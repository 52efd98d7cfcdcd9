// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device-dax driver, on a region whose memory user space divides among
 * devices. CXL memory and memory that the firmware reserves are such regions.
 *
 * Documentation/mm/vmemmap_altmap.rst states the rules. The cases cite them as
 * O1, O2 and so on.
 */
#include <kunit/test.h>
#include <linux/anon_inodes.h>
#include <linux/cdev.h>
#include <linux/dax.h>
#include <linux/device.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/ioport.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/pgtable.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "dax_device.h"
#include "device_file.h"
#include "fake_dev.h"
#include "func_redirect.h"
#include "memremap_dev.h"
#include "slab_objects.h"
#include "vmemmap_adapt.h"
#include "warn_log.h"

#define NR_SECTIONS	4

/**
 * struct dax_test - the device
 * @dev: the memory of the region, all of which the device gets
 * @mdev: the same memory, to check it
 * @dev_dax: the device. It has no memory until a case sets its size.
 */
struct dax_test {
	struct fake_dev *dev;
	struct memremap_dev *mdev;
	struct dev_dax *dev_dax;
};

static void claim_again(void *res)
{
	request_resource(&iomem_resource, res);
}

/* Make @dev the memory of the region. The driver claims it, so release our claim. */
static void use_memory(struct kunit *test, struct fake_dev *dev)
{
	struct dax_test *t = test->priv;

	t->dev = dev;
	release_resource(&dev->res);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, claim_again, &dev->res));
}

static int dax_init(struct kunit *test)
{
	struct dax_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	t->mdev = memremap_dev_get(test, NR_SECTIONS);
	use_memory(test, t->mdev->dev);
	return 0;
}

/* Create a device without memory. Its mappings will have @align bytes. */
static void create_device(struct kunit *test, unsigned int align)
{
	struct dax_test *t = test->priv;

	/* After use_memory(), so that the driver has released the memory when we claim it. */
	t->dev_dax = dax_device_get(test, dax_region_get(test, t->dev, align));
}

/* Write to a sysfs file of the device. Return 0 or an error. */
static int write_file(struct kunit *test, const char *name, const char *value)
{
	struct dax_test *t = test->priv;

	return device_file_write(&t->dev_dax->dev, name, value);
}

static void set_size(struct kunit *test, u64 size)
{
	struct dax_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, dax_device_set_size(t->dev_dax, size), 0);
}

static u64 read_size(struct kunit *test)
{
	struct dax_test *t = test->priv;

	return device_file_read_u64(test, &t->dev_dax->dev, "size");
}

/* Bind the driver to the device. Return 0 or an error. */
static int bind(struct kunit *test)
{
	struct dax_test *t = test->priv;

	return dax_device_bind(test, t->dev_dax, "device_dax");
}

static void expect_memmap(struct kunit *test, bool has_altmap)
{
	struct dax_test *t = test->priv;
	struct memremap_dev mdev = *t->mdev;

	mdev.pgmap = t->dev_dax->pgmap;
	mdev.has_altmap = has_altmap;
	KUNIT_ASSERT_NOT_NULL(test, mdev.pgmap);
	KUNIT_EXPECT_EQ(test, !!(mdev.pgmap->flags & PGMAP_ALTMAP_VALID), has_altmap);
	memremap_expect_memmap(&mdev);
}

static const struct align_param {
	const char *name;
	bool is_huge;
} align_params[] = {
	{ "mapped by pages", false },
	{ "mapped by PMDs", true },
};

KUNIT_ARRAY_PARAM_DESC(align, align_params, name);

/* The size of one mapping of the device, in bytes. */
static u64 param_align(struct kunit *test)
{
	const struct align_param *param = test->param_value;

	if (param->is_huge && !dax_align_valid(PMD_SIZE))
		kunit_skip(test, "this kernel has no huge pages");
	return param->is_huge ? PMD_SIZE : PAGE_SIZE;
}

/*
 * O1: the memmap of a device lies in system RAM, and user space can map all memory of the
 * device. The memory of one mapping is one compound page.
 */
static void device_has_memmap_in_ram(struct kunit *test)
{
	struct dax_test *t = test->priv;
	u64 start = PFN_PHYS(t->dev->pfn), size = PFN_PHYS(t->dev->nr);
	u64 align = param_align(test);

	create_device(test, align);
	set_size(test, size);
	KUNIT_ASSERT_EQ(test, bind(test), 0);
	/* Compound pages may share pages of their memmap. */
	if (align == PAGE_SIZE)
		expect_memmap(test, false);
	KUNIT_EXPECT_EQ_MSG(test, page_size(pfn_to_page(t->dev->pfn)), align,
			    "size of the first page, page frame %#lx",
			    t->dev->pfn);
	KUNIT_EXPECT_EQ(test, read_size(test), size);
	KUNIT_EXPECT_EQ_MSG(test, dax_pgoff_to_phys(t->dev_dax, 0, align), start,
			    "address of the first page that can be mapped");
	KUNIT_EXPECT_EQ_MSG(test, dax_pgoff_to_phys(t->dev_dax, PHYS_PFN(size), align),
			    (phys_addr_t)-1, "address of the page after the device");
	KUNIT_EXPECT_EQ_MSG(test, dax_pgoff_to_phys(t->dev_dax, PHYS_PFN(size) - 1, 2 * PAGE_SIZE),
			    (phys_addr_t)-1, "address of a mapping that begins with the last page");
	KUNIT_EXPECT_NO_WARN(test, device_release_driver(&t->dev_dax->dev));
	memremap_expect_nothing_left(t->mdev, "unbinding");
}

/*
 * O2: a probe that fails leaves nothing behind, and a later one can succeed. Here,
 * another claim on a page of the device makes the first probe fail.
 */
static void failed_probe_can_be_repeated(struct kunit *test)
{
	struct dax_test *t = test->priv;
	struct resource *res;

	create_device(test, PAGE_SIZE);
	set_size(test, PFN_PHYS(t->dev->nr));
	res = request_mem_region(PFN_PHYS(t->dev->pfn), PAGE_SIZE, "somebody else");
	KUNIT_ASSERT_NOT_NULL(test, res);
	KUNIT_EXPECT_EQ_MSG(test, bind(test), -EBUSY, "binding, with another claim on the memory");
	release_mem_region(PFN_PHYS(t->dev->pfn), PAGE_SIZE);
	memremap_expect_nothing_left(t->mdev, "failed attempt");

	KUNIT_ASSERT_EQ_MSG(test, bind(test), 0, "binding, without that claim");
	expect_memmap(test, false);
}

static void put_file(void *file)
{
	fput(file);
	flush_delayed_fput();
}

/* Open the device as if through its device node. @flags: O_RDWR or O_RDONLY */
static struct file *open_device(struct kunit *test, int flags)
{
	struct dax_test *t = test->priv;
	struct cdev *cdev = dax_inode(t->dev_dax->dax_dev)->i_cdev;
	struct file *file;

	file = anon_inode_create_getfile("vmemmap_kunit", cdev->ops, NULL, flags, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, put_file, file));
	/* The file drops this reference when it is closed. */
	kobject_get(&cdev->kobj);
	KUNIT_EXPECT_PTR_EQ_MSG(test, cdev->kobj.parent, &t->dev_dax->dev.kobj,
				"what an open file keeps from being freed");
	file_inode(file)->i_mode = S_IFCHR;
	file_inode(file)->i_cdev = cdev;
	KUNIT_ASSERT_EQ(test, cdev->ops->open(file_inode(file), file), 0);
	return file;
}

/*
 * If an architecture marks the PTEs that map a device, these PTEs must also be special.
 * Otherwise, unmapping a page drops a reference that mapping it did not take.
 */
static void assert_pte_is_special(struct kunit *test)
{
#ifdef CONFIG_ARCH_HAS_PTE_DEVMAP
	struct dax_test *t = test->priv;
	pte_t pte = pte_mkdevmap(pfn_pte(t->dev->pfn, PAGE_KERNEL));

	KUNIT_ASSERT_TRUE_MSG(test, pte_special(pte),
			      "the PTE %#llx, of a device, is not special", (u64)pte_val(pte));
#endif
}

/*
 * After a memory error, the kernel finds the processes that map a page by the file and
 * the offset in it.
 */
static void expect_findable(struct kunit *test, const struct file *file, unsigned long pfn,
			    pgoff_t index)
{
	const struct folio *folio = page_folio(pfn_to_page(pfn));

	KUNIT_EXPECT_PTR_EQ_MSG(test, folio->mapping, file->f_mapping,
				"mapping of page frame %#lx", pfn);
	KUNIT_EXPECT_EQ_MSG(test, folio->index, index, "offset of page frame %#lx, in pages", pfn);
	if (folio->mapping)
		KUNIT_EXPECT_NOT_NULL_MSG(test, folio->mapping->a_ops->dirty_folio,
					  "function that marks page frame %#lx dirty", pfn);
}

/* Return the size of the page-table entries that map an address, as smaps tells it. */
static unsigned long mapping_size(unsigned long addr)
{
	struct vm_area_struct *vma;
	unsigned long size = 0;

	mmap_read_lock(current->mm);
	vma = vma_lookup(current->mm, addr);
	if (vma)
		size = vma->vm_ops->pagesize ? vma->vm_ops->pagesize(vma) : PAGE_SIZE;
	mmap_read_unlock(current->mm);
	return size;
}

/* The device that is being unbound, and whether it was alive when its mappings were removed. */
static struct {
	struct kunit *test;
	struct dax_device *dax_dev;
	bool was_alive;
} unbinding;

/* Redirected unmap_mapping_range(): as long as a device is alive, a process can map it again. */
static void unmap_mappings(struct address_space *mapping, loff_t const start, loff_t const len,
			   int even_cows)
{
	int id = dax_read_lock();

	unbinding.was_alive = dax_alive(unbinding.dax_dev);
	dax_read_unlock(id);
	func_redirect_end(unbinding.test, unmap_mapping_range);
	unmap_mapping_range(mapping, start, len, even_cows);
}

/*
 * O3: a process that maps the device reads and writes the memory that it asked for, and
 * loses it when the driver is unbound.
 *
 *	device		|     |  0  |  1  |     ...     |
 *	process		      |  0  |  1  |
 */
static void unbinding_ends_mappings(struct kunit *test)
{
	struct dax_test *t = test->priv;
	u64 align = param_align(test);
	unsigned long user, readonly, sync, i;
	struct file *file;

	if (!IS_ENABLED(CONFIG_FS_DAX))
		kunit_skip(test, "user space cannot map a device without CONFIG_FS_DAX");
	assert_pte_is_special(test);
	create_device(test, align);
	set_size(test, PFN_PHYS(t->dev->nr));
	KUNIT_ASSERT_EQ(test, bind(test), 0);
	file = open_device(test, O_RDWR);
	user = kunit_vm_mmap(test, file, 0, 2 * align, PROT_READ | PROT_WRITE, MAP_SHARED,
			     align);
	KUNIT_ASSERT_TRUE(test, user && !IS_ERR_VALUE(user));
	KUNIT_EXPECT_EQ_MSG(test, mapping_size(user), align, "size of the entries that map it");
	if (align > PAGE_SIZE) {
		KUNIT_EXPECT_EQ_MSG(test, vm_mmap(file, 0, 2 * align - PAGE_SIZE, PROT_READ,
						  MAP_SHARED, 0), (unsigned long)-EINVAL,
				    "mapping a part of a huge page");
		KUNIT_EXPECT_EQ_MSG(test, vm_munmap(user + PAGE_SIZE, PAGE_SIZE), -EINVAL,
				    "unmapping a part of a huge page");
	}
	sync = vm_mmap(file, 0, align, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, 0);
	KUNIT_EXPECT_FALSE_MSG(test, IS_ERR_VALUE(sync), "mapping with MAP_SYNC: %ld", (long)sync);
	if (!IS_ERR_VALUE(sync))
		KUNIT_EXPECT_EQ(test, vm_munmap(sync, align), 0);
	KUNIT_EXPECT_EQ_MSG(test, vm_mmap(file, 0, align, PROT_READ, MAP_PRIVATE, 0),
			    (unsigned long)-EINVAL, "mapping that is private");
	readonly = vm_mmap(open_device(test, O_RDONLY), 0, align, PROT_READ, MAP_SHARED, 0);
	KUNIT_EXPECT_FALSE_MSG(test, IS_ERR_VALUE(readonly),
			       "mapping a file that is open for reading: %ld", (long)readonly);

	for (i = 0; i < 2; i++) {
		unsigned long offset = (i + 1) * align - PAGE_SIZE;
		unsigned long *mine = __va(PFN_PHYS(t->dev->pfn) + align + offset);
		unsigned long __user *theirs = (unsigned long __user *)(user + offset);
		unsigned long value;

		*mine = i + 1;
		KUNIT_ASSERT_EQ(test, get_user(value, theirs), 0);
		KUNIT_EXPECT_EQ_MSG(test, value, i + 1, "what the process reads at %#llx",
				    align + offset);
		KUNIT_ASSERT_EQ(test, put_user(~i, theirs), 0);
		KUNIT_EXPECT_EQ_MSG(test, READ_ONCE(*mine), ~i,
				    "what the device holds at %#llx when the process has written there",
				    align + offset);
		expect_findable(test, file, t->dev->pfn + PHYS_PFN(align + offset),
				(i + 1) * PHYS_PFN(align));
	}

	unbinding.test = test;
	unbinding.dax_dev = t->dev_dax->dax_dev;
	unbinding.was_alive = false;
	func_redirect_begin(test, unmap_mapping_range, unmap_mappings);
	KUNIT_EXPECT_NO_WARN(test, device_release_driver(&t->dev_dax->dev));
	KUNIT_EXPECT_FALSE_MSG(test, unbinding.was_alive,
			       "the device was alive when its mappings were removed");
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_EQ_MSG(test, put_user(i, (unsigned long __user *)(user + i * align)),
				    -EFAULT, "writing to mapping %lu after unbinding", i);
	memremap_expect_nothing_left(t->mdev, "unbinding");
	KUNIT_EXPECT_EQ(test, vm_munmap(user, 2 * align), 0);
	if (!IS_ERR_VALUE(readonly))
		KUNIT_EXPECT_EQ(test, vm_munmap(readonly, align), 0);
}

/* Let user space create one more device of the region, and use that. It is the seed then. */
static void create_seed(struct kunit *test)
{
	struct dax_test *t = test->priv;
	struct device *parent = t->dev_dax->dev.parent, *dev;

	KUNIT_ASSERT_EQ(test, device_file_write(parent, "dax_region/create", "1"), 0);
	dev = device_find_child_by_name(parent, device_file_read(test, parent, "dax_region/seed"));
	KUNIT_ASSERT_NOT_NULL(test, dev);
	t->dev_dax = to_dev_dax(dev);
	put_device(dev);
}

/*
 * Q3, Q4: while a driver is bound, the device keeps its memory and its alignment, and cannot
 * be deleted. It is not the seed any more.
 */
static void bound_device_keeps_its_memory(struct kunit *test)
{
	struct dax_test *t = test->priv;
	u64 section = PFN_PHYS(PAGES_PER_SECTION), start = PFN_PHYS(t->dev->pfn);
	u64 align = dax_align_valid(PMD_SIZE) ? PMD_SIZE : PAGE_SIZE;
	struct dev_dax *other;
	struct device *dev;
	char value[24];

	create_device(test, PAGE_SIZE);
	other = t->dev_dax;
	create_seed(test);
	dev = &t->dev_dax->dev;
	KUNIT_ASSERT_EQ(test, dax_device_set_size(other, section), 0);
	KUNIT_ASSERT_EQ(test, dax_device_bind(test, other, "device_dax"), 0);
	KUNIT_EXPECT_STREQ_MSG(test, device_file_read(test, dev->parent, "dax_region/seed"),
			       dev_name(dev), "seed when another device is bound");
	device_release_driver(&other->dev);
	KUNIT_ASSERT_EQ(test, dax_device_set_size(other, 0), 0);

	set_size(test, 2 * section);
	KUNIT_ASSERT_EQ(test, bind(test), 0);
	KUNIT_EXPECT_STREQ(test, device_file_read(test, dev->parent, "dax_region/seed"), "");
	KUNIT_EXPECT_EQ_MSG(test, dax_device_set_size(t->dev_dax, section), -EBUSY, "shrinking");
	KUNIT_EXPECT_EQ_MSG(test, dax_device_set_size(t->dev_dax, 3 * section), -EBUSY, "growing");
	KUNIT_EXPECT_EQ_MSG(test, dax_device_add_range(t->dev_dax, start + 2 * section, section),
			    -EBUSY, "adding a range");
	snprintf(value, sizeof(value), "%llu", align);
	KUNIT_EXPECT_EQ_MSG(test, write_file(test, "align", value), -EBUSY, "writing to align");
	KUNIT_EXPECT_EQ_MSG(test, device_file_read_u64(test, dev, "align"), PAGE_SIZE,
			    "alignment after that");
	KUNIT_EXPECT_EQ_MSG(test, device_file_write(dev->parent, "dax_region/delete",
						    dev_name(dev)), -EBUSY, "deleting");
	KUNIT_EXPECT_EQ_MSG(test, read_size(test), 2 * section, "size after that");
	KUNIT_EXPECT_EQ_MSG(test, dax_pgoff_to_phys(t->dev_dax, PHYS_PFN(2 * section), PAGE_SIZE),
			    (phys_addr_t)-1, "address of the page after the device");
}

/* The cases below need the sysfs file "memmap", which not every kernel has. */
static void require_memmap_file(struct kunit *test)
{
	struct dax_test *t = test->priv;

	if (!device_has_file(&t->dev_dax->dev, "memmap"))
		kunit_skip(test, "device-dax of this kernel has no file memmap");
}

/*
 * O4: a device can hold its own memmap. User space can map the memory after the memmap,
 * from the first multiple of the device's alignment on. Unbinding the driver frees the
 * memmap, which can be in system RAM the next time.
 *
 *	device		| memmap |   |              data              |
 *	user space	             | 0 |            ...             |
 */
static void device_holds_its_memmap(struct kunit *test)
{
	struct dax_test *t = test->priv;
	const struct fake_dev *dev = t->dev;
	u64 align = param_align(test);
	/* Not whole sections, so that the memmap does not end where data can begin. */
	u64 all = PFN_PHYS(dev->nr) - max(align, PFN_PHYS(PAGES_PER_SECTION / 4));
	struct dev_pagemap *pgmap;
	u64 data, size;

	create_device(test, align);
	require_memmap_file(test);
	set_size(test, all);
	KUNIT_ASSERT_EQ(test, write_file(test, "memmap", "dev"), 0);
	KUNIT_ASSERT_EQ(test, bind(test), 0);
	KUNIT_EXPECT_EQ_MSG(test, write_file(test, "memmap", "mem"), -EBUSY,
			    "writing to memmap while the driver is bound");

	/* Compound pages may share pages of their memmap. */
	if (align == PAGE_SIZE)
		expect_memmap(test, true);
	pgmap = t->dev_dax->pgmap;
	KUNIT_EXPECT_GT(test, pgmap->altmap.alloc, 0);
	KUNIT_EXPECT_LE(test, pgmap->altmap.alloc, pgmap->altmap.free);

	data = dax_pgoff_to_phys(t->dev_dax, 0, PAGE_SIZE);
	KUNIT_EXPECT_EQ_MSG(test, data, PFN_PHYS(dev->pfn + pgmap->altmap.free),
			    "address of the first page that can be mapped, after the memmap");
	KUNIT_EXPECT_TRUE_MSG(test, IS_ALIGNED(data, max_t(u64, align, memremap_compat_align())),
			      "address of the first page that can be mapped: %#llx", data);
	size = all - (data - PFN_PHYS(dev->pfn));
	KUNIT_EXPECT_EQ_MSG(test, read_size(test), size, "size without the memmap");
	KUNIT_EXPECT_EQ_MSG(test, dax_pgoff_to_phys(t->dev_dax, PHYS_PFN(size) - 1, PAGE_SIZE),
			    PFN_PHYS(dev->pfn) + all - PAGE_SIZE, "address of the last page");
	KUNIT_EXPECT_EQ_MSG(test, dax_pgoff_to_phys(t->dev_dax, PHYS_PFN(size), PAGE_SIZE),
			    (phys_addr_t)-1, "address of the page after the device");
	KUNIT_EXPECT_NO_WARN(test, device_release_driver(&t->dev_dax->dev));
	memremap_expect_nothing_left(t->mdev, "unbinding");

	KUNIT_EXPECT_EQ_MSG(test, read_size(test), all, "size after unbinding");
	KUNIT_ASSERT_EQ(test, write_file(test, "memmap", "mem"), 0);
	KUNIT_ASSERT_EQ(test, bind(test), 0);
	if (align == PAGE_SIZE)
		expect_memmap(test, false);
	KUNIT_EXPECT_EQ_MSG(test, dax_pgoff_to_phys(t->dev_dax, 0, PAGE_SIZE),
			    PFN_PHYS(dev->pfn), "address of the first page, memmap in RAM");
}

/* Give the device two ranges: the last section and then the first one. */
static void set_two_ranges(struct kunit *test)
{
	struct dax_test *t = test->priv;
	const struct fake_dev *dev = t->dev;
	u64 section = PFN_PHYS(PAGES_PER_SECTION), start = PFN_PHYS(dev->pfn);
	u64 last = PFN_PHYS(dev->pfn + dev->nr) - section;

	KUNIT_ASSERT_EQ(test, dax_device_add_range(t->dev_dax, last, section), 0);
	KUNIT_ASSERT_EQ(test, dax_device_add_range(t->dev_dax, start, section), 0);
}

/* Set a size that the memmap and its padding fill. */
static void set_no_room(struct kunit *test)
{
	set_size(test, ALIGN(PAGES_PER_SECTION * sizeof(struct page) + 1,
			     memremap_compat_align()));
}

static const struct no_room_param {
	const char *name;
	void (*set)(struct kunit *test);
	int err;
} no_room_params[] = {
	{ "no room after the memmap", set_no_room, -ENOSPC },
	{ "two ranges", set_two_ranges, -EOPNOTSUPP },
};

KUNIT_ARRAY_PARAM_DESC(no_room, no_room_params, name);

/*
 * O5: a device that cannot hold its memmap is refused. It can be bound with the memmap in
 * system RAM.
 */
static void device_without_room_is_refused(struct kunit *test)
{
	const struct no_room_param *param = test->param_value;
	struct dax_test *t = test->priv;

	create_device(test, PAGE_SIZE);
	require_memmap_file(test);
	KUNIT_EXPECT_EQ(test, write_file(test, "memmap", "elsewhere"), -EINVAL);
	param->set(test);
	KUNIT_ASSERT_EQ(test, write_file(test, "memmap", "dev"), 0);
	KUNIT_EXPECT_EQ(test, bind(test), param->err);
	memremap_expect_nothing_left(t->mdev, "refusal");

	KUNIT_ASSERT_EQ(test, write_file(test, "memmap", "mem"), 0);
	KUNIT_ASSERT_EQ(test, bind(test), 0);
	expect_memmap(test, false);
}

/*
 * O5: so is a device inside a section of boot memory, whose memmap exists since boot.
 *
 *	section		| boot memory | device |
 *	memmap		|  in system RAM       |
 */
static void device_beside_boot_memory_is_refused(struct kunit *test)
{
	struct dax_test *t = test->priv;
	struct dev_pagemap *pgmap;

	use_memory(test, fake_dev_get_tail(test, 0));
	create_device(test, PAGE_SIZE);
	require_memmap_file(test);
	set_size(test, PFN_PHYS(t->dev->nr));
	KUNIT_ASSERT_EQ(test, write_file(test, "memmap", "dev"), 0);
	KUNIT_EXPECT_EQ(test, bind(test), -EOPNOTSUPP);
	pgmap = adapt_get_dev_pagemap(t->dev->pfn, NULL);
	KUNIT_EXPECT_NULL_MSG(test, pgmap, "page frame %#lx leads to a pgmap after the refusal",
			      t->dev->pfn);
	put_dev_pagemap(pgmap);

	KUNIT_ASSERT_EQ(test, write_file(test, "memmap", "mem"), 0);
	KUNIT_EXPECT_EQ(test, bind(test), 0);
}

/* Write to a sysfs file that each driver of the bus has. Return 0 or an error. */
static int driver_file_write(struct device_driver *drv, const char *name, const char *value)
{
	ssize_t len = strlen(value), nr;
	const struct attribute_group **group;
	struct driver_attribute *file;
	struct attribute **attr;

	for (group = drv->bus->drv_groups; *group; group++) {
		for (attr = (*group)->attrs; *attr; attr++) {
			if (strcmp((*attr)->name, name))
				continue;
			file = container_of(*attr, struct driver_attribute, attr);
			nr = file->store(drv, value, len);
			return nr < 0 ? nr : nr == len ? 0 : -EIO;
		}
	}
	return -ENOENT;
}

static struct device_driver *find_driver(struct kunit *test)
{
	struct dax_test *t = test->priv;
	struct device_driver *drv = driver_find("device_dax", t->dev_dax->dev.bus);

	KUNIT_ASSERT_NOT_NULL(test, drv);
	return drv;
}

/* No device has this name. */
#define NO_NAME	"dax123.4\n"

static void forget_names(void *data)
{
	struct kunit *test = data;
	struct dax_test *t = test->priv;
	struct device_driver *drv = driver_find("device_dax", t->dev_dax->dev.bus);

	driver_file_write(drv, "remove_id", NO_NAME);
	driver_file_write(drv, "remove_id", dev_name(&t->dev_dax->dev));
}

/*
 * Q5: a driver binds a device that another driver would get if user space writes its name to
 * new_id. The driver forgets a name that is written to remove_id.
 */
static void named_device_is_bound(struct kunit *test)
{
	static const char *const wrong[] = { "", "dax", "dax1", "dax1.2.3", "mem1.2" };
	struct dax_test *t = test->priv;
	struct dax_region *region;
	struct device_driver *drv;
	struct device *dev;
	int i;

	if (!IS_ENABLED(CONFIG_DEV_DAX_KMEM))
		kunit_skip(test, "device_dax binds all devices");
	region = dax_region_get(test, t->dev, PAGE_SIZE);
	/* The driver kmem gets the devices of such a region. */
	region->res.flags |= IORESOURCE_DAX_KMEM;
	t->dev_dax = dax_device_get(test, region);
	dev = &t->dev_dax->dev;
	drv = find_driver(test);
	set_size(test, PFN_PHYS(PAGES_PER_SECTION));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, forget_names, test));
	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		KUNIT_EXPECT_EQ_MSG(test, driver_file_write(drv, "new_id", wrong[i]), -EINVAL,
				    "\"%s\"", wrong[i]);
	KUNIT_ASSERT_EQ(test, driver_file_write(drv, "new_id", NO_NAME), 0);
	KUNIT_EXPECT_NULL_MSG(test, dev->driver, "another name is added");

	KUNIT_ASSERT_EQ(test, driver_file_write(drv, "new_id", dev_name(dev)), 0);
	KUNIT_ASSERT_PTR_EQ_MSG(test, dev->driver, drv, "its name is added");
	KUNIT_ASSERT_EQ(test, driver_file_write(drv, "remove_id", dev_name(dev)), 0);
	KUNIT_EXPECT_PTR_EQ_MSG(test, dev->driver, drv, "its name is removed");
	device_release_driver(dev);
	KUNIT_ASSERT_EQ(test, driver_file_write(drv, "remove_id", NO_NAME), 0);
	KUNIT_ASSERT_EQ(test, driver_file_write(drv, "new_id", NO_NAME), 0);
	KUNIT_EXPECT_NULL_MSG(test, dev->driver, "its name was removed");
}

static bool name_comes_and_goes(struct kunit *test)
{
	struct device_driver *drv = find_driver(test);

	return !driver_file_write(drv, "new_id", NO_NAME) &&
	       !driver_file_write(drv, "new_id", NO_NAME) &&
	       !driver_file_write(drv, "remove_id", NO_NAME);
}

/* Q5: nothing is left of a name that is removed. */
static void removed_name_leaves_no_object(struct kunit *test)
{
	create_device(test, PAGE_SIZE);
	expect_rounds_leak_nothing(test, name_comes_and_goes);
}

static struct kunit_case device_dax_cases[] = {
	KUNIT_CASE_PARAM(device_has_memmap_in_ram, align_gen_params),
	KUNIT_CASE(failed_probe_can_be_repeated),
	KUNIT_CASE_PARAM(unbinding_ends_mappings, align_gen_params),
	KUNIT_CASE(bound_device_keeps_its_memory),
	KUNIT_CASE(named_device_is_bound),
	KUNIT_CASE(removed_name_leaves_no_object),
	KUNIT_CASE_PARAM(device_holds_its_memmap, align_gen_params),
	KUNIT_CASE_PARAM(device_without_room_is_refused, no_room_gen_params),
	KUNIT_CASE(device_beside_boot_memory_is_refused),
	{}
};

static struct kunit_suite device_dax_suite = {
	.name = "device_dax",
	.init = dax_init,
	.test_cases = device_dax_cases,
};

kunit_test_suite(device_dax_suite);

MODULE_DESCRIPTION("KUnit tests for the memmap of device-dax");
MODULE_LICENSE("GPL");

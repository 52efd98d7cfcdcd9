// SPDX-License-Identifier: GPL-2.0-only
/*
 * How user space divides the memory of a dynamic region, such as CXL memory, among devices
 * of device-dax.
 *
 * Documentation/mm/vmemmap_altmap.rst states the rules. The cases cite them as Q1, Q2
 * and so on.
 */
#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/align.h>
#include <linux/dax.h>
#include <linux/device.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/prandom.h>
#include <linux/string.h>

#include "alloc_fault.h"
#include "dax_device.h"
#include "device_file.h"
#include "fake_dev.h"
#include "slab_objects.h"
#include "warn_log.h"

#define NR_UNITS	12	/* of the region */
#define NR_DEVICES	3
#define NR_STEPS	120
#define SEED		20261130

/**
 * struct model - a device, and what it should consist of
 * @dev_dax: the device
 * @nr: its size in units
 * @start: the address of each unit, in the order in which user space maps them
 */
struct model {
	struct dev_dax *dev_dax;
	unsigned int nr;
	u64 start[NR_UNITS];
};

/**
 * struct region_test - what each case starts with
 * @region: the region
 * @parent: the device that a static region belongs to
 * @start: its first address
 * @unit: the size of a unit in bytes
 * @device: its devices. A model without dev_dax has none.
 */
struct region_test {
	struct dax_region *region;
	struct device *parent;
	u64 start;
	u64 unit;
	struct model device[NR_DEVICES];
};

/* The smallest range that a device can have, in bytes. */
static u64 smallest_unit(void)
{
	return max_t(u64, PAGE_SIZE, memremap_compat_align());
}

/* Create a region of NR_UNITS units and a device without memory. */
static void create_region(struct kunit *test, u64 unit)
{
	struct region_test *t = test->priv;
	u64 section = PFN_PHYS(PAGES_PER_SECTION);
	struct fake_dev *dev = fake_dev_get(test, DIV_ROUND_UP(NR_UNITS * unit, section),
					    max_t(u64, unit / section, 1));
	struct fake_dev part = { .pfn = dev->pfn, .nr = PHYS_PFN(NR_UNITS * unit) };

	t->start = PFN_PHYS(dev->pfn);
	t->unit = unit;
	t->region = dax_region_get(test, &part, PAGE_SIZE);
	t->device[0].dev_dax = dax_device_get(test, t->region);
}

static int region_init(struct kunit *test)
{
	test->priv = kunit_kzalloc(test, sizeof(struct region_test), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, test->priv);
	return 0;
}

/* Create as many devices as the model can have, in a region of small units. */
static void create_devices(struct kunit *test)
{
	struct region_test *t = test->priv;
	int i;

	create_region(test, smallest_unit());
	for (i = 1; i < NR_DEVICES; i++)
		t->device[i].dev_dax = dax_device_get(test, t->region);
}

static unsigned int nr_free(const struct region_test *t)
{
	unsigned int nr = NR_UNITS;
	int i;

	for (i = 0; i < NR_DEVICES; i++)
		nr -= t->device[i].nr;
	return nr;
}

/* Return the number of the device that has the memory at an address, or -1. */
static int owner(const struct region_test *t, u64 start)
{
	unsigned int unit;
	int i;

	for (i = 0; i < NR_DEVICES; i++)
		for (unit = 0; unit < t->device[i].nr; unit++)
			if (t->device[i].start[unit] == start)
				return i;
	return -1;
}

/* What to compare the directories mapping0, mapping1 and so on of a device with. */
struct mappings {
	struct kunit *test;
	const struct model *model;
	const char *when;
	unsigned int nr;
	u64 bytes;
};

static int expect_mapping(struct device *dev, void *data)
{
	struct mappings *mappings = data;
	struct kunit *test = mappings->test;
	struct region_test *t = test->priv;
	const struct model *model = mappings->model;
	u64 start, end, offset;

	if (strncmp(dev_name(dev), "mapping", 7))
		return 0;
	start = device_file_read_u64(test, dev, "start");
	end = device_file_read_u64(test, dev, "end");
	offset = PFN_PHYS(device_file_read_u64(test, dev, "page_offset"));
	mappings->nr++;
	mappings->bytes += end + 1 - start;
	KUNIT_EXPECT_TRUE_MSG(test, offset < model->nr * t->unit &&
			      start == model->start[offset / t->unit],
			      "%s: %s of %s begins at %#llx, offset %#llx", mappings->when,
			      dev_name(dev), dev_name(&model->dev_dax->dev), start, offset);
	return 0;
}

/* Q2: the directories show each range of the device, and ranges in a row are one. */
static void expect_mappings(struct kunit *test, const struct model *model, const char *when)
{
	struct region_test *t = test->priv;
	struct mappings mappings = { .test = test, .model = model, .when = when };
	const char *name = dev_name(&model->dev_dax->dev);
	unsigned int unit, nr = 0;

	for (unit = 0; unit < model->nr; unit++)
		nr += !unit || model->start[unit] != model->start[unit - 1] + t->unit;
	device_for_each_child(&model->dev_dax->dev, &mappings, expect_mapping);
	KUNIT_EXPECT_EQ_MSG(test, mappings.nr, nr, "%s: ranges of %s", when, name);
	KUNIT_EXPECT_EQ_MSG(test, mappings.bytes, model->nr * t->unit,
			    "%s: bytes of the ranges of %s", when, name);
}

/*
 * Q1, Q2: each device has the memory that the model says. If a device has grown, user space
 * maps its new memory after the rest. That memory was free, and the model gets it.
 */
static void expect_division(struct kunit *test, const char *when)
{
	struct region_test *t = test->priv;
	int i;

	for (i = 0; i < NR_DEVICES; i++) {
		struct model *model = &t->device[i];
		struct dev_dax *dev_dax = model->dev_dax;
		unsigned int unit, nr;
		u64 size, start;

		if (!dev_dax)
			continue;
		size = device_file_read_u64(test, &dev_dax->dev, "size");
		KUNIT_ASSERT_EQ_MSG(test, size, model->nr * t->unit, "%s: size of %s", when,
				    dev_name(&dev_dax->dev));
		nr = model->nr;
		for (unit = 0; unit < nr; unit++) {
			start = dax_pgoff_to_phys(dev_dax, PHYS_PFN(unit * t->unit), t->unit);
			if (model->start[unit]) {
				KUNIT_ASSERT_EQ_MSG(test, start, model->start[unit],
						    "%s: address of unit %u of %s", when, unit,
						    dev_name(&dev_dax->dev));
				continue;
			}
			KUNIT_ASSERT_TRUE_MSG(test, start >= t->start && owner(t, start) == -1 &&
					      start < t->start + NR_UNITS * t->unit &&
					      IS_ALIGNED(start - t->start, t->unit),
					      "%s: unit %u of %s is at %#llx", when, unit,
					      dev_name(&dev_dax->dev), start);
			model->start[unit] = start;
		}
		expect_mappings(test, model, when);
	}
	KUNIT_EXPECT_EQ_MSG(test, device_file_read_u64(test, t->region->dev,
						       "dax_region/available_size"),
			    nr_free(t) * t->unit, "%s: available_size", when);
}

/* Let the model of a device have @nr units. expect_division() finds those that are new. */
static void set_model(struct model *model, unsigned int nr)
{
	while (model->nr < nr)
		model->start[model->nr++] = 0;
	model->nr = nr;
}

/* Q2, Q3: resize a device, and check what all devices have then. */
static void resize(struct kunit *test, int i, unsigned int nr, const char *when)
{
	struct region_test *t = test->priv;
	struct model *model = &t->device[i];
	bool fits = nr <= model->nr + nr_free(t);
	int err = 0;

	KUNIT_EXPECT_NO_WARN(test, err = dax_device_set_size(model->dev_dax, nr * t->unit));
	KUNIT_ASSERT_EQ_MSG(test, err, fits ? 0 : -ENOSPC, "%s: resizing device %d to %u units",
			    when, i, nr);
	if (fits)
		set_model(model, nr);
	expect_division(test, when);
}

/*
 * Q2: a device grows by free memory, in several places if need be, and shrinks from its
 * end. Its other memory stays where it is.
 *
 *	full		|  0  |  1  |  0  |  1  |  2  |
 *	1 shrinks	|  0  |  1  |  0  |     |  2  |
 *	0 grows		|  0  |  1  |     0     |  2  |
 *	1 shrinks	|  0  |     |     0     |  2  |
 *	2 grows		|  0  |  2  |     0     |  2  |
 */
static void devices_grow_and_shrink(struct kunit *test)
{
	create_devices(test);
	resize(test, 0, 2, "device 0");
	resize(test, 1, 2, "device 1");
	resize(test, 0, 4, "device 0 behind it");
	resize(test, 1, 4, "device 1 behind that");
	resize(test, 2, 4, "device 2");
	resize(test, 1, 2, "device 1 shrinks");
	resize(test, 0, 6, "device 0 grows");
	resize(test, 1, 0, "device 1 gives up all");
	resize(test, 2, 6, "device 2 grows into a gap before it");
	resize(test, 2, 1, "device 2 gives up a range and a part of another");
	resize(test, 0, 11, "device 0 takes all that is free");
	resize(test, 1, 1, "device 1 finds nothing");
}

/* Q1, Q2, Q3: the same at random, with requests that cannot be met. */
static void random_sizes(struct kunit *test)
{
	struct rnd_state rnd;
	char when[24];
	int step;

	create_devices(test);
	prandom_seed_state(&rnd, SEED);
	for (step = 0; step < NR_STEPS; step++) {
		int i = prandom_u32_state(&rnd) % NR_DEVICES;
		unsigned int nr = prandom_u32_state(&rnd) % (NR_UNITS / 2 + 2);

		snprintf(when, sizeof(when), "step %d", step);
		resize(test, i, nr, when);
	}
}

/*
 * Q2: user space can choose a range that is free.
 *
 *	region		|     |  0  |  1  |  1  |     |  0  |     |
 */
static void ranges_can_be_chosen(struct kunit *test)
{
	static const struct {
		int device;
		unsigned int first, nr;
	} ranges[] = { { 0, 1, 1 }, { 1, 3, 1 }, { 1, 2, 1 }, { 0, 5, 2 } };
	struct region_test *t = test->priv;
	int i;

	create_devices(test);
	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		struct model *model = &t->device[ranges[i].device];
		u64 start = t->start + ranges[i].first * t->unit;
		unsigned int unit;

		KUNIT_ASSERT_EQ_MSG(test, dax_device_add_range(model->dev_dax, start,
							       ranges[i].nr * t->unit), 0,
				    "range %d", i);
		for (unit = 0; unit < ranges[i].nr; unit++)
			model->start[model->nr++] = start + unit * t->unit;
		expect_division(test, "chosen ranges");
	}
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_EQ_MSG(test, device_file_read_u64(test, &t->device[i].dev_dax->dev,
							       "resource"), t->device[i].start[0],
				    "address of the first range of device %d", i);
	resize(test, 0, 2, "device 0 shrinks");
}

/* An address or a size: @units of the region and @bytes more. */
struct bytes {
	int units;
	s64 bytes;
};

static const struct wrong_param {
	const char *name;
	bool is_range;
	struct bytes start, size;
	int err;	/* or 0 for any */
} wrong_params[] = {
	{ "size is not aligned", false, { }, { 3, PAGE_SIZE }, -EINVAL },
	{ "size exceeds the region", false, { }, { NR_UNITS + 1 }, -ENOSPC },
	{ "range is not aligned", true, { 6, PAGE_SIZE }, { 1 }, -EINVAL },
	{ "size of range is not aligned", true, { 6 }, { 1, PAGE_SIZE }, -EINVAL },
	{ "range is empty", true, { 6 }, { }, -EINVAL },
	{ "end of range is before its start", true, { 6 }, { -1 }, -EINVAL },
	{ "range has another owner", true, { 2 }, { 1 }, 0 },
	{ "a part of the range has another owner", true, { 3 }, { 2 }, 0 },
	{ "range begins before the region", true, { -1 }, { 2 }, 0 },
	{ "range ends after the region", true, { NR_UNITS - 1 }, { 2 }, 0 },
};

KUNIT_ARRAY_PARAM_DESC(wrong, wrong_params, name);

/*
 * Q3: a wrong request is refused, and changes nothing. Device 0 has units 0 and 1, device 1
 * has units 2 and 3.
 */
static void wrong_request_is_refused(struct kunit *test)
{
	const struct wrong_param *param = test->param_value;
	struct region_test *t = test->priv;
	u64 size, start;
	int i, err = 0;

	create_devices(test);
	size = param->size.units * t->unit + param->size.bytes;
	start = t->start + param->start.units * t->unit + param->start.bytes;
	resize(test, 0, 2, "device 0");
	resize(test, 1, 2, "device 1");
	/* A device without memory, too: the first range is a special case. */
	for (i = 0; i < NR_DEVICES; i += 2) {
		struct dev_dax *dev_dax = t->device[i].dev_dax;

		if (param->is_range)
			KUNIT_EXPECT_NO_WARN(test,
					     err = dax_device_add_range(dev_dax, start, size));
		else
			KUNIT_EXPECT_NO_WARN(test, err = dax_device_set_size(dev_dax, size));
		if (param->err)
			KUNIT_EXPECT_EQ_MSG(test, err, param->err, "device %d", i);
		else
			KUNIT_EXPECT_LT_MSG(test, err, 0, "device %d", i);
		expect_division(test, param->name);
	}
}

/*
 * Q3: if an allocation fails, the device keeps the size that it had. Here it grows into two
 * gaps, so the kernel may have done half of the work. Allocations from slab fail only with
 * CONFIG_FAILSLAB.
 *
 *	region		|  0  |  1  |     |  1  |     |
 */
static void each_allocation_can_fail(struct kunit *test)
{
	struct region_test *t = test->priv;
	struct dev_dax *dev_dax;
	unsigned int nth;
	char when[32];
	bool failed;
	int err = 0;

	create_devices(test);
	dev_dax = t->device[0].dev_dax;
	resize(test, 0, 1, "device 0");
	resize(test, 1, 1, "device 1");
	resize(test, 2, 4, "device 2");
	resize(test, 1, 2, "device 1 behind it");
	resize(test, 2, 0, "device 2 gives up all");
	for (nth = 0; ; nth++) {
		KUNIT_EXPECT_NO_WARN(test, err = ALLOC_FAULT(test, nth, &failed,
							     dax_device_set_size(dev_dax,
										 6 * t->unit)));
		snprintf(when, sizeof(when), "allocation %u failed", nth);
		if (!failed)
			break;
		if (!err)
			set_model(&t->device[0], 6);
		expect_division(test, when);
		if (!err)
			resize(test, 0, 1, "device 0 shrinks");
	}
	KUNIT_EXPECT_EQ_MSG(test, err, 0, "when no allocation fails");
	if (IS_ENABLED(CONFIG_FAILSLAB))
		KUNIT_EXPECT_GT(test, nth, 0);
	set_model(&t->device[0], 6);
	expect_division(test, "no allocation failed");
}

/* The largest size of a mapping that device-dax offers. */
static unsigned long largest_align(void)
{
	return dax_align_valid(PUD_SIZE) ? PUD_SIZE :
	       dax_align_valid(PMD_SIZE) ? PMD_SIZE : PAGE_SIZE;
}

/* Q1: a region that does not begin and end at multiples of its alignment is refused. */
static void unaligned_region_is_refused(struct kunit *test)
{
	u64 align = largest_align(), section = PFN_PHYS(PAGES_PER_SECTION);
	struct fake_dev *dev = fake_dev_get(test, DIV_ROUND_UP(2 * align, section),
					    max_t(u64, align / section, 1));
	struct device *parent = kunit_device_register(test, "vmemmap_kunit");
	u64 start = PFN_PHYS(dev->pfn);
	struct range whole = { start, start + align - 1 };
	struct range begins = { start + PAGE_SIZE, start + PAGE_SIZE + align - 1 };
	struct range ends = { start, start + align - PAGE_SIZE - 1 };

	if (align == PAGE_SIZE)
		kunit_skip(test, "this kernel has no huge pages");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, parent);
	KUNIT_EXPECT_NULL_MSG(test, alloc_dax_region(parent, 0, &begins,
						     test_nid(), align, 0),
			      "region of a huge page's size that begins inside one");
	KUNIT_EXPECT_NULL_MSG(test, alloc_dax_region(parent, 0, &ends,
						     test_nid(), align, 0),
			      "region that ends inside a huge page");
	KUNIT_EXPECT_NOT_NULL_MSG(test, alloc_dax_region(parent, 0, &whole,
							 test_nid(), align, 0),
				  "region of one huge page");
}

static int set_align(struct dev_dax *dev_dax, unsigned long align)
{
	char value[24];

	snprintf(value, sizeof(value), "%lu", align);
	return device_file_write(&dev_dax->dev, "align", value);
}

/*
 * Create a region whose first and third unit have parts that belong to another device, and
 * a device of the largest alignment, which divides a unit. Return that device.
 */
static struct dev_dax *create_aligned(struct kunit *test)
{
	struct region_test *t = test->priv;
	u64 small = smallest_unit(), align = max(largest_align(), small);
	struct dev_dax *other, *dev_dax;

	create_region(test, align);
	other = t->device[0].dev_dax;
	KUNIT_ASSERT_EQ(test, dax_device_add_range(other, t->start, small), 0);
	/* Neither end of that part is aligned, if the alignment is larger than the part. */
	KUNIT_ASSERT_EQ(test, 0,
			dax_device_add_range(other, t->start + 2 * align + small, small));
	/* Some free memory lies inside one unit. */
	if (align > 2 * small)
		KUNIT_ASSERT_EQ(test, dax_device_add_range(other, t->start + 2 * small, small), 0);
	dev_dax = dax_device_get(test, t->region);
	KUNIT_ASSERT_EQ(test, set_align(dev_dax, largest_align()), 0);
	return dev_dax;
}

/*
 * Q1: the ranges of a device begin and end at multiples of its alignment, although another
 * device has a smaller one. Otherwise, user space cannot map it by entries of that size.
 *
 *	other		|=  |   | = |   |   | ... |
 *	device		|   |===|   |===|===| ... |
 */
static void ranges_are_aligned(struct kunit *test)
{
	struct region_test *t = test->priv;
	struct dev_dax *dev_dax = create_aligned(test);
	u64 align = t->unit;
	int i;

	KUNIT_ASSERT_EQ(test, dax_device_set_size(dev_dax, 3 * align), 0);
	KUNIT_ASSERT_GT(test, dev_dax->nr_range, 0);
	for (i = 0; i < dev_dax->nr_range; i++) {
		const struct range *range = &dev_dax->ranges[i].range;

		KUNIT_EXPECT_TRUE_MSG(test, IS_ALIGNED(range->start | range_len(range), align),
				      "range %d is %#llx-%#llx, alignment %#llx", i,
				      range->start, range->end, align);
	}
}

/* Q3: memory that is free, but not aligned, is no help to a device that grows. */
static void unaligned_memory_is_left(struct kunit *test)
{
	struct region_test *t = test->priv;
	struct dev_dax *dev_dax = create_aligned(test);
	u64 align = t->unit;
	int err = 0;

	KUNIT_ASSERT_EQ(test, dax_device_set_size(dev_dax, 3 * align), 0);
	KUNIT_EXPECT_NO_WARN(test, err = dax_device_set_size(dev_dax, (NR_UNITS - 1) * align));
	KUNIT_EXPECT_EQ_MSG(test, err, -ENOSPC, "growing by more units than are free");
	KUNIT_EXPECT_EQ_MSG(test, device_file_read_u64(test, &dev_dax->dev, "size"), 3 * align,
			    "size after that");
	KUNIT_EXPECT_EQ_MSG(test, dax_device_set_size(dev_dax, (NR_UNITS - 2) * align), 0,
			    "growing by all units that are free");
}

/*
 * Q3: a range that does not begin at a multiple of the alignment is refused, and so is an
 * alignment that does not suit a range.
 */
static void alignment_must_suit_ranges(struct kunit *test)
{
	struct region_test *t = test->priv;
	u64 small = smallest_unit(), align = largest_align();
	struct dev_dax *dev_dax;

	if (align <= small)
		kunit_skip(test, "all mappings of this kernel can begin where a range can");
	create_region(test, align);
	dev_dax = t->device[0].dev_dax;
	KUNIT_ASSERT_EQ(test, set_align(dev_dax, align), 0);
	KUNIT_EXPECT_EQ_MSG(test, dax_device_add_range(dev_dax, t->start + small, align), -EINVAL,
			    "range that does not begin at a multiple of the alignment");
	KUNIT_ASSERT_EQ(test, dax_device_set_size(dev_dax, 0), 0);
	KUNIT_ASSERT_EQ(test, set_align(dev_dax, PAGE_SIZE), 0);
	KUNIT_ASSERT_EQ(test, dax_device_add_range(dev_dax, t->start + small, align), 0);
	KUNIT_EXPECT_EQ_MSG(test, set_align(dev_dax, align), -EINVAL,
			    "alignment that does not suit the start of the range");
	KUNIT_ASSERT_EQ(test, dax_device_set_size(dev_dax, 0), 0);
	KUNIT_ASSERT_EQ(test, dax_device_add_range(dev_dax, t->start, small), 0);
	KUNIT_EXPECT_EQ_MSG(test, set_align(dev_dax, align), -EINVAL,
			    "alignment that does not suit the size of the range");
	KUNIT_EXPECT_EQ_MSG(test, device_file_read_u64(test, &dev_dax->dev, "align"), PAGE_SIZE,
			    "alignment after that");
}

static struct device *find_device(const struct region_test *t, const char *name)
{
	struct device *dev = device_find_child_by_name(t->region->dev, name);

	put_device(dev);
	return dev;
}

/* Create a device by sysfs. Return its name. */
static const char *new_device(struct kunit *test)
{
	struct region_test *t = test->priv;
	const char *name;

	KUNIT_ASSERT_EQ(test, device_file_write(t->region->dev, "dax_region/create", "1"), 0);
	name = device_file_read(test, t->region->dev, "dax_region/create");
	KUNIT_ASSERT_NOT_NULL_MSG(test, find_device(t, name), "new device \"%s\"", name);
	return name;
}

static void expect_file(struct kunit *test, const char *path, const char *value,
			const char *when)
{
	struct region_test *t = test->priv;

	KUNIT_EXPECT_STREQ_MSG(test, device_file_read(test, t->region->dev, path), value, "%s",
			       when);
}

static void expect_deletion(struct kunit *test, const char *name, int err, const char *when)
{
	struct region_test *t = test->priv;

	KUNIT_ASSERT_EQ_MSG(test, device_file_write(t->region->dev, "dax_region/delete", name),
			    err, "deleting %s, %s", name, when);
	KUNIT_EXPECT_EQ_MSG(test, !find_device(t, name), err != -EBUSY, "%s is gone, %s", name,
			    when);
}

/* udev loads the driver of the device by this name. */
static void expect_modalias(struct kunit *test, const struct device *dev)
{
	struct kobj_uevent_env *env = kunit_kzalloc(test, sizeof(*env), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, env);
	KUNIT_ASSERT_NOT_NULL(test, dev->bus->uevent);
	KUNIT_ASSERT_EQ(test, dev->bus->uevent(dev, env), 0);
	KUNIT_EXPECT_STREQ(test, env->buf, "MODALIAS=dax:t0");
}

/*
 * Q4: user space can create a device if any memory is free, and can delete one that has no
 * memory, except for the first one. The files create and seed name devices that exist.
 */
static void devices_are_created_and_deleted(struct kunit *test)
{
	struct region_test *t = test->priv;
	struct device *region;
	const char *first, *second;

	create_region(test, smallest_unit());
	region = t->region->dev;
	expect_file(test, "dax_region/create", "", "nothing created");
	KUNIT_EXPECT_EQ(test, device_file_write(region, "dax_region/create", "2"), -EINVAL);
	first = new_device(test);
	second = new_device(test);
	KUNIT_EXPECT_STRNEQ(test, first, second);
	expect_file(test, "dax_region/seed", first, "two devices created");
	expect_modalias(test, find_device(t, second));

	t->device[1].dev_dax = to_dev_dax(find_device(t, second));
	resize(test, 1, NR_UNITS, "the second one gets all memory");
	KUNIT_EXPECT_EQ_MSG(test, device_file_write(region, "dax_region/create", "1"), -ENOSPC,
			    "creating a device when no memory is free");
	expect_deletion(test, second, -EBUSY, "which has memory");
	resize(test, 1, 0, "the second one gives up all memory");
	t->device[1].dev_dax = NULL;
	expect_deletion(test, second, 0, "which has no memory");
	expect_file(test, "dax_region/create", "", "the second one is deleted");
	expect_file(test, "dax_region/seed", first, "the second one is deleted");
	expect_deletion(test, second, -ENXIO, "which does not exist");

	expect_deletion(test, first, 0, "which has no memory");
	expect_file(test, "dax_region/seed", "", "both are deleted");
	expect_deletion(test, dev_name(&t->device[0].dev_dax->dev), -EBUSY,
			"the first device of the region");

	/* The same device can be both. */
	expect_deletion(test, new_device(test), 0, "which has no memory");
	expect_file(test, "dax_region/create", "", "the only one is deleted");
	expect_file(test, "dax_region/seed", "", "the only one is deleted");
}

/*
 * Q4: somebody may still use a device when its region is gone. KASAN reports if the device
 * then uses memory of the region.
 */
static void device_outlives_region(struct kunit *test)
{
	struct region_test *t = test->priv;
	struct device *dev;

	create_region(test, smallest_unit());
	dev = get_device(&t->device[0].dev_dax->dev);
	kunit_device_unregister(test, t->region->dev);
	KUNIT_EXPECT_FALSE(test, device_is_registered(dev));
	put_device(dev);
}

static bool come_and_go(struct kunit *test)
{
	struct region_test *t = test->priv;
	const char *name = new_device(test);
	struct dev_dax *dev_dax = to_dev_dax(find_device(t, name));
	int err;

	err = dax_device_add_range(dev_dax, t->start + t->unit, t->unit) ?:
	      dax_device_set_size(dev_dax, 4 * t->unit) ?:
	      (device_file_write(t->region->dev, "dax_region/delete", name) != -EBUSY ? -EIO : 0) ?:
	      dax_device_set_size(dev_dax, t->unit / 2 * 3) ?:
	      dax_device_set_size(dev_dax, 0) ?:
	      device_file_write(t->region->dev, "dax_region/delete", name);
	kunit_kfree(test, name);
	KUNIT_EXPECT_EQ(test, err, 0);
	return !err;
}

/* Q4: nothing is left of a device that is deleted. */
static void deleted_device_leaves_no_object(struct kunit *test)
{
	create_region(test, 2 * smallest_unit());
	expect_rounds_leak_nothing(test, come_and_go);
}

/* Create and remove a static region and its only device, as dax/pmem does. */
static bool static_device_comes_and_goes(struct kunit *test)
{
	struct region_test *t = test->priv;
	struct range range = { t->start, t->start + NR_UNITS * t->unit - 1 };
	struct dev_pagemap pgmap = { .type = MEMORY_DEVICE_GENERIC, .range = range, .nr_range = 1 };
	struct dev_dax_data data = { .size = range_len(&range), .pgmap = &pgmap };
	struct dev_dax *dev_dax;

	KUNIT_ASSERT_NOT_NULL(test, devres_open_group(t->parent, t, GFP_KERNEL));
	data.dax_region = alloc_dax_region(t->parent, 1, &range, test_nid(), PAGE_SIZE,
					   IORESOURCE_DAX_STATIC);
	KUNIT_ASSERT_NOT_NULL(test, data.dax_region);
	dev_dax = devm_create_dev_dax(&data);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev_dax);
	KUNIT_EXPECT_TRUE(test, device_has_file(&dev_dax->dev, "size"));
	KUNIT_EXPECT_FALSE_MSG(test, device_has_file(&dev_dax->dev, "mapping"),
			       "a device of a static region has a file to add a range");
	devres_release_group(t->parent, t);
	dev_set_drvdata(t->parent, NULL);
	return true;
}

/* Q4: user space cannot divide a static region. Nothing is left of its device either. */
static void static_device_leaves_no_object(struct kunit *test)
{
	struct region_test *t = test->priv;

	create_region(test, smallest_unit());
	/* Newer kernels refuse two regions with the same memory. */
	kunit_device_unregister(test, t->region->dev);
	t->parent = kunit_device_register(test, "vmemmap_kunit_static");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t->parent);
	expect_rounds_leak_nothing(test, static_device_comes_and_goes);
}

static struct kunit_case dax_region_cases[] = {
	KUNIT_CASE(devices_grow_and_shrink),
	KUNIT_CASE(random_sizes),
	KUNIT_CASE(ranges_can_be_chosen),
	KUNIT_CASE_PARAM(wrong_request_is_refused, wrong_gen_params),
	KUNIT_CASE(each_allocation_can_fail),
	KUNIT_CASE(unaligned_region_is_refused),
	KUNIT_CASE(ranges_are_aligned),
	KUNIT_CASE(unaligned_memory_is_left),
	KUNIT_CASE(alignment_must_suit_ranges),
	KUNIT_CASE(devices_are_created_and_deleted),
	KUNIT_CASE(deleted_device_leaves_no_object),
	KUNIT_CASE(static_device_leaves_no_object),
	KUNIT_CASE(device_outlives_region),
	{}
};

static struct kunit_suite dax_region_suite = {
	.name = "dax_region",
	.init = region_init,
	.test_cases = dax_region_cases,
};

kunit_test_suite(dax_region_suite);

MODULE_DESCRIPTION("KUnit tests for regions that device-dax divides among devices");
MODULE_LICENSE("GPL");

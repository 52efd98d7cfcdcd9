// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device of device-dax: see dax_device.h.
 */
#include <kunit/device.h>
#include <linux/range.h>
#include <linux/string.h>

#include "dax_device.h"
#include "find_attribute.h"

/**
 * dax_device_get() - create a region and a device without memory
 * @test: the test context
 * @dev: the memory of the region. The driver claims it, so nobody else may.
 * @align: the size of the device's mappings, in bytes
 *
 * Return: the device, in the node that tests add memory to. It ends with the test.
 */
struct dev_dax *dax_device_get(struct kunit *test, const struct fake_dev *dev,
			       unsigned int align)
{
	struct range range = {
		.start = PFN_PHYS(dev->pfn),
		.end = PFN_PHYS(dev->pfn + dev->nr) - 1,
	};
	struct dev_dax_data data = { .id = -1 };
	struct device *parent = kunit_device_register(test, "vmemmap_kunit");
	struct dev_dax *dev_dax;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, parent);
	set_dev_node(parent, test_nid());
	data.dax_region = alloc_dax_region(parent, 0, &range, test_nid(), align, 0);
	KUNIT_ASSERT_NOT_NULL(test, data.dax_region);
	dev_dax = devm_create_dev_dax(&data);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev_dax);
	return dev_dax;
}

/**
 * dax_device_write() - write to a sysfs file of a device
 * @test: the test context
 * @dev_dax: the device
 * @name: the file
 * @value: what to write
 *
 * Return: 0 or an error.
 */
int dax_device_write(struct kunit *test, struct dev_dax *dev_dax, const char *name,
		     const char *value)
{
	struct device *dev = &dev_dax->dev;
	struct device_attribute *attr = find_attribute(dev->type->groups, name);
	ssize_t nr;

	KUNIT_ASSERT_NOT_NULL_MSG(test, attr, "device-dax has no file %s", name);
	nr = attr->store(dev, attr, value, strlen(value));
	return nr < 0 ? nr : 0;
}

/**
 * dax_device_add_range() - give a device a part of the region
 * @test: the test context
 * @dev_dax: the device
 * @start: the first address
 * @size: the size in bytes
 */
void dax_device_add_range(struct kunit *test, struct dev_dax *dev_dax, u64 start, u64 size)
{
	char value[48];

	snprintf(value, sizeof(value), "%llx-%llx", start, start + size - 1);
	KUNIT_ASSERT_EQ_MSG(test, dax_device_write(test, dev_dax, "mapping", value), 0,
			    "adding the range %s", value);
}

/**
 * dax_device_bind() - bind a driver to a device
 * @test: the test context
 * @dev_dax: the device
 * @driver: the name of the driver
 *
 * Return: 0 or an error.
 */
int dax_device_bind(struct kunit *test, struct dev_dax *dev_dax, const char *driver)
{
	struct device_driver *drv = driver_find(driver, dev_dax->dev.bus);

	KUNIT_ASSERT_NOT_NULL_MSG(test, drv, "there is no driver %s", driver);
	return device_driver_attach(drv, &dev_dax->dev);
}

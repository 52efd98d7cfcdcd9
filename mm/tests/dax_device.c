// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices of device-dax: see dax_device.h.
 */
#include <kunit/device.h>
#include <linux/range.h>

#include "dax_device.h"
#include "device_file.h"

/**
 * dax_region_get() - create a region without devices
 * @test: the test context
 * @dev: the memory of the region
 * @align: the size of the mappings of its devices at first, in bytes
 *
 * Return: the region, in the node that tests add memory to. It ends with the test.
 */
struct dax_region *dax_region_get(struct kunit *test, const struct fake_dev *dev,
				  unsigned int align)
{
	struct range range = {
		.start = PFN_PHYS(dev->pfn),
		.end = PFN_PHYS(dev->pfn + dev->nr) - 1,
	};
	struct device *parent = kunit_device_register(test, "vmemmap_kunit");
	struct dax_region *region;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, parent);
	set_dev_node(parent, test_nid());
	region = alloc_dax_region(parent, 0, &range, test_nid(), align, 0);
	KUNIT_ASSERT_NOT_NULL(test, region);
	return region;
}

/**
 * dax_device_get() - create a device without memory
 * @test: the test context
 * @region: its region. A driver that is bound to the device claims the device's memory, so
 *	nobody else may.
 *
 * Return: the device. It ends with the test.
 */
struct dev_dax *dax_device_get(struct kunit *test, struct dax_region *region)
{
	struct dev_dax_data data = { .dax_region = region, .id = -1 };
	struct dev_dax *dev_dax = devm_create_dev_dax(&data);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev_dax);
	return dev_dax;
}

/**
 * dax_device_set_size() - let a device have a part of its region
 * @dev_dax: the device
 * @size: the size in bytes
 *
 * Return: 0 or an error.
 */
int dax_device_set_size(struct dev_dax *dev_dax, u64 size)
{
	char value[24];

	snprintf(value, sizeof(value), "%llu", size);
	return device_file_write(&dev_dax->dev, "size", value);
}

/**
 * dax_device_add_range() - let a device have a certain part of its region as well
 * @dev_dax: the device
 * @start: the first address
 * @size: the size in bytes
 *
 * Return: 0 or an error.
 */
int dax_device_add_range(struct dev_dax *dev_dax, u64 start, u64 size)
{
	char value[48];

	snprintf(value, sizeof(value), "%llx-%llx", start, start + size - 1);
	return device_file_write(&dev_dax->dev, "mapping", value);
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

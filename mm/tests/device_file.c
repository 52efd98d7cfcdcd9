// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sysfs files of a device: see device_file.h.
 */
#include <linux/kernfs.h>
#include <linux/string.h>

#include "device_file.h"

/* Return the attribute behind a file, or NULL if there is no such file. */
static struct device_attribute *find_attribute(struct device *dev, const char *path)
{
	struct kernfs_node *node = kernfs_walk_and_get(dev->kobj.sd, path);
	struct attribute *attr;

	if (!node)
		return NULL;
	attr = node->priv;
	kernfs_put(node);
	return container_of(attr, struct device_attribute, attr);
}

/**
 * device_has_file() - say if a device has a sysfs file
 * @dev: the device
 * @path: the file, in the directory of the device
 *
 * Return: true if the file exists.
 */
bool device_has_file(struct device *dev, const char *path)
{
	return find_attribute(dev, path);
}

/**
 * device_file_write() - write to a sysfs file of a device
 * @dev: the device
 * @path: the file, in the directory of the device
 * @value: what to write
 *
 * Context: Process context, may sleep.
 * Return: 0, or the error that user space gets. -ENOENT if there is no such file.
 */
int device_file_write(struct device *dev, const char *path, const char *value)
{
	struct device_attribute *attr = find_attribute(dev, path);
	ssize_t len = strlen(value), nr;

	if (!attr)
		return -ENOENT;
	nr = attr->store(dev, attr, value, len);
	/* User space writes the rest, and never ends if nothing is written. */
	if (nr >= 0 && nr != len)
		return -EIO;
	return nr < 0 ? nr : 0;
}

/* Return a page with the contents of a file. */
static char *read_page(struct kunit *test, struct device *dev, const char *path)
{
	struct device_attribute *attr = find_attribute(dev, path);
	char *page = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	ssize_t nr;

	KUNIT_ASSERT_NOT_NULL_MSG(test, attr, "%s has no file %s", dev_name(dev), path);
	KUNIT_ASSERT_NOT_NULL(test, page);
	nr = attr->show(dev, attr, page);
	KUNIT_ASSERT_GT_MSG(test, nr, 0, "reading %s of %s", path, dev_name(dev));
	return page;
}

/**
 * device_file_read() - read a sysfs file of a device
 * @test: the test context
 * @dev: the device
 * @path: the file, in the directory of the device
 *
 * Context: Process context, may sleep.
 * Return: its contents without the newline, until the test ends.
 */
const char *device_file_read(struct kunit *test, struct device *dev, const char *path)
{
	return strim(read_page(test, dev, path));
}

/**
 * device_file_read_u64() - read a number from a sysfs file of a device
 * @test: the test context
 * @dev: the device
 * @path: the file, in the directory of the device
 *
 * Context: Process context, may sleep.
 * Return: the number.
 */
u64 device_file_read_u64(struct kunit *test, struct device *dev, const char *path)
{
	char *page = read_page(test, dev, path);
	u64 value = 0;

	KUNIT_ASSERT_EQ_MSG(test, kstrtoull(strim(page), 0, &value), 0, "%s of %s is \"%s\"",
			    path, dev_name(dev), page);
	kunit_kfree(test, page);
	return value;
}

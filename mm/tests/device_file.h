/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sysfs files of a device, read and written as user space does it.
 */
#ifndef _MM_TESTS_DEVICE_FILE_H
#define _MM_TESTS_DEVICE_FILE_H

#include <kunit/test.h>
#include <linux/device.h>
#include <linux/types.h>

bool device_has_file(struct device *dev, const char *path);
int device_file_write(struct device *dev, const char *path, const char *value);
const char *device_file_read(struct kunit *test, struct device *dev, const char *path);
u64 device_file_read_u64(struct kunit *test, struct device *dev, const char *path);

#endif /* _MM_TESTS_DEVICE_FILE_H */

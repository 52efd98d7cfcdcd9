/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Devices of device-dax on a region whose memory user space divides among devices.
 */
#ifndef _MM_TESTS_DAX_DEVICE_H
#define _MM_TESTS_DAX_DEVICE_H

#include <kunit/test.h>
#include <linux/dax.h>
#include <linux/device.h>
#include <linux/types.h>

#include "../../drivers/dax/bus.h"
#include "../../drivers/dax/dax-private.h"
#include "fake_dev.h"

struct dax_region *dax_region_get(struct kunit *test, const struct fake_dev *dev,
				  unsigned int align);
struct dev_dax *dax_device_get(struct kunit *test, struct dax_region *region);
int dax_device_set_size(struct dev_dax *dev_dax, u64 size);
int dax_device_add_range(struct dev_dax *dev_dax, u64 start, u64 size);
int dax_device_bind(struct kunit *test, struct dev_dax *dev_dax, const char *driver);

#endif /* _MM_TESTS_DAX_DEVICE_H */

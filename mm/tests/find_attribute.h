/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _MM_TESTS_FIND_ATTRIBUTE_H
#define _MM_TESTS_FIND_ATTRIBUTE_H

#include <linux/device.h>
#include <linux/string.h>

/**
 * find_attribute() - find a sysfs file of a device
 * @groups: the groups of attributes to search
 * @name: the name of the file
 *
 * Return: the attribute, or NULL.
 */
static inline struct device_attribute *
find_attribute(const struct attribute_group *const *groups, const char *name)
{
	struct attribute **attr;

	for (; *groups; groups++)
		for (attr = (*groups)->attrs; *attr; attr++)
			if (!strcmp((*attr)->name, name))
				return container_of(*attr, struct device_attribute, attr);
	return NULL;
}

#endif /* _MM_TESTS_FIND_ATTRIBUTE_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device that memremap_pages() adds, and checks for any such device: of its
 * memmap, of its linear mapping and of what removal leaves. The checks do not
 * compare with an earlier state, so they do not depend on the cases that ran
 * before.
 */
#ifndef _MM_TESTS_MEMREMAP_DEV_H
#define _MM_TESTS_MEMREMAP_DEV_H

#include <kunit/test.h>
#include <linux/memremap.h>

#include "fake_dev.h"

#define MEMREMAP_RANGES	3

/**
 * struct memremap_dev - the device
 * @test: the test context
 * @dev: the claim on its memory
 * @present: it has been added
 * @has_altmap: it offers pages for its memmap
 * @pgmap: the pgmap that it was last added with, with room for all ranges
 * @nr_freed: how many of its pages the kernel has returned to the driver
 * @freed: the last one of them
 * @freed_mapping: its mapping when it was returned
 */
struct memremap_dev {
	struct kunit *test;
	struct fake_dev *dev;
	bool present;
	bool has_altmap;
	struct dev_pagemap *pgmap;
	unsigned int nr_freed;
	struct page *freed;
	void *freed_mapping;
};

/**
 * struct memremap_how - how to add a device; members that are not named are zero
 * @type: which kind of memory, or 0 for MEMORY_DEVICE_GENERIC
 * @reserve: pages at its start that its driver keeps
 * @offer: pages after those that its altmap offers, or 0 for no altmap
 * @nr_range: how many ranges it has, or 0 for one that is the whole claim
 * @range: the ranges, in sections of the claim
 * @skip: page frames at the start of the first range that are left out
 * @nr_pages: page frames of the first range, if it does not consist of whole sections
 * @no_node: the driver does not know its node
 */
struct memremap_how {
	enum memory_type type;
	unsigned long reserve;
	unsigned long offer;
	unsigned int nr_range;
	struct {
		unsigned int first;
		unsigned int nr;
	} range[MEMREMAP_RANGES];
	unsigned long skip;
	unsigned long nr_pages;
	bool no_node;
};

extern const struct dev_pagemap_ops memremap_no_ops;

struct memremap_dev *memremap_dev_get(struct kunit *test, unsigned long nr_sections);
struct memremap_dev *memremap_dev_of(struct kunit *test, struct fake_dev *dev);
int memremap_dev_add(struct memremap_dev *mdev, struct memremap_how how);
void memremap_dev_remove(struct memremap_dev *mdev);
void memremap_start_removal(struct kunit *test, struct dev_pagemap *pgmap);
bool memremap_removal_ends_soon(void);
void memremap_wait_for_removal(void);

/**
 * MEMREMAP_ADD() - add a device
 * @mdev: the device
 * @...: members of struct memremap_how, by name
 *
 * Return: 0, or what memremap_pages() returns.
 */
#define MEMREMAP_ADD(mdev, ...) \
	memremap_dev_add(mdev, (struct memremap_how) { __VA_ARGS__ })

void memremap_expect_memmap(struct memremap_dev *mdev);
void memremap_expect_linear_map(struct memremap_dev *mdev, bool mapped);
void memremap_expect_nothing_left(struct memremap_dev *mdev, const char *after);
unsigned long memremap_enough(unsigned int nr_sections);

/* The number of pages in the memmap of a section. */
#define SECTION_MEMMAP_PAGES	(PAGES_PER_SECTION * sizeof(struct page) / PAGE_SIZE)

#endif /* _MM_TESTS_MEMREMAP_DEV_H */

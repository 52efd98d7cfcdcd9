/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _MM_TESTS_SLAB_OBJECTS_H
#define _MM_TESTS_SLAB_OBJECTS_H

#include <kunit/test.h>

void expect_rounds_leak_nothing(struct kunit *test, bool (*round)(struct kunit *test));

#endif /* _MM_TESTS_SLAB_OBJECTS_H */

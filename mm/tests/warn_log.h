/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _MM_TESTS_WARN_LOG_H
#define _MM_TESTS_WARN_LOG_H

#include <kunit/test.h>
#include <linux/memory_hotplug.h>

void warn_log_begin(struct kunit *test);
unsigned int warn_log_end(struct kunit *test);
void warn_log_expect(struct kunit *test, unsigned int nr, const char *file);

/**
 * KUNIT_EXPECT_WARNS() - expect a number of WARNs from a call, all in one source file
 * @test: the test context
 * @nr: how many WARNs are expected
 * @file: the source file that they are in, as in __FILE__, or NULL for any
 * @call: the call
 *
 * Do not hold the memory hot-plug lock: @call can be HOTPLUG_LOCKED().
 *
 * These WARNs print no splat.
 */
#define KUNIT_EXPECT_WARNS(test, nr, file, call)	\
do {							\
	struct kunit *__test = (test);			\
							\
	warn_log_begin(__test);				\
	call;						\
	warn_log_expect(__test, nr, file);		\
} while (0)

/**
 * KUNIT_EXPECT_NO_WARN() - expect no WARN from a call
 * @test: the test context
 * @call: the call
 */
#define KUNIT_EXPECT_NO_WARN(test, call) KUNIT_EXPECT_WARNS(test, 0, NULL, call)

/**
 * HOTPLUG_LOCKED() - make a call with the memory hot-plug lock held
 * @call: the call
 */
#define HOTPLUG_LOCKED(call)				\
do {							\
	mem_hotplug_begin();				\
	call;						\
	mem_hotplug_done();				\
} while (0)

#endif /* _MM_TESTS_WARN_LOG_H */

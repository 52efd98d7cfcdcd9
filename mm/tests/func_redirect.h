/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _MM_TESTS_FUNC_REDIRECT_H
#define _MM_TESTS_FUNC_REDIRECT_H

#include <kunit/test.h>

/**
 * func_redirect_begin() - start to redirect a test's calls of a function
 * @test: the test context
 * @func: the function, one of those that func_redirect.c lists
 * @to: the function to call instead, of the same type
 *
 * Calls by other tasks and by interrupts are not redirected. The redirection ends
 * with func_redirect_end(), or with the test.
 *
 * Context: Process context, may sleep. Takes cpus_read_lock(), which
 *	mem_hotplug_begin() has taken already: do not call this in between.
 */
#define func_redirect_begin(test, func, to)				\
do {									\
	typeof(func) *__to = (to);					\
									\
	__func_redirect_begin(test, #func, (void *)__to);		\
} while (0)

/**
 * func_redirect_end() - stop redirecting a function
 * @test: the test context
 * @func: the function
 *
 * Context: As for func_redirect_begin().
 */
#define func_redirect_end(test, func) __func_redirect_end(test, #func)

void __func_redirect_begin(struct kunit *test, const char *func, void *to);
void __func_redirect_end(struct kunit *test, const char *func);

#endif /* _MM_TESTS_FUNC_REDIRECT_H */

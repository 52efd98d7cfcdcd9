/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _MM_TESTS_ALLOC_FAULT_H
#define _MM_TESTS_ALLOC_FAULT_H

#include <kunit/test.h>

void alloc_fault_begin(struct kunit *test, unsigned int nth);
bool alloc_fault_end(struct kunit *test);
void alloc_fault_report(struct kunit *test);
bool alloc_fault_overlooks_tables(void);

/**
 * ALLOC_FAULT() - fail one allocation of a call
 * @test: the test context
 * @nth: the number of the allocation, counted from 0
 * @failed: set to true if there were enough allocations for one to fail
 * @call: the call, which returns 0 or more, or an error
 *
 * Context: Process context, may sleep. Does not nest.
 * Return: what @call returns.
 */
#define ALLOC_FAULT(test, nth, failed, call)		\
({							\
	struct kunit *__fault_test = (test);		\
	int __fault_err;				\
							\
	alloc_fault_begin(__fault_test, nth);		\
	__fault_err = (call);				\
	*(failed) = alloc_fault_end(__fault_test);	\
	__fault_err;					\
})

#endif /* _MM_TESTS_ALLOC_FAULT_H */

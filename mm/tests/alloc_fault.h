/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _MM_TESTS_ALLOC_FAULT_H
#define _MM_TESTS_ALLOC_FAULT_H

#include <kunit/test.h>

void alloc_fault_begin(struct kunit *test, unsigned int nth);
bool alloc_fault_end(struct kunit *test);
void alloc_fault_tell(struct kunit *test);

#endif /* _MM_TESTS_ALLOC_FAULT_H */

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _MM_TESTS_LEAK_SCAN_H
#define _MM_TESTS_LEAK_SCAN_H

unsigned int kmemleak_scan_for_test(void);

#endif /* _MM_TESTS_LEAK_SCAN_H */

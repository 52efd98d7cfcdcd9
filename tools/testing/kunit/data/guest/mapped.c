// SPDX-License-Identifier: GPL-2.0
/*
 * mapped FILE write|check SEED [BYTES [PART]]
 *
 * Map a file or a device shared, and write a pattern to each of its words, or
 * check that it is there. With PART, do that in the first and in the last PART
 * bytes only. A device in devdax mode can be read and written in no other way.
 */

#include "bare.h"

void start(long *stack)
{
	char **argv = (char **)(stack + 1);
	long argc = stack[0], fd, words;
	u64 bytes, part, seed;
	int writing;

	if (argc < 4 || argc > 6)
		die("usage: mapped FILE write|check SEED [BYTES [PART]]");
	writing = argv[2][0] == 'w';
	fd = sys_openat(argv[1], O_RDWR);
	if (fd < 0)
		die("cannot open it");
	bytes = argc > 4 ? number(argv[4]) : (u64)sys_lseek(fd, 0, 2);
	part = argc > 5 ? number(argv[5]) : bytes;
	seed = number(argv[3]);
	words = sys_mmap(fd, bytes);
	if (words < 0 && words > -4096)
		die("cannot map it");
	with_words((volatile u64 *)words, part, writing, seed);
	if (part < bytes)
		with_words((volatile u64 *)(words + bytes - part), part, writing, seed + 1);
	if (writing)
		sys_msync(words, bytes);
	sys_exit(0);
}

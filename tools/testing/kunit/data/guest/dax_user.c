// SPDX-License-Identifier: GPL-2.0
/*
 * dax_user DEVICE fork BYTES
 * dax_user DEVICE direct DISK BYTES AT
 * dax_user DEVICE poison BYTES AT
 *
 * Use a device in devdax mode as programs do. BYTES is how much of it to map, AT
 * the place of a page of 64 KiB in it.
 *
 * fork: a child finds what its parent wrote, and the other way round.
 * direct: write the page to a disk and read it from there, without the page
 * cache, so that the disk's driver accesses the device.
 * poison: a child reports a memory error in a page that it uses, and must die of
 * SIGBUS. Another page stays usable.
 */

#include "bare.h"

#define O_DIRECT	0200000
#define MADV_HWPOISON	100L
#define SIGBUS		7
#define PAGE		65536UL

static int is_error(long value)
{
	return value < 0 && value > -4096;
}

/* Run a function in a child and return its status from wait(). */
static int in_child(void (*work)(volatile u64 *), volatile u64 *words)
{
	long pid = sys_fork();
	int status = 0;

	if (is_error(pid))
		die("cannot fork");
	if (pid == 0) {
		work(words);
		sys_exit(0);
	}
	if (sys_wait4(pid, &status) != pid)
		die("cannot wait for the child");
	return status;
}

static void answer(volatile u64 *words)
{
	with_words(words, PAGE, 0, 1);
	with_words(words, PAGE, 1, 2);
}

static void touch(volatile u64 *words)
{
	with_words(words, PAGE, 1, 3);
}

static void poison(volatile u64 *words)
{
	touch(words);
	if (is_error(sys_madvise(words, 1, MADV_HWPOISON)))
		die("cannot report an error");
}

static void check_fork(volatile u64 *words, u64 bytes)
{
	u64 at;

	for (at = 0; at < bytes; at += bytes / 4) {
		volatile u64 *page = words + at / sizeof(*words);

		with_words(page, PAGE, 1, 1);
		if (in_child(answer, page))
			die("the child does not see what its parent wrote");
		with_words(page, PAGE, 0, 2);
	}
}

static void check_direct(volatile u64 *words, const char *path)
{
	long disk = sys_openat(path, O_RDWR | O_DIRECT);

	if (is_error(disk))
		die("cannot open the disk");
	with_words(words, PAGE, 1, 4);
	if (sys_pwrite(disk, words, PAGE, 0) != (long)PAGE)
		die("cannot write to the disk");
	with_words(words, PAGE, 1, 5);
	if (sys_pread(disk, words, PAGE, 0) != (long)PAGE)
		die("cannot read from the disk");
	with_words(words, PAGE, 0, 4);
}

static void check_poison(volatile u64 *words, volatile u64 *other)
{
	if ((in_child(poison, words) & 0x7f) != SIGBUS)
		die("the child did not die of SIGBUS");
	if (in_child(touch, other))
		die("another page cannot be used any more");
}

void start(long *stack)
{
	char **argv = (char **)(stack + 1);
	long argc = stack[0], fd, map;
	volatile u64 *words;
	u64 bytes, at;
	char what;

	what = argc > 2 ? argv[2][0] : 0;
	if (argc != (what == 'f' ? 4 : what == 'd' ? 6 : 5))
		die("usage: dax_user DEVICE fork|direct|poison ...");
	bytes = number(argv[what == 'd' ? 4 : 3]);
	at = what == 'f' ? 0 : number(argv[what == 'd' ? 5 : 4]);
	fd = sys_openat(argv[1], O_RDWR);
	if (is_error(fd))
		die("cannot open the device");
	map = sys_mmap(fd, bytes);
	if (is_error(map))
		die("cannot map the device");
	words = (volatile u64 *)(map + at);
	if (what == 'f')
		check_fork(words, bytes);
	else if (what == 'd')
		check_direct(words, argv[3]);
	else
		check_poison(words, (volatile u64 *)(map + bytes - PAGE));
	sys_exit(0);
}

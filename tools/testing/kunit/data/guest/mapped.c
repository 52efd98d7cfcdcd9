// SPDX-License-Identifier: GPL-2.0
/*
 * mapped FILE write|check SEED [BYTES [PART]]
 *
 * Map a file or a device shared, and write a pattern to each of its words, or
 * check that it is there. With PART, do that in the first and in the last PART
 * bytes only. A device in devdax mode can be read and written in no other way.
 * No C library: the cross compiler need not bring one.
 */

typedef unsigned long u64;

#define O_RDWR		2
#define AT_FDCWD	-100L
#define PROT_RW		3L
#define MAP_SHARED	1L

static long call(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 asm("x8") = nr;
	register long x0 asm("x0") = a;
	register long x1 asm("x1") = b;
	register long x2 asm("x2") = c;
	register long x3 asm("x3") = d;
	register long x4 asm("x4") = e;
	register long x5 asm("x5") = f;

	asm volatile("svc #0"
		     : "+r" (x0)
		     : "r" (x8), "r" (x1), "r" (x2), "r" (x3), "r" (x4), "r" (x5)
		     : "memory", "cc");
	return x0;
}

#define sys_lseek(fd, off, how)	call(62, fd, off, how, 0, 0, 0)
#define sys_write(fd, p, n)	call(64, fd, (long)(p), n, 0, 0, 0)
#define sys_openat(p, flags)	call(56, AT_FDCWD, (long)(p), flags, 0, 0, 0)
#define sys_exit(status)	call(93, status, 0, 0, 0, 0, 0)
#define sys_mmap(fd, n)		call(222, 0, n, PROT_RW, MAP_SHARED, fd, 0)
#define sys_msync(p, n)		call(227, (long)(p), n, 4, 0, 0, 0)

static void die(const char *what)
{
	u64 length = 0;

	while (what[length])
		length++;
	sys_write(2, what, length);
	sys_write(2, "\n", 1);
	sys_exit(1);
}

static u64 number(const char *text)
{
	u64 value = 0;

	for (; *text >= '0' && *text <= '9'; text++)
		value = value * 10 + (*text - '0');
	if (*text)
		die("mapped: no number");
	return value;
}

/* Each word differs from its neighbours, and from those with another seed. */
static u64 pattern(u64 seed, u64 word)
{
	return (seed << 48) ^ (word * 0x9e3779b97f4a7c15UL);
}

static void with_words(volatile u64 *words, u64 bytes, int writing, u64 seed)
{
	u64 word;

	for (word = 0; word < bytes / sizeof(*words); word++) {
		if (writing)
			words[word] = pattern(seed, word);
		else if (words[word] != pattern(seed, word))
			die("mapped: other content than what was written");
	}
}

void start(long *stack);

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
		die("mapped: cannot open it");
	bytes = argc > 4 ? number(argv[4]) : (u64)sys_lseek(fd, 0, 2);
	part = argc > 5 ? number(argv[5]) : bytes;
	seed = number(argv[3]);
	words = sys_mmap(fd, bytes);
	if (words < 0 && words > -4096)
		die("mapped: cannot map it");
	with_words((volatile u64 *)words, part, writing, seed);
	if (part < bytes)
		with_words((volatile u64 *)(words + bytes - part), part, writing, seed + 1);
	if (writing)
		sys_msync(words, bytes);
	sys_exit(0);
}

asm(".globl _start\n_start:\n\tmov x0, sp\n\tbl start\n");

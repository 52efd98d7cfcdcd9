/* SPDX-License-Identifier: GPL-2.0 */
/*
 * System calls and numbers, for programs without a C library: the cross compiler need not
 * bring one.
 */
#ifndef BARE_H
#define BARE_H

typedef unsigned long u64;

#define O_RDWR		2
#define AT_FDCWD	-100L
#define PROT_RW		3L
#define MAP_SHARED	1L

static inline long call(long nr, long a, long b, long c, long d, long e, long f)
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
#define sys_pread(fd, p, n, at)	call(67, fd, (long)(p), n, at, 0, 0)
#define sys_pwrite(fd, p, n, at)	call(68, fd, (long)(p), n, at, 0, 0)
#define sys_wait4(pid, status)	call(260, pid, (long)(status), 0, 0, 0, 0)
#define sys_madvise(p, n, how)	call(233, (long)(p), n, how, 0, 0, 0)
/* A fork(): the child's exit is signalled with SIGCHLD. */
#define sys_fork()		call(220, 17, 0, 0, 0, 0, 0)

static inline void die(const char *what)
{
	u64 length = 0;

	while (what[length])
		length++;
	sys_write(2, what, length);
	sys_write(2, "\n", 1);
	sys_exit(1);
}

static inline u64 number(const char *text)
{
	u64 value = 0;

	for (; *text >= '0' && *text <= '9'; text++)
		value = value * 10 + (*text - '0');
	if (*text)
		die("a number has other characters");
	return value;
}

/* Each word differs from its neighbours, and from those with another seed. */
static inline u64 pattern(u64 seed, u64 word)
{
	return (seed << 48) ^ (word * 0x9e3779b97f4a7c15UL);
}

/* Write the pattern to some words, or fail unless they have it. */
static inline void with_words(volatile u64 *words, u64 bytes, int writing, u64 seed)
{
	u64 word;

	for (word = 0; word < bytes / sizeof(*words); word++) {
		if (writing)
			words[word] = pattern(seed, word);
		else if (words[word] != pattern(seed, word))
			die("other content than what was written");
	}
}

/* A program's main(). It must not return. */
void start(long *stack);

asm(".globl _start\n_start:\n\tmov x0, sp\n\tbl start\n");

#endif

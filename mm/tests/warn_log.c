// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counts the WARNs of a call and remembers where they came from.
 *
 * report_bug(), report_bug_entry() and the function that prints the text of a WARN()
 * are redirected for the task of the running test only. A WARN that the test provokes
 * prints no splat. A WARN by another task or by an interrupt is reported as usual. A
 * BUG still stops the task, but only the trap is reported.
 */
#include <kunit/test.h>
#include <linux/bug.h>
#include <linux/string.h>

#include <asm/sections.h>

#include "func_redirect.h"
#include "warn_log.h"

#define WARN_LOG_ENTRIES	8

/* The WARNs of the current call. One test runs at a time. */
static struct {
	unsigned int total;
	struct bug_entry *bug[WARN_LOG_ENTRIES];	/* of the first ones */
} warn_log;

static bool is_logged(struct bug_entry *bug)
{
	unsigned int i;

	for (i = 0; i < min(warn_log.total, WARN_LOG_ENTRIES); i++)
		if (warn_log.bug[i] == bug)
			return true;
	return false;
}

static enum bug_trap_type log_bug(struct bug_entry *bug)
{
	if (!(bug->flags & BUGFLAG_WARNING))
		return BUG_TRAP_TYPE_BUG;

	/* Count a WARN_ON_ONCE() once per call. It can still fire after the test. */
	if ((bug->flags & BUGFLAG_ONCE) && is_logged(bug))
		return BUG_TRAP_TYPE_WARN;

	if (warn_log.total < WARN_LOG_ENTRIES)
		warn_log.bug[warn_log.total] = bug;
	warn_log.total++;
	return BUG_TRAP_TYPE_WARN;
}

static enum bug_trap_type warn_log_report_bug(unsigned long bugaddr,
					      struct pt_regs *regs)
{
	struct bug_entry *bug = find_bug(bugaddr);

	return bug ? log_bug(bug) : BUG_TRAP_TYPE_NONE;
}

/* A WARN() prints its text before it traps. */
static void warn_log_no_text(const char *fmt, ...)
{
}

/* Or it traps with its text. The handler then knows the entry already. */
#ifdef HAVE_ARCH_BUG_FORMAT_ARGS
static enum bug_trap_type warn_log_report_bug_entry(struct bug_entry *bug, struct pt_regs *regs)
{
	return log_bug(bug);
}

static void begin_entries(struct kunit *test)
{
	func_redirect_begin(test, report_bug_entry, warn_log_report_bug_entry);
}

static void end_entries(struct kunit *test)
{
	func_redirect_end(test, report_bug_entry);
}
#else
static void begin_entries(struct kunit *test)
{
}

static void end_entries(struct kunit *test)
{
}
#endif

/**
 * warn_log_begin() - start to log the WARNs of this test
 * @test: the test context
 *
 * Context: Process context, may sleep. Does not nest.
 */
void warn_log_begin(struct kunit *test)
{
	memset(&warn_log, 0, sizeof(warn_log));
	/* Like clear_warn_once: let each WARN_ONCE() fire again. */
	memset(__start_once, 0, __end_once - __start_once);
	func_redirect_begin(test, __warn_printk, warn_log_no_text);
	func_redirect_begin(test, report_bug, warn_log_report_bug);
	begin_entries(test);
}

/* The compiler may inline a function or split it, but the file stays. */
static const char *file_of(struct bug_entry *bug, unsigned int *line)
{
	const char *file = NULL;

	*line = 0;
	if (bug)
		bug_get_file_line(bug, &file, line);
	return file ?: "?";
}

/**
 * warn_log_end() - stop logging
 * @test: the test context
 *
 * For a call that may WARN more than once or return an error instead. Others use
 * KUNIT_EXPECT_WARNS().
 *
 * Return: how many WARNs there were.
 */
unsigned int warn_log_end(struct kunit *test)
{
	end_entries(test);
	func_redirect_end(test, report_bug);
	func_redirect_end(test, __warn_printk);
	return warn_log.total;
}

/**
 * warn_log_expect() - stop logging, and check the WARNs that were logged
 * @test: the test context
 * @nr: how many are expected
 * @file: the source file that they are in, or NULL for any
 */
void warn_log_expect(struct kunit *test, unsigned int nr, const char *file)
{
	unsigned int i, line, total = warn_log_end(test);
	const char *found = file_of(warn_log.bug[0], &line);

	KUNIT_EXPECT_EQ_MSG(test, total, nr, "WARNs, the first one at %s:%u", found, line);
	for (i = 0; file && i < min(warn_log.total, WARN_LOG_ENTRIES); i++) {
		found = file_of(warn_log.bug[i], &line);
		KUNIT_EXPECT_STREQ_MSG(test, found, file, "source file of the WARN at line %u",
				       line);
	}
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUNIT_EXPECT_WARNS() counts the WARNs of the test's task, each time that one
 * fires, and no others. Other suites rely on this.
 */
#include <kunit/test.h>
#include <linux/bottom_half.h>
#include <linux/bug.h>
#include <linux/console.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/kmsg_dump.h>
#include <linux/panic.h>
#include <linux/printk.h>
#include <linux/string.h>
#include <linux/time.h>
#include <linux/workqueue.h>

#include "warn_log.h"

static void warn_three_times(void)
{
	int i;

	WARN(1, "mm/tests: not to be seen\n");
	for (i = 0; i < 2; i++)
		WARN_ON(1);
}

static void warn_of_task_is_counted(struct kunit *test)
{
	KUNIT_EXPECT_WARNS(test, 3, __FILE__, warn_three_times());
	KUNIT_EXPECT_WARNS(test, 1, __FILE__, WARN_ON_ONCE(1));
	KUNIT_EXPECT_NO_WARN(test, WARN_ON(0));
}

static noinline void warn_of_others(void)
{
	WARN(1, "mm/tests: not the test's\n");
}

static void warn_in_interrupt(struct irq_work *work)
{
	warn_of_others();
}

static void run_interrupt(void)
{
	struct irq_work work = IRQ_WORK_INIT_HARD(warn_in_interrupt);

	irq_work_queue(&work);
	irq_work_sync(&work);
}

static void warn_in_softirq(struct tasklet_struct *tasklet)
{
	warn_of_others();
}

/* The softirq runs in this task, unless ksoftirqd runs already. */
static void run_softirq(void)
{
	struct tasklet_struct tasklet;

	tasklet_setup(&tasklet, warn_in_softirq);
	local_bh_disable();
	tasklet_schedule(&tasklet);
	local_bh_enable();
	tasklet_kill(&tasklet);
}

static void warn_in_other_task(struct work_struct *work)
{
	warn_of_others();
}

static void run_other_task(void)
{
	struct work_struct work;

	INIT_WORK_ONSTACK(&work, warn_in_other_task);
	queue_work(system_long_wq, &work);
	flush_work(&work);
	destroy_work_on_stack(&work);
}

static const struct others_param {
	const char *name;
	void (*run)(void);
} others_params[] = {
	{ "an interrupt", run_interrupt },
	{ "a softirq", run_softirq },
	{ "another task", run_other_task },
};

KUNIT_ARRAY_PARAM_DESC(others, others_params, name);

/* Count the WARNs of a function in the kernel log. */
static unsigned int nr_reported(const char *func)
{
	struct kmsg_dump_iter iter;
	unsigned int nr = 0;
	char line[256];
	size_t len;

	kmsg_dump_rewind(&iter);
	while (kmsg_dump_get_line(&iter, false, line, sizeof(line) - 1, &len)) {
		line[len] = '\0';
		nr += strstr(line, "WARNING:") && strstr(line, func);
	}
	return nr;
}

/* KUnit prints lines without a newline, which reach the console with the next message. */
static void flush_console(void)
{
	pr_info("mm/tests: a WARN that is not the test's\n");
	pr_flush(MSEC_PER_SEC, true);
}

/* The splat is expected, so it may go to the log, but not to the console. */
static void run_quietly(void (*run)(void))
{
	int level = console_loglevel;

	flush_console();
	console_loglevel = CONSOLE_LOGLEVEL_SILENT;
	run();
	flush_console();
	console_loglevel = level;
}

/* A WARN of another context is reported, even while a test counts WARNs. */
static void warn_of_others_is_reported(struct kunit *test)
{
	const struct others_param *param = test->param_value;
	unsigned int before;

	if (panic_on_warn)
		kunit_skip(test, "a WARN that is reported would be a panic");
	before = nr_reported("warn_of_others");
	KUNIT_EXPECT_NO_WARN(test, run_quietly(param->run));
	KUNIT_EXPECT_EQ_MSG(test, nr_reported("warn_of_others"), before + 1,
			    "WARNs of %s in the log, before and now", param->name);
}

static struct kunit_case warn_log_cases[] = {
	KUNIT_CASE(warn_of_task_is_counted),
	KUNIT_CASE_PARAM(warn_of_others_is_reported, others_gen_params),
	{}
};

static struct kunit_suite warn_log_suite = {
	.name = "warn_log",
	.test_cases = warn_log_cases,
};

kunit_test_suite(warn_log_suite);

MODULE_DESCRIPTION("KUnit tests for counting WARNs");
MODULE_LICENSE("GPL");

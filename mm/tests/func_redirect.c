// SPDX-License-Identifier: GPL-2.0-only
/*
 * Redirects functions of the kernel for the task of the running test, like
 * KUNIT_STATIC_STUB_REDIRECT(), but without a change to the function.
 *
 * A kprobe is set on the first instruction. Its handler sets the instruction
 * pointer to the other function, which finds registers and stack as the caller left
 * them. Therefore it returns to the caller, and may sleep if the caller may.
 */
#include <kunit/test-bug.h>
#include <linux/err.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/preempt.h>
#include <linux/ptrace.h>
#include <linux/string.h>

#include <asm/sections.h>

#include "func_redirect.h"

struct redirection {
	struct kprobe probe;
	int registered;		/* 0, or the error */
	struct kunit *test;	/* whose calls are redirected */
	unsigned long to;
};

/*
 * Check whether an interrupt calls. The exception that the probe raises may count as an
 * NMI, and so may the one that leads to report_bug(). An NMI raises both counts, and an
 * interrupt only the first. So a real NMI cannot be distinguished from these exceptions.
 */
static bool __kprobes called_by_interrupt(void)
{
	return hardirq_count() / HARDIRQ_OFFSET != nmi_count() / NMI_OFFSET ||
	       in_serving_softirq();
}

static int __kprobes redirect(struct kprobe *probe, struct pt_regs *regs)
{
	struct redirection *this = container_of(probe, struct redirection, probe);
	struct kunit *test = READ_ONCE(this->test);

	if (!test || test != kunit_get_current_test() || called_by_interrupt())
		return 0;
	instruction_pointer_set(regs, this->to);
#ifdef CONFIG_PPC64_ELF_ABI_V2
	/* A function finds its TOC by its own address. */
	regs->gpr[12] = this->to;
#endif
	/* Do not run the instruction that the probe is set on. */
	return 1;
}

/* The kernel turns a probe without such a handler into a jump, which cannot redirect. */
static void __kprobes after_probe(struct kprobe *probe, struct pt_regs *regs,
				  unsigned long flags)
{
}

#define REDIRECTION(func) {						\
	.probe.symbol_name = #func,					\
	.probe.flags = KPROBE_FLAG_DISABLED,				\
	.probe.pre_handler = redirect,					\
	.probe.post_handler = after_probe,				\
}

static struct redirection redirections[] = {
	REDIRECTION(__devm_add_action),
	REDIRECTION(__free_pages),
	REDIRECTION(__warn_printk),
	REDIRECTION(device_add),
	REDIRECTION(free_pages),
	REDIRECTION(memmap_pages_add),
	REDIRECTION(migrate_pages),
	REDIRECTION(report_bug),
	REDIRECTION(report_bug_entry),
	REDIRECTION(should_fail_alloc_page),
	REDIRECTION(should_failslab),
	REDIRECTION(unmap_mapping_range),
	REDIRECTION(vmemmap_alloc_block),
	REDIRECTION(warn_alloc),
	REDIRECTION(xa_store),
	REDIRECTION(xa_store_range),
};

static struct redirection *redirection_of(const char *func)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(redirections); i++)
		if (!strcmp(redirections[i].probe.symbol_name, func))
			return &redirections[i];
	return NULL;
}

static void end_redirection(void *context)
{
	struct redirection *this = context;

	disable_kprobe(&this->probe);
	WRITE_ONCE(this->test, NULL);
}

void __func_redirect_begin(struct kunit *test, const char *func, void *to)
{
	struct redirection *this = redirection_of(func);

	KUNIT_ASSERT_NOT_NULL_MSG(test, this, "%s is not in the list of func_redirect.c", func);
	KUNIT_ASSERT_EQ_MSG(test, this->registered, 0, "no kprobe can be put on %s: %pe", func,
			    ERR_PTR(this->registered));
	KUNIT_ASSERT_NULL_MSG(test, this->test, "%s is redirected already", func);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, end_redirection, this), 0);
	this->to = (unsigned long)dereference_function_descriptor(to);
	WRITE_ONCE(this->test, test);
	KUNIT_ASSERT_EQ_MSG(test, enable_kprobe(&this->probe), 0, "a kprobe on %s", func);
}

void __func_redirect_end(struct kunit *test, const char *func)
{
	kunit_release_action(test, end_redirection, redirection_of(func));
}

/* Do this before any test counts pages and objects. Not every kernel has each function. */
static int __init register_redirections(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(redirections); i++)
		redirections[i].registered = register_kprobe(&redirections[i].probe);
	return 0;
}
late_initcall(register_redirections);

// SPDX-License-Identifier: GPL-2.0-only
/*
 * What other tasks see of devices while memremap_pages() adds them and
 * memunmap_pages() removes them.
 *
 *	page frames	| comes, goes | stays | comes, goes |
 *
 * The parts lie side by side. The first two share a section if it has room, and the last
 * one lies in several. A part fills whole pages of the memmap.
 *
 * Documentation/mm/vmemmap_altmap.rst states the rules. The cases cite them as
 * I16 to I19.
 */
#include <kunit/test.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/memory_hotplug.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/xarray.h>

#include "fake_dev.h"
#include "func_redirect.h"
#include "memremap_dev.h"
#include "vmemmap_adapt.h"
#include "warn_log.h"

#define NR_PARTS	3
#define STAYS		1
#define NR_ROUNDS	4
#define MAX_READERS	3
#define READER_SECONDS	60

/**
 * struct part - a device
 * @pfn: its first page frame
 * @nr: how many page frames it has
 * @pgmap: its dev_pagemap
 * @present: memremap_pages() has returned, and memunmap_pages() is not called yet
 */
struct part {
	unsigned long pfn;
	unsigned long nr;
	struct dev_pagemap *pgmap;
	bool present;
};

struct readers_test;

/**
 * struct reader - a task that looks for the devices
 * @t: the devices
 * @task: the task, or NULL
 * @look: looks once, and returns what is wrong, or NULL
 * @rnd: chooses the page frames to look at
 * @wrong: the first answer of @look that was not NULL
 * @pfn: the page frame that @look asked for
 * @round: the round in which that was
 * @step: the step of the round
 * @looks: how often it has looked
 * @seen: how often it has seen each part
 */
struct reader {
	struct readers_test *t;
	struct task_struct *task;
	const char *(*look)(struct reader *reader);
	struct rnd_state rnd;
	const char *wrong;
	unsigned long pfn;
	unsigned int round;
	unsigned int step;
	unsigned long looks;
	unsigned long seen[NR_PARTS];
};

/**
 * struct readers_test - the devices and their readers
 * @dev: the claim on the memory of all parts
 * @part: the devices
 * @round: how often the parts have come and gone
 * @step: which of the steps of a round comes next
 * @is_lost: a reader has died, and may hold a reference
 * @page: the last struct page of the part that stays, as it was when it came
 * @reader: the readers
 */
struct readers_test {
	struct fake_dev *dev;
	struct part part[NR_PARTS];
	unsigned int round;
	unsigned int step;
	bool is_lost;
	struct page page;
	struct reader reader[MAX_READERS];
};

/*
 * riscv and s390 may map the memmap by PMDs only. riscv may unmap a PMD that a neighbour uses,
 * and s390 keeps it. Let the parts fill whole sections there.
 */
static unsigned long pages_per_part(void)
{
	unsigned long nr = max(4 * PAGES_PER_SUBSECTION, PAGE_SIZE / sizeof(struct page));

	if (IS_ENABLED(CONFIG_RISCV) || IS_ENABLED(CONFIG_S390) ||
	    !IS_ALIGNED(nr * sizeof(struct page), PAGE_SIZE))
		return PAGES_PER_SECTION;
	return nr;
}

static unsigned long last_pfn(const struct part *part)
{
	return part->pfn + part->nr - 1;
}

/* @offer: how many of its pages hold its memmap, or 0 for a memmap in system RAM */
static int add_part(struct part *part, enum memory_type type, unsigned long offer)
{
	struct vmem_altmap altmap = {
		.base_pfn = part->pfn,
		.end_pfn = last_pfn(part),
		.free = offer,
	};
	struct dev_pagemap *pgmap = part->pgmap;
	void *addr;

	memset(pgmap, 0, sizeof(*pgmap));
	pgmap->type = type;
	pgmap->ops = &memremap_no_ops;
	pgmap->owner = part;
	pgmap->nr_range = 1;
	pgmap->range.start = PFN_PHYS(part->pfn);
	pgmap->range.end = PFN_PHYS(part->pfn + part->nr) - 1;
	if (offer) {
		pgmap->flags = PGMAP_ALTMAP_VALID;
		memcpy(&pgmap->altmap, &altmap, sizeof(altmap));
	}
	addr = memremap_pages(pgmap, test_nid());
	if (IS_ERR(addr))
		return PTR_ERR(addr);
	/*
	 * Pairs with look_by_number(): a reader that finds @present set also finds the
	 * struct pages initialized.
	 */
	smp_store_release(&part->present, true);
	return 0;
}

static void remove_part(struct part *part)
{
	WRITE_ONCE(part->present, false);
	memunmap_pages(part->pgmap);
}

static bool is_readable(unsigned long pfn, struct page *copy)
{
	return !copy_from_kernel_nofault(copy, pfn_to_page(pfn), sizeof(*copy));
}

/*
 * Half of the time, choose the last page frame. That of the last part is in a section without
 * other parts, which comes and goes.
 */
static struct part *random_part(struct reader *reader)
{
	struct part *part = &reader->t->part[prandom_u32_state(&reader->rnd) % NR_PARTS];
	u32 rnd = prandom_u32_state(&reader->rnd);

	reader->pfn = rnd % 2 ? part->pfn + rnd / 2 % part->nr : last_pfn(part);
	return part;
}

/*
 * Describe what is wrong with the struct page, or return NULL. The device has been added, and
 * the caller holds a reference to its dev_pagemap.
 */
static const char *wrong_page(struct reader *reader, struct part *part)
{
	struct page page;

	if (!pfn_valid(reader->pfn))
		return "its section is gone, although a reference is held";
	if (!is_readable(reader->pfn, &page))
		return "its struct page is gone, although a reference is held";
	if (PagePoisoned(&page))
		return "its struct page is not initialized, although the device is there";
	if (page_zonenum(&page) != ZONE_DEVICE || page_to_nid(&page) != test_nid())
		return "its struct page has a wrong zone or node";
	/* The struct pages of an altmap have no dev_pagemap. It is in the first half. */
	if (reader->pfn >= part->pfn + part->nr / 2 && adapt_page_pgmap(&page) != part->pgmap)
		return "its struct page has another dev_pagemap";
	return NULL;
}

/* Look up a page frame by its number, like code that knows nothing else about it. */
static const char *look_by_number(struct reader *reader)
{
	struct part *part = random_part(reader);
	bool stays = part == &reader->t->part[STAYS];
	const char *wrong;
	struct dev_pagemap *pgmap;
	struct page page;
	bool is_valid, is_there;

	/* The answer may change at any time, but it must be safe to ask. */
	is_valid = pfn_valid(reader->pfn);
	if (pfn_to_online_page(reader->pfn))
		return "it counts as online memory";
	if (stays && !is_valid)
		return "its section is gone, although the device stays";
	if (stays && !is_readable(reader->pfn, &page))
		return "its struct page is gone, although the device stays";

	pgmap = adapt_get_dev_pagemap(reader->pfn, NULL);
	if (!pgmap)
		return stays ? "its dev_pagemap is not found, although the device stays" : NULL;
	/* Pairs with the store in add_part(). */
	is_there = smp_load_acquire(&part->present);
	if (pgmap != part->pgmap)
		wrong = "another device's dev_pagemap is found";
	else
		wrong = is_there ? wrong_page(reader, part) : NULL;
	if (!wrong && is_there && !stays) {
		reader->seen[part - reader->t->part]++;
		/* Hold the reference while somebody may want to remove the device. */
		usleep_range(50, 100);
		wrong = wrong_page(reader, part);
	}
	put_dev_pagemap(pgmap);
	return wrong;
}

/*
 * Walk the page tables of one page of each subsection, with the memory hot-plug lock held, as
 * ptdump does.
 */
static const char *look_at_tables(struct reader *reader)
{
	struct part *part = random_part(reader);
	const struct fake_dev *dev = reader->t->dev;
	bool stays = part == &reader->t->part[STAYS], is_there = false, is_linear = false;
	unsigned long pfn, linear, memmap;
	const char *wrong = NULL;

	get_online_mems();
	for (pfn = part->pfn; !wrong && pfn <= last_pfn(part); pfn += PAGES_PER_SUBSECTION) {
		linear = vmemmap_frame((unsigned long)__va(PFN_PHYS(pfn)));
		memmap = vmemmap_frame(fake_dev_memmap(dev, pfn - dev->pfn));
		if (pfn == part->pfn) {
			is_there = memmap;
			is_linear = linear;
		}
		reader->pfn = pfn;
		if (linear && linear != pfn)
			wrong = "its linear mapping leads to another page frame";
		else if (!linear != !is_linear)
			wrong = "only a part of its device's linear mapping is there";
		else if (!memmap != !is_there)
			wrong = "only a part of its device's memmap is there";
		else if (linear && !memmap)
			wrong = "its device has a linear mapping, but no memmap";
		else if (stays && !linear)
			wrong = "the linear mapping of the device that stays is gone";
	}
	put_online_mems();
	reader->seen[part - reader->t->part] += is_there;
	return wrong;
}

static int read_on(void *data)
{
	struct reader *reader = data;
	const char *wrong;

	while (!kthread_should_stop()) {
		if (!reader->wrong) {
			wrong = reader->look(reader);
			reader->round = READ_ONCE(reader->t->round);
			reader->step = READ_ONCE(reader->t->step);
			WRITE_ONCE(reader->wrong, wrong);
		}
		WRITE_ONCE(reader->looks, reader->looks + 1);
		/* With one CPU, sleep: the task of the test needs it to add and remove devices. */
		if (num_online_cpus() > 1)
			cond_resched();
		else
			usleep_range(10, 50);
	}
	/* After an oops, kthread_stop_put() returns 0. */
	return 1;
}

/* Wait until each reader has looked some times. Fail the test and return false if one does not. */
static bool let_them_look(struct kunit *test)
{
	struct readers_test *t = test->priv;
	unsigned long end = jiffies + READER_SECONDS * HZ;
	unsigned long before, i;

	for (i = 0; i < MAX_READERS && t->reader[i].task; i++) {
		before = READ_ONCE(t->reader[i].looks);
		while (READ_ONCE(t->reader[i].looks) < before + 8) {
			if (time_after(jiffies, end) || kthread_should_stop()) {
				KUNIT_FAIL(test, "reader %lu no longer looks, or is too slow", i);
				return false;
			}
			fsleep(100);
		}
	}
	return true;
}

static void stop_readers(void *data)
{
	struct readers_test *t = data;
	unsigned int i;

	for (i = 0; i < MAX_READERS; i++)
		if (t->reader[i].task && !kthread_stop_put(t->reader[i].task))
			t->is_lost = true;
}

static void start_readers(struct kunit *test, const char *(*look)(struct reader *reader))
{
	struct readers_test *t = test->priv;
	struct task_struct *task;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, 0, kunit_add_action(test, stop_readers, t));
	/* With several CPUs, one of them adds and removes. */
	for (i = 0; i < clamp(num_online_cpus() - 1, 1, MAX_READERS); i++) {
		t->reader[i] = (struct reader) { .t = t, .look = look };
		prandom_seed_state(&t->reader[i].rnd, i + 1);
		task = kthread_create(read_on, &t->reader[i], "pgmap_reader/%u", i);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
		/* After an oops, its task_struct must not be freed before stop_readers(). */
		t->reader[i].task = get_task_struct(task);
		wake_up_process(task);
	}
}

static const struct kind_param {
	const char *name;
	bool has_other_types;
} kind_params[] = {
	{ "GENERIC on both sides" },
	{ "PRIVATE below and COHERENT above", true },
};

KUNIT_ARRAY_PARAM_DESC(kind, kind_params, name);

static int add_part_of_kind(struct readers_test *t, struct part *part,
			    const struct kind_param *kind)
{
	bool is_below = part == t->part;

	if (!kind->has_other_types)
		return add_part(part, MEMORY_DEVICE_GENERIC, 0);
	if (is_below && IS_ENABLED(CONFIG_DEVICE_PRIVATE))
		return add_part(part, MEMORY_DEVICE_PRIVATE, 0);
	return add_part(part, MEMORY_DEVICE_COHERENT, is_below ? 0 : part->nr / 2);
}

/* Let the parts beside the one that stays come and go in all orders. */
static void add_and_remove(struct kunit *test, unsigned int nr_rounds)
{
	static const unsigned int order[NR_ROUNDS][4] = {
		{ 0, 2, 0, 2 }, { 0, 2, 2, 0 }, { 2, 0, 0, 2 }, { 2, 0, 2, 0 },
	};
	struct readers_test *t = test->priv;
	unsigned int round, step;
	int err;

	for (round = 0; round < nr_rounds; round++) {
		WRITE_ONCE(t->round, round);
		for (step = 0; step < 4; step++) {
			unsigned int which = order[round % NR_ROUNDS][step];
			struct part *part = &t->part[which];

			WRITE_ONCE(t->step, step);
			err = 0;
			if (part->present)
				remove_part(part);
			else
				err = add_part_of_kind(t, part, test->param_value);
			KUNIT_EXPECT_EQ_MSG(test, err, 0, "round %u, step %u: adding part %u",
					    round, step, which);
			if (err || !let_them_look(test))
				return;
		}
	}
}

static void expect_nothing_wrong(struct kunit *test)
{
	struct readers_test *t = test->priv;
	struct reader *reader;
	struct page page;

	kunit_release_action(test, stop_readers, t);
	for (reader = t->reader; reader < t->reader + MAX_READERS && reader->task; reader++)
		KUNIT_EXPECT_NULL_MSG(test, reader->wrong,
				      "reader %td, round %u, step %u, page frame %#lx: %s",
				      reader - t->reader, reader->round, reader->step,
				      reader->pfn, reader->wrong);
	KUNIT_EXPECT_FALSE_MSG(test, t->is_lost, "a reader has died");
	KUNIT_ASSERT_TRUE(test, is_readable(last_pfn(&t->part[STAYS]), &page));
	KUNIT_EXPECT_MEMEQ_MSG(test, &page, &t->page, sizeof(page),
			       "the last struct page of the device that stays");
}

static void expect_each_part_was_seen(struct kunit *test)
{
	struct readers_test *t = test->priv;
	unsigned long seen;
	unsigned int part, i;

	for (part = 0; part < NR_PARTS; part++) {
		if (part == STAYS)
			continue;
		seen = 0;
		for (i = 0; i < MAX_READERS; i++)
			seen += t->reader[i].seen[part];
		KUNIT_EXPECT_GT_MSG(test, seen, 0, "no reader saw part %u", part);
	}
}

/*
 * I16: get_dev_pagemap() returns NULL or the device's dev_pagemap. While the reader holds that
 * reference, the struct pages stay. In a section without RAM, no page frame is online.
 */
static void devices_are_found_by_number(struct kunit *test)
{
	/* KCSAN watches one access out of many. */
	unsigned int nr_rounds = IS_ENABLED(CONFIG_KCSAN) ? 20 * NR_ROUNDS : NR_ROUNDS;

	start_readers(test, look_by_number);
	add_and_remove(test, nr_rounds);
	expect_nothing_wrong(test);
	expect_each_part_was_seen(test);
}

/*
 * I17: with the memory hot-plug lock, a reader of page tables finds all of a device's memmap or
 * nothing of it, and likewise the linear mapping. It always finds the device that stays.
 */
static void tables_map_whole_devices(struct kunit *test)
{
	start_readers(test, look_at_tables);
	add_and_remove(test, NR_ROUNDS);
	expect_nothing_wrong(test);
	expect_each_part_was_seen(test);
}

static struct page *last_page_of_first_section(const struct part *part)
{
	return pfn_to_page(SECTION_ALIGN_UP(part->pfn + 1) - 1);
}

/* The part that cannot be added. */
static const struct part *failing;

/* Once the memmap of its first section is there, let each allocation fail. */
static void *alloc_for_first_section(unsigned long size, int node)
{
	struct page *page;

	if (vmemmap_frame((unsigned long)last_page_of_first_section(failing)))
		return NULL;
	page = alloc_pages_node(node, GFP_KERNEL, get_order(size));
	return page ? page_address(page) : NULL;
}

/* I17: the same while adds fail. */
static void tables_map_no_part_of_failed_add(struct kunit *test)
{
	struct readers_test *t = test->priv;
	int err = 0;

	failing = &t->part[NR_PARTS - 1];
	start_readers(test, look_at_tables);
	func_redirect_begin(test, vmemmap_alloc_block, alloc_for_first_section);
	for (t->round = 0; t->round < 8; t->round++) {
		KUNIT_EXPECT_NO_WARN(test, err = add_part(&t->part[NR_PARTS - 1],
							  MEMORY_DEVICE_GENERIC, 0));
		KUNIT_EXPECT_EQ_MSG(test, err, -ENOMEM, "add %u", t->round);
		if (err != -ENOMEM || !let_them_look(test))
			break;
	}
	func_redirect_end(test, vmemmap_alloc_block);
	expect_nothing_wrong(test);
}

/* The test whose device is removed, and the RCU readers that may know the device. */
static struct kunit *removing;
static bool is_forgotten;
static ADAPT_RCU_COOKIE readers;

/*
 * From here on, get_dev_pagemap() does not find the device, but a caller that has read the
 * entry before may not have returned yet.
 */
static void *forget_device(struct xarray *xa, unsigned long first, unsigned long last,
			   void *entry, gfp_t gfp)
{
	void *old;

	func_redirect_end(removing, xa_store_range);
	old = xa_store_range(xa, first, last, entry, gfp);
	is_forgotten = !entry;
	/* Grace periods may be expedited while the kernel boots. */
	get_state_synchronize_rcu_full(&readers);
	return old;
}

/*
 * I18: the owner may free the dev_pagemap, so no get_dev_pagemap() must look at it any more.
 * A failed add waits for a grace period anyway, when it ends the references.
 */
static void removal_waits_for_lookups(struct kunit *test)
{
	struct readers_test *t = test->priv;
	struct part *part = &t->part[0];
	bool have_ended;

	KUNIT_ASSERT_EQ(test, 0, add_part(part, MEMORY_DEVICE_GENERIC, 0));
	removing = test;
	is_forgotten = false;
	func_redirect_begin(test, xa_store_range, forget_device);
	remove_part(part);
	have_ended = poll_state_synchronize_rcu_full(&readers);
	KUNIT_ASSERT_TRUE_MSG(test, is_forgotten, "get_dev_pagemap() still finds the device");
	KUNIT_EXPECT_TRUE_MSG(test, have_ended,
			      "memunmap_pages() has returned, but get_dev_pagemap() may not have");
}

/* Add a part, check its struct pages and remove it. Return what is wrong, or NULL. */
static const char *come_and_go(struct reader *reader, struct part *part)
{
	const char *wrong = NULL;
	unsigned long pfn;

	reader->pfn = part->pfn;
	if (add_part(part, MEMORY_DEVICE_GENERIC, 0))
		return "its device cannot be added";
	for (pfn = part->pfn; !wrong && pfn <= last_pfn(part); pfn++) {
		reader->pfn = pfn;
		wrong = wrong_page(reader, part);
	}
	remove_part(part);
	return wrong;
}

/* Once in each round, let the last part come and go. One reader is enough. */
static const char *come_in_each_round(struct reader *reader)
{
	unsigned long *rounds = &reader->seen[NR_PARTS - 1];
	const char *wrong;

	if (reader != reader->t->reader || *rounds == READ_ONCE(reader->t->round))
		return NULL;
	wrong = come_and_go(reader, &reader->t->part[NR_PARTS - 1]);
	WRITE_ONCE(*rounds, *rounds + 1);
	return wrong;
}

/* I19: two tasks add and remove a device each. They begin at the same time. */
static void devices_come_at_once(struct kunit *test)
{
	struct readers_test *t = test->priv;
	/* With one CPU, they only meet where they sleep. */
	unsigned int nr_rounds = num_online_cpus() > 1 ? 48 : 4, round;
	struct reader own = { .t = t }, *other = &t->reader[0];
	const char *wrong = NULL;

	start_readers(test, come_in_each_round);
	for (round = 1; !wrong && round <= nr_rounds; round++) {
		WRITE_ONCE(t->round, round);
		wrong = come_and_go(&own, &t->part[0]);
		KUNIT_EXPECT_NULL_MSG(test, wrong, "round %u, page frame %#lx: %s", round,
				      own.pfn, wrong);
		/* Once it has found something wrong, it takes part in no further round. */
		while (READ_ONCE(other->seen[NR_PARTS - 1]) < round && !READ_ONCE(other->wrong))
			if (!let_them_look(test))
				return;
		if (READ_ONCE(other->wrong))
			break;
	}
	expect_nothing_wrong(test);
}

/* A kernel that does not undo a failed add leaves the first section. */
static void remove_rest(const struct part *part)
{
	unsigned long nr = SECTION_ALIGN_UP(part->pfn + 1) - part->pfn;

	if (!part->pgmap || part->present || !pfn_valid(part->pfn))
		return;
	mem_hotplug_begin();
	adapt_remove_pages(part->pfn, min(nr, part->nr), NULL);
	mem_hotplug_done();
}

static void remove_parts(void *data)
{
	struct readers_test *t = data;
	unsigned int i;

	/* A removal would wait for the reference of a reader that has died. */
	if (t->is_lost) {
		fake_dev_abandon(t->dev);
		return;
	}
	for (i = 0; i < NR_PARTS; i++) {
		if (t->part[i].present)
			remove_part(&t->part[i]);
		remove_rest(&t->part[i]);
		kfree(t->part[i].pgmap);
	}
}

static int memremap_readers_init(struct kunit *test)
{
	struct readers_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	unsigned long nr = pages_per_part();
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	t->dev = fake_dev_get_memory(test, DIV_ROUND_UP(NR_PARTS * nr, PAGES_PER_SECTION) + 1);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, remove_parts, t));
	for (i = 0; i < NR_PARTS; i++) {
		t->part[i].pfn = t->dev->pfn + i * nr;
		t->part[i].nr = i < NR_PARTS - 1 ? nr : nr + PAGES_PER_SECTION;
		t->part[i].pgmap = kzalloc(sizeof(*t->part[i].pgmap), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, t->part[i].pgmap);
	}
	KUNIT_ASSERT_EQ(test, 0, add_part(&t->part[STAYS], MEMORY_DEVICE_GENERIC,
					  t->part[STAYS].nr / 2));
	KUNIT_ASSERT_TRUE(test, is_readable(last_pfn(&t->part[STAYS]), &t->page));
	return 0;
}

static struct kunit_case memremap_readers_cases[] = {
	KUNIT_CASE_PARAM_ATTR(devices_are_found_by_number, kind_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	KUNIT_CASE_PARAM_ATTR(tables_map_whole_devices, kind_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	KUNIT_CASE_SLOW(tables_map_no_part_of_failed_add),
	KUNIT_CASE(removal_waits_for_lookups),
	KUNIT_CASE_SLOW(devices_come_at_once),
	{}
};

static struct kunit_suite memremap_readers_suite = {
	.name = "memremap_readers",
	.init = memremap_readers_init,
	.test_cases = memremap_readers_cases,
};

kunit_test_suite(memremap_readers_suite);

MODULE_DESCRIPTION("KUnit tests for readers beside devices that come and go");
MODULE_LICENSE("GPL");

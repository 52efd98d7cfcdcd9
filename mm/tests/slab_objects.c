// SPDX-License-Identifier: GPL-2.0-only
/*
 * Count the objects that kmalloc() has allocated, and the bytes of percpu memory.
 * free_ram_pages() cannot see a leak of small objects, because many of them share a page.
 */
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "../percpu-internal.h"
#include "../slab.h"
#include "fake_dev.h"
#include "slab_objects.h"

#define ROUNDS		4
#define TRIES		4

#ifdef CONFIG_SLUB_DEBUG
static void visit_caches(void (*fn)(struct kmem_cache *cache, long *nr), long *nr)
{
	int type, i;

	for (type = 0; type < NR_KMALLOC_TYPES; type++)
		for (i = 0; i < ARRAY_SIZE(kmalloc_caches[type]); i++)
			if (kmalloc_caches[type][i])
				fn(kmalloc_caches[type][i], nr);
}

static void shrink(struct kmem_cache *cache, long *nr)
{
	kmem_cache_shrink(cache);
}

static void count(struct kmem_cache *cache, long *nr)
{
	struct slabinfo info;

	get_slabinfo(cache, &info);
	*nr += info.active_objs;
}

/*
 * Free the objects that wait for RCU first, and flush the slabs of the CPUs. Newer
 * kernels keep free objects in sheaves, which are objects themselves: shrinking a cache
 * frees those that another one holds, so shrink them twice.
 *
 * Do not count the resources of the test, which KUnit frees with it. Each has two
 * objects: its memory and a struct kunit_resource.
 */
static long slab_objects(struct kunit *test)
{
	struct list_head *resource;
	long nr = 0;

	kvfree_rcu_barrier();
	rcu_barrier();
	visit_caches(shrink, NULL);
	visit_caches(shrink, NULL);
	visit_caches(count, &nr);
	list_for_each(resource, &test->resources)
		nr -= 2;
	return nr;
}
#else
static long slab_objects(struct kunit *test)
{
	return 0;
}
#endif

/* Count the bytes of all percpu allocations on one CPU. */
static long percpu_bytes(void)
{
	struct pcpu_chunk *chunk;
	long nr = 0;
	int slot;

	spin_lock_irq(&pcpu_lock);
	for (slot = 0; slot < pcpu_nr_slots; slot++)
		list_for_each_entry(chunk, &pcpu_chunk_lists[slot], list)
			nr += chunk->nr_pages * PAGE_SIZE - chunk->free_bytes;
	spin_unlock_irq(&pcpu_lock);
	return nr;
}

/**
 * expect_rounds_leak_nothing() - repeat an operation and count objects
 * @test: the test context
 * @round: the operation; it returns true if it worked
 *
 * Other code may allocate or free memory at the same time, and the first round may make
 * one-time allocations. So a wrong count is repeated. A leak costs at least one object, or
 * one byte of percpu memory, per round in each try.
 *
 * Context: Process context, may sleep.
 */
void expect_rounds_leak_nothing(struct kunit *test, bool (*round)(struct kunit *test))
{
	long grown = 0, percpu = 0;
	int try, i;

	if (!IS_ENABLED(CONFIG_SLUB_DEBUG) || !free_ram_is_exact())
		kunit_skip(test, "no CONFIG_SLUB_DEBUG, or KASAN keeps what is freed");

	KUNIT_ASSERT_TRUE_MSG(test, round(test), "the first round");
	for (try = 0; try < TRIES; try++) {
		grown = -slab_objects(test);
		percpu = -percpu_bytes();
		for (i = 0; i < ROUNDS; i++)
			KUNIT_ASSERT_TRUE_MSG(test, round(test), "round %d", i);
		grown += slab_objects(test);
		percpu += percpu_bytes();
		if (grown < ROUNDS && percpu < ROUNDS)
			return;
	}
	KUNIT_FAIL(test, "%ld objects of kmalloc(), %ld percpu bytes more in %d rounds, %d times",
		   grown, percpu, ROUNDS, TRIES);
}

/* SPDX-License-Identifier: MIT */
/* Counts the forks that led to this process (the generation). An object from before a fork has another generation than
 * the child, and so belongs to the parent. */
#include "base.h"

static cw__atomic_int generation;

int cw__generation(void) { return atomic_load(&generation); }
void cw__process_forked(void) { (void)atomic_fetch_add(&generation, 1); }

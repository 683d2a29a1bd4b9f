/* SPDX-License-Identifier: MIT */
/* Tells the processes of a fork apart. An object made before a fork belongs to the parent; the child sees this by the
 * generation. */
#include "base.h"

static cw__atomic_int generation;

int cw__generation(void) { return atomic_load(&generation); }
void cw__process_forked(void) { (void)atomic_fetch_add(&generation, 1); }

/* SPDX-License-Identifier: MIT */
/* What failing.c lets its programs do. memory.py calls the same by ctypes. */
#ifndef FAILING_H
#define FAILING_H

enum { FAILING_FAILS = 1, FAILING_COUNTS = 2 };

/* Watches the code of the loaded libraries whose paths contain name, of the program itself for "main": whether its
 * allocations are those that fail, those that are counted, or both. Returns how many pieces of code that are. */
int failing_watch(const char *name, int how);
/* Makes the n-th allocation of those from now on fail once (0 = the next one; -1 = none). */
void failing_at(long n);
/* Whether one has failed since. */
int failing_happened(void);
/* Blocks that are counted and alive. */
long failing_live(void);

#endif

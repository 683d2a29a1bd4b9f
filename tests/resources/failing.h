/* SPDX-License-Identifier: MIT */
/* The functions of failing.c. memory.py calls them through ctypes. */
#ifndef FAILING_H
#define FAILING_H

enum { FAILING_FAILS = 1, FAILING_COUNTS = 2 };

/* Watches the allocations of all loaded libraries whose paths contain name. Returns the number of code segments found.
 *   name   "main" is the program itself
 *   how    FAILING_FAILS: allocations may fail; FAILING_COUNTS: blocks are counted; or both */
int failing_watch(const char *name, int how);
/* Makes the n-th watched allocation from now on fail once (0 = the next one; -1 = none). */
void failing_at(long n);
/* Returns whether an allocation has failed since the last failing_at. */
int failing_happened(void);
/* Returns the number of counted blocks that are not yet freed. */
long failing_live(void);

#endif

/* SPDX-License-Identifier: MIT */
/* Measures latency under load, for server.c. Messages are due at a fixed rate, even if earlier echoes have not arrived.
 * The time of each counts from the moment when it was due until its echo arrives. So a client that stalls cannot hide
 * the messages that it delayed. */
#ifndef BENCH_PACE_H
#define BENCH_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PACE_STAMP_BYTES = 8 }; /* the number at the start of a message */

/* Starts a new measurement. False: the numbers are invalid, or memory has run out. */
bool pace_begin(uint64_t rate_per_s, uint64_t count, int64_t now_us);
/* Gives the number of the next message if it is due; the message then counts as sent. */
bool pace_next(int64_t now_us, uint64_t *number);
/* Returns the microseconds between two messages. */
int64_t pace_interval_us(void);
/* Counts an echo. True: it was the last one, and the report can be written. */
bool pace_echo(uint64_t number, int64_t now_us);
/* Writes "count p50 p99 p99.9 max", in microseconds. */
void pace_report(char *text, size_t size_bytes);

#endif

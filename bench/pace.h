/* SPDX-License-Identifier: MIT */
/* Latency under load, as the server sees it: messages fall due at a fixed rate, whether or not the answers to
 * earlier ones have come, and each is timed from the moment when it was due to the moment when its echo is
 * back. So a client that stalls cannot hide the messages that it made wait. Used by server.c. */
#ifndef BENCH_PACE_H
#define BENCH_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PACE_STAMP_BYTES = 8 }; /* of the number that a message begins with */

/* Begins anew; false if the numbers make no sense or there is no memory. */
bool pace_begin(uint64_t rate_per_s, uint64_t count, int64_t now_us);
/* The number of the next message if it is due; then it counts as sent. */
bool pace_next(int64_t now_us, uint64_t *number);
/* Microseconds from one message to the next. */
int64_t pace_interval_us(void);
/* An echo came. True: it was the last, and the report can be written. */
bool pace_echo(uint64_t number, int64_t now_us);
/* "count p50 p99 p99.9 max", in microseconds. */
void pace_report(char *text, size_t size_bytes);

#endif

/* SPDX-License-Identifier: MIT */
/* See pace.h. */
#include "pace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST = 10000000 };

static uint64_t rate, total, sent, echoed;
static int64_t begin_us;
static uint32_t *latency_us;

bool pace_begin(uint64_t rate_per_s, uint64_t count, int64_t now_us)
{
    if (rate_per_s == 0 || rate_per_s > 1000000 || count == 0 || count > MOST) {
        return false;
    }
    free(latency_us);
    latency_us = calloc(count, sizeof *latency_us);
    rate = rate_per_s;
    total = latency_us == NULL ? 0 : count;
    sent = echoed = 0;
    begin_us = now_us;
    return latency_us != NULL;
}

static int64_t due_us(uint64_t number) { return begin_us + (int64_t)(number * 1000000 / rate); }

bool pace_next(int64_t now_us, uint64_t *number)
{
    if (sent == total || due_us(sent) > now_us) {
        return false;
    }
    *number = sent++;
    return true;
}

int64_t pace_interval_us(void) { return (int64_t)(1000000 / rate); }

bool pace_echo(uint64_t number, int64_t now_us)
{
    if (number >= sent || latency_us[number] != 0) {
        return false;
    }
    int64_t took_us = now_us - due_us(number);
    latency_us[number] = took_us < 1 ? 1 : took_us > UINT32_MAX ? UINT32_MAX : (uint32_t)took_us;
    return ++echoed == total;
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t at_most(uint64_t per_mille)
{
    uint64_t place = (total * per_mille + 999) / 1000;
    return latency_us[place == 0 ? 0 : place - 1];
}

void pace_report(char *text, size_t size_bytes)
{
    qsort(latency_us, total, sizeof *latency_us, compare);
    (void)snprintf(text, size_bytes, "%" PRIu64 " %u %u %u %u", total, at_most(500), at_most(990), at_most(999),
                   latency_us[total - 1]);
}

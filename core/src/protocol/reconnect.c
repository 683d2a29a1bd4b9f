/* SPDX-License-Identifier: MIT */
/* The rules for reconnecting: which ends are worth another attempt, and how long to wait before it. The bindings connect,
 * wait and call the program's functions; this file only counts and computes. Pure: "now" and the random number are
 * arguments.
 *
 * A series is a row of attempts without a stable connection. The first attempt begins the first series. The end of a
 * stable connection begins the next one. Delays and limits count within a series, so a server that accepts each
 * connection and closes it at once is treated like a server that refuses.
 *
 * Reasons: CW_CONNECT_FAILED. */
#include "protocol.h"

#include <stdio.h>

struct cw_reconnect {
    int64_t settings[CW_RECONNECT_COUNT];
    int64_t attempt_count; /* of all series */
    int64_t series_count;  /* attempts of this series */
    int64_t series_ms;     /* when this series began */
    int64_t opened_ms;     /* when the connection opened; -1 = there is none */
    int delay_count;       /* delays of this series */
    bool was_stable;       /* the last connection was stable */
};

typedef struct setting {
    const char *key;
    int64_t at_first, least, most;
    const char *none;
} setting;

static const setting settings[CW_RECONNECT_COUNT] = {
#define CW_X(name, key, type, at_first, least, most, none, text) {key, at_first, least, most, none},
    CW_RECONNECT_LIST(CW_X)
#undef CW_X
};

cw_status cw_reconnect_create(cw_reconnect **out)
{
    cw_reconnect *r = cw__calloc(1, sizeof *r);

    *out = r;
    if (!r)
        return cw__fail(CW_NO_MEMORY, "no memory for the rules of reconnecting: free memory and call again");
    for (int i = 0; i < CW_RECONNECT_COUNT; i++)
        r->settings[i] = settings[i].at_first;
    r->opened_ms = -1;
    return CW_OK;
}

void cw_reconnect_release(cw_reconnect *r) { cw__free(r); }

cw_status cw_reconnect_set(cw_reconnect *r, cw_reconnect_setting which, int64_t value)
{
    const setting *s;

    if ((unsigned)which >= CW_RECONNECT_COUNT)
        return cw__fail(CW_INVALID_ARGUMENT,
                        "there is no setting of reconnecting with the number %d: use the number of a setting",
                        (int)which);
    s = &settings[which];
    if ((value < s->least || value > s->most) && !(value == -1 && s->none))
        return cw__fail(CW_INVALID_ARGUMENT, "%s cannot be %lld: the least is %lld, the most is %lld%s%s",
                        s->key, (long long)value, (long long)s->least, (long long)s->most,
                        s->none ? "; -1: " : "", s->none ? s->none : "");
    r->settings[which] = value;
    return CW_OK;
}

static bool is_retried_code(int close_code)
{
    return close_code == 1001 || close_code == 1005 || close_code == 1006 ||
           (close_code >= 1011 && close_code <= 1014);
}

static bool is_retried_http(int http_status)
{
    return http_status == 429 || (http_status >= 500 && http_status <= 599);
}

bool cw_reconnect_is_retried(int close_code, int http_status, int web_status)
{
    if (close_code > 0)
        return is_retried_code(close_code);
    if (http_status > 0)
        return is_retried_http(http_status);
    switch (web_status) {
    case CW_WEB_Unknown: /* such as a lack of descriptors: mistakes and certificates have a status of their own */
    case CW_WEB_ServerUnreachable:
    case CW_WEB_Timeout:
    case CW_WEB_ConnectionAborted:
    case CW_WEB_ConnectionReset:
    case CW_WEB_Disconnected:
    case CW_WEB_CannotConnect:
    case CW_WEB_HostNameNotResolved:
        return true;
    default: /* from 300 on: what a SOCKS proxy said, as an HTTP status */
        return is_retried_http(web_status);
    }
}

int64_t cw_reconnect_attempt(cw_reconnect *r, int64_t now_ms)
{
    if (r->attempt_count == 0)
        r->series_ms = now_ms;
    r->opened_ms = -1;
    r->series_count++;
    return ++r->attempt_count;
}

int64_t cw_reconnect_opened(cw_reconnect *r, int64_t now_ms, uint64_t random)
{
    int64_t age_ms = r->settings[CW_RECONNECT_MAX_AGE];

    r->opened_ms = now_ms;
    if (age_ms < 0)
        return -1;
    return now_ms + age_ms - (int64_t)(random % (uint64_t)(age_ms / 10 + 1));
}

bool cw_reconnect_ended(cw_reconnect *r, int64_t now_ms)
{
    r->was_stable = r->opened_ms >= 0 && now_ms - r->opened_ms >= r->settings[CW_RECONNECT_STABLE_AFTER];
    r->opened_ms = -1;
    if (r->was_stable) {
        r->series_ms = now_ms;
        r->series_count = 0;
        r->delay_count = 0;
    }
    return r->was_stable;
}

/* Returns the bound of the next random delay, which doubles with each delay of the series. */
static int64_t bound_ms(const cw_reconnect *r)
{
    int64_t bound = r->settings[CW_RECONNECT_FIRST_DELAY];
    int64_t most = r->settings[CW_RECONNECT_MAX_DELAY];

    for (int i = 0; i < r->delay_count && bound < most; i++)
        bound *= 2;
    return bound < most ? bound : most;
}

static int64_t next_delay_ms(const cw_reconnect *r, uint64_t random, int64_t given_ms, int64_t retry_after_s)
{
    int64_t least_ms = retry_after_s < 0 ? 0 : retry_after_s * 1000;

    if (retry_after_s > CW_RETRY_AFTER_MOST_S)
        least_ms = (int64_t)CW_RETRY_AFTER_MOST_S * 1000;
    if (given_ms >= 0)
        return given_ms > least_ms ? given_ms : least_ms;
    return least_ms + (int64_t)(random % (uint64_t)(bound_ms(r) + 1));
}

cw_reconnect_verdict cw_reconnect_next(cw_reconnect *r, int64_t now_ms, uint64_t random, int64_t given_ms,
                                       int64_t retry_after_s, int64_t *delay_ms)
{
    int64_t attempts = r->settings[CW_RECONNECT_MAX_ATTEMPTS];
    int64_t elapsed_ms = r->settings[CW_RECONNECT_MAX_ELAPSED];

    *delay_ms = 0;
    if (attempts >= 0 && r->series_count >= attempts)
        return CW_RECONNECT_NO_ATTEMPTS;
    *delay_ms = next_delay_ms(r, random, given_ms, retry_after_s);
    if (elapsed_ms >= 0 && now_ms - r->series_ms + *delay_ms > elapsed_ms) {
        *delay_ms = 0;
        return CW_RECONNECT_NO_TIME;
    }
    if (r->delay_count < INT32_MAX)
        r->delay_count++;
    return CW_RECONNECT_AGAIN;
}

int64_t cw_reconnect_renew(cw_reconnect *r, uint64_t random)
{
    int64_t delay_ms = r->was_stable ? 0 : next_delay_ms(r, random, -1, -1);

    if (r->delay_count < INT32_MAX)
        r->delay_count++;
    return delay_ms;
}

void cw_reconnect_explain(const cw_reconnect *r, cw_reconnect_verdict verdict, char *buffer, size_t size_bytes)
{
    if (verdict == CW_RECONNECT_NO_ATTEMPTS)
        (void)snprintf(buffer, size_bytes, "gave up after %lld attempts in a row (max_attempts)",
                       (long long)r->series_count);
    else if (verdict == CW_RECONNECT_NO_TIME)
        (void)snprintf(buffer, size_bytes,
                       "gave up after %lld attempts in a row: the next one would come later than %g s after "
                       "the first (max_elapsed)",
                       (long long)r->series_count, (double)r->settings[CW_RECONNECT_MAX_ELAPSED] / 1000);
    else if (size_bytes > 0)
        buffer[0] = '\0';
}

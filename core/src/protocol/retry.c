/* SPDX-License-Identifier: MIT */
/* The header Retry-After: seconds, or a date in one of the three forms of HTTP (RFC 9110 sections 5.6.7 and 10.2.3). reply.c
 * calls this file. Pure. */
#include <string.h>

#include "protocol.h"

/* A text that is read from its start. After a failure, at is NULL. */
typedef struct text {
    const char *at, *end;
} text;

static void skip(text *t, const char *wanted)
{
    size_t len = strlen(wanted);

    if (!t->at || (size_t)(t->end - t->at) < len || memcmp(t->at, wanted, len) != 0)
        t->at = NULL;
    else
        t->at += len;
}

/* Reads a number of so many digits. */
static int number(text *t, int digits)
{
    int n = 0;

    for (; digits > 0; digits--) {
        if (!t->at || t->at == t->end || *t->at < '0' || *t->at > '9') {
            t->at = NULL;
            return 0;
        }
        n = n * 10 + (*t->at++ - '0');
    }
    return n;
}

/* Reads one of the names, and returns its place. */
static int name(text *t, const char *const *names, int count)
{
    for (int i = 0; t->at && i < count; i++) {
        size_t len = strlen(names[i]);
        if ((size_t)(t->end - t->at) >= len && memcmp(t->at, names[i], len) == 0) {
            t->at += len;
            return i;
        }
    }
    t->at = NULL;
    return 0;
}

static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
static const char *const long_days[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                        "Friday", "Saturday", "Sunday"};
static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

typedef struct date {
    int year, month, day; /* the month from 0 */
    int hour, minute, second;
} date;

static bool is_leap(int year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

/* Returns the number of days from 1970-01-01 to the first day of a year. */
static int64_t days_before(int year)
{
    int64_t y = year - 1;

    return y * 365 + y / 4 - y / 100 + y / 400 - 719162;
}

/* Returns the seconds since 1970, or CW__NO_DATE if there is no such date. A second of 60 is a leap second. */
static int64_t seconds_of(const date *d)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t all_days = days_before(d->year) + d->day - 1;

    if (d->year < 1 || d->day < 1 || d->day > lengths[d->month] + (d->month == 1 && is_leap(d->year)) ||
        d->hour > 23 || d->minute > 59 || d->second > 60)
        return CW__NO_DATE;
    for (int month = 0; month < d->month; month++)
        all_days += lengths[month] + (month == 1 && is_leap(d->year));
    return ((all_days * 24 + d->hour) * 60 + d->minute) * 60 + d->second;
}

static void read_time(text *t, date *d)
{
    d->hour = number(t, 2);
    skip(t, ":");
    d->minute = number(t, 2);
    skip(t, ":");
    d->second = number(t, 2);
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static int64_t read_fixdate(text t)
{
    date d = {0};

    (void)name(&t, days, 7);
    skip(&t, ", ");
    d.day = number(&t, 2);
    skip(&t, " ");
    d.month = name(&t, months, 12);
    skip(&t, " ");
    d.year = number(&t, 4);
    skip(&t, " ");
    read_time(&t, &d);
    skip(&t, " GMT");
    return t.at && t.at == t.end ? seconds_of(&d) : CW__NO_DATE;
}

/* "Sunday, 06-Nov-94 08:49:37 GMT". A date more than 50 years ahead is in the past century. */
static int64_t read_rfc850(text t, int64_t now_s)
{
    enum { DAY_S = 24 * 60 * 60, FIFTY_YEARS_DAYS = 18263 /* or one less */ };
    date d = {0};
    int64_t at_most_s = now_s + (int64_t)FIFTY_YEARS_DAYS * DAY_S;
    int64_t seconds;

    (void)name(&t, long_days, 7);
    skip(&t, ", ");
    d.day = number(&t, 2);
    skip(&t, "-");
    d.month = name(&t, months, 12);
    skip(&t, "-");
    d.year = 1900 + number(&t, 2);
    skip(&t, " ");
    read_time(&t, &d);
    skip(&t, " GMT");
    if (!t.at || t.at != t.end)
        return CW__NO_DATE;
    while (days_before(d.year + 100) * DAY_S <= at_most_s)
        d.year += 100;
    seconds = seconds_of(&d);
    if (seconds > at_most_s && d.year > 1999) { /* the year is near, and the day is not */
        d.year -= 100;
        seconds = seconds_of(&d);
    }
    return seconds;
}

/* "Sun Nov  6 08:49:37 1994" */
static int64_t read_asctime(text t)
{
    date d = {0};

    (void)name(&t, days, 7);
    skip(&t, " ");
    d.month = name(&t, months, 12);
    skip(&t, " ");
    if (t.at && t.at < t.end && *t.at == ' ') {
        t.at++;
        d.day = number(&t, 1);
    } else {
        d.day = number(&t, 2);
    }
    skip(&t, " ");
    read_time(&t, &d);
    skip(&t, " ");
    d.year = number(&t, 4);
    return t.at && t.at == t.end ? seconds_of(&d) : CW__NO_DATE;
}

int64_t cw__http_date(const char *value, size_t len_bytes, int64_t now_s)
{
    text t = {value, value + len_bytes};
    int64_t seconds = read_fixdate(t);

    if (seconds == CW__NO_DATE)
        seconds = read_rfc850(t, now_s);
    return seconds == CW__NO_DATE ? read_asctime(t) : seconds;
}

int64_t cw__retry_after(const char *value, size_t len_bytes, int64_t now_s)
{
    int64_t seconds = 0;
    size_t i = 0;

    for (; i < len_bytes && value[i] >= '0' && value[i] <= '9'; i++)
        if (seconds <= CW__RETRY_AT_MOST_S)
            seconds = seconds * 10 + (value[i] - '0');
    if (i < len_bytes || len_bytes == 0) {
        seconds = cw__http_date(value, len_bytes, now_s);
        if (seconds == CW__NO_DATE)
            return -1;
        seconds = seconds > now_s ? seconds - now_s : 0;
    }
    return seconds > CW__RETRY_AT_MOST_S ? CW__RETRY_AT_MOST_S : seconds;
}

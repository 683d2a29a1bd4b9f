/* SPDX-License-Identifier: MIT */
/* Fuzz target: the value of Retry-After, and dates of HTTP. The first five bytes are the time. A date that is accepted must be
 * that of the C library's own parser, and must come back from its text. */
#include "fuzz.h"

#include <time.h>

static bool is_digits(const char *text) { return *text && strspn(text, "0123456789") == strlen(text); }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    fuzz_input in = {data, len_bytes};
    int64_t now_s = (int64_t)(fuzz_number(&in, 5) % 253402300800u); /* until the end of the year 9999 */
    char *text = calloc(1, in.len_bytes + 1), *again;
    char written[64];
    int64_t seconds, date_s;
    struct tm parts = {0};
    time_t t;

    if (in.len_bytes)
        memcpy(text, in.data, in.len_bytes);
    date_s = cw__http_date(text, in.len_bytes, now_s);
    seconds = cw__retry_after(text, in.len_bytes, now_s);
    DEMAND(seconds >= -1 && seconds <= CW__RETRY_AT_MOST_S);
    DEMAND((seconds >= 0) == (date_s != CW__NO_DATE || (is_digits(text) && strlen(text) == in.len_bytes)));
    if (date_s != CW__NO_DATE) {
        int64_t left_s = date_s > now_s ? date_s - now_s : 0;
        DEMAND(seconds == (left_s > CW__RETRY_AT_MOST_S ? CW__RETRY_AT_MOST_S : left_s));
        DEMAND(strlen(text) == in.len_bytes);
        t = (time_t)date_s;
        DEMAND(gmtime_r(&t, &parts));
        if (parts.tm_year + 1900 >= 1000 && parts.tm_year + 1900 <= 9999) { /* strftime does not pad years */
            (void)strftime(written, sizeof written, "%a, %d %b %Y %H:%M:%S GMT", &parts);
            DEMAND(cw__http_date(written, strlen(written), now_s) == date_s);
        }
        parts = (struct tm){0};
        again = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
        if (!again)
            again = strptime(text, "%a %b %e %H:%M:%S %Y", &parts);
        if (again && *again == '\0')
            DEMAND((int64_t)timegm(&parts) == date_s);
        else /* a year of two digits, which is at most 50 years ahead (a day more for leap years) */
            DEMAND(strchr(text, '-') && date_s <= now_s + (int64_t)50 * 366 * 86400);
    }
    free(text);
    return 0;
}

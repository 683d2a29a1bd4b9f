/* SPDX-License-Identifier: MIT */
/* Tests of retry.c, and of cw__reply_retry_after and cw__reply_is_empty in reply.c. The forms of dates are from RFC 9110
 * section 5.6.7. */
#include "harness.h"
#include "protocol/protocol.h"

enum { RFC = 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT */ };

static int64_t date_at(const char *text, int64_t now_s) { return cw__http_date(text, strlen(text), now_s); }
static int64_t date_of(const char *text) { return date_at(text, RFC); }
static int64_t after(const char *text) { return cw__retry_after(text, strlen(text), RFC); }

static void test_forms(void)
{
    CHECK_INT(date_of("Sun, 06 Nov 1994 08:49:37 GMT"), RFC);
    CHECK_INT(date_of("Sunday, 06-Nov-94 08:49:37 GMT"), RFC);
    CHECK_INT(date_of("Sun Nov  6 08:49:37 1994"), RFC);
    CHECK_INT(date_of("Wed Nov 16 08:49:37 1994"), RFC + 10 * 86400);
    CHECK_INT(date_of("Thu, 01 Jan 1970 00:00:00 GMT"), 0);
    CHECK_INT(date_of("Wed, 31 Dec 1969 23:59:59 GMT"), -1);
    CHECK_INT(date_of("Tue, 29 Feb 2000 00:00:00 GMT"), 951782400);
    CHECK_INT(date_of("Wed, 01 Mar 2000 00:00:00 GMT"), 951782400 + 86400);
    CHECK_INT(date_of("Mon, 01 Jan 2001 00:00:00 GMT"), 978307200);
    CHECK_INT(date_of("Saturday, 31-Dec-94 08:49:37 GMT"), RFC + 55 * 86400);
    CHECK_INT(date_of("Sat Dec 31 08:49:37 1994"), RFC + 55 * 86400);
    CHECK_INT(date_of("Sat, 31 Dec 2016 23:59:60 GMT"), 1483228800); /* a leap second */
    CHECK_INT(date_of("Fri, 31 Dec 9999 23:59:59 GMT"), 253402300799);
    CHECK_INT(date_of("Mon, 01 Jan 0001 00:00:00 GMT"), -62135596800);
}

/* A date more than 50 years ahead is in the past century. */
static void test_two_digits(void)
{
    CHECK_INT(date_at("Sunday, 06-Nov-94 08:49:37 GMT", 0), RFC);
    CHECK_INT(date_at("Saturday, 06-Nov-44 08:49:37 GMT", RFC), 2362034977); /* 2044 */
    CHECK_INT(date_at("Sunday, 06-Nov-44 08:49:38 GMT", RFC), -793725022);   /* 1944 */
    CHECK_INT(date_at("Tuesday, 29-Feb-00 00:00:00 GMT", RFC), 951782400);   /* 2000; 1900 has no such day */
    CHECK_INT(date_at("Sunday, 06-Nov-94 08:49:37 GMT", 3939871777), 3939871777);     /* 2094 */
    CHECK_INT(date_at("Sunday, 06-Nov-94 08:49:37 GMT", 253402300799), 253239727777); /* 9994 */
    /* exactly 50 years ahead, at the begin of a year */
    CHECK_INT(date_at("Friday, 01-Jan-44 00:00:00 GMT", 757296000), 2335219200);
    /* a clock that is far behind: 1900 and 1950. No date is in a century before */
    CHECK_INT(date_at("Friday, 31-Dec-99 00:00:00 GMT", -2208988800), 946598400);
    CHECK_INT(date_at("Monday, 31-Dec-00 00:00:00 GMT", -631238400), -2177539200); /* 1900 */
}

static void test_malformed(void)
{
    static const char *const wrong[] = {
        "",
        " ",
        "Sun",
        "sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 gmt",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        " Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Tue, 29 Feb 1900 08:49:37 GMT",
        "Tue, 29 Feb 2001 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:3: GMT",
        "Sun, 06 Nov 1994 08:49:3/ GMT",
        ", 06 Nov 1994 08:49:37 GMT",
        "Sun, 06  1994 08:49:37 GMT",
        "Sat, 32 Dec 1994 08:49:37 GMT",
        "Mon, 32 Jan 2000 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06 Nov 1994 08-49-37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun 06 Nov 1994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sunday, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37",
        "Sunday, 06-Nov-94 08:49:37 GMT ",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov   6 08:49:37 1994",
        "Sun Nov  0 08:49:37 1994",
        "Sun Nov 32 08:49:37 1994",
        "Sun Nov  6 08:49:37 94",
        "Sun Nov  6 08:49:37 1994 ",
        "Sun, 06 Nov 1994",
        "1994-11-06T08:49:37Z",
    };

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (date_of(wrong[i]) != CW__NO_DATE)
            CHECK_STR(wrong[i], "a date");
        CHECK_INT(after(wrong[i]), -1);
    }
    CHECK_INT(cw__http_date("Sun, 06 Nov 1994 08:49:37 GM\0", 29, RFC), CW__NO_DATE);
}

/* Each cut of a date is none. Nothing after the cut is read (AddressSanitizer). */
static void test_cuts(void)
{
    static const char *const dates[] = {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                                        "Sun Nov  6 08:49:37 1994"};

    for (size_t i = 0; i < sizeof dates / sizeof *dates; i++)
        for (size_t len = 0; len < strlen(dates[i]); len++) {
            char *part = malloc(len + 1);
            CHECK(part != NULL);
            memcpy(part + 1, dates[i], len);
            CHECK_INT(cw__http_date(part + 1, len, RFC), CW__NO_DATE);
            free(part);
        }
}

static void test_retry_after(void)
{
    CHECK_INT(after("0"), 0);
    CHECK_INT(after("120"), 120);
    CHECK_INT(after("007"), 7);
    CHECK_INT(after("2147483646"), INT32_MAX - 1);
    CHECK_INT(after("2147483647"), INT32_MAX - 1);
    CHECK_INT(after("99999999999999999999999999999999"), INT32_MAX - 1);
    CHECK_INT(after("Sun, 06 Nov 1994 08:49:37 GMT"), 0);
    CHECK_INT(after("Sun, 06 Nov 1994 08:49:38 GMT"), 1);
    CHECK_INT(after("Sunday, 06-Nov-94 09:49:37 GMT"), 3600);
    CHECK_INT(after("Sun Nov  6 08:50:37 1994"), 60);
    CHECK_INT(after("Sun, 06 Nov 1994 08:49:36 GMT"), 0); /* the past */
    CHECK_INT(after("Fri, 31 Dec 9999 23:59:59 GMT"), INT32_MAX - 1);
    CHECK_INT(after("-1"), -1);
    CHECK_INT(after("+1"), -1);
    CHECK_INT(after("1.5"), -1);
    CHECK_INT(after("1 "), -1);
    CHECK_INT(after("12a"), -1);
    CHECK_INT(after("1:"), -1);
    CHECK_INT(after("1/"), -1);
    CHECK_INT(cw__retry_after("1205", 3, RFC), 120); /* only so much of the text */
}

static void read_lines(cw__reply *r, const char *lines)
{
    CHECK(cw__reply_line(r, "HTTP/1.1 503 No\r\n", 17));
    while (*lines) {
        size_t len = strcspn(lines, "\n") + 1;
        CHECK(cw__reply_line(r, lines, len));
        lines += len;
    }
}

static int64_t of_reply(const char *lines)
{
    cw__reply r = {0};
    int64_t seconds;

    read_lines(&r, lines);
    seconds = cw__reply_retry_after(&r, RFC);
    cw__reply_destroy(&r);
    return seconds;
}

/* Whether a reply says that its body is empty (RFC 9112 section 6.3). */
static bool is_empty(const char *lines)
{
    cw__reply r = {0};
    bool result;

    read_lines(&r, lines);
    result = cw__reply_is_empty(&r);
    cw__reply_destroy(&r);
    return result;
}

static void test_empty(void)
{
    CHECK(is_empty("X: 1\r\ncontent-LENGTH: 0\r\n"));
    CHECK(!is_empty("X: 0\r\n"));
    CHECK(!is_empty("Content-Length: 1\r\n"));
    CHECK(!is_empty("Content-Length: 00\r\n")); /* rare enough to read the body */
    CHECK(!is_empty("Content-Length: 01\r\n"));
    CHECK(!is_empty("Content-Length: 10\r\n"));
    CHECK(!is_empty("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"));
}

static void test_reply(void)
{
    CHECK_INT(of_reply(""), -1);
    CHECK_INT(of_reply("X: 1\r\nretry-AFTER:  7 \r\nRetry-After: 9\r\n"), 7);
    CHECK_INT(of_reply("Retry-After: soon\r\n"), -1);
    CHECK_INT(of_reply("Retry-After: Sun, 06 Nov 1994 08:50:37 GMT\r\n"), 60);
    /* the server's own clock counts, if it says the time */
    CHECK_INT(of_reply("Date: Sun, 06 Nov 1994 08:50:30 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:50:37 GMT\r\n"),
              7);
    CHECK_INT(of_reply("Date: yesterday\r\nRetry-After: Sun, 06 Nov 1994 08:50:37 GMT\r\n"), 60);
    CHECK_INT(of_reply("Date: Sun, 06 Nov 1994 08:50:30 GMT\r\nRetry-After: 5\r\n"), 5);
}

static const harness_test tests[] = {
    {"RFC 9110 5.6.7: the three forms of a date", test_forms},
    {"RFC 9110 5.6.7: a year of two digits", test_two_digits},
    {"RFC 9110 5.6.7: what is no date", test_malformed},
    {"every cut of a date", test_cuts},
    {"RFC 9110 10.2.3: seconds and dates", test_retry_after},
    {"the headers of a reply", test_reply},
    {"RFC 9112 6.3: a reply with an empty body", test_empty},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

/* SPDX-License-Identifier: MIT */
/* Tests of reconnect.c, with a clock and a random generator of their own. */
#include "harness.h"
#include "protocol/protocol.h"

static const uint64_t all_bits = UINT64_MAX;

static cw_reconnect *make(void)
{
    cw_reconnect *r;

    CHECK_INT(cw_reconnect_create(&r), CW_OK);
    return r;
}

/* Returns a random number that makes the delay equal to this bound, if that is the bound. With half of it, the double
 * or the cap as the bound, the delay would be another. */
static uint64_t longest(int64_t bound_ms) { return 2 * (uint64_t)bound_ms + 1; }

static int64_t delay_of(cw_reconnect *r, int64_t now_ms, uint64_t random)
{
    int64_t delay_ms = -1;

    CHECK_INT(cw_reconnect_next(r, now_ms, random, -1, -1, &delay_ms), CW_RECONNECT_AGAIN);
    return delay_ms;
}

/* An attempt that fails at once. */
static void fail(cw_reconnect *r, int64_t now_ms)
{
    (void)cw_reconnect_attempt(r, now_ms);
    CHECK(!cw_reconnect_ended(r, now_ms));
}

static void test_codes(void)
{
    static const int retried[] = {1001, 1005, 1006, 1011, 1012, 1013, 1014};

    for (int code = 1000; code < 5000; code++) {
        bool expected = false;
        for (size_t i = 0; i < sizeof retried / sizeof *retried; i++)
            expected = expected || retried[i] == code;
        CHECK_INT(cw_reconnect_is_retried(code, 0, 0), expected);
    }
    CHECK(!cw_reconnect_is_retried(1000, 503, CW_WEB_ConnectionReset)); /* the close code decides */
    CHECK(!cw_reconnect_is_retried(1, 503, CW_WEB_ConnectionReset));
}

static void test_http(void)
{
    for (int status = 100; status < 700; status++)
        CHECK_INT(cw_reconnect_is_retried(0, status, CW_WEB_CannotConnect),
                  status == 429 || (status >= 500 && status <= 599));
    CHECK(!cw_reconnect_is_retried(0, 1, CW_WEB_CannotConnect));
    CHECK(!cw_reconnect_is_retried(0, 0, CW_WEB_Forbidden)); /* of a SOCKS proxy */
    CHECK(!cw_reconnect_is_retried(0, 0, CW_WEB_ProxyAuthenticationRequired));
    CHECK(cw_reconnect_is_retried(0, 0, CW_WEB_ServiceUnavailable));
}

static void test_network(void)
{
    static const int retried[] = {CW_WEB_Unknown,           CW_WEB_ServerUnreachable,  CW_WEB_Timeout,
                                  CW_WEB_ConnectionAborted, CW_WEB_ConnectionReset,    CW_WEB_Disconnected,
                                  CW_WEB_CannotConnect,     CW_WEB_HostNameNotResolved};

    for (int status = 0; status < 300; status++) {
        bool expected = false;
        for (size_t i = 0; i < sizeof retried / sizeof *retried; i++)
            expected = expected || retried[i] == status;
        CHECK_INT(cw_reconnect_is_retried(0, 0, status), expected);
    }
}

/* The bound of the delay doubles up to max_delay, and every delay from 0 to the bound is possible. */
static void test_backoff(void)
{
    static const int64_t bounds[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000};
    cw_reconnect *r = make();

    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        fail(r, 0);
        CHECK_INT(delay_of(r, 0, longest(bounds[i])), bounds[i]);
    }
    fail(r, 0);
    CHECK_INT(delay_of(r, 0, 60001), 0);
    CHECK_INT(delay_of(r, 0, 1234), 1234);
    CHECK(delay_of(r, 0, all_bits) <= 60000);
    for (int i = 0; i < 100; i++)
        CHECK(delay_of(r, 0, all_bits - (uint64_t)i) <= 60000);
    cw_reconnect_release(r);
}

static void test_bounds_that_are_set(void)
{
    cw_reconnect *r = make();

    CHECK_INT(cw_reconnect_set(r, CW_RECONNECT_FIRST_DELAY, 300), CW_OK);
    CHECK_INT(cw_reconnect_set(r, CW_RECONNECT_MAX_DELAY, 500), CW_OK);
    fail(r, 0);
    CHECK_INT(delay_of(r, 0, 300), 300);
    CHECK_INT(delay_of(r, 0, 500), 500);
    CHECK_INT(delay_of(r, 0, 501), 0);
    CHECK_INT(cw_reconnect_set(r, CW_RECONNECT_MAX_DELAY, 100), CW_OK); /* less than first_delay */
    CHECK_INT(delay_of(r, 0, 100), 100);
    CHECK_INT(delay_of(r, 0, 101), 0);
    cw_reconnect_release(r);
}

static void test_attempts_are_numbered(void)
{
    cw_reconnect *r = make();

    CHECK_INT(cw_reconnect_attempt(r, 0), 1);
    CHECK_INT(cw_reconnect_opened(r, 0, 0), -1);
    CHECK(cw_reconnect_ended(r, 20000));
    CHECK_INT(cw_reconnect_attempt(r, 20000), 2); /* a new series goes on counting */
    CHECK_INT(cw_reconnect_attempt(r, 20000), 3);
    cw_reconnect_release(r);
}

/* Only a connection that was open for stable_after begins a new series. */
static void test_stable(void)
{
    cw_reconnect *r = make();

    for (int i = 0; i < 3; i++) {
        fail(r, 0);
        (void)delay_of(r, 0, 0);
    }
    (void)cw_reconnect_attempt(r, 1000);
    (void)cw_reconnect_opened(r, 1000, 0);
    CHECK(!cw_reconnect_ended(r, 10999));
    CHECK_INT(delay_of(r, 10999, longest(8000)), 8000);
    (void)cw_reconnect_attempt(r, 20000);
    (void)cw_reconnect_opened(r, 20000, 0);
    CHECK(cw_reconnect_ended(r, 30000));
    CHECK_INT(delay_of(r, 30000, longest(1000)), 1000);
    (void)cw_reconnect_attempt(r, 50000); /* it does not open, so the time since the last one does not count */
    CHECK(!cw_reconnect_ended(r, 90000));
    CHECK_INT(delay_of(r, 90000, longest(2000)), 2000);
    cw_reconnect_release(r);
}

/* A connection has one end, and without a connection there is nothing that could be stable. */
static void test_ends_without_connection(void)
{
    cw_reconnect *r = make();

    CHECK(!cw_reconnect_ended(r, 20000)); /* before the first attempt */
    (void)cw_reconnect_attempt(r, 20000);
    (void)cw_reconnect_opened(r, 20000, 0);
    CHECK(cw_reconnect_ended(r, 40000));
    CHECK(!cw_reconnect_ended(r, 60000));
    (void)cw_reconnect_attempt(r, 60000);
    (void)cw_reconnect_opened(r, 60000, 0);
    (void)cw_reconnect_attempt(r, 60000); /* this attempt replaces the connection */
    CHECK(!cw_reconnect_ended(r, 80000));
    cw_reconnect_release(r);
}

static uint64_t mix(uint64_t *seed)
{
    uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* A server that accepts each connection, greets, and closes it at once gets a few attempts in a minute. */
static void test_no_hammering(void)
{
    uint64_t seed = 1;

    for (int run = 0; run < 200; run++) {
        cw_reconnect *r = make();
        int64_t now_ms = 0;
        int count = 0, in_first_second = 0;
        while (now_ms < 60000) {
            (void)cw_reconnect_attempt(r, now_ms);
            (void)cw_reconnect_opened(r, now_ms, 0);
            CHECK(!cw_reconnect_ended(r, now_ms));
            count++;
            in_first_second += now_ms < 1000;
            now_ms += delay_of(r, now_ms, mix(&seed));
        }
        CHECK(count <= 30);
        CHECK(in_first_second <= 10);
        cw_reconnect_release(r);
    }
}

static void test_max_attempts(void)
{
    cw_reconnect *r = make();
    int64_t delay_ms = -1;
    char text[200];

    CHECK_INT(cw_reconnect_set(r, CW_RECONNECT_MAX_ATTEMPTS, 2), CW_OK);
    fail(r, 0);
    (void)delay_of(r, 0, 0);
    fail(r, 0);
    CHECK_INT(cw_reconnect_next(r, 0, 5, -1, -1, &delay_ms), CW_RECONNECT_NO_ATTEMPTS);
    CHECK_INT(delay_ms, 0);
    cw_reconnect_explain(r, CW_RECONNECT_NO_ATTEMPTS, text, sizeof text);
    CHECK_STR(text, "gave up after 2 attempts in a row (max_attempts)");
    (void)cw_reconnect_attempt(r, 0);
    (void)cw_reconnect_opened(r, 0, 0);
    CHECK(cw_reconnect_ended(r, 10000)); /* a stable connection gives all attempts back */
    (void)delay_of(r, 10000, 0);
    fail(r, 10000);
    (void)delay_of(r, 10000, 0);
    fail(r, 10000);
    CHECK_INT(cw_reconnect_next(r, 10000, 0, -1, -1, &delay_ms), CW_RECONNECT_NO_ATTEMPTS);
    cw_reconnect_release(r);
}

static void test_max_elapsed(void)
{
    cw_reconnect *r = make();
    int64_t delay_ms = -1;
    char text[200];

    CHECK_INT(cw_reconnect_set(r, CW_RECONNECT_MAX_ELAPSED, 5000), CW_OK);
    fail(r, 100000);                            /* the time counts from here */
    CHECK_INT(delay_of(r, 104000, 1000), 1000); /* the attempt begins at exactly 5 s */
    fail(r, 104001);
    CHECK_INT(cw_reconnect_next(r, 104001, 1000, -1, -1, &delay_ms), CW_RECONNECT_NO_TIME);
    CHECK_INT(delay_ms, 0);
    cw_reconnect_explain(r, CW_RECONNECT_NO_TIME, text, sizeof text);
    CHECK_STR(text, "gave up after 2 attempts in a row: the next one would come later than 5 s after the first "
                    "(max_elapsed)");
    CHECK_INT(cw_reconnect_next(r, 104001, 0, -1, 2, &delay_ms), CW_RECONNECT_NO_TIME);
    (void)cw_reconnect_attempt(r, 104001);
    (void)cw_reconnect_opened(r, 104001, 0);
    CHECK(cw_reconnect_ended(r, 200000)); /* the time counts from the end of a stable connection */
    CHECK_INT(delay_of(r, 200000, 999), 999);
    cw_reconnect_explain(r, CW_RECONNECT_AGAIN, text, sizeof text);
    CHECK_STR(text, "");
    text[0] = 'x';
    cw_reconnect_explain(r, CW_RECONNECT_AGAIN, text, 1);
    CHECK_STR(text, "");
    cw_reconnect_explain(r, CW_RECONNECT_AGAIN, NULL, 0);
    CHECK_INT(cw_reconnect_set(r, CW_RECONNECT_MAX_ELAPSED, 0), CW_OK); /* only an attempt at once */
    CHECK_INT(delay_of(r, 200000, 0), 0);
    CHECK_INT(cw_reconnect_next(r, 200001, 0, -1, -1, &delay_ms), CW_RECONNECT_NO_TIME);
    cw_reconnect_release(r);
}

static void test_retry_after(void)
{
    cw_reconnect *r = make();
    int64_t delay_ms;

    fail(r, 0);
    CHECK_INT(cw_reconnect_next(r, 0, 700, -1, 120, &delay_ms), CW_RECONNECT_AGAIN);
    CHECK_INT(delay_ms, 120700);
    CHECK_INT(cw_reconnect_next(r, 0, 0, -1, 0, &delay_ms), CW_RECONNECT_AGAIN);
    CHECK_INT(delay_ms, 0);
    CHECK_INT(cw_reconnect_next(r, 0, 0, -1, INT32_MAX - 1, &delay_ms), CW_RECONNECT_AGAIN);
    CHECK_INT(delay_ms, 3600 * 1000);
    CHECK_INT(cw_reconnect_next(r, 0, 0, 50, 2, &delay_ms), CW_RECONNECT_AGAIN);
    CHECK_INT(delay_ms, 2000);
    CHECK_INT(cw_reconnect_next(r, 0, 0, 3000, 2, &delay_ms), CW_RECONNECT_AGAIN);
    CHECK_INT(delay_ms, 3000);
    cw_reconnect_release(r);
}

static void test_given_delays(void)
{
    cw_reconnect *r = make();
    int64_t delay_ms;

    fail(r, 0);
    CHECK_INT(cw_reconnect_next(r, 0, all_bits, 0, -1, &delay_ms), CW_RECONNECT_AGAIN);
    CHECK_INT(delay_ms, 0);
    CHECK_INT(cw_reconnect_next(r, 0, all_bits, 90000, -1, &delay_ms), CW_RECONNECT_AGAIN);
    CHECK_INT(delay_ms, 90000); /* max_delay limits the backoff only */
    cw_reconnect_release(r);
}

/* A renewal is at once after a stable connection, and never gives up. A loop of renewals gets the backoff. */
static void test_renew(void)
{
    cw_reconnect *r = make();

    CHECK_INT(cw_reconnect_set(r, CW_RECONNECT_MAX_ATTEMPTS, 1), CW_OK);
    for (int64_t bound = 1000; bound <= 8000; bound *= 2) {
        (void)cw_reconnect_attempt(r, 0);
        (void)cw_reconnect_opened(r, 0, 0);
        CHECK(!cw_reconnect_ended(r, 10));
        CHECK_INT(cw_reconnect_renew(r, longest(bound)), bound);
    }
    (void)cw_reconnect_attempt(r, 0);
    (void)cw_reconnect_opened(r, 0, 0);
    CHECK(cw_reconnect_ended(r, 10000));
    CHECK_INT(cw_reconnect_renew(r, 77), 0);
    cw_reconnect_release(r);
}

static void test_max_age(void)
{
    cw_reconnect *r = make();

    CHECK_INT(cw_reconnect_set(r, CW_RECONNECT_MAX_AGE, 60000), CW_OK);
    (void)cw_reconnect_attempt(r, 1000);
    CHECK_INT(cw_reconnect_opened(r, 2000, 0), 62000);
    CHECK_INT(cw_reconnect_opened(r, 2000, 6000), 56000);
    CHECK_INT(cw_reconnect_opened(r, 2000, 6001), 62000);
    CHECK_INT(cw_reconnect_set(r, CW_RECONNECT_MAX_AGE, 1), CW_OK);
    CHECK_INT(cw_reconnect_opened(r, 2000, all_bits), 2001);
    CHECK_INT(cw_reconnect_set(r, CW_RECONNECT_MAX_AGE, -1), CW_OK);
    CHECK_INT(cw_reconnect_opened(r, 2000, 5), -1);
    cw_reconnect_release(r);
}

static void test_settings(void)
{
    cw_reconnect *r = make();

    CHECK_INT(cw_reconnect_set(r, CW_RECONNECT_COUNT, 0), CW_INVALID_ARGUMENT);
    CHECK_STR(cw_error_message(),
              "there is no setting of reconnecting with the number 6: use the number of a setting");
    CHECK_INT(cw_reconnect_set(r, CW_RECONNECT_MAX_ATTEMPTS, 0), CW_INVALID_ARGUMENT);
    CHECK_STR(cw_error_message(),
              "max_attempts cannot be 0: the least is 1, the most is 2147483647; -1: no limit");
    CHECK_INT(cw_reconnect_set(r, CW_RECONNECT_MAX_ATTEMPTS, -2), CW_INVALID_ARGUMENT);
    CHECK_INT(cw_reconnect_set(r, CW_RECONNECT_MAX_ATTEMPTS, -1), CW_OK);
    CHECK_INT(cw_reconnect_set(r, CW_RECONNECT_FIRST_DELAY, -1), CW_INVALID_ARGUMENT);
    CHECK_STR(cw_error_message(), "first_delay cannot be -1: the least is 1, the most is 2147483647");
    CHECK_INT(cw_reconnect_set(r, CW_RECONNECT_FIRST_DELAY, (int64_t)INT32_MAX + 1), CW_INVALID_ARGUMENT);
    CHECK_INT(cw_reconnect_set(r, CW_RECONNECT_FIRST_DELAY, INT32_MAX), CW_OK);
    cw_reconnect_release(r);
    cw_reconnect_release(NULL);
}

static void test_no_memory(void)
{
    cw_reconnect *r;

    cw__alloc_fail_at(0);
    CHECK_INT(cw_reconnect_create(&r), CW_NO_MEMORY);
    CHECK(r == NULL);
    CHECK_STR(cw_error_message(), "no memory for the rules of reconnecting: free memory and call again");
    CHECK_INT(cw__alloc_live(), 0);
}

static void test_clock_and_random(void)
{
    int64_t before_ms = cw_now_ms();

    CHECK(before_ms > 0);
    CHECK(cw_now_ms() >= before_ms);
    CHECK(cw_random_number() != cw_random_number());
}

static const harness_test tests[] = {
    {"which close codes are retried", test_codes},
    {"which HTTP statuses are retried", test_http},
    {"which failures of the network are retried", test_network},
    {"the delay is random up to a bound that doubles up to a cap", test_backoff},
    {"both bounds can be set", test_bounds_that_are_set},
    {"attempts are numbered from 1", test_attempts_are_numbered},
    {"only a stable connection begins a new series", test_stable},
    {"an end without a connection is not the end of a stable one", test_ends_without_connection},
    {"a server that accepts and closes at once is not flooded", test_no_hammering},
    {"max_attempts counts the attempts of a series", test_max_attempts},
    {"max_elapsed limits when the last attempt begins", test_max_elapsed},
    {"Retry-After lengthens the delay, up to an hour", test_retry_after},
    {"a delay of the program replaces the backoff", test_given_delays},
    {"a renewal on purpose is at once after a stable connection", test_renew},
    {"max_age renews up to a tenth earlier", test_max_age},
    {"the settings have ranges", test_settings},
    {"without memory there are no rules", test_no_memory},
    {"the clock and the random numbers for the rules", test_clock_and_random},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

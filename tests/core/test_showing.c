/* SPDX-License-Identifier: MIT */
/* Tests of showing.c alone: which connections may send their request, and what libcurl is told after an error of the
 * server's certificate that the program ignores. */
#include "chains.h"
#include "curl_play.h"

/* Passes the server's Certificate message, as libcurl does. */
static void show(cw__handshake *h, const char *subject, const char *issuer)
{
    made_chain chain;
    curl_debug_callback on_debug;

    chain_begin(&chain);
    chain_add(&chain, subject, issuer);
    memcpy(&on_debug, &find(CURLOPT_DEBUGFUNCTION)->is, sizeof on_debug);
    CHECK_INT(on_debug(NULL, CURLINFO_SSL_DATA_IN, (char *)chain.message, chain.bytes, h), 0);
}

/* Asks whether the connection may send its request, as libcurl does. */
static bool may_send(cw__handshake *h)
{
    curl_prereq_callback on_request;

    CHECK(find(CURLOPT_PREREQFUNCTION) && find(CURLOPT_PREREQDATA)->is.pointer == h);
    memcpy(&on_request, &find(CURLOPT_PREREQFUNCTION)->is, sizeof on_request);
    return on_request(h, NULL, NULL, 0, 0) == CURL_PREREQFUNC_OK;
}

static cw__handshake *begin(unsigned ignorable, bool asks)
{
    wish_nothing();
    wishes.ignorable = ignorable;
    wishes.asks = asks;
    return made("wss://server.test/", NULL);
}

static void begin_again(cw__handshake *h)
{
    size_t len_bytes;

    cw__free(cw__handshake_release_chain(h, &len_bytes));
    cw__handshake_restart(h, NULL);
}

static void test_question(void)
{
    cw__handshake *h = begin(0, true);

    show(h, "leaf", "root");
    CHECK(!may_send(h) && cw__handshake_asks(h));
    CHECK(!may_send(h) && !cw__handshake_asks(h)); /* a transfer shows its certificate once */
    cw__handshake_destroy(h);
    for (int is_same = 0; is_same < 2; is_same++) {
        h = begin(0, true);
        show(h, "leaf", "root");
        CHECK(!may_send(h) && cw__handshake_asks(h));
        begin_again(h);
        cw__handshake_accept(h);
        show(h, is_same ? "leaf" : "lead", "root");
        CHECK_INT(may_send(h), is_same);
        CHECK_INT(h->showing, is_same ? CW__SHOWING_ACCEPTED : CW__SHOWING_CHANGED);
        cw__handshake_destroy(h);
    }
    h = begin(0, true);
    CHECK(!may_send(h)); /* no certificate came */
    CHECK_INT(h->showing, CW__SHOWING_CHANGED);
    cw__handshake_destroy(h);
    h = begin(0, true);
    cw__handshake_accept(h); /* before anything was shown */
    show(h, "leaf", "root");
    CHECK(!may_send(h));
    cw__handshake_destroy(h);
}

static const char *blob_of(void) { return find(CURLOPT_CAINFO_BLOB) ? "set" : "not set"; }

/* Each error that is listed is ignored once, by exactly one option. */
static void test_ignore(void)
{
    cw__handshake *h = begin(CW__IGNORABLE, false);

    CHECK(!find(CURLOPT_PREREQFUNCTION));
    CHECK_INT(number_of(CURLOPT_SSL_VERIFYHOST), 2);
    show(h, "self", "self");
    CHECK(!cw__handshake_ignore(h, CW_CHAIN_Success) && !cw__handshake_ignore(h, CW_CHAIN_Expired));
    CHECK_INT(cw__handshake_ignored(h), 0);
    CHECK(cw__handshake_ignore(h, CW_CHAIN_Untrusted));
    CHECK_STR(blob_of(), "set");
    CHECK_INT(number_of(CURLOPT_SSL_VERIFYHOST), 2);
    CHECK_INT(number_of(CURLOPT_SSL_VERIFYPEER), 1);
    begin_again(h);
    show(h, "self", "self");
    CHECK(!cw__handshake_ignore(h, CW_CHAIN_Untrusted));
    CHECK(cw__handshake_ignore(h, CW_CHAIN_InvalidName));
    CHECK_INT(number_of(CURLOPT_SSL_VERIFYHOST), 0);
    CHECK_INT(number_of(CURLOPT_SSL_VERIFYPEER), 1);
    CHECK_INT(cw__handshake_ignored(h), 1 << CW_CHAIN_Untrusted | 1 << CW_CHAIN_InvalidName);
    begin_again(h);
    show(h, "self", "self");
    CHECK(may_send(h));
    CHECK_INT(h->showing, CW__SHOWING_NONE);
    cw__handshake_destroy(h);
    h = begin(1 << CW_CHAIN_Untrusted, false);
    show(h, "self", "self");
    CHECK(!cw__handshake_ignore(h, CW_CHAIN_InvalidName));
    CHECK(!cw__handshake_ignore(h, CW_CHAIN_IncompleteChain));
    CHECK_INT(number_of(CURLOPT_SSL_VERIFYHOST), 2);
    CHECK_STR(blob_of(), "not set");
    cw__handshake_destroy(h);
}

/* A certificate whose error is ignored is the only one that gets the request. */
static void test_changed(void)
{
    cw__handshake *h = begin(CW__IGNORABLE, false);

    show(h, "leaf", "root");
    CHECK(cw__handshake_ignore(h, CW_CHAIN_IncompleteChain));
    begin_again(h);
    show(h, "lead", "root");
    CHECK(!cw__handshake_ignore(h, CW_CHAIN_InvalidName));
    CHECK_INT(number_of(CURLOPT_SSL_VERIFYHOST), 2);
    CHECK(!may_send(h));
    CHECK_INT(h->showing, CW__SHOWING_CHANGED);
    cw__handshake_destroy(h);
    h = begin(CW__IGNORABLE, false);
    CHECK(!cw__handshake_ignore(h, CW_CHAIN_InvalidName)); /* no certificate came */
    cw__handshake_destroy(h);
}

/* The program answers after everything that is ignored. After its answer nothing more is. */
static void test_ignore_and_ask(void)
{
    cw__handshake *h = begin(CW__IGNORABLE, true);

    show(h, "self", "self");
    CHECK(cw__handshake_ignore(h, CW_CHAIN_Untrusted));
    begin_again(h);
    show(h, "self", "self");
    CHECK(!may_send(h) && cw__handshake_asks(h));
    begin_again(h);
    cw__handshake_accept(h);
    show(h, "self", "self");
    CHECK(!cw__handshake_ignore(h, CW_CHAIN_InvalidName));
    CHECK(may_send(h));
    cw__handshake_destroy(h);
    h = begin(CW__IGNORABLE, true);
    show(h, "self", "self");
    CHECK(cw__handshake_ignore(h, CW_CHAIN_Untrusted));
    begin_again(h);
    show(h, "others", "self");
    CHECK(!may_send(h) && !cw__handshake_asks(h));
    cw__handshake_destroy(h);
}

/* With a list of revoked certificates libcurl takes no end that is not a root. */
static void test_revocation(void)
{
    cw__handshake *h;

    for (int error = CW_CHAIN_Untrusted; error <= CW_CHAIN_InvalidName; error++) {
        bool is_good = error == CW_CHAIN_Untrusted || error == CW_CHAIN_InvalidName;
        wish_nothing();
        wishes.ignorable = CW__IGNORABLE;
        wishes.crl_file = "/x/crl.pem";
        h = made("wss://server.test/", NULL);
        show(h, error == CW_CHAIN_IncompleteChain ? "leaf" : "root", "root");
        CHECK_INT(cw__handshake_ignore(h, error), is_good);
        cw__handshake_destroy(h);
    }
    for (int is_first = 0; is_first < 2; is_first++) { /* without such an end nothing is trusted */
        h = begin(CW__IGNORABLE, false);
        show(h, is_first ? "leaf" : "root", "root");
        CHECK(!cw__handshake_ignore(h, is_first ? CW_CHAIN_Untrusted : CW_CHAIN_IncompleteChain));
        CHECK_STR(blob_of(), "not set");
        CHECK_INT(cw__handshake_ignored(h), 0);
        cw__handshake_destroy(h);
    }
}

/* If libcurl refuses an option, the error stands. */
static void test_refused_options(void)
{
    static const cw_chain_result errors[] = {CW_CHAIN_Untrusted, CW_CHAIN_InvalidName};

    for (size_t i = 0; i < 2; i++)
        for (size_t n = 0; n < 3; n++) {
            cw__handshake *h = begin(CW__IGNORABLE, false);
            show(h, "self", "self");
            fail_at = setting_count + n;
            fail_with = CURLE_UNKNOWN_OPTION;
            CHECK(!cw__handshake_ignore(h, (int)errors[i]));
            CHECK_INT(cw__handshake_ignored(h), 0);
            fail_at = SIZE_MAX;
            cw__handshake_destroy(h);
        }
}

static bool ignore_once(void *given)
{
    cw__handshake *h = given;
    size_t len_bytes;
    bool is_done;

    show(h, "self", "self");
    is_done = cw__handshake_ignore(h, CW_CHAIN_Untrusted);
    CHECK_INT(cw__handshake_ignored(h) != 0, is_done);
    h->ignored = 0;
    cw__free(cw__handshake_release_chain(h, &len_bytes));
    cw__free(h->certificate);
    h->certificate = NULL;
    return is_done;
}

static void test_no_memory(void)
{
    cw__handshake *h = begin(CW__IGNORABLE, false);

    each_allocation_fails(ignore_once, h);
    cw__handshake_destroy(h);
}

/* A message that is no Certificate message is not kept, and only the first one is. */
static void test_keep(void)
{
    cw__handshake *h = begin(0, false);
    char other[] = "no message";
    uint8_t *chain;
    size_t len_bytes;

    cw__showing_keep(h, other, strlen(other));
    chain = cw__handshake_release_chain(h, &len_bytes);
    CHECK(!chain && len_bytes == 0);
    show(h, "leaf", "root");
    show(h, "another leaf", "root");
    chain = cw__handshake_release_chain(h, &len_bytes);
    CHECK(chain && memmem(chain, len_bytes, "leaf", 4) && !memmem(chain, len_bytes, "another", 7));
    cw__free(chain);
    CHECK(!cw__handshake_release_chain(h, &len_bytes));
    CHECK_INT(len_bytes, 0);
    cw__handshake_destroy(h);
}

static const harness_test tests[] = {
    {"the question", test_question},
    {"an error that is ignored", test_ignore},
    {"a certificate that has changed", test_changed},
    {"the question after an error that is ignored", test_ignore_and_ask},
    {"no end to trust, and lists of revoked certificates", test_revocation},
    {"an option that libcurl refuses", test_refused_options},
    {"each allocation fails once", test_no_memory},
    {"the certificates that are kept", test_keep},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

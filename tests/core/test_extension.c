/* SPDX-License-Identifier: MIT */
/* Tests of extension.c on texts (RFC 7692 section 7.1): each offer, and each answer to it. test_handshake_vectors.c
 * tests whole replies. */
#include "harness.h"

#define NAME "permessage-deflate"

static void test_offers(void)
{
    static const struct {
        cw__compression offer;
        const char *wanted;
    } offers[] = {
        {{.server_bits = 15, .client_bits = 15}, NAME "; client_max_window_bits"},
        {{.server_bits = 14, .client_bits = 15}, NAME "; server_max_window_bits=14; client_max_window_bits"},
        {{.server_bits = 15, .client_bits = 14}, NAME "; client_max_window_bits=14"},
        {{.server_bits = 15, .client_bits = 15, .server_resets = true},
         NAME "; server_no_context_takeover; client_max_window_bits"},
        {{.server_bits = 15, .client_bits = 15, .client_resets = true},
         NAME "; client_no_context_takeover; client_max_window_bits"},
        {{.server_bits = 10, .client_bits = 10, .server_resets = true, .client_resets = true},
         NAME "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10; "
              "client_max_window_bits=10"},
        {{.server_bits = 8, .client_bits = 8}, NAME "; server_max_window_bits=8; client_max_window_bits=8"},
    };

    for (size_t i = 0; i < sizeof offers / sizeof *offers; i++) {
        char text[CW__OFFER_BYTES];
        memset(text, 'x', sizeof text);
        cw__compression_offer(&offers[i].offer, text);
        CHECK_STR(text, offers[i].wanted);
    }
}

/* Reads an answer in a block of exactly its length, so that a sanitizer reports a read beyond it. */
static const char *answer(const cw__compression *offer, const char *text, cw__compression *terms)
{
    size_t len = strlen(text);
    char *exact = malloc(len); /* from the C library, because the test counts the core's blocks */
    const char *fault;

    CHECK(exact != NULL);
    memcpy(exact, text, len);
    memset(terms, 0xff, sizeof *terms);
    fault = cw__compression_answer(offer, exact, len, terms);
    free(exact);
    return fault;
}

static const cw__compression all = {.server_bits = 15, .client_bits = 15};

static void expect(const cw__compression *offer, const char *text, cw__compression wanted)
{
    cw__compression terms;
    const char *fault = answer(offer, text, &terms);

    CHECK_STR(fault ? fault : "", "");
    CHECK(terms.is_on);
    CHECK_INT(terms.server_bits, wanted.server_bits);
    CHECK_INT(terms.client_bits, wanted.client_bits);
    CHECK_INT(terms.server_resets, wanted.server_resets);
    CHECK_INT(terms.client_resets, wanted.client_resets);
}

static void refuse(const cw__compression *offer, const char *text, const char *why)
{
    cw__compression terms;
    const char *fault = answer(offer, text, &terms);

    CHECK(fault != NULL);
    CHECK(strstr(fault, why) != NULL);
}

static void test_names(void)
{
    expect(&all, NAME, all);
    expect(&all, " \t" NAME " \t", all);
    refuse(&all, "", "not offered");
    refuse(&all, " ", "not offered");
    refuse(&all, "permessage-deflat", "not offered");
    refuse(&all, NAME "x", "not offered");
    refuse(&all, "permessage-Deflate", "not offered");
    refuse(&all, "x-webkit-deflate-fram", "not offered");
    refuse(&all, NAME ", " NAME, "more extensions");
    refuse(&all, NAME " \t,", "more extensions");
    refuse(&all, NAME " x", "malformed");
    refuse(&all, NAME " =", "malformed");
    refuse(&all, NAME ";", "unknown parameter");
    refuse(&all, NAME "; ;", "unknown parameter");
    refuse(&all, NAME "; server_no_context_takeove", "unknown parameter");
    refuse(&all, NAME "; server_no_context_takeovers", "unknown parameter");
    refuse(&all, NAME "; Server_no_context_takeover", "unknown parameter");
    refuse(&all, NAME "; x=1", "unknown parameter");
}

static void test_parameters(void)
{
    expect(&all, NAME "; server_no_context_takeover",
           (cw__compression){.server_bits = 15, .client_bits = 15, .server_resets = true});
    expect(&all, NAME ";client_no_context_takeover",
           (cw__compression){.server_bits = 15, .client_bits = 15, .client_resets = true});
    expect(&all, NAME " ;\tserver_max_window_bits =\t10 ; client_max_window_bits = \"9\" ",
           (cw__compression){.server_bits = 10, .client_bits = 9});
    expect(
        &all,
        NAME "; client_max_window_bits=15; server_max_window_bits=8; client_no_context_takeover;"
             "server_no_context_takeover",
        (cw__compression){.server_bits = 8, .client_bits = 15, .server_resets = true, .client_resets = true});
    refuse(&all, NAME "; server_no_context_takeover; server_no_context_takeover", "parameter twice");
    refuse(&all, NAME "; client_no_context_takeover; client_no_context_takeover", "parameter twice");
    refuse(&all, NAME "; server_max_window_bits=10; server_max_window_bits=10", "parameter twice");
    refuse(&all, NAME "; client_max_window_bits=10; client_max_window_bits=9", "parameter twice");
    refuse(&all, NAME "; server_no_context_takeover; client_no_context_takeover; server_no_context_takeover",
           "parameter twice");
    refuse(&all, NAME "; server_no_context_takeover x", "malformed");
    refuse(&all, NAME "; server_max_window_bits=a", "bad value");
    refuse(&all, NAME "; server_max_window_bits=\"8;", "bad value");
    refuse(&all, NAME "; server_no_context_takeover=1", "bad value");
    refuse(&all, NAME "; client_no_context_takeover=", "bad value");
    refuse(&all, NAME "; server_max_window_bits", "bad value");
    refuse(&all, NAME "; client_max_window_bits", "bad value");
}

/* RFC 7692 section 7.1.2: a number of 8 to 15 without leading zeros. RFC 6455 section 9.1: it may be quoted. */
static void test_bits(void)
{
    static const char *const bad[] = {"",     "0",     "1",      "7",   "08", "010", "9a",     "a9",      "-9",
                                      "1a",   "1!",    "100",    "150", "a",  "!",   "\"\"",   "\"10",    "\"",
                                      "\"8x", "\"7\"", "\"16\"", "1 0", "2",  "99",  "\"9 \"", "\"8\\\"", "1+"};
    char text[64];

    for (unsigned bits = 0; bits < 30; bits++)
        for (int is_quoted = 0; is_quoted < 2; is_quoted++) {
            const char *quote = is_quoted ? "\"" : "";
            (void)snprintf(text, sizeof text, NAME "; server_max_window_bits=%s%u%s", quote, bits, quote);
            if (bits >= 8 && bits <= 15)
                expect(&all, text, (cw__compression){.server_bits = (uint8_t)bits, .client_bits = 15});
            else
                refuse(&all, text, "bad value");
            (void)snprintf(text, sizeof text, NAME "; client_max_window_bits=%s%u%s", quote, bits, quote);
            if (bits >= 8 && bits <= 15)
                expect(&all, text, (cw__compression){.server_bits = 15, .client_bits = (uint8_t)bits});
            else
                refuse(&all, text, "bad value");
        }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cw__compression terms;
        (void)snprintf(text, sizeof text, NAME "; server_max_window_bits=%s", bad[i]);
        CHECK(answer(&all, text, &terms) != NULL);
    }
}

/* RFC 7692 sections 7.1.1, 7.1.2: an answer that does not match the offer is refused. */
static void test_answers_to_offers(void)
{
    static const cw__compression resets = {.server_bits = 15, .client_bits = 15, .server_resets = true},
                                 own_resets = {.server_bits = 15, .client_bits = 15, .client_resets = true},
                                 server_10 = {.server_bits = 10, .client_bits = 15},
                                 client_10 = {.server_bits = 15, .client_bits = 10};

    refuse(&resets, NAME, "server_no_context_takeover");
    refuse(&resets, NAME "; client_no_context_takeover", "server_no_context_takeover");
    expect(&resets, NAME "; server_no_context_takeover", resets);
    expect(&own_resets, NAME, own_resets);
    expect(&own_resets, NAME "; client_no_context_takeover", own_resets);
    refuse(&server_10, NAME, "server_max_window_bits is missing or larger");
    refuse(&server_10, NAME "; server_max_window_bits=11", "server_max_window_bits is missing or larger");
    expect(&server_10, NAME "; server_max_window_bits=10", server_10);
    expect(&server_10, NAME "; server_max_window_bits=9",
           (cw__compression){.server_bits = 9, .client_bits = 15});
    expect(&client_10, NAME, client_10);
    expect(&client_10, NAME "; client_max_window_bits=10", client_10);
    expect(&client_10, NAME "; client_max_window_bits=8",
           (cw__compression){.server_bits = 15, .client_bits = 8});
    refuse(&client_10, NAME "; client_max_window_bits=11", "client_max_window_bits is larger");
}

static const harness_test tests[] = {
    {"RFC 7692 7.1: the offers", test_offers},
    {"RFC 7692 7.1: names of the extension and of its parameters", test_names},
    {"RFC 7692 7.1: parameters, once each, with a value or without", test_parameters},
    {"RFC 7692 7.1.2: numbers of bits", test_bits},
    {"RFC 7692 7.1.1, 7.1.2: an answer keeps to its offer", test_answers_to_offers},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

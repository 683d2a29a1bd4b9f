/* SPDX-License-Identifier: MIT */
/* Tests of ignorable.c: the names of the errors that a program may ignore, and the ends of a chain that then count as
 * trusted. test_showing.c tests what libcurl is told, and test_question.c tests real connections. */
#include "chains.h"

static const char key[] = "the_control";

static void check_has(const char *text, const char *words)
{
    if (!strstr(text, words))
        CHECK_STR(text, words);
}

static void test_names(void)
{
    static const char *const wrong[] = {"", "untrusted", "Untruste", "UntrustedX", "Expired,", "7"};
    unsigned all = 0;

    for (int i = 0; cw_chain_result_name(i); i++) {
        const char *name = cw_chain_result_name(i);
        bool is_good = strcmp(name, "Untrusted") == 0 || strcmp(name, "IncompleteChain") == 0 ||
                       strcmp(name, "InvalidName") == 0;
        CHECK_INT(cw__ignorable_check(key, name, strlen(name)), is_good ? CW_OK : CW_INVALID_ARGUMENT);
        CHECK_INT(cw__ignorable_read(name), is_good ? 1u << i : 0);
        if (is_good)
            all |= 1u << i;
        else
            CHECK(strncmp(cw_error_message(), "the_control cannot have ", 24) == 0 &&
                  strstr(cw_error_message(), name));
    }
    CHECK_INT(all, CW__IGNORABLE);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK_INT(cw__ignorable_check(key, wrong[i], strlen(wrong[i])), CW_INVALID_ARGUMENT);
        check_has(cw_error_message(),
                  "the_control has an item that names no error of a certificate: use Untrusted,");
    }
    CHECK_INT(cw__ignorable_check(key, "UntrustedX", 9), CW_OK); /* the length counts, not a NUL */
}

/* What to do instead. */
static void test_reasons(void)
{
    static const struct {
        const char *name, *words;
    } rows[] = {{"Success", "which is no error: leave it out"},
                {"OtherErrors", "any other fault: leave it out"},
                {"Revoked", "unset crl_file to check none"},
                {"RevocationInformationMissing", "unset crl_file to check none"},
                {"RevocationFailure", "unset crl_file to check none"},
                {"Expired", "set verify to false, and check the certificate in"},
                {"WrongUsage", "cannot leave out that check alone: set verify to false"}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK_INT(cw__ignorable_check(key, rows[i].name, strlen(rows[i].name)), CW_INVALID_ARGUMENT);
        check_has(cw_error_message(), rows[i].words);
    }
}

static void test_lists(void)
{
    char names[CW__CHAIN_RESULTS_BYTES];

    CHECK_INT(cw__ignorable_read(""), 0);
    CHECK_INT(cw__ignorable_read("InvalidName, Untrusted"),
              1 << CW_CHAIN_InvalidName | 1 << CW_CHAIN_Untrusted);
    CHECK_INT(cw__ignorable_read("Expired, IncompleteChain, Revoked, x"), 1 << CW_CHAIN_IncompleteChain);
    cw__ignorable_show(0, names);
    CHECK_STR(names, "");
    cw__ignorable_show(1 << CW_CHAIN_InvalidName, names);
    CHECK_STR(names, "InvalidName");
    cw__ignorable_show(1 << CW_CHAIN_InvalidName | 1 << CW_CHAIN_Untrusted | 1 << CW_CHAIN_Expired, names);
    CHECK_STR(names, "Untrusted, Expired, InvalidName");
    cw__ignorable_show(~0u, names); /* all have room */
    check_has(names, ", RevocationInformationMissing, RevocationFailure, OtherErrors");
}

/* ---- The ends of a chain ---- */

static made_chain chain;

/* Checks that the ends are the certificates with these numbers, such as "02". */
static void expect_ends(cw_chain_result error, const char *numbers)
{
    char wanted[CHAIN_BYTES] = "";
    size_t len = 0, len_bytes = 99;
    char *pem = cw__ignorable_ends(chain.message, chain.bytes, error, &len_bytes);

    for (; *numbers; numbers++) {
        const uint8_t *der;
        size_t der_bytes, more;
        CHECK(cw__chain_find(chain.message, chain.bytes, (size_t)(*numbers - '0'), &der, &der_bytes));
        cw_certificate_get(der, der_bytes, CW_CERTIFICATE_PEM, wanted + len, sizeof wanted - len, &more);
        len += more;
    }
    CHECK_INT(pem != NULL, len > 0);
    if (pem)
        CHECK_STR(pem, wanted);
    CHECK_INT(len_bytes, len);
    cw__free(pem);
}

static void test_ends(void)
{
    chain_begin(&chain);
    chain_add(&chain, "leaf", "root");
    expect_ends(CW_CHAIN_IncompleteChain, "0");
    expect_ends(CW_CHAIN_Untrusted, "");
    chain_add(&chain, "root", "root");
    expect_ends(CW_CHAIN_IncompleteChain, ""); /* the chain is complete, so its root is Untrusted */
    expect_ends(CW_CHAIN_Untrusted, "1");
    chain_add(&chain, "stray", "roof");
    expect_ends(CW_CHAIN_IncompleteChain, "2");
    expect_ends(CW_CHAIN_Untrusted, "1");
    chain_begin(&chain);
    chain_add(&chain, "leaf", "middle");
    chain_add(&chain, "middle", "root");
    expect_ends(CW_CHAIN_IncompleteChain, "1"); /* never the leaf, whose signature would not be checked */
    expect_ends(CW_CHAIN_Untrusted, "");
    chain_begin(&chain);
    chain_add(&chain, "self", "self");
    expect_ends(CW_CHAIN_Untrusted, "0");
    expect_ends(CW_CHAIN_IncompleteChain, "");
    chain_add(&chain, "selfish", "self");
    chain_add(&chain, "other", "other");
    expect_ends(CW_CHAIN_Untrusted, "02");
}

/* What cannot be read, or has too many certificates, has no end. */
static void test_bad_chains(void)
{
    chain_begin(&chain);
    expect_ends(CW_CHAIN_Untrusted, "");
    expect_ends(CW_CHAIN_IncompleteChain, "");
    for (int i = 0; i < 32; i++)
        chain_add(&chain, "leaf", i == 9 ? "leaf" : "root");
    expect_ends(CW_CHAIN_Untrusted, "9");
    chain_add(&chain, "leaf", "root");
    expect_ends(CW_CHAIN_Untrusted, "");
    expect_ends(CW_CHAIN_IncompleteChain, "");
    chain_begin(&chain);
    chain_add(&chain, "self", "self");
    chain_add(&chain, "leaf", "root");
    chain.bytes--;
    expect_ends(CW_CHAIN_Untrusted, ""); /* cut */
    chain.bytes++;
    chain.message[chain.bytes - 1] = 1; /* the key of the second is cut */
    expect_ends(CW_CHAIN_Untrusted, "");
}

static bool find_ends(void *unused)
{
    size_t len_bytes;
    char *pem = cw__ignorable_ends(chain.message, chain.bytes, CW_CHAIN_Untrusted, &len_bytes);

    (void)unused;
    CHECK_INT(len_bytes > 0, pem != NULL);
    cw__free(pem);
    return pem != NULL;
}

static void test_no_memory(void)
{
    chain_begin(&chain);
    chain_add(&chain, "self", "self");
    each_allocation_fails(find_ends, NULL);
}

static const harness_test tests[] = {
    {"the names of errors", test_names},
    {"what to do instead", test_reasons},
    {"lists of errors", test_lists},
    {"the ends of a chain", test_ends},
    {"chains without an end", test_bad_chains},
    {"no memory", test_no_memory},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

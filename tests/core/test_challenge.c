/* SPDX-License-Identifier: MIT */
/* Tests of challenge.c: the schemes that WWW-Authenticate offers. */
#include "harness.h"

static void test_schemes(void)
{
    static const struct {
        const char *value;
        unsigned schemes;
    } rows[] = {
        {"", 0},
        {"Basic", CW__SCHEME_BASIC},
        {"basic realm=\"a, Digest b\"", CW__SCHEME_BASIC},
        {"Basic realm=\"a \\\" , Digest b\", charset=UTF-8", CW__SCHEME_BASIC},
        {"Digest realm=\"x\", qop=\"auth\", nonce=\"n\", algorithm=MD5", CW__SCHEME_DIGEST},
        {"Digest realm=\"x\", qop=\"auth, auth-int\", Basic realm=\"x\"", CW__SCHEME_DIGEST | CW__SCHEME_BASIC},
        {"Digest realm = \"x\" , basic = 1", CW__SCHEME_DIGEST},
        {", ,Negotiate, NTLM", CW__SCHEME_NEGOTIATE | CW__SCHEME_NTLM},
        {"Negotiate YIIabc==", CW__SCHEME_NEGOTIATE},
        {"Bearer error=\"invalid_token\",Basic", CW__SCHEME_BEARER | CW__SCHEME_BASIC},
        {"Hoba max-age=1", CW__SCHEME_OTHER},
        {"Basicx, xBasic", CW__SCHEME_OTHER},
        {"Bas, B, N, Basic-", CW__SCHEME_OTHER},
        {"X", CW__SCHEME_OTHER},
        {"Basic/1, Basic\"x\", Digest", CW__SCHEME_DIGEST}, /* no scheme ends so */
        {"\"Basic", 0},
        {"Digest realm=\"open, Basic", CW__SCHEME_DIGEST},
        {"(Basic), Digest", CW__SCHEME_DIGEST},
    };
    char lines[256];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        (void)snprintf(lines, sizeof lines, "A: Basic\r\nwww-authenticate: %s\r\nB: Digest\r\n", rows[i].value);
        if (cw__challenge_schemes(lines) != rows[i].schemes)
            HARNESS_FAIL("%s: %u, wanted %u", rows[i].value, cw__challenge_schemes(lines), rows[i].schemes);
        atomic_fetch_add(&harness_checks, 1);
    }
    CHECK_INT(cw__challenge_schemes("WWW-Authenticate: Basic\r\nWWW-Authenticate: Digest\r\n"),
              CW__SCHEME_BASIC | CW__SCHEME_DIGEST);
    CHECK_INT(cw__challenge_schemes("WWW-AuthenticateX: Basic\r\nWWW-Auth: Basic\r\n"), 0);
    CHECK_INT(cw__challenge_schemes("XWW-Authenticate: Basic\r\nWWW-AuthenticatX: Basic\r\n"), 0);
    CHECK_INT(cw__challenge_schemes(""), 0);
}

/* Nothing after the text is read (AddressSanitizer), and no quote in the next header is taken. */
static void test_open_quote(void)
{
    static const char *const values[] = {"Digest realm=\"open", "Digest realm=\"open\\", "Digest realm=\""};

    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char lines[64];
        size_t size_bytes = (size_t)snprintf(lines, sizeof lines, "WWW-Authenticate: %s", values[i]) + 1;
        char *exact = malloc(size_bytes);
        CHECK(exact != NULL);
        memcpy(exact, lines, size_bytes);
        CHECK_INT(cw__challenge_schemes(exact), CW__SCHEME_DIGEST);
        free(exact);
    }
    CHECK_INT(cw__challenge_schemes("WWW-Authenticate: Digest realm=\"open\r\nX: \", Basic\r\n"),
              CW__SCHEME_DIGEST);
}

static const harness_test tests[] = {{"RFC 9110 11.6.1: the schemes of a challenge", test_schemes},
                                     {"a quoted text without an end", test_open_quote}};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

/* SPDX-License-Identifier: MIT */
/* Tests of tokens.c: which texts are tokens, and which tokens a list has. */
#include "harness.h"

/* RFC 9110 section 5.6.2: the characters of a token. */
static void test_tokens(void)
{
    static const char others[] = "!#$%&'*+-.^_`|~";

    for (int c = 0; c < 256; c++) {
        char text[2] = {(char)c, 'a'};
        bool is_token = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                        (c && strchr(others, c));
        CHECK_INT(cw__is_token(text, 1), is_token);
        CHECK_INT(cw__is_token(text, 2), is_token);
    }
    CHECK(!cw__is_token("", 0));
}

/* A list is read to its end and no further. */
static void test_lists(void)
{
    static const struct {
        const char *list;
        bool has_upgrade;
    } lists[] = {{"upgrade", true},    {"a,upgrade", true},  {" ,\t, upgrade \t", true},
                 {"x upgrade", false}, {"upgrade\t,", true}, {"upgrade x", false},
                 {"", false},          {" , \t", false},     {"upgrades", false},
                 {"upgrad", false},    {",,,", false},       {"Upgrade", false},
                 {"b , c", false},     {"a, UPGRADE", false}};

    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        size_t len = strlen(lists[i].list);
        char *exact = malloc(len); /* so that a sanitizer reports a read beyond the list */
        CHECK(exact != NULL);
        memcpy(exact, lists[i].list, len);
        CHECK_INT(cw__list_has(exact, exact + len, "upgrade", 7, false), lists[i].has_upgrade);
        free(exact);
    }
}

static const harness_test tests[] = {
    {"RFC 9110 5.6.2: tokens", test_tokens},
    {"RFC 9110 5.6.1: lists", test_lists},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

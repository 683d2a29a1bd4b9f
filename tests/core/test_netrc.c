/* SPDX-License-Identifier: MIT */
/* Tests of netrc.c: the user name and the password of a host in a .netrc file. */
#include "harness.h"

typedef struct row {
    const char *text, *user; /* user: the login that is wanted, or NULL */
    const char *found;       /* "user:password"; "" = none; words of the fault after "!" */
} row;

/* Finds the entry in a copy of the text without a NUL, so that AddressSanitizer sees a read after its end. */
static cw__netrc_result find_exactly(const row *r, char **joined, char *fault)
{
    size_t len_bytes = strlen(r->text);
    char *copy = malloc(len_bytes + 1);
    cw__netrc_result result;

    CHECK(copy != NULL);
    memcpy(copy + 1, r->text, len_bytes);
    result = cw__netrc_find(copy + 1, len_bytes, "a.example", r->user, joined, fault);
    free(copy);
    return result;
}

static void check_row(const row *r)
{
    char fault[CW__URI_FAULT_BYTES], found[256];
    char *joined;
    cw__netrc_result result = find_exactly(r, &joined, fault);

    if (*r->found == '!') {
        if (result != CW__NETRC_BAD || !strstr(fault, r->found + 1) || joined)
            HARNESS_FAIL("%s: %d, %s", r->text, (int)result, fault);
        CHECK(!strstr(fault, "s3cret"));
        return;
    }
    found[0] = '\0';
    if (result == CW__NETRC_FOUND)
        (void)snprintf(found, sizeof found, "%s:%s", joined, joined + strlen(joined) + 1);
    if (strcmp(found, r->found) != 0 || *fault)
        HARNESS_FAIL("%s: %d, %s, %s", r->text, (int)result, found, fault);
    atomic_fetch_add(&harness_checks, 1);
    cw__free(joined);
}

static void test_entries(void)
{
    static const row rows[] = {
        {"", NULL, ""},
        {"machine a.example login u password s3cret", NULL, "u:s3cret"},
        {"machine A.EXAMPLE\n\tlogin u\r\n\tpassword s3cret\r\n", NULL, "u:s3cret"},
        {"machine b login x password y\nmachine a.example password s3cret login u", NULL, "u:s3cret"},
        {"machine b login x password y machine a.example login u password p machine a.example login v password "
         "q",
         NULL, "u:p"},
        {"machine a.example login u password p\nmachine a.example login v password q", "v", "v:q"},
        {"machine a.example login u password p", "x", ""},
        {"machine a.example login u password p", "U", ""},
        {"machine a.example login uu password pp login v password q", NULL, "v:q"},
        /* no entry has what the one before it has */
        {"machine b login x password s3cret machine a.example", NULL, ""},
        {"machine b login x password s3cret machine a.example login u", NULL, ""},
        {"machine a.example login u account acc password p", NULL, "u:p"},
        {"default login u password s3cret", NULL, ""}, /* it would be for every host */
        {"machine b login x password y\ndefault login u password s3cret", NULL, ""},
        {"machine a.example login u\ndefault password s3cret", NULL, ""},
        {"machine a.example login u\nmachine b password s3cret", NULL, ""},
        {"machine a.example.evil login u password s3cret", NULL, ""},
        {"machine xa.example login u password s3cret", NULL, ""},
        {"machine a.example login u", NULL, ""},
        {"machine a.example password s3cret", NULL, ""},
        {"machine a.example login \"\" password s3cret", NULL, ""},
        {"machine a.example login u password \"\"", NULL, "u:"},
        {"machine a.example login \"u s\" password \"a \\\"b\\\\ #c\"", NULL, "u s:a \"b\\ #c"},
        {"machine a.example login u password a\"b", NULL, "u:a\"b"},
        {"machine a.example login u password a\\nb\\", NULL, "u:a\\nb\\"}, /* escapes are for quoted texts */
        {"machine a.example login u password \"\\a\\q\\s\\u\\m\\o\"", NULL, "u:aqsumo"},
        {"machine a.example login u password #p", NULL, "u:#p"},
        {"# machine a.example login x password y\nmachine a.example login u password p # note", NULL, "u:p"},
        {"machine b\nmacdef init\nmachine a.example login x\npassword y\n\nmachine a.example login u password "
         "p",
         NULL, "u:p"},
        {"macdef init\ncd /\r\n\r\nmachine a.example login u password p", NULL, "u:p"},
        {"macdef init\nx\n\nmachine a.example login u password p\n ", NULL, "u:p"},
        {"machine a.example login u password p macdef x\n", NULL, "u:p"},
        {"macdef init\nmachine a.example login u password s3cret", NULL, ""},
        {"machine a.example login u password \xc3\xa4", NULL, "u:\xc3\xa4"},
        {"machine machine login x password y machine a.example login login password password", NULL,
         "login:password"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_row(&rows[i]);
}

static void test_faults(void)
{
    static const row rows[] = {
        {"machine", NULL, "!machine in line 1 has no name"},
        {"\nmachine a.example\n login", NULL, "!line 3 ends in the middle of an entry"},
        {"machine a.example login u password", NULL, "!ends in the middle"},
        {"s3cret", NULL,
         "!line 1 has a word that is neither machine, login, password, account, default nor macdef"},
        {"Machine login u password p", NULL, "!neither machine, login"}, /* case matters */
        {"DEFAULT login u password p", NULL, "!neither machine, login"},
        {"machine a.example LOGIN u password p", NULL, "!neither machine, login"},
        {"machine a.example login u Password p", NULL, "!neither machine, login"},
        {"machine a.example login u password p ACCOUNT a", NULL, "!neither machine, login"},
        {"machine a.example login u password p Macdef a", NULL, "!neither machine, login"},
        {"macdef init\nx\n\nmachine a.example login", NULL, "!line 4 ends"},
        {"machine \"a.example", NULL, "!the \" in line 1 has no end"},
        {"machine b login x password y s3cret", NULL, "!neither machine, login"},
        {"machine a.example login u password \"s3cret", NULL, "!the \" in line 1 has no end"},
        {"machine a.example login u password \"s3cret\\n\"", NULL,
         "!a value in line 1 has a control character"},
        {"machine a.example login u password \"s3cret\\r\"", NULL, "!control character"},
        {"machine a.example login u password \"s3cret\\t\"", NULL, "!control character"},
        {"machine a.example login u password \"s3cret\\", NULL, "!has no end"},
        {"machine a.example login u password s3cret\x7f", NULL, "!control character"},
        {"machine a.example login \x01s3cret password p", NULL, "!control character"},
        {"machine a.example login u:s3cret password p", NULL, "!has a colon"},
    };
    static char longest[5000] = "machine a.example login u password ";
    static const char nul[] = "machine a.example login u password s3\0cret";
    char fault[CW__URI_FAULT_BYTES];
    char *joined;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_row(&rows[i]);
    memset(longest + strlen(longest), 'x', sizeof longest - strlen(longest) - 1);
    check_row(&(row){longest, NULL, "!too long, or contains NUL"});
    CHECK_INT(cw__netrc_find(nul, sizeof nul - 1, "a.example", NULL, &joined, fault), CW__NETRC_BAD);
    CHECK(!joined);
}

/* A word has at most 4095 bytes. */
static void test_longest(void)
{
    static char text[5000], longest[4096];
    char fault[CW__URI_FAULT_BYTES];
    char *joined;

    memset(longest, 'x', 4095);
    (void)snprintf(text, sizeof text, "machine a.example password p login %s", longest);
    CHECK_INT(find_exactly(&(row){text, NULL, ""}, &joined, fault), CW__NETRC_FOUND);
    CHECK_STR(joined, longest);
    CHECK_STR(joined + 4096, "p");
    cw__free(joined);
    (void)snprintf(text, sizeof text, "machine a.example login u password %sy", longest);
    CHECK_INT(find_exactly(&(row){text, NULL, ""}, &joined, fault), CW__NETRC_BAD);
    CHECK(!joined);
}

/* An entry for every host is not an entry of the host that is called default. */
static void test_host_default(void)
{
    static const char text[] = "default login u password p";
    char fault[CW__URI_FAULT_BYTES];
    char *joined;

    CHECK_INT(cw__netrc_find(text, strlen(text), "default", NULL, &joined, fault), CW__NETRC_NONE);
    CHECK(!joined);
}

/* What follows the entry of the host does not matter. */
static void test_rest(void)
{
    check_row(&(row){"machine a.example login u password p\nmachine b nonsense", NULL, "u:p"});
}

static bool find_once(void *text)
{
    char fault[CW__URI_FAULT_BYTES];
    char *joined;
    cw__netrc_result result = cw__netrc_find(text, strlen(text), "a.example", NULL, &joined, fault);

    CHECK_INT(result, joined ? CW__NETRC_FOUND : CW__NETRC_NO_MEMORY);
    cw__free(joined);
    return result == CW__NETRC_FOUND;
}

static void test_no_memory(void)
{
    static char text[] = "machine a.example login u password p";

    each_allocation_fails(find_once, text);
}

static const harness_test tests[] = {
    {"entries", test_entries},           {"faults", test_faults},
    {"the longest word", test_longest},  {"a host that is called default", test_host_default},
    {"the rest of the file", test_rest}, {"no memory", test_no_memory}};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

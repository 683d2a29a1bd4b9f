/* SPDX-License-Identifier: MIT */
/* Tests of address.c: the texts of IP addresses, and how public they are. */
#include "harness.h"

static cw__address_space space_of(const char *text)
{
    uint8_t bytes[16];
    size_t len_bytes = cw__address_read(text, strlen(text), bytes);

    CHECK_INT(len_bytes, strchr(text, ':') ? 16 : 4);
    return cw__address_space_of(bytes, len_bytes);
}

/* The first and the last address of each block of IANA's registries, and the neighbours outside. */
static void test_blocks(void)
{
    static const char *const spaces[] = {
        [CW__SPACE_LOCAL] =
            "0.0.0.0 0.255.255.255 127.0.0.0 127.0.0.1 127.255.255.255 :: ::1 ::ffff:127.0.0.1 64:ff9b::7f00:1 "
            "2002:7f00:1::",
        [CW__SPACE_PRIVATE] =
            "10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 169.254.0.0 169.254.169.254 169.254.255.255 "
            "172.16.0.0 172.31.255.255 192.0.0.0 192.0.0.255 192.0.2.0 192.0.2.255 192.88.99.0 192.88.99.255 "
            "192.168.0.0 "
            "192.168.255.255 198.18.0.0 198.19.255.255 198.51.100.0 198.51.100.255 203.0.113.0 203.0.113.255 "
            "224.0.0.0 239.255.255.255 "
            "240.0.0.0 "
            "255.255.255.255 ::2 ::100 ::8.8.8.8 ::ffff:10.0.0.1 64:ff9b::10.0.0.1 64:ff9b:1::8.8.8.8 100::1 "
            "1fff:ffff::1 2001::1 2001:1ff:ffff::1 2001:db8::1 2001:db8:ffff::1 2002:c0a8:101::1 3fff::1 "
            "3fff:fff:ffff::1 4000::1 5f00::1 fc00::1 fdff::1 fe80::1 febf::1 fec0::1 ff02::1 ffff::1",
        [CW__SPACE_PUBLIC] =
            "1.0.0.0 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 "
            "169.253.255.255 "
            "169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0 192.0.3.0 192.88.98.255 192.88.100.0 "
            "192.167.255.255 "
            "192.169.0.0 198.17.255.255 198.20.0.0 198.51.99.255 198.51.101.0 203.0.112.255 203.0.114.0 "
            "223.255.255.255 8.8.8.8 ::ffff:8.8.8.8 64:ff9b::8.8.8.8 2000::1 2001:200::1 2001:db7:ffff::1 "
            "2001:db9::1 "
            "2002:808:808::1 2003::1 2606:4700:4700::1111 3ffe::1 3fff:1000::1",
    };

    for (int space = CW__SPACE_LOCAL; space <= CW__SPACE_PUBLIC; space++)
        for (const char *at = spaces[space]; *at; at += strspn(at, " ")) {
            char text[64];
            size_t len = strcspn(at, " ");
            (void)snprintf(text, sizeof text, "%.*s", (int)len, at);
            if ((int)space_of(text) != space)
                HARNESS_FAIL("%s is %d, wanted %d", text, (int)space_of(text), space);
            at += len;
        }
    CHECK(CW__SPACE_LOCAL < CW__SPACE_PRIVATE && CW__SPACE_PRIVATE < CW__SPACE_PUBLIC);
}

static void test_read(void)
{
    static const char *const bad[] = {"",
                                      "1",
                                      "1.2.3",
                                      "1.2.3.4.5",
                                      "1.2.3.256",
                                      "01.2.3.4x",
                                      "0x7f.0.0.1",
                                      " 1.2.3.4",
                                      "1.2.3.4 ",
                                      "localhost",
                                      ":",
                                      "1::2::3",
                                      "[::1]",
                                      "::1%lo",
                                      "::1/64",
                                      "1111:2222:3333:4444:5555:6666:7777:8888:9",
                                      "1111:2222:3333:4444:5555:6666:0123.123.123.123", /* one byte too long */
                                      "2001:db8:0000:0000:0000:0000:0000:"
                                      "0000000000000000000001"};
    static const uint8_t v6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 0x1f};
    uint8_t bytes[16];

    CHECK_INT(cw__address_read("192.0.2.255", 11, bytes), 4);
    CHECK(memcmp(bytes, (const uint8_t[]){192, 0, 2, 255}, 4) == 0);
    CHECK_INT(cw__address_read("192.0.2.255", 10, bytes), 4); /* only so much of the text */
    CHECK_INT(bytes[3], 25);
    CHECK_INT(cw__address_read("2001:DB8::1f", 12, bytes), 16);
    CHECK(memcmp(bytes, v6, 16) == 0);
    CHECK_INT(cw__address_read("1111:2222:3333:4444:5555:6666:123.123.123.123", 45, bytes), 16);
    CHECK_INT(bytes[15], 123);
    CHECK_INT(cw__address_read("::1\0x", 5, bytes), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_INT(cw__address_read(bad[i], strlen(bad[i]), bytes), 0);
}

static const harness_test tests[] = {{"each block of special addresses, and its neighbours", test_blocks},
                                     {"the texts of addresses", test_read}};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

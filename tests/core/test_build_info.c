/* SPDX-License-Identifier: MIT */
/* Tests of build_info.c: every fact has a key and a text, and the texts are right. */
#include "harness.h"
#include "transport/transport.h"

static const char *text_of(cw_build item)
{
    static char text[2048];
    size_t len = 0;

    CHECK_INT(cw_build_get(item, text, sizeof text, &len), CW_OK);
    CHECK_INT(len, strlen(text));
    return text;
}

static void test_facts(void)
{
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);

    for (int i = 0; i < CW_BUILD_COUNT; i++) {
        CHECK(cw_build_key((cw_build)i) && *cw_build_key((cw_build)i));
        if (i != CW_BUILD_AUTHORITIES)
            CHECK(*text_of((cw_build)i) != '\0');
    }
    CHECK_STR(cw_build_key(CW_BUILD_LIBCURL), "libcurl");
    CHECK(!cw_build_key(CW_BUILD_COUNT) && !cw_build_key((cw_build)-1));
    CHECK_INT(cw_build_get(CW_BUILD_COUNT, NULL, 0, NULL), CW_INVALID_ARGUMENT);
    CHECK_STR(text_of(CW_BUILD_CURLWIRE), CW_VERSION);
    CHECK_STR(text_of(CW_BUILD_LIBCURL), info->version);
    CHECK_STR(text_of(CW_BUILD_LIBCURL_BUILT), LIBCURL_VERSION);
    CHECK_STR(text_of(CW_BUILD_TLS), info->ssl_version);
    CHECK_STR(text_of(CW_BUILD_ZLIB), cw__zlib_version());
}

/* Whether this process has mapped libcurl's shared library. */
static bool has_shared_libcurl(void)
{
    char line[1024];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "r");

    CHECK(maps != NULL);
    while (!found && fgets(line, sizeof line, maps))
        found = strstr(line, "/libcurl.so") != NULL;
    (void)fclose(maps);
    return found;
}

static void test_linked(void)
{
    CHECK_STR(text_of(CW_BUILD_LIBCURL_LINKED), has_shared_libcurl() ? "system" : "embedded");
}

static void test_authorities(void)
{
    char text[64] = "x";
    size_t len = 1;

    CHECK_INT(setenv("CURL_CA_BUNDLE", "/proc/self/status", 1), 0); /* empty, as its size says */
    CHECK_INT(cw_build_get(CW_BUILD_AUTHORITIES, text, sizeof text, &len), CW_CONNECT_FAILED);
    CHECK_STR(text, "");
    CHECK_INT(len, 0);
    *text = 'x';
    CHECK_INT(cw_build_get(CW_BUILD_AUTHORITIES, text, 1, NULL), CW_CONNECT_FAILED);
    CHECK_STR(text, "");
    CHECK(strstr(cw_error_message(), "CURL_CA_BUNDLE '/proc/self/status' cannot be used (it is empty)") !=
          NULL);
    CHECK_INT(setenv("CURL_CA_BUNDLE", "/etc/passwd", 1), 0);
    CHECK_STR(text_of(CW_BUILD_AUTHORITIES), "CURL_CA_BUNDLE: /etc/passwd");
}

/* Returns the features of the loaded libcurl, in order. */
static const char *expected(void)
{
    static char all[400];
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
    bool receives = info->version_num >= 0x081500;

    (void)snprintf(all, sizeof all, "ws, wss%s%s, international-names%s%s%s",
                   receives ? ", native-framing, compression" : "",
                   info->features & CURL_VERSION_HTTPS_PROXY ? ", https-proxy" : "",
                   info->features & CURL_VERSION_IPV6 ? ", ipv6" : "",
                   cw__libcurl_shares_trust() ? ", shared-authorities" : "",
                   cw__refusal_can_keep() ? ", refusal-body" : "");
    return all;
}

static void test_features(void)
{
    char all[400] = "", cut[8] = "xxxxxxx";
    const char *name;
    size_t len;

    for (size_t i = 0; (name = cw_build_feature(i)); i++) {
        if (i > 0)
            (void)strcat(all, ", ");
        (void)strcat(all, name);
    }
    CHECK_STR(text_of(CW_BUILD_FEATURES), all);
    CHECK_STR(all, expected());
    CHECK_INT(strstr(all, "compression") != NULL, cw__codec_native_receives());
    CHECK(strstr(all, "international-names") != NULL);
    CHECK_INT(cw_build_get(CW_BUILD_FEATURES, NULL, 0, &len), CW_OK);
    CHECK_INT(len, strlen(all));
    CHECK_INT(cw_build_get(CW_BUILD_FEATURES, cut, sizeof cut, &len), CW_OK);
    CHECK_INT(len, strlen(all));
    CHECK(strncmp(cut, all, 7) == 0 && cut[7] == '\0');
}

static const harness_test tests[] = {
    {"facts", test_facts},
    {"libcurl is embedded or the system's", test_linked},
    {"authorities", test_authorities},
    {"features", test_features},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

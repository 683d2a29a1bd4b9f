/* SPDX-License-Identifier: MIT */
/* Tests of libcurl.c: the versions, and that the loaded library does. That an older one is refused is tested
 * where an older one can be loaded, by the build's tests. Needs no peer. */
#include "harness.h"
#include "libcurl.h"

static void test_versions(void)
{
    unsigned major = 0, minor = 0, patch = 0;

    CHECK_STR(cw_version(), CW_VERSION);
    CHECK_STR(cw_libcurl_version(), curl_version_info(CURLVERSION_NOW)->version);
    CHECK_INT(sscanf(cw_libcurl_version(), "%u.%u.%u", &major, &minor, &patch), 3);
    CHECK(major * 10000 + minor * 100 + patch >= 81401);
}

static void test_check(void)
{
    CHECK_INT(cw_check_libcurl(), CW_OK);
    CHECK_INT(cw__libcurl_init(), CW_OK);
    CHECK_INT(cw__libcurl_init(), CW_OK); /* once only, as often as asked */
}

static const harness_test tests[] = {
    {"the versions", test_versions},
    {"the loaded libcurl does", test_check},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

/* SPDX-License-Identifier: MIT */
/* Fuzz target: the verdict on the 101 reply. reply_model.h is a second implementation of RFC 6455 section 4.1. An accepted
 * reply must have everything that the section requires, once. A plain reply that has it must be accepted. */
#include "reply_model.h"

#define KEY   "dGhlIHNhbXBsZSBub25jZQ==" /* RFC 6455 section 1.3 has this key and its answer */
#define START "HTTP/1.1 101 \r\n"

/* Returns whether the text is one reply that begins with START, has only plain lines, and ends with the input. */
static bool is_plain_reply(const char *text)
{
    const char *at = text + strlen(START);

    if (strncmp(text, START, strlen(START)) != 0)
        return false;
    for (const char *end; strcmp(at, "\r\n") != 0; at = end + 1)
        if (!(end = strchr(at, '\n')) || !model_is_plain(at, (size_t)(end - at) + 1))
            return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    char *text = calloc(1, len_bytes + 1), *scrap = calloc(2, len_bytes + 2);
    cw__reply r = {0};
    cw__compression terms;
    const char *fault, *protocol, *extensions, *end, *lines;
    size_t bytes = 0, extensions_bytes;

    if (len_bytes)
        memcpy(text, data, len_bytes);
    /* strchr may stop at a NUL, because libcurl refuses one. */
    for (const char *at = text; (end = strchr(at, '\n')); at = end + 1)
        (void)cw__reply_line(&r, at, (size_t)(end - at) + 1);
    fault = cw__reply_fault(&r, KEY, "chat, v2.chat", &protocol, &bytes);
    DEMAND(!fault || !protocol);
    if (!fault && (fault = cw__reply_extension_fault(&r, NULL, &terms, &extensions, &extensions_bytes)))
        protocol = NULL;
    lines = cw__reply_lines(&r);
    DEMAND(strlen(lines) == r.len_bytes && r.head_bytes <= len_bytes);
    DEMAND(fault || model_accepts(lines, scrap));
    DEMAND(!protocol || (bytes + 1 == strlen(scrap) && memcmp(protocol, scrap, bytes) == 0));
    DEMAND(fault || protocol || !*model_values(lines, "Sec-WebSocket-Protocol", false, scrap));
    if (len_bytes == strlen(text) && is_plain_reply(text))
        DEMAND(!fault == model_accepts(text + strlen(START), scrap));
    cw__reply_destroy(&r);
    free(text);
    free(scrap);
    return 0;
}

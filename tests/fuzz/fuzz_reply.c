/* SPDX-License-Identifier: MIT */
/* Fuzz target: the verdict on the 101. Beside it stands a second reading of RFC 6455 section 4.1, by other means:
 * both must agree on every reply, and on the subprotocol. */
#include "reply_model.h"

#define KEY "dGhlIHNhbXBsZSBub25jZQ==" /* section 1.3 has it, and what answers it */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    char *text = calloc(1, len_bytes + 1), *lines = calloc(1, len_bytes + 1), *scrap = calloc(2, len_bytes + 1);
    char *to = lines;
    bool is_complete = false, is_1_1 = false;
    cw__reply r = {0};
    const char *fault, *protocol, *end;
    size_t bytes = 0;

    if (len_bytes)
        memcpy(text, data, len_bytes);
    for (const char *at = text; len_bytes && (end = memchr(at, '\n', len_bytes)); at = end + 1) {
        size_t run = (size_t)(end - at) + 1;
        if (memchr(at, '\0', run))
            break; /* libcurl refuses it */
        cw__reply_line(&r, at, run);
        len_bytes -= run;
        if (strncmp(at, "HTTP/", 5) == 0)
            to = lines, is_complete = false, is_1_1 = strncmp(at, "HTTP/1.1", 8) == 0;
        else if (*at == '\r' || *at == '\n')
            is_complete = true;
        else
            to = (char *)memcpy(to, at, run) + run;
    }
    *to = '\0';
    fault = cw__reply_fault(&r, KEY, "chat, v2.chat", &protocol, &bytes);
    DEMAND(strcmp(cw__reply_lines(&r), lines) == 0);
    DEMAND((fault == NULL) == (is_complete && is_1_1 && model_accepts(lines, scrap)));
    DEMAND(!protocol || (!fault && bytes + 1 == strlen(scrap) && memcmp(protocol, scrap, bytes) == 0));
    DEMAND(fault || protocol || !*model_values(lines, "Sec-WebSocket-Protocol", false, scrap));
    cw__reply_destroy(&r);
    free(text);
    free(lines);
    free(scrap);
    return 0;
}

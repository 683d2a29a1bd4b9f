/* SPDX-License-Identifier: MIT */
/* A second check of a handshake reply (RFC 6455 section 4.1), for fuzz_reply.c. It shares no code with reply.c and works in
 * another way. */
#ifndef REPLY_MODEL_H
#define REPLY_MODEL_H

#include "fuzz.h"

#include <ctype.h>

/* Returns the values of a header, one a line, in lower case if is_lowered. */
static inline const char *model_values(const char *lines, const char *name, bool is_lowered, char *out)
{
    char *to = out;

    for (; *lines; lines = strchr(lines, '\n') + 1) {
        const char *from = lines + strlen(name) + 1;
        if (strncasecmp(lines, name, strlen(name)) != 0 || from[-1] != ':')
            continue;
        while (*from == ' ' || *from == '\t')
            from++;
        for (; *from != '\r' && *from != '\n'; from++)
            *to++ = is_lowered ? (char)tolower((unsigned char)*from) : *from;
        while (to > out && (to[-1] == ' ' || to[-1] == '\t'))
            to--;
        *to++ = '\n';
    }
    *to = '\0';
    return out;
}

static inline bool model_accepts(const char *lines, char *scrap)
{
    bool has_upgrade = false;

    (void)model_values(lines, "Sec-WebSocket-Extensions", false, scrap);
    if (strcmp(scrap, "") != 0 && strcmp(scrap, "\n") != 0)
        return false;
    if (strcmp(model_values(lines, "upgrade", true, scrap), "websocket\n") != 0)
        return false;
    (void)model_values(lines, "Sec-WebSocket-Accept", false, scrap);
    if (strcmp(scrap, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\n") != 0)
        return false;
    (void)model_values(lines, "connection", true, scrap);
    for (char *rest = NULL, *item = strtok_r(scrap, ",\n", &rest); item; item = strtok_r(NULL, ",\n", &rest)) {
        while (*item == ' ' || *item == '\t')
            item++;
        has_upgrade |= strncmp(item, "upgrade", 7) == 0 && strspn(item + 7, " \t") == strlen(item + 7);
    }
    (void)model_values(lines, "Sec-WebSocket-Protocol", false, scrap);
    return has_upgrade && (!*scrap || strcmp(scrap, "chat\n") == 0 || strcmp(scrap, "v2.chat\n") == 0);
}

/* Returns whether a line is a plain header: a name, a colon, and text without control characters. */
static inline bool model_is_plain(const char *line, size_t len_bytes)
{
    size_t name = strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");

    for (size_t i = name; i + 2 < len_bytes; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            return false;
    return name > 0 && line[name] == ':' && len_bytes >= 2 && line[len_bytes - 2] == '\r';
}

#endif

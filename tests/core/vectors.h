/* SPDX-License-Identifier: MIT */
/* Reads the vectors of tests/conformance; README.md there describes their language. test_vectors.c uses this file.
 * The vectors stay in memory until the process ends. An error in a file ends the process with a line that names the
 * place. */
#ifndef VECTORS_H
#define VECTORS_H

#include <glob.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct vectors_bytes {
    uint8_t *data;
    size_t len_bytes;
    size_t room_bytes;
} vectors_bytes;

typedef struct vectors_line {
    char *word;
    char *rest;
} vectors_line;

enum { VECTORS_AT_MOST = 4096, VECTORS_LINES = 64 };

typedef struct vectors_vector {
    const char *file;
    const char *name;
    const char *section;
    vectors_line lines[VECTORS_LINES]; /* all other cases */
    size_t line_count;
} vectors_vector;

static vectors_vector *vectors_all;
static size_t vectors_count;

__attribute__((noreturn, format(printf, 3, 4))) static inline void vectors_fail(const char *file, int line,
                                                                                const char *format, ...)
{
    va_list arguments;

    printf("Bail out! %s:%d: ", file, line);
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    (void)fflush(stdout);
    exit(EXIT_FAILURE);
}

/* ---- Bytes -------------------------------------------------------------------------------------------- */

static inline void vectors_reserve(vectors_bytes *b, size_t more_bytes)
{
    if (b->room_bytes - b->len_bytes >= more_bytes)
        return;
    b->room_bytes = 2 * b->room_bytes + more_bytes;
    b->data = realloc(b->data, b->room_bytes);
    if (!b->data)
        vectors_fail(__FILE__, __LINE__, "no memory");
}

static inline void vectors_add(vectors_bytes *b, const void *data, size_t len_bytes)
{
    vectors_reserve(b, len_bytes);
    if (len_bytes)
        memcpy(b->data + b->len_bytes, data, len_bytes);
    b->len_bytes += len_bytes;
}

/* Writes the length of a frame between its first byte, at start, and its payload, the rest. */
static inline void vectors_make_frame(vectors_bytes *b, size_t start)
{
    uint64_t payload = b->len_bytes - start - 1;
    size_t extended = payload < 126 ? 0 : payload < 65536 ? 2 : 8;
    uint8_t length[9] = {(uint8_t)(extended == 0 ? payload : extended == 2 ? 126 : 127)};

    for (size_t i = 0; i < extended; i++)
        length[1 + i] = (uint8_t)(payload >> 8 * (extended - 1 - i));
    vectors_add(b, length, 1 + extended); /* the size of out */
    memmove(b->data + start + 2 + extended, b->data + start + 1, (size_t)payload);
    memcpy(b->data + start + 1, length, 1 + extended);
}

static inline const char *vectors_items(const char *at, char end, vectors_bytes *out);

static inline const char *vectors_hex(const char *at, vectors_bytes *out)
{
    static const char digits[] = "0123456789abcdef";
    const char *begin = at;

    while (*at && strchr(digits, at[0]) && at[1] && strchr(digits, at[1])) {
        uint8_t byte = (uint8_t)((strchr(digits, at[0]) - digits) << 4 | (strchr(digits, at[1]) - digits));
        vectors_add(out, &byte, 1);
        at += 2;
    }
    return at > begin && (*at == '\0' || strchr(" )}", *at)) ? at : NULL;
}

/* Reads one item; NULL if it is not an item. */
static inline const char *vectors_item(const char *at, vectors_bytes *out)
{
    size_t digits = strspn(at, "0123456789"), start = out->len_bytes, times = 1, len;

    if (digits && at[digits] == '*') {
        times = strtoul(at, NULL, 10);
        at += digits + 1;
    }
    if (*at == '"') {
        const char *end = strchr(at + 1, '"');
        if (!end)
            return NULL;
        vectors_add(out, at + 1, (size_t)(end - at - 1));
        at = end + 1;
    } else if (*at == '(' || *at == '{') {
        bool is_frame = *at == '{';
        at = vectors_items(at + 1, is_frame ? '}' : ')', out);
        if (!at || (is_frame && out->len_bytes == start))
            return NULL;
        if (is_frame)
            vectors_make_frame(out, start);
    } else {
        at = vectors_hex(at, out);
    }
    len = out->len_bytes - start;
    vectors_reserve(out, times * len);
    for (size_t i = 1; i < times; i++)
        vectors_add(out, out->data + start, len);
    return times ? at : NULL;
}

/* Reads items to the end of a group or of the text; NULL if one of them is not an item. */
static inline const char *vectors_items(const char *at, char end, vectors_bytes *out)
{
    for (;;) {
        at += strspn(at, " ");
        if (*at == end)
            return end ? at + 1 : at;
        if (!*at)
            return NULL;
        at = vectors_item(at, out);
        if (!at)
            return NULL;
    }
}

/* Appends the bytes that a text describes. */
static inline void vectors_add_items(vectors_bytes *out, const vectors_vector *v, const char *text)
{
    if (!vectors_items(text, '\0', out))
        vectors_fail(v->file, 0, "%s: not bytes: %s", v->name, text);
}

/* ---- Files -------------------------------------------------------------------------------------------- */

static inline void vectors_take_line(const char *file, int number, char *text)
{
    vectors_vector *v = vectors_count ? &vectors_all[vectors_count - 1] : NULL;
    char *rest = strchr(text, ' ');

    if (rest)
        *rest++ = '\0';
    else
        rest = text + strlen(text);
    if (strcmp(text, "vector") == 0 && vectors_count < VECTORS_AT_MOST) {
        v = &vectors_all[vectors_count++];
        v->file = file;
        v->name = rest;
    } else if (!v || v->file != file || v->line_count == VECTORS_LINES) {
        vectors_fail(file, number, "a line outside of a vector, or one too many");
    } else if (strcmp(text, "section") == 0) {
        v->section = rest;
    } else {
        v->lines[v->line_count++] = (vectors_line){text, rest};
    }
}

static inline void vectors_read_file(char *path)
{
    vectors_bytes text = {0};
    uint8_t chunk[4096];
    size_t got;
    int number = 0;
    FILE *file = fopen(path, "r");

    if (!file)
        vectors_fail(path, 0, "cannot be opened");
    while ((got = fread(chunk, 1, sizeof chunk, file)) > 0)
        vectors_add(&text, chunk, got);
    (void)fclose(file);
    vectors_add(&text, "", 1);
    for (char *at = (char *)text.data, *end; at && *at; at = end) {
        number++;
        end = strchr(at, '\n');
        if (end)
            *end++ = '\0';
        if (*at && *at != '#')
            vectors_take_line(path, number, at);
    }
}

/* Reads all files of tests/conformance; the path is relative to the root of the tree, where tests run. */
static inline void vectors_read(void)
{
    static glob_t found; /* the paths stay in use */

    vectors_all = calloc(VECTORS_AT_MOST, sizeof *vectors_all);
    if (!vectors_all || glob("tests/conformance/*.txt", 0, NULL, &found) != 0)
        vectors_fail("tests/conformance", 0, "there are no vectors; the tests run in the project's folder");
    for (size_t i = 0; i < found.gl_pathc; i++)
        vectors_read_file(found.gl_pathv[i]);
}

#endif

/* SPDX-License-Identifier: MIT */
/* Fuzz target: lines of a trace. Whatever the bytes, a line has only printable ASCII and fits its room. A secret in a place that
 * is masked is in no line, wherever the parts of a head end, and whatever is around it. */
#include "fuzz.h"

static const char secret[] = "S3cr3t";

static void check_line(const cw__trace_line *line)
{
    DEMAND(line->len_bytes < sizeof line->text);
    DEMAND(line->len_bytes == strlen(line->text));
    for (const char *c = line->text; *c; c++)
        DEMAND(*c >= ' ' && *c <= '~');
}

/* Gives a head in parts of part_bytes. Returns whether a line has the secret. */
static bool shows(const char *text, size_t len_bytes, bool is_sent, size_t part_bytes)
{
    cw__trace_heads heads = {{false, false}};
    bool is_shown = false;

    for (size_t at = 0; at < len_bytes;) {
        size_t more = part_bytes < len_bytes - at ? part_bytes : len_bytes - at;
        const char *rest = text + at;
        at += more;
        for (;;) {
            cw__trace_line line = {0};
            if (!cw__trace_add_head(&line, &heads, is_sent, "x-mine", &rest, &more))
                break;
            check_line(&line);
            is_shown = is_shown || strstr(line.text, secret);
        }
    }
    return is_shown;
}

/* Puts bytes of the input, without line ends, blanks and the start of the secret, between two texts. Returns the length. */
static size_t put_between(char *out, const char *before, const uint8_t *data, size_t len_bytes,
                          const char *after)
{
    size_t at = strlen(before);

    memcpy(out, before, at);
    for (size_t i = 0; i < len_bytes; i++)
        if (!memchr("\r\n \t\"'<>S", data[i], 9))
            out[at++] = (char)data[i];
    memcpy(out + at, after, strlen(after));
    return at + strlen(after);
}

static void check_masked(const uint8_t *data, size_t len_bytes, size_t part_bytes)
{
    static const char *const texts[][2] = {
        {"X: ws://", "S3cr3t@h/\r\n"},      {"Location: ", "S3cr3t@\r\n"},
        {"Cookie:", "S3cr3t\r\n"},          {"X-Mine: ", "S3cr3t\r\n"},
        {"GET /p?", "S3cr3t HTTP/1.1\r\n"}, {"Referer: /#", "S3cr3t\r\n"},
        {"Authorization: S3cr3t", "\r\n"},  {" ", "S3cr3t: a\r\n"},
        {"X: bearer ", "S3cr3t\r\n"},
    };
    char *text = malloc(len_bytes + 64);

    DEMAND(text != NULL);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t text_bytes = put_between(text, texts[i][0], data, len_bytes, texts[i][1]);
        DEMAND(!shows(text, text_bytes, true, part_bytes));
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    fuzz_input in = {data, len_bytes};
    size_t part_bytes = 1 + fuzz_byte(&in);
    uint8_t flags = fuzz_byte(&in);
    cw__trace_line line = {0}, words = {0}, frame = {0};

    (void)shows((const char *)in.data, in.len_bytes, flags & 1, part_bytes);
    cw__trace_add_masked(&line, (const char *)in.data, in.len_bytes);
    check_line(&line);
    DEMAND(cw__trace_add_words(&words, (const char *)in.data, in.len_bytes) == (words.len_bytes > 0));
    check_line(&words);
    cw__trace_add_frame(
        &frame,
        &(cw__trace_frame){
            .is_sent = flags & 1,
            .is_final = flags & 2,
            .opcode = flags >> 4,
            .rsv = flags & 7,
            .payload_bytes = in.len_bytes,
            .shown = in.data,
            .shown_bytes = in.len_bytes < CW__TRACE_PAYLOAD_MOST ? in.len_bytes : CW__TRACE_PAYLOAD_MOST,
        });
    check_line(&frame);
    check_masked(in.data, in.len_bytes, part_bytes);
    return 0;
}

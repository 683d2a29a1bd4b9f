/* SPDX-License-Identifier: MIT */
/* The bytes of values, as UWP's DataReader and DataWriter lay them out: numbers, GUIDs, and text in three encodings. The
 * bindings call it for their classes of these names. It is pure and calls only utf8.c. */
#include "protocol.h"

#include <string.h>

uint64_t cw_number_read(const void *data, size_t size_bytes, cw_byte_order order)
{
    const uint8_t *bytes = data;
    uint64_t number = 0;

    for (size_t i = 0; i < size_bytes; i++)
        number = number << 8 | bytes[order == CW_BIG_ENDIAN ? i : size_bytes - 1 - i];
    return number;
}

void cw_number_write(void *out, size_t size_bytes, cw_byte_order order, uint64_t number)
{
    uint8_t *bytes = out;

    for (size_t i = 0; i < size_bytes; i++, number >>= 8)
        bytes[order == CW_BIG_ENDIAN ? size_bytes - 1 - i : i] = (uint8_t)number;
}

static void swap_bytes(uint8_t *bytes, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes / 2; i++) {
        uint8_t byte = bytes[i];
        bytes[i] = bytes[size_bytes - 1 - i];
        bytes[size_bytes - 1 - i] = byte;
    }
}

void cw_guid_arrange(uint8_t guid[CW_GUID_BYTES], cw_byte_order order)
{
    if (order == CW_BIG_ENDIAN)
        return;
    swap_bytes(guid, 4);
    swap_bytes(guid + 4, 2);
    swap_bytes(guid + 6, 2);
}

/* ---- Text: each function takes or puts one character ---- */

/* Returns the bytes of the character at the front; 0 if there is no valid character (RFC 3629). */
static size_t take_utf8(const uint8_t *at, size_t len_bytes, uint32_t *character)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t lead = at[0];
    size_t size = lead < 0x80 ? 1 : lead < 0xc0 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf8 ? 4 : 0;
    uint32_t c = size == 1 ? lead : size == 0 ? 0 : lead & (0x7fu >> size);

    if (size == 0 || size > len_bytes)
        return 0;
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (at[i] & 0x3f);
    }
    if (c < least[size] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *character = c;
    return size;
}

/* The same for UTF-16 (RFC 2781). A surrogate without its partner is not valid. */
static size_t take_utf16(const uint8_t *at, size_t len_bytes, cw_byte_order order, uint32_t *character)
{
    uint32_t first, second;

    if (len_bytes < 2)
        return 0;
    first = (uint32_t)cw_number_read(at, 2, order);
    *character = first;
    if (first < 0xd800 || first > 0xdfff)
        return 2;
    second = len_bytes < 4 ? 0 : (uint32_t)cw_number_read(at + 2, 2, order);
    if (first > 0xdbff || second < 0xdc00 || second > 0xdfff)
        return 0;
    *character = 0x10000 + ((first & 0x3ff) << 10 | (second & 0x3ff));
    return 4;
}

static size_t put_utf8(uint8_t out[4], uint32_t c)
{
    size_t size = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    for (size_t i = size - 1; i > 0; i--, c >>= 6)
        out[i] = (uint8_t)(0x80 | (c & 0x3f));
    out[0] = (uint8_t)(size == 1 ? c : (0xf00u >> size & 0xf0) | c);
    return size;
}

static size_t put_utf16(uint8_t out[4], cw_byte_order order, uint32_t c)
{
    if (c < 0x10000) {
        cw_number_write(out, 2, order, c);
        return 2;
    }
    cw_number_write(out, 2, order, 0xd800 + ((c - 0x10000) >> 10));
    cw_number_write(out + 2, 2, order, 0xdc00 + (c & 0x3ff));
    return 4;
}

static cw_byte_order order_of(cw_encoding encoding)
{
    return encoding == CW_ENCODING_UTF16BE ? CW_BIG_ENDIAN : CW_LITTLE_ENDIAN;
}

/* Copies UTF-8 that is valid, without a look at each character. Returns false if it is not valid. */
static bool copy_utf8(const void *data, size_t len_bytes, void *out, size_t room_bytes, size_t *out_bytes)
{
    if (!cw__utf8_valid(data, len_bytes))
        return false;
    *out_bytes = len_bytes;
    if (len_bytes > 0 && len_bytes <= room_bytes)
        memcpy(out, data, len_bytes);
    return true;
}

bool cw_text_convert(cw_encoding from, const void *data, size_t len_bytes, cw_encoding to, void *out,
                     size_t size_bytes, size_t *out_len_bytes, size_t *bad_byte)
{
    const uint8_t *bytes = data;
    size_t at = 0, done = 0, used, size;

    *out_len_bytes = *bad_byte = 0;
    if (from == CW_ENCODING_UTF8 && to == from && copy_utf8(data, len_bytes, out, size_bytes, out_len_bytes))
        return true;
    for (; at < len_bytes; at += used, done += size) {
        uint8_t one[4];
        uint32_t c = 0;
        used = from == CW_ENCODING_UTF8 ? take_utf8(bytes + at, len_bytes - at, &c)
                                        : take_utf16(bytes + at, len_bytes - at, order_of(from), &c);
        if (used == 0) {
            *bad_byte = at;
            return false;
        }
        size = to == CW_ENCODING_UTF8 ? put_utf8(one, c) : put_utf16(one, order_of(to), c);
        if (size <= size_bytes && done <= size_bytes - size)
            memcpy((uint8_t *)out + done, one, size);
    }
    *out_len_bytes = done;
    return true;
}

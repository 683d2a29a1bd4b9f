/* SPDX-License-Identifier: MIT */
/* Tests of frame.c: headers and masking. */
#include "harness.h"

static void expect_encoding(cw__frame frame, const char *wanted, size_t wanted_bytes)
{
    uint8_t out[CW__HEADER_MAX_BYTES];
    size_t used = cw__frame_encode(&frame, out);

    CHECK_BYTES(out, used, wanted, wanted_bytes);
}

static void test_encode_samples(void)
{
    expect_encoding((cw__frame){.opcode = 1, .is_final = true, .payload_bytes = 5}, "\x81\x05", 2);
    expect_encoding((cw__frame){.opcode = 1,
                                .is_final = true,
                                .payload_bytes = 5,
                                .is_masked = true,
                                .mask = {0x37, 0xfa, 0x21, 0x3d}},
                    "\x81\x85\x37\xfa\x21\x3d", 6);
    expect_encoding((cw__frame){.opcode = 1, .payload_bytes = 3}, "\x01\x03", 2);
    expect_encoding((cw__frame){.opcode = 0, .is_final = true, .payload_bytes = 2}, "\x80\x02", 2);
    expect_encoding((cw__frame){.opcode = 9, .is_final = true, .payload_bytes = 5}, "\x89\x05", 2);
    expect_encoding((cw__frame){.opcode = 2, .is_final = true, .payload_bytes = 256}, "\x82\x7e\x01\x00", 4);
    expect_encoding((cw__frame){.opcode = 2, .is_final = true, .payload_bytes = 65536},
                    "\x82\x7f\0\0\0\0\0\1\0\0", 10);
}

static void test_encode_lengths(void)
{
    expect_encoding((cw__frame){.opcode = 2, .payload_bytes = 0}, "\x02\x00", 2);
    expect_encoding((cw__frame){.opcode = 2, .payload_bytes = 125}, "\x02\x7d", 2);
    expect_encoding((cw__frame){.opcode = 2, .payload_bytes = 126}, "\x02\x7e\0\x7e", 4);
    expect_encoding((cw__frame){.opcode = 2, .payload_bytes = 65535}, "\x02\x7e\xff\xff", 4);
    expect_encoding((cw__frame){.opcode = 2, .payload_bytes = INT64_MAX},
                    "\x02\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 10);
    expect_encoding((cw__frame){.opcode = 0xf, .rsv = 7, .is_final = true}, "\xff\x00", 2);
    expect_encoding((cw__frame){.opcode = 1, .rsv = 4}, "\x41\x00", 2);
}

static void expect_frame(const cw__frame *is, const cw__frame *wanted)
{
    CHECK_INT(is->payload_bytes, wanted->payload_bytes);
    CHECK_INT(is->opcode, wanted->opcode);
    CHECK_INT(is->rsv, wanted->rsv);
    CHECK_INT(is->is_final, wanted->is_final);
    CHECK_INT(is->is_masked, wanted->is_masked);
    CHECK_BYTES(is->mask, sizeof is->mask, wanted->mask, sizeof wanted->mask);
}

/* Decodes bytes that begin with a header of header_bytes. The bits of `cuts` say where the bytes are split. */
static void decode_cut(const uint8_t *bytes, size_t header_bytes, unsigned cuts, const cw__frame *wanted)
{
    cw__frame_decoder d = {0};
    cw__frame frame;
    size_t begin = 0, used;

    for (size_t end = 1; end < header_bytes; end++) {
        if (!(cuts >> (end - 1) & 1))
            continue;
        CHECK_INT(cw__frame_decode(&d, bytes + begin, end - begin, &used, &frame), CW__DECODE_MORE);
        CHECK_INT(used, end - begin);
        begin = end;
    }
    /* the last part contains bytes after the header: none of them may be used */
    CHECK_INT(cw__frame_decode(&d, bytes + begin, header_bytes + 3 - begin, &used, &frame), CW__DECODE_DONE);
    CHECK_INT(used, header_bytes - begin);
    expect_frame(&frame, wanted);
    /* the decoder is ready again */
    CHECK_INT(cw__frame_decode(&d, bytes, header_bytes, &used, &frame), CW__DECODE_DONE);
    CHECK_INT(used, header_bytes);
}

static void test_decode(void)
{
    static const uint64_t lengths[] = {0, 1, 125, 126, 127, 255, 65535, 65536, 1u << 31, INT64_MAX};

    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        for (unsigned masked = 0; masked < 2; masked++) {
            cw__frame frame = {.payload_bytes = lengths[i], .opcode = (uint8_t)i, .rsv = i & 7};
            uint8_t bytes[CW__HEADER_MAX_BYTES + 3];
            size_t header_bytes;

            frame.is_final = i % 2;
            frame.is_masked = masked;
            if (masked)
                memcpy(frame.mask, "\x12\x34\x56\x78", 4);
            memset(bytes, 0xff, sizeof bytes);
            header_bytes = cw__frame_encode(&frame, bytes);
            for (unsigned cuts = 0; cuts < 1u << (header_bytes - 1); cuts++)
                decode_cut(bytes, header_bytes, cuts, &frame);
        }
    }
}

/* Every pair of first bytes, given whole. */
static void test_decode_every_beginning(void)
{
    for (unsigned first = 0; first < 65536; first++) {
        uint8_t bytes[CW__HEADER_MAX_BYTES] = {(uint8_t)(first >> 8), (uint8_t)first, 1, 2, 3, 4, 5};
        unsigned length = first & 0x7f;
        size_t wanted = 2 + (length == 126 ? 2u : length == 127 ? 8u : 0u) + (first & 0x80 ? 4u : 0u);
        cw__frame_decoder d = {0};
        cw__frame frame;
        size_t used;

        CHECK_INT(cw__frame_decode(&d, bytes, sizeof bytes, &used, &frame), CW__DECODE_DONE);
        CHECK_INT(used, wanted);
        CHECK_INT(frame.opcode, first >> 8 & 0xf);
        CHECK_INT(frame.rsv, first >> 12 & 7);
        CHECK_INT(frame.is_final, first >> 15);
        CHECK_INT(frame.is_masked, first >> 7 & 1);
    }
}

static void expect_bad(const char *header, size_t header_bytes)
{
    for (size_t cut = 0; cut < header_bytes; cut++) {
        cw__frame_decoder d = {0};
        cw__frame frame;
        size_t used;

        CHECK_INT(cw__frame_decode(&d, (const uint8_t *)header, cut, &used, &frame), CW__DECODE_MORE);
        CHECK_INT(cw__frame_decode(&d, (const uint8_t *)header + cut, header_bytes - cut, &used, &frame),
                  CW__DECODE_BAD);
    }
}

static void test_not_minimal(void)
{
    expect_bad("\x82\x7e\x00\x00", 4);
    expect_bad("\x82\x7e\x00\x7d", 4);
    expect_bad("\x82\x7f\0\0\0\0\0\0\0\x7d", 10);
    expect_bad("\x82\x7f\0\0\0\0\0\0\xff\xff", 10);
    expect_bad("\x82\xfe\x00\x05\1\2\3\4", 8);
}

static void test_too_long(void)
{
    expect_bad("\x82\x7f\x80\0\0\0\0\0\0\0", 10);
    expect_bad("\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", 10);
}

static void test_no_bytes(void)
{
    cw__frame_decoder d = {0};
    cw__frame frame;
    size_t used = 7;

    CHECK_INT(cw__frame_decode(&d, NULL, 0, &used, &frame), CW__DECODE_MORE);
    CHECK_INT(used, 0);
}

static void test_mask_sample(void)
{
    static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    uint8_t out[5];

    cw__frame_mask(out, (const uint8_t *)"Hello", 5, mask, 0);
    CHECK_BYTES(out, sizeof out, "\x7f\x9f\x4d\x51\x58", 5);
}

/* Compares with the definition at every length, offset and alignment, in place and not. No byte beyond the end changes. */
static void test_mask(void)
{
    static const uint8_t mask[4] = {0x01, 0x92, 0xa4, 0xf8};
    uint8_t src[160], dst[160], same[160], wanted[160];

    for (size_t i = 0; i < sizeof src; i++)
        src[i] = (uint8_t)(i * 31 + 5);
    for (size_t len = 0; len <= 140; len++) {
        for (size_t offset = 0; offset < 8; offset++) {
            size_t at = (len + offset) % 9; /* takes every alignment */

            memset(wanted, 0xee, sizeof wanted);
            memset(dst, 0xee, sizeof dst);
            memcpy(same, src, sizeof same);
            for (size_t i = 0; i < len; i++)
                wanted[at + i] = src[at + 1 + i] ^ mask[(offset + i) % 4];
            cw__frame_mask(dst + at, src + at + 1, len, mask, offset);
            CHECK_BYTES(dst, sizeof dst, wanted, sizeof wanted);
            cw__frame_mask(same + at + 1, same + at + 1, len, mask, offset + ((uint64_t)1 << 40));
            CHECK_BYTES(same + at + 1, len, wanted + at, len);
            CHECK_BYTES(same, at + 1, src, at + 1);
            CHECK_BYTES(same + at + 1 + len, 8, src + at + 1 + len, 8);
        }
    }
}

static const harness_test tests[] = {
    {"RFC 6455 5.7: the sample headers are written", test_encode_samples},
    {"RFC 6455 5.2: lengths are written in the shortest form", test_encode_lengths},
    {"RFC 6455 5.2: headers are decoded, cut in every way", test_decode},
    {"RFC 6455 5.2: every pair of first bytes is read", test_decode_every_beginning},
    {"RFC 6455 5.2: a length that is not in the shortest form is refused", test_not_minimal},
    {"RFC 6455 5.2: a length of 2^63 and more is refused", test_too_long},
    {"no bytes change nothing", test_no_bytes},
    {"RFC 6455 5.7: the sample payload is masked", test_mask_sample},
    {"RFC 6455 5.3: masking is as defined at every length, offset and alignment", test_mask},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

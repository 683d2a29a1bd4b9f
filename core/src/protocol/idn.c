/* SPDX-License-Identifier: MIT */
/* International host names: "bücher.example" to "xn--bcher-kva.example" (UTS #46, non-transitional: ß, ς and the two joiners
 * stay what they are). It is done here, before libcurl sees the URI, so that every build and language has the same rule.
 * libcurl's own conversion reads the locale's encoding and needs libidn2. uri.c calls this; idn_table.c has the data.
 *
 * These are the flags of UTS #46: CheckHyphens, CheckBidi, CheckJoiners, UseSTD3ASCIIRules and VerifyDnsLength are true,
 * Transitional_Processing and IgnoreInvalidPunycode are false. A part of a name that is ASCII already, and not xn--, is kept
 * as it is, as in a name that is ASCII altogether.
 *
 * A fault is ASCII, and shows code points by their numbers only.
 *
 * Errors: CW_INVALID_ARGUMENT. */
#include <stdio.h>
#include <string.h>

#include "protocol.h"

enum {
    CODES_AT_MOST = 1024, /* of a name, mapped and decomposed */
    LABEL_AT_MOST = 63,
    NAME_AT_MOST = 253,
    ZWNJ = 0x200c,
    ZWJ = 0x200d,
    VIRAMA = 9, /* a combining class */
};

typedef struct name {
    uint32_t codes[CODES_AT_MOST];
    size_t count;
} name;

static bool fail_length(char fault[CW__URI_FAULT_BYTES])
{
    return CW__URI_FAULT(fault, "the host has more than %d characters in its ASCII form: shorten it",
                         NAME_AT_MOST);
}

static bool put(name *to, uint32_t code)
{
    if (to->count == CODES_AT_MOST)
        return false;
    to->codes[to->count++] = code;
    return true;
}

/* ---- The tables ---- */

static const cw__idn_property *property_of(uint32_t code)
{
    size_t low = 0, high = cw__idn_property_count;

    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (cw__idn_properties[middle].first <= code)
            low = middle;
        else
            high = middle;
    }
    return &cw__idn_properties[low];
}

static const cw__idn_run *run_of(uint32_t code)
{
    size_t low = 0, high = cw__idn_run_count;

    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (cw__idn_runs[middle].first <= code)
            low = middle;
        else
            high = middle;
    }
    return &cw__idn_runs[low];
}

/* Appends the text that a run of texts has for a code point. */
static bool put_text(name *to, const cw__idn_run *run, uint32_t code)
{
    const uint32_t *text = cw__idn_texts + run->value;

    for (uint32_t before = code - run->first; before > 0; text++)
        before -= (*text & CW__IDN_LAST) != 0;
    for (;; text++) {
        if (!put(to, *text & ~(uint32_t)CW__IDN_LAST))
            return false;
        if (*text & CW__IDN_LAST)
            return true;
    }
}

/* Says whether a code point is mapped to itself. */
static bool is_valid(uint32_t code)
{
    const cw__idn_run *run = run_of(code);

    return run->kind == CW__IDN_IS_VALID || (run->kind == CW__IDN_IS_PAIRS && (code - run->first) % 2 == 1);
}

/* Appends what a code point is mapped to. */
static bool map(name *to, uint32_t code, char fault[CW__URI_FAULT_BYTES])
{
    const cw__idn_run *run = run_of(code);
    bool has_room = true;

    switch ((cw__idn_kind)run->kind) {
    case CW__IDN_IS_NO:
        return CW__URI_FAULT(fault, "the host contains U+%04X, which no host name may have: remove it",
                             (unsigned)code);
    case CW__IDN_IS_GONE:
        break;
    case CW__IDN_IS_VALID:
        has_room = put(to, code);
        break;
    case CW__IDN_IS_PAIRS:
        has_room = put(to, code + 1 - (code - run->first) % 2);
        break;
    case CW__IDN_IS_MOVED:
        has_room = put(to, (uint32_t)((int32_t)code + run->value));
        break;
    case CW__IDN_IS_TEXTS:
        has_room = put_text(to, run, code);
        break;
    }
    return has_room || fail_length(fault);
}

/* ---- Normalisation form C ---- */

enum {
    HANGUL = 0xac00,
    HANGUL_COUNT = 11172,
    LEADING = 0x1100,
    LEADING_COUNT = 19,
    VOWEL = 0x1161,
    VOWEL_COUNT = 21,
    TRAILING = 0x11a7, /* one before the first */
    TRAILING_COUNT = 28,
};

static const cw__idn_pair *pair_of(uint32_t composed)
{
    size_t low = 0, high = cw__idn_pair_count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (cw__idn_pairs[middle].composed == composed)
            return &cw__idn_pairs[middle];
        if (cw__idn_pairs[middle].composed < composed)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static bool put_hangul(name *to, uint32_t syllable)
{
    uint32_t trailing = syllable % TRAILING_COUNT, pair = syllable / TRAILING_COUNT;

    return put(to, LEADING + pair / VOWEL_COUNT) && put(to, VOWEL + pair % VOWEL_COUNT) &&
           (trailing == 0 || put(to, TRAILING + trailing));
}

/* Appends the canonical decomposition. The second character of a pair is never a pair (idn_table.py checks it). */
static bool put_decomposed(name *to, uint32_t code)
{
    enum { DEEPEST = 8 };
    uint32_t seconds[DEEPEST];
    size_t count = 0;
    const cw__idn_pair *pair;

    if (code - HANGUL < HANGUL_COUNT)
        return put_hangul(to, code - HANGUL);
    for (; (pair = pair_of(code)) && count < DEEPEST; code = pair->first)
        seconds[count++] = pair->second;
    if (!put(to, code))
        return false;
    while (count > 0)
        if (!put(to, seconds[--count]))
            return false;
    return true;
}

/* Sorts each run of marks by their classes. */
static void order(name *n)
{
    for (size_t i = 1; i < n->count; i++) {
        uint32_t code = n->codes[i];
        uint8_t combining = property_of(code)->combining;
        size_t at = i;
        if (combining == 0)
            continue;
        for (; at > 0 && property_of(n->codes[at - 1])->combining > combining; at--)
            n->codes[at] = n->codes[at - 1];
        n->codes[at] = code;
    }
}

/* Gives the composition of two characters; 0 = none. */
static uint32_t composed(uint32_t first, uint32_t second)
{
    if (first - LEADING < LEADING_COUNT && second - VOWEL < VOWEL_COUNT)
        return HANGUL + ((first - LEADING) * VOWEL_COUNT + (second - VOWEL)) * TRAILING_COUNT;
    if (first - HANGUL < HANGUL_COUNT && (first - HANGUL) % TRAILING_COUNT == 0 && second > TRAILING &&
        second - TRAILING < TRAILING_COUNT)
        return first + (second - TRAILING);
    for (size_t i = 0; i < cw__idn_pair_count; i++)
        if (cw__idn_pairs[i].first == first && cw__idn_pairs[i].second == second)
            return cw__idn_pairs[i].composed;
    return 0;
}

/* Joins characters with the starter before them, unless one of the same or a higher class is between. */
static void compose(name *n)
{
    size_t out = 0, starter = SIZE_MAX;
    unsigned last = 0; /* the class of the last character behind the starter */

    for (size_t i = 0; i < n->count; i++) {
        uint32_t code = n->codes[i], joined = 0;
        unsigned combining = property_of(code)->combining;
        bool is_next = starter != SIZE_MAX && starter + 1 == out;
        if (starter != SIZE_MAX && (is_next || last < combining))
            joined = composed(n->codes[starter], code);
        if (joined) {
            n->codes[starter] = joined;
            continue;
        }
        if (combining == 0)
            starter = out;
        last = combining;
        n->codes[out++] = code;
    }
    n->count = out;
}

static bool normalise(const name *from, name *to, char fault[CW__URI_FAULT_BYTES])
{
    to->count = 0;
    for (size_t i = 0; i < from->count; i++)
        if (!put_decomposed(to, from->codes[i]))
            return fail_length(fault);
    order(to);
    compose(to);
    return true;
}

/* ---- The rules for a label ---- */

static bool is_ascii(const uint32_t *codes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (codes[i] >= 0x80)
            return false;
    return true;
}

static bool is_letter_digit_hyphen(uint32_t code)
{
    return (code >= 'a' && code <= 'z') || (code >= '0' && code <= '9') || code == '-';
}

/* RFC 5892 appendix A.1 and A.2: a joiner stands after a virama, or a non-joiner between letters that would join. */
static bool joins(const uint32_t *codes, size_t count, size_t at)
{
    size_t before = at, after = at + 1;
    uint8_t joining;

    if (at > 0 && property_of(codes[at - 1])->combining == VIRAMA)
        return true;
    if (codes[at] == ZWJ)
        return false;
    while (before > 0 && property_of(codes[before - 1])->joining == CW__JOINING_T)
        before--;
    while (after < count && property_of(codes[after])->joining == CW__JOINING_T)
        after++;
    if (before == 0 || after == count)
        return false;
    joining = property_of(codes[before - 1])->joining;
    if (joining != CW__JOINING_L && joining != CW__JOINING_D)
        return false;
    joining = property_of(codes[after])->joining;
    return joining == CW__JOINING_R || joining == CW__JOINING_D;
}

static bool check_code(const uint32_t *codes, size_t count, size_t at, char fault[CW__URI_FAULT_BYTES])
{
    uint32_t code = codes[at];

    if (code < 0x80 && !is_letter_digit_hyphen(code))
        return CW__URI_FAULT(fault, "the host contains U+%04X, or a character that stands for it: remove it",
                             (unsigned)code);
    if (!is_valid(code))
        return CW__URI_FAULT(fault, "the host contains U+%04X, which no host name may have: remove it",
                             (unsigned)code);
    if ((code == ZWJ || code == ZWNJ) && !joins(codes, count, at))
        return CW__URI_FAULT(fault, "the host contains the joiner U+%04X where it joins nothing: remove it",
                             (unsigned)code);
    return true;
}

/* Checks a label that is not ASCII. */
static bool check_label(const uint32_t *codes, size_t count, char fault[CW__URI_FAULT_BYTES])
{
    if (codes[0] == '-' || codes[count - 1] == '-' || (count > 3 && codes[2] == '-' && codes[3] == '-'))
        return CW__URI_FAULT(
            fault, "a part of the host begins or ends with a hyphen, or its third and fourth characters are "
                   "hyphens: remove them");
    if (property_of(codes[0])->is_mark)
        return CW__URI_FAULT(fault, "a part of the host begins with the mark U+%04X: put a letter before it",
                             (unsigned)codes[0]);
    for (size_t i = 0; i < count; i++)
        if (!check_code(codes, count, i, fault))
            return false;
    return true;
}

static uint32_t bit_of(uint32_t code) { return 1u << property_of(code)->bidi; }

#define BIT(class) (1u << CW__BIDI_##class)

static bool is_right_to_left(uint32_t code) { return (bit_of(code) & (BIT(R) | BIT(AL) | BIT(AN))) != 0; }

/* RFC 5893 section 2: the rule for the labels of a name in which one is written from right to left. */
static bool is_bidi_right(const uint32_t *codes, size_t count)
{
    const uint32_t neutral = BIT(ES) | BIT(CS) | BIT(ET) | BIT(ON) | BIT(BN) | BIT(NSM) | BIT(EN);
    uint32_t first = bit_of(codes[0]), all = 0, last;

    while (count > 1 && (bit_of(codes[count - 1]) & BIT(NSM)))
        count--;
    last = bit_of(codes[count - 1]);
    for (size_t i = 0; i < count; i++)
        all |= bit_of(codes[i]);
    if (first & (BIT(R) | BIT(AL)))
        return !(all & ~(neutral | BIT(R) | BIT(AL) | BIT(AN))) &&
               (last & (BIT(R) | BIT(AL) | BIT(EN) | BIT(AN))) &&
               (all & (BIT(EN) | BIT(AN))) != (BIT(EN) | BIT(AN));
    return (first & BIT(L)) && !(all & ~(neutral | BIT(L))) && (last & (BIT(L) | BIT(EN)));
}

/* ---- The whole name ---- */

static size_t label_count(const name *n, size_t from)
{
    size_t at = from;

    while (at < n->count && n->codes[at] != '.')
        at++;
    return at - from;
}

/* Reads a label "xn--..." and appends what it stands for, which must be what this would write as that label. */
static bool put_decoded(name *to, const uint32_t *codes, size_t count, char fault[CW__URI_FAULT_BYTES])
{
    static const char text[] =
        "a part of the host begins with xn-- and is not the ASCII form of a name: check its spelling";
    char label[LABEL_AT_MOST], again[LABEL_AT_MOST];
    name decoded, same;
    size_t len = 0;

    if (count > LABEL_AT_MOST || !is_ascii(codes, count))
        return CW__URI_FAULT(fault, "%s", text);
    for (size_t i = 4; i < count; i++)
        label[i - 4] = (char)codes[i];
    if (!cw__punycode_decode(label, count - 4, decoded.codes, LABEL_AT_MOST, &decoded.count) ||
        is_ascii(decoded.codes, decoded.count) || !normalise(&decoded, &same, fault) ||
        same.count != decoded.count ||
        memcmp(same.codes, decoded.codes, same.count * sizeof *same.codes) != 0 ||
        !cw__punycode_encode(decoded.codes, decoded.count, again, sizeof again, &len) || len != count - 4 ||
        memcmp(again, label, len) != 0)
        return CW__URI_FAULT(fault, "%s", text);
    for (size_t i = 0; i < decoded.count; i++)
        if (decoded.codes[i] == '.' || !put(to, decoded.codes[i]))
            return CW__URI_FAULT(fault, "%s", text);
    return true;
}

static bool is_xn(const uint32_t *codes, size_t count)
{
    return count >= 4 && codes[0] == 'x' && codes[1] == 'n' && codes[2] == '-' && codes[3] == '-';
}

/* Copies a name with its labels decoded. */
static bool decode(const name *from, name *to, char fault[CW__URI_FAULT_BYTES])
{
    to->count = 0;
    for (size_t at = 0; at <= from->count; at++) {
        size_t count = label_count(from, at);
        if (count == 0 && at < from->count)
            return CW__URI_FAULT(fault, at == 0 ? "the host begins with a dot: remove it"
                                                : "the host has two dots side by side: remove one");
        if (is_xn(from->codes + at, count)) {
            if (!put_decoded(to, from->codes + at, count, fault))
                return false;
        } else {
            for (size_t i = 0; i < count; i++)
                if (!put(to, from->codes[at + i]))
                    return fail_length(fault);
        }
        at += count;
        if (at < from->count && !put(to, '.'))
            return fail_length(fault);
    }
    return true;
}

/* Writes a label as ASCII. */
static bool put_label(const uint32_t *codes, size_t count, char label[LABEL_AT_MOST + 1], size_t *len,
                      char fault[CW__URI_FAULT_BYTES])
{
    bool has_room = count <= LABEL_AT_MOST;

    if (is_ascii(codes, count)) {
        for (size_t i = 0; has_room && i < count; i++) {
            if (!is_letter_digit_hyphen(codes[i]) && codes[i] != '_' && codes[i] != '~')
                return check_code(codes, count, i, fault);
            label[i] = (char)codes[i];
        }
        *len = count;
    } else {
        if (!check_label(codes, count, fault))
            return false;
        memcpy(label, "xn--", 4); /* NOLINT(bugprone-not-null-terminated-result): its length is counted */
        has_room = cw__punycode_encode(codes, count, label + 4, LABEL_AT_MOST - 4, len);
        *len += 4;
    }
    return has_room ||
           CW__URI_FAULT(fault, "a part of the host has more than %d characters in its ASCII form: shorten it",
                         LABEL_AT_MOST);
}

static bool put_ascii(const name *n, char out[CW__HOST_AT_MOST + 1], char fault[CW__URI_FAULT_BYTES])
{
    bool is_bidi = false;
    size_t out_len = 0;

    for (size_t i = 0; i < n->count; i++)
        is_bidi = is_bidi || is_right_to_left(n->codes[i]);
    for (size_t at = 0; at < n->count; at++) {
        char label[LABEL_AT_MOST + 1];
        size_t count = label_count(n, at), len = 0;
        if (!put_label(n->codes + at, count, label, &len, fault))
            return false;
        if (is_bidi && !is_bidi_right(n->codes + at, count))
            return CW__URI_FAULT(
                fault,
                "the host mixes directions of writing in a way that host names may not (RFC 5893): check its "
                "spelling");
        if (out_len + len > NAME_AT_MOST)
            return fail_length(fault);
        memcpy(out + out_len, label, len);
        out_len += len;
        at += count;
        if (at < n->count)
            out[out_len++] = '.';
    }
    out[out_len] = '\0';
    return true;
}

bool cw__idn_to_ascii(const char *text, size_t len_bytes, char out[CW__HOST_AT_MOST + 1],
                      char fault[CW__URI_FAULT_BYTES])
{
    const uint8_t *at = (const uint8_t *)text, *end = at + len_bytes;
    name mapped = {.count = 0}, other;

    if (!cw__utf8_valid(text, len_bytes))
        return CW__URI_FAULT(fault, "the host is not UTF-8: write it in UTF-8, or in its ASCII form, xn--...");
    while (at < end) {
        unsigned more = *at < 0x80 ? 0 : *at < 0xe0 ? 1 : *at < 0xf0 ? 2 : 3;
        uint32_t code = more ? *at & (0x3fu >> more) : *at;
        for (at++; more > 0; more--)
            code = code << 6 | (*at++ & 0x3f);
        if (!map(&mapped, code, fault))
            return false;
    }
    if (!normalise(&mapped, &other, fault) || !decode(&other, &mapped, fault))
        return false;
    if (mapped.count == 0)
        return CW__URI_FAULT(fault, "there is no host; it should look like wss://host/path");
    return put_ascii(&mapped, out, fault);
}

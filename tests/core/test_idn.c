/* SPDX-License-Identifier: MIT */
/* Tests of punycode.c and idn.c: RFC 3492, and the rules of UTS #46 for host names. tests/python/test_idn.py and
 * tests/faults/test_names.py connect to such hosts. */
#include "harness.h"
#include "protocol/protocol.h"

/* ---- Punycode ---- */

typedef struct sample {
    const char *ascii, *text; /* text is UTF-8 */
} sample;

/* RFC 3492 section 7.1. What the RFC writes in mixed case, as a hint for display, is in lower case here. */
static const sample samples[] = {
    {"egbpdaj6bu4bxfgehfvwxn",
     "\u0644\u064a\u0647\u0645\u0627\u0628\u062a\u0643\u0644\u0645\u0648\u0634\u0639\u0631\u0628\u064a"
     "\u061f"},
    {"ihqwcrb4cv8a8dqg056pqjye", "\u4ed6\u4eec\u4e3a\u4ec0\u4e48\u4e0d\u8bf4\u4e2d\u6587"},
    {"ihqwctvzc91f659drss3x8bo0yb", "\u4ed6\u5011\u7232\u4ec0\u9ebd\u4e0d\u8aaa\u4e2d\u6587"},
    {"Proprostnemluvesky-uyb24dma41a", "Pro\u010dprost\u011bnemluv\u00ed\u010desky"},
    {"4dbcagdahymbxekheh6e0a7fei0b",
     "\u05dc\u05de\u05d4\u05d4\u05dd\u05e4\u05e9\u05d5\u05d8\u05dc\u05d0\u05de\u05d3\u05d1\u05e8\u05d9"
     "\u05dd\u05e2\u05d1\u05e8\u05d9\u05ea"},
    {"i1baa7eci9glrd9b2ae1bj0hfcgg6iyaf8o0a1dig0cd",
     "\u092f\u0939\u0932\u094b\u0917\u0939\u093f\u0928\u094d\u0926\u0940\u0915\u094d\u092f\u094b\u0902"
     "\u0928\u0939\u0940\u0902\u092c\u094b\u0932\u0938\u0915\u0924\u0947\u0939\u0948\u0902"},
    {"n8jok5ay5dzabd5bym9f0cm5685rrjetr6pdxa",
     "\u306a\u305c\u307f\u3093\u306a\u65e5\u672c\u8a9e\u3092\u8a71\u3057\u3066\u304f\u308c\u306a\u3044"
     "\u306e\u304b"},
    {"989aomsvi5e83db1d2a355cv1e0vak1dwrv93d5xbh15a0dt30a5jpsd879ccm6fea98c",
     "\uc138\uacc4\uc758\ubaa8\ub4e0\uc0ac\ub78c\ub4e4\uc774\ud55c\uad6d\uc5b4\ub97c\uc774\ud574\ud55c"
     "\ub2e4\uba74\uc5bc\ub9c8\ub098\uc88b\uc744\uae4c"},
    {"b1abfaaepdrnnbgefbadotcwatmq2g4l",
     "\u043f\u043e\u0447\u0435\u043c\u0443\u0436\u0435\u043e\u043d\u0438\u043d\u0435\u0433\u043e\u0432"
     "\u043e\u0440\u044f\u0442\u043f\u043e\u0440\u0443\u0441\u0441\u043a\u0438"},
    {"PorqunopuedensimplementehablarenEspaol-fmd56a", "Porqu\u00e9nopuedensimplementehablarenEspa\u00f1ol"},
    {"TisaohkhngthchnitingVit-kjcr8268qyxafd2f1b9g",
     "T\u1ea1isaoh\u1ecdkh\u00f4ngth\u1ec3ch\u1ec9n\u00f3iti\u1ebfngVi\u1ec7t"},
    {"3B-ww4c5e180e575a65lsy2b", "3\u5e74B\u7d44\u91d1\u516b\u5148\u751f"},
    {"-with-SUPER-MONKEYS-pc58ag80a8qai00g7n9n", "\u5b89\u5ba4\u5948\u7f8e\u6075-with-SUPER-MONKEYS"},
    {"Hello-Another-Way--fc4qua05auwb3674vfr0b",
     "Hello-Another-Way-\u305d\u308c\u305e\u308c\u306e\u5834\u6240"},
    {"2-u9tlzr9756bt3uc0v", "\u3072\u3068\u3064\u5c4b\u6839\u306e\u4e0b2"},
    {"MajiKoi5-783gue6qz075azm5e", "Maji\u3067Koi\u3059\u308b5\u79d2\u524d"},
    {"de-jg4avhby1noc0d", "\u30d1\u30d5\u30a3\u30fcde\u30eb\u30f3\u30d0"},
    {"d9juau41awczczp", "\u305d\u306e\u30b9\u30d4\u30fc\u30c9\u3067"},
    {"-> $1.00 <--", "-> $1.00 <-"},
    /* these depend on each constant of the RFC's section 5 */
    {"vs2am4085b", "\u8907\U00090f2e"},
    {"sv6a982gi414s", "\U000e0ee4\uccd6\u9c91"},
    {"z3g47838c7x7b", "\U0005cf88\u2146\U000639e5"},
    {"dn32g", "\U0010ffff"}, /* the last code point */
};

enum { MOST = CW__PUNYCODE_AT_MOST };

/* The code points of a text. */
static size_t codes_of(const char *text, uint32_t *codes)
{
    size_t count = 0;

    for (const uint8_t *at = (const uint8_t *)text; *at; count++) {
        unsigned more = *at < 0x80 ? 0 : *at < 0xe0 ? 1 : *at < 0xf0 ? 2 : 3;
        codes[count] = more ? *at & (0x3fu >> more) : *at;
        for (at++; more > 0; more--)
            codes[count] = codes[count] << 6 | (*at++ & 0x3f);
    }
    return count;
}

static void test_samples(void)
{
    uint32_t codes[MOST], back[MOST];
    char out[MOST];
    size_t count, len, back_count;
    uint32_t *exact_codes; /* in these, AddressSanitizer sees a read or write after the end */
    char *exact_text;

    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        size_t ascii_len = strlen(samples[i].ascii);
        count = codes_of(samples[i].text, codes);
        CHECK(cw__punycode_encode(codes, count, out, sizeof out, &len));
        CHECK_BYTES(out, len, samples[i].ascii, ascii_len);
        CHECK(cw__punycode_encode(codes, count, out, len, &len)); /* it fits exactly */
        for (size_t room = 0; room < ascii_len; room++)
            CHECK(!cw__punycode_encode(codes, count, out, room, &len));
        CHECK(cw__punycode_decode(samples[i].ascii, ascii_len, back, count, &back_count));
        CHECK_BYTES(back, back_count * 4, codes, count * 4);
        for (size_t room = 0; room < count; room++)
            CHECK(!cw__punycode_decode(samples[i].ascii, ascii_len, back, room, &back_count));
        exact_codes = malloc(count * 4);
        exact_text = malloc(ascii_len);
        CHECK(exact_codes != NULL && exact_text != NULL);
        memcpy(exact_text, samples[i].ascii, ascii_len);
        CHECK(cw__punycode_decode(exact_text, ascii_len, exact_codes, count, &back_count));
        CHECK(cw__punycode_encode(exact_codes, count, out, sizeof out, &len));
        CHECK_BYTES(out, len, exact_text, ascii_len);
        for (size_t cut = ascii_len; cut > 0; cut--) { /* no cut reads after its end either */
            char *part = malloc(cut);
            CHECK(part != NULL);
            memcpy(part, samples[i].ascii, cut);
            (void)cw__punycode_decode(part, cut, exact_codes, count, &back_count);
            free(part);
        }
        free(exact_codes);
        free(exact_text);
    }
}

static void test_malformed(void)
{
    static const char *const texts[] = {"\xc3\xbc", "a-B",      "a-!",  "a-b-\x7f", "99999999", "a-99999999999",
                                        "zzzzzzzz", "9999999b", "0",    "a-kva0",   "a-{va",    "a-kv/",
                                        "a-!va",    "a-:va",    "en32g" /* U+110000 */};
    static char wraps[] = "cc614756h9j4h"; /* after 165 characters, a number of 32 bits would be small again */
    char text[256], large[MOST + 2];
    uint32_t codes[MOST + 1];
    size_t count;
    char out[8];

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        CHECK(!cw__punycode_decode(texts[i], strlen(texts[i]), codes, MOST, &count));
    CHECK(cw__punycode_decode("", 0, codes, MOST, &count));
    CHECK_INT(count, 0);
    CHECK(cw__punycode_encode(codes, 0, out, sizeof out, &count));
    CHECK_INT(count, 0);
    for (size_t i = 0; i <= MOST; i++)
        codes[i] = 'a';
    CHECK(!cw__punycode_encode(codes, MOST + 1, large, sizeof large, &count));
    CHECK(cw__punycode_encode(codes, MOST, large, sizeof large, &count));
    CHECK_INT(count, MOST + 1);
    memset(text, 'a', 165);
    (void)snprintf(text + 165, sizeof text - 165, "-%s", wraps);
    CHECK(!cw__punycode_decode(text, strlen(text), codes, MOST, &count));
}

/* ---- Names ---- */

static const char *ascii_of(const char *text)
{
    static char out[CW__HOST_AT_MOST + 1], fault[CW__URI_FAULT_BYTES];

    *fault = '\0';
    if (cw__idn_to_ascii(text, strlen(text), out, fault))
        return out;
    for (const char *c = fault; *c; c++)
        CHECK(*c >= ' ' && *c < 0x7f);
    return fault;
}

static const sample names[] = {
    {"xn--bcher-kva.example", "b\u00fccher.example"},
    {"xn--bcher-kva.example", "B\u00dcCHER.Example"},
    {"xn--bcher-kva.example", "bu\u0308cher.example"}, /* NFC */
    {"xn--bcher-kva.example", "xn--bcher-kva.ex\uff41mple"},
    {"xn--bcher-kva.example", "\uff38\uff2e--BCHER-KVA.example"},
    {"xn--bcher-kva.example.", "b\u00fccher.example."},
    {"a.b.c.d.", "a\u3002b\uff0ec\uff61d."}, /* dots */
    /* deviations: non-transitional processing keeps them */
    {"xn--fa-hia.de", "fa\u00df.de"},
    {"xn--fa-hia.de", "FA\u1e9e.de"},
    {"xn--nxasmm1c.com", "\u03b2\u03cc\u03bb\u03bf\u03c2.com"},
    {"xn--10cl1a0b660p.com", "\u0dc1\u0dca\u200d\u0dbb\u0dd3.com"}, /* ZWJ after a virama */
    {"xn--mgba3gch31f060k.com",
     "\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.com"},              /* ZWNJ between joining letters */
    {"xn--mgb5dyaa3604a.com", "\u0646\u064e\u200c\u064e\u0627.com"}, /* marks between them do not matter */
    {"xn--yda.xn--yda", "\u0100.\u0101"},
    /* ignored, and compatibility characters */
    {"xn--bcher-kva.example", "b\u00fc\u00adcher\u200b.example"},
    {"xn--ffi-sla", "\ufb03\u00e4"},
    {"1.2.3.xn--4-bga", "\uff11.2.3.4\u00e9"},
    {"xn--hxajbheg2az3al.xn--qxam",
     "\u03c0\u03b1\u03c1\u03ac\u03b4\u03b5\u03b9\u03b3\u03bc\u03b1.\u03b5\u03bb"},
    /* Hangul, composed from its letters, and marks in another order */
    {"xn--bj0bj06e", "\u1112\u1161\u11ab\u1100\u1173\u11af"},
    {"xn--bj0bj06e", "\ud55c\uae00"},
    {"xn--kg-sub357y", "kgb\u0323\u0307"},
    {"xn--kg-sub357y", "kgb\u0307\u0323"},
    /* right to left */
    {"xn--4dbrk0ce.example", "\u05d9\u05e9\u05e8\u05d0\u05dc.example"},
    {"xn--0ca.xn--ssa73l", "\u00e0.\u05d0\u0308"},
    /* an ASCII label stays as it is */
    {"_x.r3---s.-a.xn--tda", "_X.r3---s.-A.\u00fc"},
    {"xn--53h.example", "\u2615.example"}, /* a symbol */
    /* marks of one class keep their order, and one between blocks a composition */
    {"xn--3ja", "u\u0308\u0301"},
    {"xn--rda66h", "u\u0301\u0308"},
    {"xn--a-xbbl", "a\u0305\u0301"},
    /* the ends of the blocks of Hangul */
    {"xn--o39a", "\u1100\u1161"},
    {"xn--268b", "\u1112\u1175"},
    {"xn--iqd0n", "\u1113\u1161"},
    {"xn--ypd0v", "\u1100\u1176"},
    {"xn--p39a", "\u1100\u1161\u11a8"},
    {"xn--g49a", "\u1100\u1161\u11c2"},
    {"xn--jvd3800f", "\u1100\u1161\u11c3"},
    {"xn--qud9310f", "\uac00\u11a7"},
    {"xn--rud9310f", "\uac01\u11a8"},
    {"xn--u78b", "\ud788\u11c2"},
    {"xn--p39a", "\uac00\u11a8"},
    {"xn--i49a", "\uac1c\u11a8"},
    {"xn--dda286f", "\u00ec\u11a8"},
    /* characters that are taken apart before their marks are sorted */
    {"xn--rsa949k", "\u1e0b\u0323"},
    {"xn--ssa973l", "\u00fc\u0323"},
    {"xn--osah215s", "\u01d6\u0323"},
    /* pairs of a capital and a small letter */
    {"xn--0da", "\u0102"},
    {"xn--0da", "\u0103"},
    {"xn--2da", "\u0104"},
    /* hyphens, and the first and the last letter and digit */
    {"xn--az09-b-8ya", "az09-b\u00fc"},
    {"xn--a-b-hoa", "a\u00fc-b"},
    {"xn--ab-c-0ra", "a\u00fcb-c"},
    {"xna-b.xn-ab.xa--b.an--b.xn--tda", "xna-b.xn-ab.xa--b.an--b.\u00fc"}, /* not xn-- */
    {"az09-_~.xn--tda", "az09-_~.\u00fc"},
    /* ZWNJ between letters that join on both sides, or on the left */
    {"xn--ngba799q", "\u0628\u200c\u0628"},
    {"xn--mgb173kff0o", "\U00010acd\u200c\u0627"},
    /* each class that a label from right to left may have */
    {"xn----zhcb", "\u05d0-\u05d0"},
    {"xn--4dba3p", "\u05d0\u060c\u05d0"},
    {"xn--nba73xba", "\u05d0\u00b0\u05d0"},
    {"xn--4dba698v", "\u05d0\u2615\u05d0"},
    {"xn--psa34l", "\u05d0\u0305"},
    {"xn--1-zhc", "\u05d01"},
    {"xn--4db20a", "\u05d0\u0660"},
    {"xn--1-ymc", "\u06271"},
    {"xn--mgb8i", "\u0627\u0660"},
    {"xn--4db8o", "\u05d0\u0627"},
    {"xn--4db7o", "\u0627\u05d0"},
    /* each class that a label from left to right may have beside it */
    {"a1.xn--4db", "a1.\u05d0"},
    {"a-b.xn--4db", "a-b.\u05d0"},
    {"xn--ab-0qd.xn--4db", "a\u060cb.\u05d0"},
    {"xn--ab-fea.xn--4db", "a\u00b0b.\u05d0"},
    {"xn--ab-ytx.xn--4db", "a\u2615b.\u05d0"},
    {"xn--a-5bb.xn--4db", "a\u0305.\u05d0"},
    {"xn--11b2ezcw70k.xn--4db", "\u0915\u094d\u200d\u0937.\u05d0"},
};

static const sample faults[] = {
    {"U+2028, which no host name may have", "a\u2028\u00fc"},
    {"U+200E, which no host name may have", "a\u200e\u00fc"},
    {"U+E000, which no host name may have", "\ue000"},
    {"U+0378, which no host name may have", "\u0378"},
    {"U+10FFFF, which no host name may have", "\U0010ffff"},
    {"the joiner U+200D", "a\u200db\u00fc"},
    {"the joiner U+200D", "\u200d\u00fc"},
    {"the joiner U+200C", "\u00fc\u200c"},
    {"the joiner U+200C", "\u200c\u0646"},
    {"the joiner U+200C", "\u0646\u200c\u064e"},
    {"the joiner U+200C", "\U0001e94b\u200c\u0646"}, /* a letter that is passed over */
    {"the joiner U+200C", "\u0646\u200ca"},
    {"the joiner U+200C", "a\u200c\u0646"},
    {"the joiner U+200C", "\u0627\u200c\u0627"}, /* alef does not join the next letter */
    {"begins with the mark U+0308", "\u0308a"},
    {"begins with the mark U+0308", "a.\u0308"},
    {"begins with the mark U+0323", "\u0307\u0323a"}, /* in the order of their classes */
    {"begins or ends with a hyphen", "-\u00fc"},
    {"begins or ends with a hyphen", "\u00fc-"},
    {"third and fourth characters are hyphens", "a\u00fc--b"},
    {"two dots side by side", "\u00fc..a"},
    {"two dots side by side", "\u00fc\u3002.a"},
    {"begins with a dot", ".\u00fc"},
    {"there is no host", "\u00ad"},
    {"U+002F, or a character that stands for it", "a\u2100\u00fc"}, /* a/c */
    {"U+0040, or", "a\uff20b"},
    {"U+003A, or", "a\uff1a80"},
    {"U+0025, or", "\uff05"},
    {"U+002F, or", "\uff0f.\u00fc"},
    {"U+0060, or", "a`b.\u00fc"},
    {"U+0060, or", "a`b\u00fc"},
    {"U+007B, or", "a{.\u00fc"},
    {"U+007B, or", "a{\u00fc"},
    {"U+005F, or", "_\u00fc"}, /* not in a label that is not ASCII */
    {"not UTF-8", "\xfc"},
    {"not UTF-8", "\xed\xa0\x80"},
    /* right to left: RFC 5893 */
    {"mixes directions", "\u00e0\u05d0"},
    {"mixes directions", "0\u00e0.\u05d0"},
    {"mixes directions", "\u05d0a"},
    {"mixes directions", "\u05d01\u0660"},
    {"mixes directions", "1.\u05d0"},
    {"mixes directions", "_.\u05d0"},
    {"mixes directions", "1.\u0627"},
    {"mixes directions", "1\u05d0"},
    {"mixes directions", "\u0660.\u05d0"},
    {"mixes directions", "\u0660\u00fc"},
    {"mixes directions", "\u0627a"},
    {"mixes directions", "\u05d0\u2615"},
    {"mixes directions", "a\u2615.\u05d0"},
    {"mixes directions", "a\u0660b.\u05d0"},
    {"mixes directions", "a\u05d0b.\u05d0"},
    /* xn-- that is the form of nothing */
    {"begins with xn-- and is not", "xn--.\u00fc"},
    {"U+0080, which no host name may have", "xn--a.\u00fc"},
    {"begins with xn-- and is not", "xn--a-.\u00fc"},
    {"begins with xn-- and is not", "xn--\u00fc"},
    {"begins with xn-- and is not", "xn--99999999.\u00fc"},
    {"begins with xn-- and is not", "xn--u-ccb.\u00fc"}, /* u and a mark: not NFC */
    {"begins with xn-- and is not", "xn--au-vub.\u00fc"},
    {"begins with xn-- and is not", "xn--q-9bb8f.\u00fc"}, /* marks in another order */
    {"U+00DC, which no host name may have", "xn--wca.\u00e9"},
    {"U+0100, which no host name may have", "xn--xda.\u00fc"}, /* and not in small letters */
};

static void check_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        CHECK_STR(text, part); /* if a check fails, both are printed */
}

static void test_names(void)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        CHECK_STR(ascii_of(names[i].text), names[i].ascii);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) /* what is in ASCII stays */
        CHECK_STR(ascii_of(names[i].ascii), names[i].ascii);
}

static void test_faults(void)
{
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        check_has(ascii_of(faults[i].text), faults[i].ascii);
}

/* A label has at most 63 characters, a name at most 253, both in ASCII. */
static void test_lengths(void)
{
    char text[4000], label[100] = "\u00fc";

    memset(label + 2, 'a', 55);
    CHECK_INT(strlen(ascii_of(label)), 63);
    (void)snprintf(text, sizeof text, "%s.%s.%s.%.61s", label, label, label,
                   "0123456789012345678901234567890123456789012345678901234567890123");
    CHECK_INT(strlen(ascii_of(text)), 253);
    (void)strcat(text, ".");
    CHECK_INT(strlen(ascii_of(text)), 254); /* a dot at the end does not count */
    (void)snprintf(text, sizeof text, "%s.%s.%s.%.62s", label, label, label,
                   "0123456789012345678901234567890123456789012345678901234567890123");
    check_has(ascii_of(text), "more than 253 characters in its ASCII form");
    (void)snprintf(text, sizeof text, "%s.\u00fc",
                   ascii_of(label)); /* 63 characters, and a letter that is not ASCII */
    check_has(ascii_of(text), "xn--aaaa");
    label[57] = 'a';
    check_has(ascii_of(label), "more than 63 characters in its ASCII form");
    *text = '\0';
    for (int i = 0; i < 300; i++) /* one becomes 18 */
        (void)strcat(text, "\ufdfa");
    check_has(ascii_of(text), "more than 253 characters in its ASCII form");
    *text = '\0';
    for (int i = 0; i < 400; i++) /* one becomes 3 for a moment */
        (void)strcat(text, "\uac01");
    check_has(ascii_of(text), "more than 253 characters in its ASCII form");
    (void)snprintf(text, sizeof text, "xn--%.56s-70f.\u00fc",
                   label + 2); /* the form of a name, but 64 characters */
    check_has(ascii_of(text), "begins with xn-- and is not");
    (void)snprintf(text, sizeof text, "%0150d.\u00fc", 0);
    check_has(ascii_of(text), "more than 63");
    memset(text, 'a', 200);
    (void)snprintf(text + 200, sizeof text - 200, ".\u00fc");
    memcpy(text, "xn--", 4);
    check_has(ascii_of(text), "begins with xn-- and is not");
    check_has(ascii_of("0123456789012345678901234567890123456789012345678901234567890123.\u00fc"),
              "more than 63");
}

static const harness_test tests[] = {
    {"RFC 3492 7.1: sample strings", test_samples},
    {"RFC 3492: malformed texts", test_malformed},
    {"UTS 46: names", test_names},
    {"UTS 46, RFC 5892, RFC 5893: what is not allowed", test_faults},
    {"lengths", test_lengths},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

/* SPDX-License-Identifier: MIT */
/* Certificates: finds the certificates in the message of a TLS handshake (RFC 5246 section 7.4.2, RFC 8446 section
 * 4.4.2), and the facts in a certificate (RFC 5280, in DER: X.690). Nothing here decides whether a certificate is
 * trusted. The TLS library does that; these functions only show bytes. Transport and bindings call this file. It knows
 * neither TLS nor libcurl. */
#include <string.h>

#include "protocol.h"

/* ---- The message of the handshake ---- */

enum { CERTIFICATE_MESSAGE = 11, HEADER_BYTES = 4, LENGTH_BYTES = 3 };

/* Bytes that are read from the front. */
typedef struct span {
    const uint8_t *at, *end;
} span;

static size_t left(const span *s) { return (size_t)(s->end - s->at); }

static size_t number_at(const uint8_t *at, unsigned bytes)
{
    size_t number = 0;

    while (bytes--)
        number = number << 8 | *at++;
    return number;
}

/* Takes a length of `bytes` bytes, and as many bytes as it says. */
static bool take_counted(span *s, unsigned bytes, span *out)
{
    size_t len;

    if (left(s) < bytes)
        return false;
    len = number_at(s->at, bytes);
    if (left(s) - bytes < len)
        return false;
    *out = (span){s->at + bytes, s->at + bytes + len};
    s->at = out->end;
    return true;
}

bool cw__chain_find(const void *message, size_t len_bytes, size_t number, const uint8_t **der,
                    size_t *der_len_bytes)
{
    span rest = {message, (const uint8_t *)message + len_bytes};
    span list, found = {0}, extensions;
    bool is_tls_1_3;

    if (len_bytes < HEADER_BYTES + LENGTH_BYTES || rest.at[0] != CERTIFICATE_MESSAGE ||
        number_at(rest.at + 1, LENGTH_BYTES) != len_bytes - HEADER_BYTES)
        return false;
    rest.at += HEADER_BYTES;
    /* Before TLS 1.3 the list is all. TLS 1.3 puts a byte before it, which is 0 in a server's message. */
    is_tls_1_3 = number_at(rest.at, LENGTH_BYTES) != left(&rest) - LENGTH_BYTES;
    if (is_tls_1_3 && *rest.at++ != 0)
        return false;
    if (!take_counted(&rest, LENGTH_BYTES, &list) || left(&rest) != 0)
        return false;
    for (size_t i = 0; i <= number; i++)
        if (!take_counted(&list, LENGTH_BYTES, &found) || (is_tls_1_3 && !take_counted(&list, 2, &extensions)))
            return false;
    *der = found.at;
    *der_len_bytes = left(&found);
    return true;
}

/* ---- Texts ---- */

/* A text that is cut to the room of its buffer; len_bytes counts the whole text. */
typedef struct text {
    char *buffer;
    size_t size_bytes, len_bytes;
} text;

static void put(text *t, char c)
{
    if (t->len_bytes + 1 < t->size_bytes)
        t->buffer[t->len_bytes] = c;
    t->len_bytes++;
}

static void put_text(text *t, const char *words)
{
    while (*words)
        put(t, *words++);
}

static void put_hex(text *t, const uint8_t *bytes, size_t len_bytes)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len_bytes; i++) {
        put(t, digits[bytes[i] >> 4]);
        put(t, digits[bytes[i] & 15]);
    }
}

static void put_number(text *t, uint64_t number)
{
    char digits[24];
    size_t count = 0;

    do
        digits[count++] = (char)('0' + number % 10);
    while (number /= 10);
    while (count)
        put(t, digits[--count]);
}

/* Puts a text of the certificate. A byte that could end a line, or be taken for another part, becomes \XX. */
static void put_escaped(text *t, const span *value, const char *special)
{
    bool is_utf8 = cw__utf8_valid(value->at, left(value));

    for (const uint8_t *at = value->at; at < value->end; at++) {
        bool is_shown = (*at >= ' ' && *at < 0x7f) || (*at > 0x7f && is_utf8);
        bool is_edge = *at == ' ' && (at == value->at || at == value->end - 1);
        if (is_shown && *at != '\\' && !(*at < 0x7f && strchr(special, (char)*at)) && !(is_edge && *special)) {
            put(t, (char)*at);
        } else {
            put(t, '\\');
            put_hex(t, at, 1);
        }
    }
}

/* ---- DER ---- */

enum {
    DER_INTEGER = 0x02,
    DER_OCTETS = 0x04,
    DER_OID = 0x06,
    DER_UTF8 = 0x0c,
    DER_PRINTABLE = 0x13,
    DER_IA5 = 0x16,
    DER_UTC_TIME = 0x17,
    DER_TIME = 0x18,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
    DER_VERSION = 0xa0,
    DER_EXTENSIONS = 0xa3
};

/* Takes one value: its tag and content. Refuses tags of more than one byte, and lengths of more than three. */
static bool take(span *s, uint8_t *tag, span *content)
{
    uint8_t first;

    if (left(s) < 2 || (s->at[0] & 0x1f) == 0x1f)
        return false;
    *tag = s->at[0];
    first = s->at[1];
    s->at++;
    if (first < 0x80)
        return take_counted(s, 1, content);
    s->at++;
    return first > 0x80 && first <= 0x83 && take_counted(s, first & 0x7fu, content);
}

static bool take_tag(span *s, uint8_t wanted, span *content)
{
    uint8_t tag;

    return take(s, &tag, content) && tag == wanted;
}

/* A time with its tag. */
typedef struct moment {
    uint8_t tag;
    span digits;
} moment;

typedef struct fields {
    span serial, issuer, subject, names;
    moment from, to;
} fields;

static bool is_oid(const span *oid, const char *bytes, size_t len_bytes)
{
    return left(oid) == len_bytes && memcmp(oid->at, bytes, len_bytes) == 0;
}

/* Finds the subjectAltName in the extensions. Returns false if they are malformed. */
static bool read_names(span extensions, fields *f)
{
    span list, one, oid, value;
    uint8_t tag;

    if (!take_tag(&extensions, DER_SEQUENCE, &list))
        return false;
    while (left(&list)) {
        if (!take_tag(&list, DER_SEQUENCE, &one) || !take_tag(&one, DER_OID, &oid) || !take(&one, &tag, &value))
            return false;
        if (tag != DER_OCTETS && !take_tag(&one, DER_OCTETS, &value)) /* the first was "critical" */
            return false;
        if (is_oid(&oid, "\x55\x1d\x11", 3) && !take_tag(&value, DER_SEQUENCE, &f->names))
            return false;
    }
    return true;
}

/* Finds the fields of a certificate. Returns false if the bytes are not one. */
static bool read_fields(const void *data, size_t len_bytes, fields *f)
{
    span all = {data, (const uint8_t *)data + len_bytes};
    span certificate, body, skipped, validity;
    uint8_t tag;

    *f = (fields){0};
    if (!take_tag(&all, DER_SEQUENCE, &certificate) || left(&all) ||
        !take_tag(&certificate, DER_SEQUENCE, &body) || !take(&body, &tag, &f->serial))
        return false;
    if (tag == DER_VERSION && !take(&body, &tag, &f->serial))
        return false;
    if (tag != DER_INTEGER || !take_tag(&body, DER_SEQUENCE, &skipped) ||
        !take_tag(&body, DER_SEQUENCE, &f->issuer) || !take_tag(&body, DER_SEQUENCE, &validity) ||
        !take(&validity, &f->from.tag, &f->from.digits) || !take(&validity, &f->to.tag, &f->to.digits) ||
        !take_tag(&body, DER_SEQUENCE, &f->subject) || !take_tag(&body, DER_SEQUENCE, &skipped))
        return false;
    while (left(&body)) {
        if (!take(&body, &tag, &skipped))
            return false;
        if (tag == DER_EXTENSIONS && !read_names(skipped, f))
            return false;
    }
    return true;
}

/* ---- The facts ---- */

static void put_serial(text *t, const span *serial)
{
    bool is_padded = left(serial) > 1 && serial->at[0] == 0;

    put_hex(t, serial->at + is_padded, left(serial) - is_padded);
}

static bool is_in(const uint8_t *digits, unsigned least, unsigned most)
{
    unsigned number = (unsigned)(digits[0] - '0') * 10 + (unsigned)(digits[1] - '0');

    return number >= least && number <= most;
}

/* Puts a time as "2026-11-27T14:30:00Z"; nothing if it is not of the form that RFC 5280 section 4.1.2.5 demands. */
static void put_time(text *t, const moment *time)
{
    static const char marks[] = "--T::Z";
    const uint8_t *at = time->digits.at;
    size_t year_digits = time->tag == DER_UTC_TIME ? 2 : 4, digits = year_digits + 10;

    if ((time->tag != DER_UTC_TIME && time->tag != DER_TIME) || left(&time->digits) != digits + 1 ||
        at[digits] != 'Z')
        return;
    for (size_t i = 0; i < digits; i++)
        if (at[i] < '0' || at[i] > '9')
            return;
    if (!is_in(at + year_digits, 1, 12) || !is_in(at + year_digits + 2, 1, 31) ||
        !is_in(at + year_digits + 4, 0, 23) || !is_in(at + year_digits + 6, 0, 59) ||
        !is_in(at + year_digits + 8, 0, 59))
        return;
    if (year_digits == 2)
        put_text(t, *at >= '5' ? "19" : "20");
    for (size_t i = 0; i < digits; i++) {
        put(t, (char)at[i]);
        if (i + 1 >= year_digits && (i + 1 - year_digits) % 2 == 0)
            put(t, marks[(i + 1 - year_digits) / 2]);
    }
}

/* Puts the numbers of an OID, "2.5.4.5". */
static void put_oid(text *t, const span *oid)
{
    uint64_t number = 0;
    bool is_first = true;

    for (const uint8_t *at = oid->at; at < oid->end; at++) {
        number = number << 7 | (*at & 0x7fu);
        if (*at & 0x80)
            continue;
        if (is_first) {
            unsigned arc = number < 80 ? (unsigned)number / 40 : 2;
            put_number(t, arc);
            number -= (uint64_t)arc * 40;
        }
        is_first = false;
        put(t, '.');
        put_number(t, number);
        number = 0;
    }
}

/* Puts the type of an attribute, by its name if RFC 4514 section 3 has one. */
static void put_type(text *t, const span *oid)
{
    static const struct {
        const char *bytes, *name;
    } types[] = {{"\x55\x04\x03", "CN"},    {"\x55\x04\x07", "L"},  {"\x55\x04\x08", "ST"},
                 {"\x55\x04\x0a", "O"},     {"\x55\x04\x0b", "OU"}, {"\x55\x04\x06", "C"},
                 {"\x55\x04\x09", "STREET"}};

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (is_oid(oid, types[i].bytes, 3)) {
            put_text(t, types[i].name);
            return;
        }
    }
    put_oid(t, oid);
}

/* Puts a name as RFC 4514 writes it, but in the order of the certificate, as openssl(1) does: "C=DE,O=Example,CN=a". */
static void put_name(text *t, span name)
{
    size_t start = t->len_bytes;
    span set, one, type, value;
    uint8_t tag;

    while (left(&name) && take_tag(&name, DER_SET, &set)) {
        bool is_first = true;
        while (left(&set) && take_tag(&set, DER_SEQUENCE, &one) && take_tag(&one, DER_OID, &type)) {
            const uint8_t *whole = one.at;
            if (!take(&one, &tag, &value))
                return;
            if (t->len_bytes > start)
                put(t, is_first ? ',' : '+');
            is_first = false;
            put_type(t, &type);
            put(t, '=');
            if (tag == DER_UTF8 || tag == DER_PRINTABLE || tag == DER_IA5) {
                put_escaped(t, &value, ",+\"<>;#=");
            } else { /* a rare encoding, as RFC 4514 section 2.4 says */
                put(t, '#');
                put_hex(t, whole, (size_t)(value.end - whole));
            }
        }
    }
}

static void put_address(text *t, const span *address)
{
    if (left(address) == 4) {
        for (size_t i = 0; i < 4; i++) {
            if (i)
                put(t, '.');
            put_number(t, address->at[i]);
        }
        return;
    }
    for (size_t i = 0; i + 1 < left(address); i += 2) {
        static const char digits[] = "0123456789abcdef";
        size_t group = number_at(address->at + i, 2);
        bool is_begun = false;
        if (i)
            put(t, ':');
        for (int shift = 12; shift >= 0; shift -= 4) {
            is_begun = is_begun || (group >> shift & 15) || shift == 0;
            if (is_begun)
                put(t, digits[group >> shift & 15]);
        }
    }
}

/* Puts a line for each name: "DNS:a.example", "IP:192.0.2.1", "email:...", "URI:...". Other kinds are left out. */
static void put_names(text *t, span names)
{
    enum { EMAIL = 0x81, DNS = 0x82, LINK = 0x86, ADDRESS = 0x87 };
    span value;
    uint8_t tag;

    while (left(&names) && take(&names, &tag, &value)) {
        const char *kind = tag == DNS ? "DNS:" : tag == EMAIL ? "email:" : tag == LINK ? "URI:" : NULL;
        bool is_address = tag == ADDRESS && (left(&value) == 4 || left(&value) == 16);
        if (!kind && !is_address)
            continue;
        if (t->len_bytes)
            put(t, '\n');
        put_text(t, is_address ? "IP:" : kind);
        if (is_address)
            put_address(t, &value);
        else
            put_escaped(t, &value, "");
    }
}

static void put_pem(text *t, const uint8_t *der, size_t der_len_bytes)
{
    enum { LINE_BYTES = 48 };
    char line[4 * LINE_BYTES / 3 + 1];

    put_text(t, "-----BEGIN CERTIFICATE-----\n");
    for (size_t i = 0; i < der_len_bytes; i += LINE_BYTES) {
        cw__base64(der + i, der_len_bytes - i < LINE_BYTES ? der_len_bytes - i : LINE_BYTES, line);
        put_text(t, line);
        put(t, '\n');
    }
    put_text(t, "-----END CERTIFICATE-----\n");
}

/* Puts what needs no look into the certificate. Returns false for every other fact. */
static bool put_of_bytes(text *t, cw_certificate_fact fact, const void *der, size_t der_len_bytes)
{
    uint8_t digest[32];

    if (fact == CW_CERTIFICATE_SHA1_FINGERPRINT) {
        cw__sha1(der, der_len_bytes, digest);
        put_hex(t, digest, 20);
    } else if (fact == CW_CERTIFICATE_SHA256_FINGERPRINT) {
        cw__sha256(der, der_len_bytes, digest);
        put_hex(t, digest, 32);
    } else if (fact == CW_CERTIFICATE_PEM) {
        put_pem(t, der, der_len_bytes);
    } else {
        return false;
    }
    return true;
}

static void put_field(text *t, cw_certificate_fact fact, const fields *f)
{
    if (fact == CW_CERTIFICATE_SUBJECT)
        put_name(t, f->subject);
    else if (fact == CW_CERTIFICATE_ISSUER)
        put_name(t, f->issuer);
    else if (fact == CW_CERTIFICATE_SERIAL_NUMBER)
        put_serial(t, &f->serial);
    else if (fact == CW_CERTIFICATE_VALID_FROM)
        put_time(t, &f->from);
    else if (fact == CW_CERTIFICATE_VALID_TO)
        put_time(t, &f->to);
    else if (fact == CW_CERTIFICATE_SUBJECT_ALTERNATIVE_NAMES)
        put_names(t, f->names);
}

bool cw__certificate_read_names(const void *der, size_t der_len_bytes, cw__certificate_names *names)
{
    fields f;

    if (!read_fields(der, der_len_bytes, &f))
        return false;
    *names = (cw__certificate_names){.issuer = f.issuer.at,
                                     .subject = f.subject.at,
                                     .issuer_bytes = left(&f.issuer),
                                     .subject_bytes = left(&f.subject)};
    return true;
}

/* ---- The functions that curlwire.h declares ---- */

const char *cw_certificate_key(cw_certificate_fact fact)
{
    static const char *const keys[] = {
#define CW_X(name, key) key,
        CW_CERTIFICATE_LIST(CW_X)
#undef CW_X
    };

    return (int)fact >= 0 && fact < CW_CERTIFICATE_FACT_COUNT ? keys[fact] : NULL;
}

void cw_certificate_get(const void *der, size_t der_len_bytes, cw_certificate_fact fact, char *buffer,
                        size_t size_bytes, size_t *len_bytes)
{
    text t = {buffer, size_bytes, 0};
    fields f;

    if (!put_of_bytes(&t, fact, der, der_len_bytes) && read_fields(der, der_len_bytes, &f))
        put_field(&t, fact, &f);
    if (size_bytes)
        buffer[t.len_bytes < size_bytes ? t.len_bytes : size_bytes - 1] = '\0';
    if (len_bytes)
        *len_bytes = t.len_bytes;
}

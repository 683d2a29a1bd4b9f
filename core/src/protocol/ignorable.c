/* SPDX-License-Identifier: MIT */
/* Ignorable: the errors of a server's certificate that a program may ignore (ignorable_server_certificate_errors), and the
 * certificates that count as trusted when it ignores that none is. The TLS library still decides; this file has only names
 * and bytes. settings.c checks the control here, and showing.c ignores the errors. It knows neither TLS nor libcurl.
 *
 * An error may be ignored if every other check can still be made. libcurl checks the name on its own. A chain without a
 * trusted end can be checked again, with the end that the server has sent as the only trusted certificate. For every other
 * error the TLS library would have to leave out one check, which libcurl cannot ask for. */
#include <stdio.h>
#include <string.h>

#include "protocol.h"

enum { CERTIFICATES_AT_MOST = 32 }; /* of one chain; it bounds the work, because a server chooses the number */

#define BIT(chain_result) (1u << (chain_result))

/* ---- The names ---- */

static int number_of(const char *name, size_t len_bytes)
{
    for (int i = 0; cw_chain_result_name(i); i++)
        if (strlen(cw_chain_result_name(i)) == len_bytes &&
            memcmp(cw_chain_result_name(i), name, len_bytes) == 0)
            return i;
    return -1;
}

/* Fails for an error that cannot be ignored. */
static cw_status refuse(const char *key, int chain_result)
{
    const char *name = cw_chain_result_name(chain_result);

    switch (chain_result) {
    case CW_CHAIN_Success:
        return cw__fail(CW_INVALID_ARGUMENT, "%s cannot have %s, which is no error: leave it out", key, name);
    case CW_CHAIN_OtherErrors:
        return cw__fail(CW_INVALID_ARGUMENT,
                        "%s cannot have %s, which stands for any other fault: leave it out", key, name);
    case CW_CHAIN_Revoked:
    case CW_CHAIN_RevocationInformationMissing:
    case CW_CHAIN_RevocationFailure:
        return cw__fail(
            CW_INVALID_ARGUMENT,
            "%s cannot have %s, because the TLS library checks revocation as a whole: leave it out, "
            "and unset crl_file to check none",
            key, name);
    default:
        return cw__fail(CW_INVALID_ARGUMENT,
                        "%s cannot have %s, because the TLS library cannot leave out that check alone: set "
                        "verify to false, and check the certificate in on_server_custom_validation_requested",
                        key, name);
    }
}

cw_status cw__ignorable_check(const char *key, const char *name, size_t len_bytes)
{
    int number = number_of(name, len_bytes);

    if (number < 0)
        return cw__fail(
            CW_INVALID_ARGUMENT,
            "%s has an item that names no error of a certificate: use Untrusted, IncompleteChain or "
            "InvalidName",
            key);
    return BIT(number) & CW__IGNORABLE ? CW_OK : refuse(key, number);
}

unsigned cw__ignorable_read(const char *list)
{
    unsigned errors = 0;

    while (*list) {
        size_t len_bytes = strcspn(list, ", ");
        int number = number_of(list, len_bytes);
        if (number >= 0)
            errors |= BIT(number);
        list += len_bytes;
        list += strspn(list, ", ");
    }
    return errors & CW__IGNORABLE;
}

void cw__ignorable_show(unsigned errors, char *buffer)
{
    size_t len = 0;

    buffer[0] = '\0';
    for (int i = 0; cw_chain_result_name(i); i++)
        if (errors & BIT(i))
            len += (size_t)snprintf(buffer + len, CW__CHAIN_RESULTS_BYTES - len, "%s%s", len ? ", " : "",
                                    cw_chain_result_name(i));
}

/* ---- The certificates that count as trusted ---- */

typedef struct sent {
    const uint8_t *der;
    size_t der_bytes;
    cw__certificate_names names;
} sent;

/* Finds the certificates of a chain. Returns their number; 0 if there are too many, or one cannot be read. */
static size_t find_all(const void *chain, size_t chain_bytes, sent *all)
{
    size_t count = 0;
    sent one;

    while (cw__chain_find(chain, chain_bytes, count, &one.der, &one.der_bytes)) {
        if (count == CERTIFICATES_AT_MOST || !cw__certificate_read_names(one.der, one.der_bytes, &one.names))
            return 0;
        all[count++] = one;
    }
    return count;
}

static bool is_issuer(const sent *issuer, const sent *of)
{
    const cw__certificate_names *a = &issuer->names, *b = &of->names;

    return a->subject_bytes == b->issuer_bytes && memcmp(a->subject, b->issuer, a->subject_bytes) == 0;
}

/* Returns whether a chain ends at the certificate: at one that is issued by itself if the error is Untrusted, at one whose
 * issuer was not sent if it is IncompleteChain. No other certificate may count as trusted, because the TLS library does
 * not check the signature of a trusted certificate, and checks nothing above it. */
static bool is_end(const sent *all, size_t count, const sent *one, cw_chain_result error)
{
    if (error == CW_CHAIN_Untrusted)
        return is_issuer(one, one);
    for (size_t i = 0; i < count; i++)
        if (is_issuer(&all[i], one))
            return false;
    return true;
}

char *cw__ignorable_ends(const void *chain, size_t chain_bytes, cw_chain_result error, size_t *len_bytes)
{
    sent all[CERTIFICATES_AT_MOST];
    size_t count = find_all(chain, chain_bytes, all), room = 1, len;
    char *pem;

    *len_bytes = 0;
    for (size_t i = 0; i < count; i++) {
        cw_certificate_get(all[i].der, all[i].der_bytes, CW_CERTIFICATE_PEM, NULL, 0, &len);
        room += is_end(all, count, &all[i], error) ? len : 0;
    }
    pem = room > 1 ? cw__malloc(room) : NULL;
    for (size_t i = 0; pem && i < count; i++)
        if (is_end(all, count, &all[i], error)) {
            cw_certificate_get(all[i].der, all[i].der_bytes, CW_CERTIFICATE_PEM, pem + *len_bytes,
                               room - *len_bytes, &len);
            *len_bytes += len;
        }
    return pem;
}

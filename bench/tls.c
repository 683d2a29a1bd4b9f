/* SPDX-License-Identifier: MIT */
/* See tls.h. */
#include "tls.h"

#include <limits.h>
#include <openssl/err.h>
#include <stdio.h>

static SSL_CTX *context_of(const SSL_METHOD *method)
{
    SSL_CTX *context = SSL_CTX_new(method);
    if (context != NULL) {
        SSL_CTX_set_read_ahead(context, 1);
        (void)SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    }
    return context;
}

SSL_CTX *tls_server(const char *certificate_file, const char *key_file)
{
    SSL_CTX *context = context_of(TLS_server_method());
    if (context == NULL || SSL_CTX_use_certificate_chain_file(context, certificate_file) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1) {
        ERR_print_errors_fp(stderr);
        SSL_CTX_free(context);
        return NULL;
    }
    return context;
}

SSL_CTX *tls_client(const char *ca_file)
{
    SSL_CTX *context = context_of(TLS_client_method());
    if (context == NULL || SSL_CTX_load_verify_locations(context, ca_file, NULL) != 1) {
        ERR_print_errors_fp(stderr);
        SSL_CTX_free(context);
        return NULL;
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    return context;
}

SSL *tls_open(SSL_CTX *context, int fd, bool is_server)
{
    SSL *ssl = SSL_new(context);
    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1) {
        SSL_free(ssl);
        return NULL;
    }
    if (is_server) {
        SSL_set_accept_state(ssl);
    } else {
        SSL_set_connect_state(ssl);
    }
    return ssl;
}

static long verdict(SSL *ssl, int result)
{
    int error = SSL_get_error(ssl, result);
    ERR_clear_error();
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

long tls_write(SSL *ssl, const void *data, size_t len_bytes)
{
    int result = SSL_write(ssl, data, len_bytes < INT_MAX ? (int)len_bytes : INT_MAX);
    return result > 0 ? result : verdict(ssl, result);
}

long tls_read(SSL *ssl, void *buffer, size_t size_bytes)
{
    int result = SSL_read(ssl, buffer, size_bytes < INT_MAX ? (int)size_bytes : INT_MAX);
    return result > 0 ? result : verdict(ssl, result);
}

bool tls_has_more(const SSL *ssl) { return SSL_has_pending(ssl) == 1; }

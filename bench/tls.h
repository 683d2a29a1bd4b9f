/* SPDX-License-Identifier: MIT */
/* TLS for server.c and bare.c: OpenSSL on a socket. Both sides read ahead, so that a record costs one system call and
 * not two. */
#ifndef BENCH_TLS_H
#define BENCH_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>

/* Returns NULL if a file cannot be used, and prints OpenSSL's reason on stderr. */
SSL_CTX *tls_server(const char *certificate_file, const char *key_file);
/* Trusts only the certificates in the file. */
SSL_CTX *tls_client(const char *ca_file);
/* Returns NULL if memory runs out. The first read or write does the handshake. */
SSL *tls_open(SSL_CTX *context, int fd, bool is_server);
/* Return the bytes written or read; 0 if the socket is full or empty; -1 if the connection has ended. A write may be
 * partial. A write that returned 0 must be repeated with the same bytes; more may follow them. */
long tls_write(SSL *ssl, const void *data, size_t len_bytes);
long tls_read(SSL *ssl, void *buffer, size_t size_bytes);
/* Returns whether OpenSSL holds decrypted bytes, which poll() on the socket does not report. */
bool tls_has_more(const SSL *ssl);

#endif

/* SPDX-License-Identifier: MIT */
/* TLS for the benchmark's server and for the bare loops, by OpenSSL on a socket. Both sides read ahead, so that a
 * record costs one system call and not two. Used by server.c and bare.c. */
#ifndef BENCH_TLS_H
#define BENCH_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>

/* NULL, and OpenSSL's reason on stderr, where a file is no good. */
SSL_CTX *tls_server(const char *certificate_file, const char *key_file);
/* Trusts what is in the file and nothing else. */
SSL_CTX *tls_client(const char *ca_file);
/* NULL without memory. The handshake is done by the first read or write. */
SSL *tls_open(SSL_CTX *context, int fd, bool is_server);
/* Bytes written or read; 0: the socket is full, or empty; -1: the connection has ended. A write may be partial; one
 * that returned 0 has to be repeated with the same bytes, or these and more. */
long tls_write(SSL *ssl, const void *data, size_t len_bytes);
long tls_read(SSL *ssl, void *buffer, size_t size_bytes);
/* Bytes wait inside, of which the socket's readiness tells nothing. */
bool tls_has_more(const SSL *ssl);

#endif

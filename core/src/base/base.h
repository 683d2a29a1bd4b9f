/* SPDX-License-Identifier: MIT */
/* The lowest folder of the core: error values and their texts, the heap, random bytes, SHA-1, events, forks, threads.
 * It uses no other folder. Bindings must not include it.
 *
 * Thread: any thread may call any function; none takes or needs a lock. One thread at a time may use an object.
 * Owns: the caller keeps what it passes. It owns a result only if the comment of the function says so. */
#ifndef CW_BASE_H
#define CW_BASE_H

#include <curlwire.h>

#include "thread.h"

/* Hides what is not public, also in builds that cannot pass -fvisibility=hidden (LuaRocks). */
#define CW__PRIVATE_BEGIN CW__PRAGMA(GCC visibility push(hidden))
#define CW__PRIVATE_END   CW__PRAGMA(GCC visibility pop)
#if defined(__GNUC__)
#define CW__PRAGMA(text) _Pragma(#text)
#else
#define CW__PRAGMA(text)
#endif

CW__PRIVATE_BEGIN

/* ---- From status.c: error values and their texts ------------------------------------------------------ */

enum { CW__MESSAGE_BYTES = 320, CW__LONG_MESSAGE_BYTES = 1280 };

typedef struct cw__error {
    cw_status status;
    int web_status;
    int curl_code;
    int http_status;
    int os_errno;
    int limit;         /* cw_option + 1 of the control whose limit ended the call; 0 = none */
    int retry_after_s; /* the seconds of Retry-After + 1; 0 = none */
    int chain_result;  /* the cw_chain_result of the server's certificate, if it failed the connect; else 0 */
    char message[CW__MESSAGE_BYTES];
} cw__error;

/* Fills the calling thread's error and returns its status, so that a function can end in "return cw__fail(...)". The
 * message has room for CW__LONG_MESSAGE_BYTES. */
cw_status cw__fail(cw_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Copies a stored error into the calling thread's error, and returns its status. */
cw_status cw__fail_with(const cw__error *error);
/* Fills the error as cw__fail does, and records the control whose limit ended the call. */
cw_status cw__fail_limit(cw_status status, cw_option option, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Returns the status of the calling thread's error. */
cw_status cw__error_status(void);
/* Copies the calling thread's error. The message may be cut. */
void cw__error_get(cw__error *error);
/* Fills an error that is stored elsewhere; the calling thread's error stays. */
void cw__error_set(cw__error *error, cw_status status, int web_status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
int cw__web_status_of_errno(int os_errno);
int cw__web_status_of_http(int http_status);

/* ---- From alloc.c: the only way to the heap; tests make call number n fail ---------------------------- */

/* Work as malloc, calloc, realloc, strndup and free. The caller owns the block until cw__free. NULL = no memory. */
void *cw__malloc(size_t size_bytes);
void *cw__calloc(size_t count, size_t size_bytes);
void *cw__realloc(void *block, size_t size_bytes);
char *cw__strndup(const char *text, size_t len_bytes);
void cw__free(void *block);
/* Makes the n-th allocation from now on fail once (0 = the next one; -1 = none). For tests. */
void cw__alloc_fail_at(long n);
/* Returns the number of blocks that are allocated and not freed. For tests. */
long cw__alloc_live(void);
/* cw__alloc_must_fail returns whether this allocation must fail. cw__alloc_count adds `change` to the number of live
 * blocks, unless the block is NULL. Only alloc.c and spare.c call them. They do nothing in a release build. */
#ifdef CW_TEST_ALLOC
bool cw__alloc_must_fail(void);
void cw__alloc_count(const void *block, int change);
#else
static inline bool cw__alloc_must_fail(void) { return false; }
static inline void cw__alloc_count(const void *block, int change) { (void)block, (void)change; }
#endif

/* ---- From spare.c: one unused block that the process keeps --------------------------------------------- */

/* Keeps one unused block of a fixed size for the next taker. glibc caches freed blocks up to 1,032 bytes only; for
 * larger ones malloc and free cost as much as receiving a message. The struct must be static. Any thread. */
typedef struct cw__spare {
    _Atomic(void *) block;
} cw__spare;
/* Returns the kept block, or a new one. All calls with one spare must pass the same size. The caller owns the block
 * until cw__spare_give. NULL = no memory. */
void *cw__spare_take(cw__spare *spare, size_t size_bytes);
/* Keeps the block, or frees it if a block is kept already. */
void cw__spare_give(cw__spare *spare, void *block);

/* ---- From random.c, digest.c, sha1.c, sha256.c, base64 in sha1.c --------------------------------------- */

/* Fills a buffer from the system's cryptographic generator. Returns false if the system provides no random bytes. */
bool cw__random(void *buffer, size_t len_bytes);

enum { CW__DIGEST_WORDS = 80 };
/* Adds a block to the hash. The first 16 words are the block; the function may change all words. */
typedef void cw__add_block(uint32_t *hash, uint32_t words[CW__DIGEST_WORDS]);
/* Pads the data, adds each block to the hash, and writes the words of the hash as the digest. Only SHA-1 and SHA-256
 * call it. digest_bytes is four times the number of words. */
void cw__digest(const void *data, size_t len_bytes, cw__add_block *add_block, uint32_t *hash, uint8_t *digest,
                size_t digest_bytes);
void cw__sha1(const void *data, size_t len_bytes, uint8_t digest[20]);
void cw__sha256(const void *data, size_t len_bytes, uint8_t digest[32]);
/* Writes 4 * ((len + 2) / 3) characters and a NUL. */
void cw__base64(const uint8_t *data, size_t len_bytes, char *out);

/* ---- From event.c: the events that a runtime receives ------------------------------------------------- */

/* Who owns the memory of an event. */
typedef enum cw__event_memory {
    CW__MEMORY_BLOCK, /* the event is a block of its own */
    CW__MEMORY_SPARE, /* it is a block of the spare, whose size is always the same, whatever room_bytes says */
    CW__MEMORY_LENT   /* a caller owns data and the event itself: never free or queue it */
} cw__event_memory;

struct cw_event {
    struct cw_event *next; /* the next event in an inbox */
    cw_socket *socket;     /* the event's socket, after a mailbox has returned the event; else NULL */
    void (*release)(cw_socket *socket); /* drops the reference that keeps the memory of socket */
    size_t len_bytes;
    size_t room_bytes;    /* size of data */
    size_t stream_offset; /* bytes that a stream's reader has taken */
    const void *reader;   /* of cw_socket_receive_part; else NULL */
    uint16_t close_code;
    uint16_t type;        /* cw_event_type */
    uint8_t message_type; /* cw_message_type */
    bool is_complete;
    bool is_part;  /* a part in partial mode */
    bool is_start; /* cw_socket_receive_part returned it as the first part */
    bool was_clean;
    uint8_t memory; /* cw__event_memory */
    uint8_t *data;
    uint8_t own[]; /* data points here unless it is lent */
};

/* Creates an event with room for a payload. The caller owns it until cw_event_free. NULL = no memory. */
cw_event *cw__event_create(cw_event_type type, size_t room_bytes);
/* Changes the room of an event; the event may move. If there is no memory, it returns NULL and changes nothing.
 * If the event is lent, it returns a copy; the lent event stays the caller's. */
cw_event *cw__event_resize(cw_event *e, size_t room_bytes);

/* ---- From environment.c: a copy of the environment ------------------------------------------------------- */

/* Copies all variables of the environment. The caller owns the copy until cw__free. NULL = no memory. */
char *cw__environment_copy(void);
/* Returns the value of a variable in a copy; NULL if it is unset. The value is valid as long as the copy. */
const char *cw__environment_get(const char *copy, const char *name);

/* ---- From process.c ------------------------------------------------------------------------------------- */

/* Returns the number of forks that led to this process. An object with another number belongs to the parent process. */
int cw__generation(void);
/* Begins a new generation. The child calls it first after fork. */
void cw__process_forked(void);
/* Keeps this library in memory after a program unloads it, as lua_close does. The bindings are linked with -z nodelete if
 * their build allows it; this call works in every build. */
void cw__process_pin_library(void);

CW__PRIVATE_END

#endif

/* SPDX-License-Identifier: MIT */
/* The ground of the core: error values and their texts, the heap, random bytes, SHA-1, events, forks, threads. It needs
 * nothing of the other folders. Bindings may not include this.
 *
 * Safety: no function needs a lock or takes one; any thread may call any. An object is used by one thread at a time.
 * Owns: what is passed stays the caller's; what is returned is the caller's where it says so. */
#ifndef CW_BASE_H
#define CW_BASE_H

#include <curlwire.h>

#include "thread.h"

/* Around what is not public, also where a build cannot say -fvisibility=hidden (LuaRocks). */
#define CW__PRIVATE_BEGIN CW__PRAGMA(GCC visibility push(hidden))
#define CW__PRIVATE_END   CW__PRAGMA(GCC visibility pop)
#if defined(__GNUC__)
#define CW__PRAGMA(text) _Pragma(#text)
#else
#define CW__PRAGMA(text)
#endif

CW__PRIVATE_BEGIN

/* ---- From status.c: error values and their texts ------------------------------------------------------ */

enum { CW__MESSAGE_BYTES = 320 };

typedef struct cw__error {
    cw_status status;
    int web_status;
    int curl_code;
    int http_status;
    int os_errno;
    int limit; /* cw_option + 1 of the control whose limit was reached, 0 = none */
    char message[CW__MESSAGE_BYTES];
} cw__error;

/* Fills the calling thread's error and returns its status, so that a call can end in "return cw__fail(...)". */
cw_status cw__fail(cw_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same with an error that was kept; it is copied. */
cw_status cw__fail_with(const cw__error *error);
/* The same for a limit that a control has set. */
cw_status cw__fail_limit(cw_status status, cw_option option, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The status of the calling thread's error. */
cw_status cw__error_status(void);
/* Fills an error that is kept elsewhere. */
void cw__error_set(cw__error *error, cw_status status, int web_status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
int cw__web_status_of_errno(int os_errno);
int cw__web_status_of_http(int http_status);

/* ---- From alloc.c: the one door to the heap; tests make call number n fail ---------------------------- */

/* As malloc, calloc, realloc, strndup and free: the block is the caller's until cw__free. NULL without memory. */
void *cw__malloc(size_t size_bytes);
void *cw__calloc(size_t count, size_t size_bytes);
void *cw__realloc(void *block, size_t size_bytes);
char *cw__strndup(const char *text, size_t len_bytes);
void cw__free(void *block);
/* Makes the n-th allocation from now on fail once (0 = the next one; -1 = none). For tests. */
void cw__alloc_fail_at(long n);
/* Blocks that are allocated and not freed. For tests. */
long cw__alloc_live(void);
/* Whether this allocation is the one to fail; and the count of blocks changes by one, unless the block is NULL. For those
 * that give blocks out (alloc.c, spare.c). Nothing in a release build. */
#ifdef CW_TEST_ALLOC
bool cw__alloc_must_fail(void);
void cw__alloc_count(const void *block, int change);
#else
static inline bool cw__alloc_must_fail(void) { return false; }
static inline void cw__alloc_count(const void *block, int change) { (void)block, (void)change; }
#endif

/* ---- From spare.c: one block that the process keeps ---------------------------------------------------- */

/* Blocks of one size, of which the process keeps one that nobody uses: where the C library's own store of small blocks
 * ends (1,032 bytes, glibc), allocating and freeing cost as much as receiving a message. Static; any thread. */
typedef struct cw__spare {
    _Atomic(void *) block;
} cw__spare;
/* The block that is kept, or a new one; the caller's until cw__spare_give. Every call with a spare names the same size. NULL
 * without memory. */
void *cw__spare_take(cw__spare *spare, size_t size_bytes);
/* Keeps the block, or frees it if one is kept already. */
void cw__spare_give(cw__spare *spare, void *block);

/* ---- From random.c, sha1.c, base64 in sha1.c ---------------------------------------------------------- */

/* Fills a buffer from the system's generator. False if the system has none to give. */
bool cw__random(void *buffer, size_t len_bytes);
void cw__sha1(const void *data, size_t len_bytes, uint8_t digest[20]);
/* Writes 4 * ((len + 2) / 3) characters and a NUL. */
void cw__base64(const uint8_t *data, size_t len_bytes, char *out);

/* ---- From event.c: the events that go to a runtime ---------------------------------------------------- */

struct cw_event {
    struct cw_event *next;              /* in an inbox */
    cw_socket *socket;                  /* where it came from, once a mailbox has given it out; else NULL */
    void (*release)(cw_socket *socket); /* gives back what keeps the memory of socket */
    size_t len_bytes;
    size_t room_bytes;    /* of data */
    size_t stream_offset; /* bytes that a stream's reader has had */
    int close_code;
    uint8_t type; /* cw_event_type */
    uint8_t kind; /* cw_kind */
    bool is_complete;
    bool is_part; /* of partial mode */
    bool was_clean;
    bool is_of_spare; /* as large as any of its kind, whatever room_bytes says */
    bool is_lent;     /* data, and the event itself, are a caller's: it is neither freed nor queued */
    uint8_t *data;
    uint8_t own[]; /* where data points unless it is lent */
};

/* An event with room for a payload, the caller's until cw_event_free; NULL without memory. */
cw_event *cw__event_create(cw_event_type type, size_t room_bytes);
/* Gives it more (or less) room; it may move. NULL without memory, and the event is as it was. One that is lent is
 * copied, and stays the caller's. */
cw_event *cw__event_resize(cw_event *e, size_t room_bytes);

/* ---- From process.c ------------------------------------------------------------------------------------- */

/* Counts the forks that led to this process: what was made under another number belongs to the parent. */
int cw__generation(void);
/* In a child after fork, before anything else: begins a new generation. */
void cw__process_forked(void);

CW__PRIVATE_END

#endif

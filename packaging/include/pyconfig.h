/* SPDX-License-Identifier: MIT */
/* What Python's own headers need to know about the machine, for every target of build_wheels.py: Linux with 64-bit
 * pointers and bytes in little-endian order. Python's configure script writes such a file, but only for the machine on
 * which it runs. The assertions fail for a target that differs. build_wheels.py defines Py_GIL_DISABLED. */
#ifndef CW_PYCONFIG_H
#define CW_PYCONFIG_H

#include <stddef.h>

#define ALIGNOF_LONG                    8
#define ALIGNOF_MAX_ALIGN_T             16
#define ALIGNOF_SIZE_T                  8
#define DOUBLE_IS_LITTLE_ENDIAN_IEEE754 1
#define HAVE_FORK                       1
#define HAVE_LANGINFO_H                 1
#define HAVE_PTHREAD_H                  1
#define HAVE_SSIZE_T                    1
#define HAVE_STD_ATOMIC                 1
#define HAVE_SYS_STAT_H                 1
#define HAVE_SYS_TYPES_H                1
#define HAVE_WCHAR_H                    1
#define PYLONG_BITS_IN_DIGIT            30
#define SIZEOF_DOUBLE                   8
#define SIZEOF_FLOAT                    4
#define SIZEOF_INT                      4
#define SIZEOF_LONG                     8
#define SIZEOF_LONG_DOUBLE              16
#define SIZEOF_LONG_LONG                8
#define SIZEOF_OFF_T                    8
#define SIZEOF_PID_T                    4
#define SIZEOF_PTHREAD_T                8
#define SIZEOF_SHORT                    2
#define SIZEOF_SIZE_T                   8
#define SIZEOF_TIME_T                   8
#define SIZEOF_UINTPTR_T                8
#define SIZEOF_VOID_P                   8
#define SIZEOF_WCHAR_T                  4
#define SIZEOF__BOOL                    1
#define WITH_DOC_STRINGS                1
#define WITH_MIMALLOC                   1
#define WITH_PYMALLOC                   1

_Static_assert(sizeof(long) == SIZEOF_LONG && sizeof(void *) == SIZEOF_VOID_P, "a target with 64-bit pointers");
_Static_assert(sizeof(long double) == SIZEOF_LONG_DOUBLE, "a target whose long double has 16 bytes");
_Static_assert(_Alignof(max_align_t) == ALIGNOF_MAX_ALIGN_T, "a target that aligns to 16 bytes");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a target with bytes in little-endian order");

#endif

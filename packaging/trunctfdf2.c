/* SPDX-License-Identifier: MIT */
/* The one function that the modules for aarch64 would take from zig's compiler_rt: it converts a long double of 128 bits.
 * libcurl's printf calls it for %Lf, which nobody uses. Everything that compiler_rt contains would come with it, also a
 * guard of the stack that is a constant, and a memcpy instead of the system's. So compiler_rt is not linked. */
#include <stdio.h>
#include <stdlib.h>

double __trunctfdf2(long double value);

double __trunctfdf2(long double value)
{
    char text[64];

    (void)snprintf(text, sizeof text, "%La", value); /* every bit of it */
    return strtod(text, NULL);
}

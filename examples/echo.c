/* SPDX-License-Identifier: MIT */
/* Sends a line and prints the reply: echo ws://HOST/PATH
 * Compile it: cc echo.c $(pkg-config --cflags --libs curlwire) */
#include <curlwire.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    cw_socket *s = NULL;
    cw_event *message = NULL;
    size_t len_bytes = 0;

    if (argc != 2 || cw_socket_create(CW_MESSAGE_SOCKET, &s) ||
        cw_socket_connect(s, argv[1], strlen(argv[1]), CW_TIMEOUT_DEFAULT) ||
        cw_socket_send(s, CW_UTF8, "Hello, World!", 13, CW_TIMEOUT_DEFAULT) ||
        cw_socket_receive(s, CW_TIMEOUT_DEFAULT, &message)) {
        fprintf(stderr, "echo: %s\n", argc == 2 ? cw_error_message() : "usage: echo ws://HOST/PATH");
        return 1;
    }
    const char *text = cw_event_data(message, &len_bytes);
    printf("%.*s\n", (int)len_bytes, text);
    cw_event_free(message);
    (void)cw_socket_close_start(s, 1000, NULL, 0);
    (void)cw_socket_wait_closed(s, CW_TIMEOUT_DEFAULT);
    cw_socket_release(s);
    return 0;
}

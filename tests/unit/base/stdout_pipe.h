/* Standard output is the write end of a pipe while a test runs; cmocka's own lines stay on the saved one. */
#ifndef TESTS_UNIT_BASE_STDOUT_PIPE_H
#define TESTS_UNIT_BASE_STDOUT_PIPE_H

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "conversation/base/str.h"

static int saved_stdout, pipe_out; /* pipe_out: -1 when the test has closed it */

static inline int stdout_take(void)
{
    int fds[2];
    fflush(stdout);
    saved_stdout = dup(STDOUT_FILENO);
    if (saved_stdout < 0 || pipe2(fds, O_CLOEXEC) != 0 || dup2(fds[1], STDOUT_FILENO) < 0)
        return -1;
    close(fds[1]);
    pipe_out = fds[0];
    fcntl(pipe_out, F_SETFL, O_NONBLOCK);
    return 0;
}

static inline void stdout_give_back(void)
{
    fflush(stdout);
    dup2(saved_stdout, STDOUT_FILENO);
    close(saved_stdout);
    if (pipe_out >= 0)
        close(pipe_out);
}

/* What was written since the last call. */
static inline struct str stdout_read(void)
{
    static char text[1 << 20];
    size_t n = 0;
    ssize_t got;
    while ((got = read(pipe_out, text + n, sizeof text - 1 - n)) > 0)
        n += (size_t)got;
    text[n] = '\0';
    return (struct str){text, n};
}

#endif

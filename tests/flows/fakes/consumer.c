/* One message at a time. */
#include "flows/fakes/consumer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct consumer_setup setup;
static struct consumed message;
static char *text;
static enum fake_outcome outcome;

void fake_consumer_reset(void)
{
    setup = (struct consumer_setup){0};
    free(text);
    text = NULL;
}

const char *const *fake_consumer_topics(void)
{
    return setup.topics;
}

bool consumer_start(const struct consumer_setup *given, char *why, size_t cap)
{
    (void)why;
    (void)cap;
    setup = *given;
    return true;
}

/* In memory of its own length, so that the sanitizer sees who reads on. */
void consumer_delivers(const char *topic, const char *value)
{
    free(text);
    text = malloc(strlen(value) + 1);
    assert_non_null(text);
    memcpy(text, value, strlen(value));
    text[strlen(value)] = '\0';
    message = (struct consumed){
        .topic = topic, .partition = 3, .offset = message.offset + 1, .value = {text, strlen(value)}};
    outcome = CONSUMED_PENDING;
    setup.take(&message);
}

void consumer_delivers_again(void)
{
    assert_int_equal(outcome, CONSUMED_AGAIN);
    message.tries++;
    outcome = CONSUMED_PENDING;
    setup.take(&message);
}

enum fake_outcome fake_outcome(void)
{
    return outcome;
}

void consumer_done(const struct consumed *m)
{
    assert_ptr_equal(m, &message);
    assert_int_equal(outcome, CONSUMED_PENDING);
    outcome = CONSUMED_DONE;
}

void consumer_again(const struct consumed *m)
{
    assert_ptr_equal(m, &message);
    assert_int_equal(outcome, CONSUMED_PENDING);
    outcome = CONSUMED_AGAIN;
}

void consumer_stop(void)
{
}

bool consumer_is_stopped(void)
{
    return true;
}

void consumer_abandon(void)
{
}

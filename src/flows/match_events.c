/* On the bus a message is lines of `added {id}`, `removed {id}`, `matched {id}`, `expired {id}` or
 * `changed {id}`. */
#include "flows/match_events.h"

#include "conversation/ports/bus.h"
#include "conversation/rt/timer.h"

#define CHANNEL   "match_events"
#define PAUSE_MS  5 /* between two messages */
#define LINES_MAX 100

static const char *const event_names[] = {[MATCH_ADDED] = "added",
                                          [MATCH_REMOVED] = "removed",
                                          [MATCH_PAIRED] = "matched",
                                          [MATCH_TIMED_OUT] = "expired",
                                          [MATCH_CHANGED] = "changed"};

static void (*tell)(enum match_event event, const struct uuid *request_id);
static struct buf unsaid;
static int line_count;
static struct timer pause;
static bool is_listening; /* between start and stop; who speaks after that speaks at once */

static void say_all(void);

static void on_pause_over(struct timer *t)
{
    (void)t;
    if (line_count)
        say_all();
}

static void say_all(void)
{
    bus_publish(CHANNEL, buf_str(&unsaid));
    unsaid.n = 0;
    line_count = 0;
    if (is_listening)
        timer_start(&pause, PAUSE_MS, on_pause_over);
    else
        buf_done(&unsaid);
}

void match_events_say(enum match_event event, const struct uuid *request_id)
{
    buf_addf(&unsaid, "%s%s %s", line_count ? "\n" : "", event_names[event], UUIDZ(request_id));
    line_count++;
    if (!timer_is_running(&pause) || line_count == LINES_MAX)
        say_all();
}

static void hear_line(struct str line)
{
    struct uuid id;
    struct str name = str_cut(&line, ' ');
    if (!uuid_parse(line, &id))
        return;
    for (enum match_event e = MATCH_ADDED; e <= MATCH_CHANGED; e++)
        if (str_eqz(name, event_names[e]))
            tell(e, &id);
}

static void on_message(void *arg, struct str text)
{
    (void)arg;
    while (text.p)
        hear_line(str_cut(&text, '\n'));
}

void match_events_start(void (*heard)(enum match_event event, const struct uuid *request_id))
{
    tell = heard;
    is_listening = true;
    bus_subscribe(CHANNEL, on_message, NULL);
}

void match_events_stop(void)
{
    is_listening = false;
    timer_stop(&pause);
    if (line_count)
        say_all();
    buf_done(&unsaid);
    bus_unsubscribe(CHANNEL);
}

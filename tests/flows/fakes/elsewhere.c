/* What the other instance says, and what this one says to it. */
#include "flows/fakes/elsewhere.h"

#include "conversation/base/instance.h"

void other_says(struct said s)
{
    char text[256];
    snprintf(text, sizeof text, "state %s %d %d %d %d %d %lld", s.by ? s.by : OTHER, s.asks, s.anew, s.ana,
             s.ben, s.shown, (long long)s.shown_at_ms);
    assert_true(bus_says(CHANNEL, text));
    pass_ms(0);
}

void assert_says(int asks, int anew, int ana, int ben)
{
    char begin[160];
    snprintf(begin, sizeof begin, "state %s %d %d %d %d ", UUIDZ(instance_id()), asks, anew, ana, ben);
    const char *text = next_published(CHANNEL);
    if (strncmp(text, begin, strlen(begin)) != 0)
        fail_msg("said \"%s\", not \"%s…\"", text, begin);
}

void assert_says_nothing(void)
{
    assert_string_equal(next_published(CHANNEL), "");
}

void forget_all(void)
{
    bus_forget();
    sockets_forget();
    port_forget();
}

void neighbour_answers(void)
{
    char channel[64];
    snprintf(channel, sizeof channel, "instance_events:%s", UUIDZ(instance_id()));
    assert_true(bus_says(channel, "answer " OTHER));
}

void pass_answered_s(int seconds)
{
    for (int i = 0; i < seconds; i++) {
        pass_ms(1000);
        neighbour_answers();
    }
}

void given_shared(void)
{
    bus_others("ws_events:", 1);
    bus_others("instance_events:", 1);
    live_start();
    given_active_session();
    fake_db.partner_at = id_of(OTHER);
    socket_opens(ANAS, ANA);
    joins(ANA, ANAS);
    other_says((struct said){.ben = 1});
    pass_answered_s(15); /* the bus has been there for long */
    forget_all();
}

enum err ana_emits(const char *text)
{
    const struct str parts[] = {STR("{\"x\":\""), str_of(text), STR("\"}")};
    return live_emit_to_partner(live_one(), 0, "offer", parts, 3);
}

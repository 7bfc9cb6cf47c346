// What every event does to a session in every state, written out after docs/sessions.md: nothing in it is computed by what
// it judges.

// joined: who has, in order; gone: whose socket went afterwards; isLate: it has been active for more than a minute.
export const STATES = {
  'nobody has joined': { status: 'waiting' },
  'a has joined': { status: 'waiting', joined: ['a'] },
  'active': { status: 'active', joined: ['a', 'b'] },
  'active, late': { status: 'active', joined: ['a', 'b'], isLate: true },
  'active, b gone': { status: 'active', joined: ['a', 'b'], gone: ['b'] },
  'active, late, b gone': { status: 'active', joined: ['a', 'b'], gone: ['b'], isLate: true },
  'active, both gone': { status: 'active', joined: ['a', 'b'], gone: ['b', 'a'] },
  'completed': { status: 'completed', reason: 'completed' },
  'aborted': { status: 'aborted', reason: 'left' },
  'expired': { status: 'expired', reason: 'no_show' },
  'cancelled': { status: 'cancelled', reason: 'left' },
};

// States, then the answer to who did it, the row, what a and what b are told, and the events in the outbox. `over` are the
// states in which it has ended. Of an event that is told stands what matters most of it.
const ROWS = {
  'a joins': [
    ['nobody has joined', 'ok', 'waiting with a', '-', '-', '-'],
    ['a has joined / active / active, late / active, b gone / active, late, b gone', 'ok', 'as before', '-', '-', '-'],
    ['active, both gone', 'ok', 'as before', 'session_state icebreaker', '-', '-'],
    ['over', 'SESSION_ENDED', 'as before', '-', '-', '-'],
  ],
  'b joins': [
    ['nobody has joined', 'ok', 'waiting with b', '-', '-', '-'],
    ['a has joined', 'ok', 'active', 'partner_joined, new_prompt icebreaker', 'partner_joined, new_prompt icebreaker', 'conversation.started'],
    ['active / active, late', 'ok', 'as before', '-', '-', '-'],
    ['active, b gone / active, late, b gone', 'ok', 'as before', 'partner_joined', 'session_state icebreaker, partner_joined', '-'],
    ['active, both gone', 'ok', 'as before', '-', 'session_state icebreaker', '-'],
    ['over', 'SESSION_ENDED', 'as before', '-', '-', '-'],
  ],
  'a joins on a second socket': [
    ['nobody has joined', 'ok', 'waiting with a', '-', '-', '-'],
    ['a has joined', 'ok, the older: exception SESSION_TAKEN_OVER, io server disconnect', 'as before', 'session_state false', '-', '-'],
    ['active / active, late', 'ok, the older: exception SESSION_TAKEN_OVER, io server disconnect', 'as before', 'session_state icebreaker, partner_joined', 'partner_joined', '-'],
    ['active, b gone / active, late, b gone', 'ok, the older: exception SESSION_TAKEN_OVER, io server disconnect', 'as before', 'session_state icebreaker', '-', '-'],
    ['active, both gone', 'ok', 'as before', 'session_state icebreaker', '-', '-'],
    ['over', 'SESSION_ENDED', 'as before', '-', '-', '-'],
  ],
  'a stranger joins': [
    ['any', 'SESSION_NOT_FOUND', 'as before', '-', '-', '-'],
  ],
  'a joins over REST': [
    ['nobody has joined / a has joined / active / active, late / active, b gone / active, late, b gone / active, both gone', 'ok', 'as before', '-', '-', '-'],
    ['over', 'SESSION_ENDED', 'as before', '-', '-', '-'],
  ],
  'a leaves': [
    ['nobody has joined / a has joined', 'ok', 'cancelled left', 'session_ended partner_left', 'session_ended partner_left', '-'],
    ['active', 'ok', 'aborted left', 'session_ended partner_left', 'partner_left ended, session_ended partner_left', 'conversation.aborted'],
    ['active, late', 'ok', 'completed left', 'session_ended partner_left', 'partner_left ended, session_ended partner_left', 'conversation.completed'],
    ['active, b gone / active, both gone', 'ok', 'aborted left', 'session_ended partner_left', '-', 'conversation.aborted'],
    ['active, late, b gone', 'ok', 'completed left', 'session_ended partner_left', '-', 'conversation.completed'],
    ['over', 'ok', 'as before', '-', '-', '-'],
  ],
  'b leaves over REST': [
    ['nobody has joined', 'ok', 'cancelled left', 'session_ended partner_left', 'session_ended partner_left', '-'],
    ['a has joined', 'ok', 'cancelled left', 'partner_left ended, session_ended partner_left', 'session_ended partner_left', '-'],
    ['active', 'ok', 'aborted left', 'partner_left ended, session_ended partner_left', 'session_ended partner_left', 'conversation.aborted'],
    ['active, late', 'ok', 'completed left', 'partner_left ended, session_ended partner_left', 'session_ended partner_left', 'conversation.completed'],
    ['active, b gone', 'ok', 'aborted left', 'partner_left ended, session_ended partner_left', '-', 'conversation.aborted'],
    ['active, late, b gone', 'ok', 'completed left', 'partner_left ended, session_ended partner_left', '-', 'conversation.completed'],
    ['active, both gone', 'ok', 'aborted left', '-', '-', 'conversation.aborted'],
    ['over', 'ok', 'as before', '-', '-', '-'],
  ],
  'a ends it over REST': [
    ['nobody has joined / a has joined', 'ok', 'cancelled left', 'session_ended partner_left', 'session_ended partner_left', '-'],
    ['active / active, late', 'ok', 'completed completed', 'session_ended completed', 'session_ended completed', 'conversation.completed'],
    ['active, b gone / active, late, b gone', 'ok', 'completed completed', 'session_ended completed', '-', 'conversation.completed'],
    ['active, both gone', 'ok', 'completed completed', '-', '-', 'conversation.completed'],
    ['over', 'ok', 'as before', '-', '-', '-'],
  ],
  'a stranger ends it over REST': [
    ['any', 'SESSION_NOT_FOUND', 'as before', '-', '-', '-'],
  ],
  'a drops': [
    ['nobody has joined / active, b gone / active, late, b gone / active, both gone / over', '-', 'as before', '-', '-', '-'],
    ['a has joined', '-', 'waiting', '-', '-', '-'],
    ['active / active, late', '-', 'as before', '-', 'partner_left disconnect', '-'],
  ],
  'a reports': [
    ['nobody has joined / a has joined', 'ok', 'cancelled reported', 'session_ended error', 'session_ended error', 'conversation.reported'],
    ['active / active, late', 'ok', 'completed reported', 'session_ended error', 'partner_left ended, session_ended error', 'conversation.reported, conversation.completed'],
    ['active, b gone / active, late, b gone / active, both gone', 'ok', 'completed reported', 'session_ended error', '-', 'conversation.reported, conversation.completed'],
    ['over', 'ok', 'as before', '-', '-', 'conversation.reported'],
  ],
  'b reports over REST': [
    ['nobody has joined', 'ok', 'cancelled reported', 'session_ended error', 'session_ended error', 'conversation.reported'],
    ['a has joined', 'ok', 'cancelled reported', 'partner_left ended, session_ended error', 'session_ended error', 'conversation.reported'],
    ['active / active, late', 'ok', 'completed reported', 'partner_left ended, session_ended error', 'session_ended error', 'conversation.reported, conversation.completed'],
    ['active, b gone / active, late, b gone', 'ok', 'completed reported', 'partner_left ended, session_ended error', '-', 'conversation.reported, conversation.completed'],
    ['active, both gone', 'ok', 'completed reported', '-', '-', 'conversation.reported, conversation.completed'],
    ['over', 'ok', 'as before', '-', '-', 'conversation.reported'],
  ],
  'a offers': [
    ['nobody has joined / active, both gone / over', 'NOT_IN_SESSION', 'as before', '-', '-', '-'],
    ['a has joined / active, b gone / active, late, b gone', 'PARTNER_NOT_CONNECTED', 'as before', '-', '-', '-'],
    ['active / active, late', 'ok', 'as before', '-', 'offer', '-'],
  ],
  'a speaks': [
    ['nobody has joined / active, both gone / over', 'NOT_IN_SESSION', 'as before', '-', '-', '-'],
    ['a has joined / active, b gone / active, late, b gone', 'ok', 'as before', '-', '-', '-'],
    ['active / active, late', 'ok', 'as before', '-', 'partner_speaking true', '-'],
  ],
  'a asks for a prompt': [
    ['nobody has joined / active, both gone / over', 'NOT_IN_SESSION', 'as before', '-', '-', '-'],
    ['a has joined', 'NO_PROMPT_LEFT', 'as before', '-', '-', '-'],
    ['active / active, late', 'ok', 'as before', 'new_prompt follow_up', 'new_prompt follow_up', '-'],
    ['active, b gone / active, late, b gone', 'ok', 'as before', 'new_prompt follow_up', '-', '-'],
  ],
  'a rates': [
    ['nobody has joined / a has joined / active / active, late / active, b gone / active, late, b gone / active, both gone', 'SESSION_NOT_ENDED', 'as before', '-', '-', '-'],
    ['over', 'ok', 'as before', '-', '-', 'conversation.rated'],
  ],
  'its times pass': [
    ['nobody has joined', '-', 'deleted', '-', '-', '-'],
    ['a has joined', '-', 'expired no_show', 'partner_left timeout, session_ended partner_left, match_requeued', 'session_ended partner_left', 'match.requested'],
    ['active / active, late / over', '-', 'as before', '-', '-', '-'],
    ['active, b gone', '-', 'aborted dropped', 'partner_left timeout, session_ended partner_left', '-', 'conversation.aborted'],
    ['active, late, b gone', '-', 'completed dropped', 'partner_left timeout, session_ended partner_left', '-', 'conversation.completed'],
    ['active, both gone', '-', 'aborted dropped', '-', '-', 'conversation.aborted'],
  ],
  'the limit is reached': [
    ['nobody has joined / a has joined / over', '-', 'as before', '-', '-', '-'],
    ['active / active, late', '-', 'completed timeout', 'session_ended timeout', 'session_ended timeout', 'conversation.completed'],
    ['active, b gone / active, late, b gone', '-', 'completed timeout', 'session_ended timeout', '-', 'conversation.completed'],
    ['active, both gone', '-', 'completed timeout', '-', '-', 'conversation.completed'],
  ],
};

function statesOf(names) {
  const all = Object.keys(STATES);
  if (names === 'any') return all;
  return names.split(' / ').flatMap((name) => (name === 'over' ? all.filter((each) => STATES[each].reason) : [name]));
}

// {event: {state: [answer, row, told to a, told to b, outbox]}}
export const SESSION_TABLE = Object.fromEntries(
  Object.entries(ROWS).map(([event, rows]) => [
    event,
    Object.fromEntries(rows.flatMap(([states, ...cell]) => statesOf(states).map((state) => [state, cell]))),
  ]),
);

// The relay of events to Kafka, read by a client that others wrote: what is on the topic, in which order, and what stays so
// when Kafka, PostgreSQL or the relaying daemon goes away. Each group has a Kafka of its own.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { Cluster } from '../lib/cluster.js';
import { expectOk } from '../lib/expect.js';
import { KafkaCluster } from '../lib/kafka.js';
import { EventLoad, assertComplete } from '../lib/outbox.js';
import { checkEvent, checkOutbox, eventOfRow, eventTypes } from '../lib/schemas.js';
import { allDone, until } from '../lib/wait.js';
import { World } from '../lib/world.js';

const TAKE_OVER_MS = 60_000; // of an instance that stands still after 15 s, else at once
const PER_SECOND = 800;

describe('events on the topic', () => {
  let kafka;
  let world;

  before(async () => {
    kafka = await KafkaCluster.create();
    world = await World.create({ env: kafka.env() });
  });

  after(async () => {
    try {
      await world?.stop();
    } finally {
      await kafka?.destroy();
    }
  });

  const allSent = () => until('all events to be sent', async () => (await world.unsentEvents()) === 0);

  it('a conversation from request to rating: envelope, key, headers, order', async () => {
    const { a, b, sessionId } = await world.conversation();
    expectOk(await a.end(sessionId));
    await world.db.query(`UPDATE sessions SET status = 'completed' WHERE id = $1`, [sessionId]);
    expectOk(await b.rate(sessionId, 5));
    await allSent();

    const rows = await world.db.query('SELECT * FROM event_outbox ORDER BY id');
    const messages = await kafka.read();
    const byEvent = new Map(messages.map((m) => [m.headers['event-id'], m]));
    assert.equal(messages.length, rows.length);
    for (const row of rows) {
      const m = byEvent.get(row.event_id);
      assert.equal(m.key, row.key);
      assert.deepEqual(m.headers, {
        'content-type': 'application/json',
        'event-id': row.event_id,
        'event-type': row.event_type,
        'correlation-id': row.correlation_id,
      });
      assert.deepEqual(JSON.parse(m.value), eventOfRow(row));
    }
    const ofSession = messages
      .filter((m) => [a.userId, b.userId].includes(m.key) && JSON.parse(m.value).payload.sessionId === sessionId)
      .sort((m, n) => m.offset - n.offset);
    assert.equal(new Set(ofSession.map((m) => `${m.partition} ${m.key}`)).size, 1, 'one key, one partition');
    assert.deepEqual(
      ofSession.map((m) => m.headers['event-type']),
      ['conversation.matched', 'conversation.started', 'conversation.completed', 'conversation.rated'],
    );
  });

  it('the correlation id of a request is in the events that it causes', async () => {
    const learner = world.learner({ levels: { en: 'C1' } });
    const correlationId = crypto.randomUUID();
    const answer = await world.rest.call('POST', '/api/conversations/match-request', {
      token: world.token(learner.person ?? learner),
      headers: { 'X-Correlation-Id': correlationId },
      body: { targetLanguageCode: 'en', topicCode: 'free_talk' },
    });
    expectOk(answer, 201);
    await allSent();
    const found = (await kafka.read()).filter((m) => m.headers['correlation-id'] === correlationId);
    assert.deepEqual(
      found.map((m) => [m.headers['event-type'], JSON.parse(m.value).metadata.correlationId]),
      [['match.requested', correlationId]],
    );
  });

  it('an event that the brokers refuse is put aside, and the others go on', async () => {
    const load = new EventLoad(world.db, 3);
    const before = (await world.db.one('SELECT count(*)::int AS n FROM event_outbox')).n;
    await load.write(5);
    const { id } = await world.db.one(
      `INSERT INTO event_outbox (event_type, key, payload, correlation_id)
       SELECT event_type, key, payload || jsonb_build_object('text', repeat('x', 1100000)), correlation_id
         FROM event_outbox ORDER BY id DESC LIMIT 1 RETURNING id`,
    );
    await load.write(5);
    await allSent();
    assert.deepEqual(
      await world.db.query(`SELECT id FROM event_outbox WHERE sent_at = 'infinity'`),
      [{ id }],
    );
    const refused = await world.daemon.log('of the refusal', (line) => line.event === 'outbox.event_refused');
    assert.equal(refused.level, 'ERROR');
    assert.equal((await kafka.read()).length, before + 10);
    await world.db.query('DELETE FROM event_outbox WHERE id = $1', [id]);
  });

  it('what is there when SIGTERM comes is sent before the daemon ends', async () => {
    const load = new EventLoad(world.db, 10);
    const before = (await world.db.one('SELECT count(*)::int AS n FROM event_outbox')).n;
    await load.write(3000);
    await world.daemon.stop();
    assert.equal(await world.unsentEvents(), 0);
    assert.equal((await kafka.read()).length, before + 3000);
    await world.restartDaemon();
  });
});

describe('schemas of events', () => {
  const envelope = (eventType, payload) => ({
    eventId: crypto.randomUUID(),
    eventType,
    version: '1.0',
    timestamp: '2025-01-15T10:32:00.000Z',
    payload,
    metadata: { correlationId: 'abc', source: 'conversation-service' },
  });

  it('are there for the types that the documentation names, and refuse what lacks a member', () => {
    const text = fs.readFileSync(new URL('../../docs/events.md', import.meta.url), 'utf8');
    const named = [...text.matchAll(/^### (.+)$/gm)].flatMap((match) => match[1].split(', '));
    assert.deepEqual([...named].sort(), [...eventTypes()].sort());
    for (const type of eventTypes()) assert.throws(() => checkEvent(envelope(type, {})), /must have required property/);
    assert.throws(() => checkEvent(envelope('match.forgotten', {})), /must be equal to one of the allowed values/);
  });

  it('are what a test that leaves a wrong event fails by', async () => {
    const world = await World.create();
    try {
      await new EventLoad(world.db, 1).write(2);
      await checkOutbox(world.db);
      await world.db.query(`UPDATE event_outbox SET payload = payload - 'userId' WHERE payload->>'sequence' = '1'`);
      await assert.rejects(world.stop(), /must have required property 'userId'/);
    } finally {
      await world.stop();
    }
  });
});

describe('events without brokers', () => {
  let world;

  afterEach(async () => {
    const stopped = world;
    world = undefined;
    await stopped?.stop();
  });

  it('wait in the table, and no relay runs', async () => {
    world = await World.create();
    const { a, sessionId } = await world.conversation();
    expectOk(await a.end(sessionId));
    assert.equal(await world.unsentEvents(), 5);
    assert.equal(await world.daemon.metric('dependency_up{dependency="kafka"}'), undefined);
  });

  it('a setting that librdkafka refuses ends the start with its name', async () => {
    world = await World.create({ start: false, env: { KAFKA_BROKERS: 'kafka:9092' } });
    const start = world.startDaemon({
      env: { KAFKA_SECURITY_PROTOCOL: 'ssl', KAFKA_SSL_CA: 'no certificate' },
    });
    await assert.rejects(start, /conversationd: Kafka: .*ssl\.ca\.pem/);
  });
});

describe('events while something is away', () => {
  let kafka;
  let cluster;
  let load;
  let follower;

  beforeEach(async () => {
    kafka = await KafkaCluster.create();
    cluster = await Cluster.create(1, { ...kafka.env(), LOG_LEVEL: 'info' });
    load = new EventLoad(cluster.db, 50);
    follower = kafka.follower();
  });

  // A load that nobody ends would keep the file from ending.
  afterEach(async () => {
    load?.enough();
    try {
      await cluster?.stop();
    } finally {
      await allDone([follower?.stop(), cluster?.destroy(), kafka?.destroy()]);
    }
  });

  // Events until enough() is called on the load, however fast the machine is; the promise is of the last one.
  const writeOn = () => load.run(Infinity, PER_SECOND);

  // So many more than there are now.
  const more = (count) => {
    const sofar = follower.messages.length;
    return until(`${count} more to arrive`, () => follower.messages.length > sofar + count, 30_000);
  };

  async function relays() {
    const living = [...cluster.daemons];
    const answers = await Promise.all(living.map((daemon) => daemon.metric('outbox_is_relay')));
    return living.filter((_, i) => answers[i] === 1);
  }

  const theRelay = () =>
    until(
      'one relay',
      async () => {
        const all = await relays();
        assert.ok(all.length <= 1, `${all.length} relays`);
        return all[0];
      },
      TAKE_OVER_MS,
    );

  // Every event that was written is on the topic, in order for each key; answers how many came twice.
  async function complete(ms = 60_000) {
    await until('all events to be sent', async () => (await cluster.world.unsentEvents()) === 0, ms);
    const { n } = await cluster.db.one('SELECT count(*)::int AS n FROM event_outbox');
    await until('all events to be read', () => new Set(follower.ids()).size >= n, ms);
    return assertComplete(follower.events(), load.written);
  }

  it('Kafka goes and comes back under load: nothing lost, nothing twice, in order', async () => {
    const relay = await theRelay();
    const writing = writeOn();
    await more(400);
    await follower.stop(); // it ends by itself when no broker is left
    await kafka.down();
    await relay.log('that Kafka is away', (l) => l.event === 'dependency.down' && l.dependency === 'kafka');
    await until('a backlog', async () => (await cluster.world.unsentEvents()) > 1000, 30_000);
    assert.equal((await relay.readyz()).status, 200);
    await kafka.up();
    follower = kafka.follower();
    await more(2000);
    load.enough();
    await writing;
    assert.equal(await complete(), 0);
    assert.equal(await relay.metric('dependency_up{dependency="kafka"}'), 1);
  });

  it('Kafka comes back without its memory: a new producer goes on', async () => {
    await theRelay();
    await load.write(100);
    await until('all events to be sent', async () => (await cluster.world.unsentEvents()) === 0);
    await follower.stop();
    await kafka.kill();
    await load.write(100);
    await kafka.start();
    follower = kafka.follower();
    await until('the later events to arrive', () => new Set(follower.ids()).size === 100, 60_000);
    await until('all events to be sent', async () => (await cluster.world.unsentEvents()) === 0);
  });

  it('of three daemons one relays; when it is killed another takes over, and order is kept', async () => {
    await cluster.startDaemon();
    await cluster.startDaemon();
    const writing = writeOn();
    for (let i = 0; i < 2; i++) {
      const relay = await theRelay();
      await more(300);
      await cluster.kill(relay);
    }
    await theRelay();
    await more(300);
    load.enough();
    await writing;
    const twice = await complete();
    assert.ok(twice <= 2 * 500, `${twice} events came again after two kills`);
    assert.equal(await theRelay(), cluster.daemons[0]);
  });

  it('a relay that stops hands over, and nothing comes twice', async () => {
    await cluster.startDaemon();
    const writing = writeOn();
    const relay = await theRelay();
    await more(300);
    await cluster.stopDaemon(relay);
    await theRelay();
    await more(300);
    load.enough();
    await writing;
    assert.equal(await complete(), 0);
  });

  it('a relay that stands still loses the lock, and what it says afterwards does no harm', async () => {
    await cluster.startDaemon();
    const relay = await theRelay();
    await load.write(200);
    await until('them to arrive', () => follower.messages.length >= 200);
    relay.signal('SIGSTOP');
    await load.write(200);
    await until('the other to take over', () => follower.messages.length >= 400, TAKE_OVER_MS);
    relay.signal('SIGCONT');
    await relay.log('that it has lost the lock', (l) => l.event === 'outbox.relay_lost');
    await load.write(200);
    await complete();
    await theRelay();
  });

  it('PostgreSQL is restarted under load: nothing lost, in order', async () => {
    const relay = await theRelay();
    const writing = writeOn();
    await more(300);
    await cluster.pg.kill();
    await cluster.pg.start();
    await more(300);
    load.enough();
    await writing;
    const twice = await complete();
    assert.ok(twice <= 500, `${twice} events came again`);
    assert.equal(await theRelay(), relay);
  });
});

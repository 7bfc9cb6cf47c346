// Events of other services, from Kafka: what they do, what is skipped, and that none is lost while something is away, when
// an instance dies and its partitions go to another, and over a restart.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { KafkaCluster } from '../lib/kafka.js';
import { isConsumed } from '../lib/schemas.js';
import { startServers } from '../lib/servers.js';
import { storeSessions } from '../lib/stored_sessions.js';
import { allDone, until } from '../lib/wait.js';
import { World } from '../lib/world.js';

const TOPICS = { users: 'user.events', lessons: 'lesson.events', feedback: 'feedback.events' };
const PARTITIONS = 4;
const LEAVING_MS = 4500; // librdkafka would wait for five seconds to leave a group that it is not in yet

function envelope(eventType, payload, correlationId = crypto.randomUUID()) {
  return {
    eventId: crypto.randomUUID(),
    eventType,
    version: '1.0',
    timestamp: new Date().toISOString(),
    payload,
    metadata: { correlationId, source: 'another-service' },
  };
}
const skill = (userId, skillCode) =>
  envelope('skill.acquired', { userId, skillId: crypto.randomUUID(), skillCode });

async function createTopics(kafka) {
  for (const topic of Object.values(TOPICS)) await kafka.createTopic(topic, PARTITIONS);
}

async function cluster() {
  const kafka = await KafkaCluster.create();
  await createTopics(kafka);
  return kafka;
}

// With the session timeout of the product: after a shorter one an instance that gets no core has left its group, and takes
// again what it has not committed.
const env = (kafka) => kafka.env();
const isAssigned = (line) => line.event === 'kafka.assigned';
const inGroup = (daemon) => daemon.log('that it is in the group', isAssigned, 60_000);
const counted = (world, topic, result) =>
  world.metric(`kafka_messages_consumed_total{topic="${topic}",result="${result}"}`);
const lines = (events) => events.map((event) => JSON.stringify(event)).join('\n');

// In each partition some: keys are spread by their hash.
async function produceSkills(kafka, userIds, code) {
  for (let part = 0; part < PARTITIONS * 2; part++) {
    const mine = userIds.filter((_, i) => i % (PARTITIONS * 2) === part);
    if (mine.length) await kafka.produce(TOPICS.lessons, lines(mine.map((id) => skill(id, code))), `key-${part}`);
  }
}

describe('the schemas of what is consumed', () => {
  const id = crypto.randomUUID();
  it('say what is taken and what is skipped', () => {
    const taken = [
      envelope('user.registered', { userId: id }),
      envelope('user.deleted', { userId: id, more: 1 }),
      skill(id, 'idioms.en'),
      envelope('skill.acquired', { ...skill(id, 'a').payload, acquiredAt: '2025-01-01T00:00:00Z' }),
      envelope('transcript.ready', { sessionId: id, transcriptId: id }),
      { eventType: 'user.deleted', payload: { userId: id } },
    ];
    const refused = [
      envelope('user.deleted', {}),
      envelope('user.deleted', { userId: 'ana' }),
      skill(id, ''),
      skill(id, 'x'.repeat(129)),
      envelope('transcript.ready', { sessionId: id }),
      { eventType: 'user.deleted' },
    ];
    for (const event of taken) assert.ok(isConsumed(event), JSON.stringify(event));
    for (const event of refused) assert.ok(!isConsumed(event), JSON.stringify(event));
  });
});

describe('events of other services', () => {
  let kafka;
  let world;
  before(async () => {
    kafka = await cluster();
    world = await World.create({ env: env(kafka) });
  });
  after(async () => {
    try {
      await world?.stop();
    } finally {
      await kafka?.destroy();
    }
  });

  it('skill.acquired is stored once and unlocks topics at once', async () => {
    const learner = world.learner();
    const unlocked = async () => {
      const { body } = await learner.topics();
      return body.topics.filter((topic) => topic.isUnlocked).map((topic) => topic.code);
    };
    assert.ok(!(await unlocked()).includes('restaurant.ordering'));
    assert.ok(!(await unlocked()).includes('restaurant.ordering'), 'also from what is kept');
    const event = skill(learner.userId, 'restaurant_vocab.en');
    await kafka.produce(TOPICS.lessons, lines([event, event]));
    await until('the skill to be stored', async () => (await unlocked()).includes('restaurant.ordering'), 60_000);
    const rows = await world.db.query('SELECT skill_code, skill_id FROM user_skills WHERE user_id = $1', [
      learner.userId,
    ]);
    assert.deepEqual(rows, [{ skill_code: 'restaurant_vocab.en', skill_id: event.payload.skillId }]);
  });

  it('transcript.ready: the transcript is available', async () => {
    const [a, b] = [world.learner(), world.learner()];
    await storeSessions(world.db, [a, b]);
    await world.db.query(
      `UPDATE sessions SET status = 'completed', end_reason = 'left', started_at = now(), ended_at = now()
        WHERE id = $1`,
      [a.sessionId],
    );
    const transcript = () => a.call('GET', `/sessions/${a.sessionId}/transcript`);
    assert.deepEqual((await transcript()).body, { sessionId: a.sessionId, transcriptAvailable: false });
    const transcriptId = crypto.randomUUID();
    await kafka.produce(
      TOPICS.feedback,
      envelope('transcript.ready', { sessionId: a.sessionId, transcriptId }),
    );
    await until('the transcript', async () => (await transcript()).body.transcriptAvailable);
    assert.equal((await transcript()).body.transcriptId, transcriptId);
  });

  it('user.deleted: the user is erased; the correlation id goes on', async () => {
    const learner = world.learner({ levels: { en: 'C2' } });
    assert.equal((await learner.requestMatch()).status, 201);
    const correlationId = crypto.randomUUID();
    await kafka.produce(TOPICS.users, envelope('user.deleted', { userId: learner.userId }, correlationId));
    await until('the user to be erased', async () => {
      const { n } = await world.db.one(
        `SELECT (SELECT count(*) FROM match_requests WHERE user_id = $1)
              + (SELECT count(*) FROM erasures WHERE user_id = $1) AS n`,
        [learner.userId],
      );
      return Number(n) === 0 && (await learner.matchStatus()).status === 404;
    });
    await world.daemon.log(
      'of the promise',
      (line) => line.event === 'privacy.erasure_requested' && line.correlationId === correlationId,
    );
  });

  it('user.registered and what is unknown are ignored, poison is skipped and counted, what follows is handled', async () => {
    const learner = world.learner();
    const skipped = await counted(world, TOPICS.users, 'skipped');
    const ignored = await counted(world, TOPICS.users, 'ignored');
    const good = envelope('user.deleted', { userId: learner.userId });
    await kafka.produce(
      TOPICS.users,
      [
        JSON.stringify(envelope('user.registered', { userId: learner.userId })),
        JSON.stringify(envelope('user.renamed', { userId: learner.userId })),
        'no JSON at all: secret-word',
        '[]',
        '{"eventType":"user.deleted"}',
        JSON.stringify(envelope('user.deleted', { userId: 'secret-word' })),
        `{"eventType":"user.deleted","payload":{"userId":"${learner.userId}","x":"${'x'.repeat(70_000)}"}}`,
        JSON.stringify(good),
      ].join('\n'),
      'one-partition',
    );
    await world.daemon.log(
      'of the last one',
      (line) => line.event === 'privacy.erasure_requested' && line.correlationId === good.metadata.correlationId,
    );
    assert.equal((await counted(world, TOPICS.users, 'skipped')) - skipped, 5);
    assert.equal((await counted(world, TOPICS.users, 'ignored')) - ignored, 2);
    const told = world.daemon.logs.filter((line) => line.event === 'event.skipped');
    assert.equal(told.length, 5);
    for (const line of told) assert.ok(line.level === 'WARN' && line.topic === TOPICS.users && line.reason);
    assert.ok(!world.daemon.text.includes('secret-word'), 'no text of a message in the log');
  });

  it('are handled once over a restart: what was handled is committed', async () => {
    const ids = Array.from({ length: 40 }, () => crypto.randomUUID());
    await produceSkills(kafka, ids.slice(0, 20), 'once.en');
    const stored = async () =>
      Number((await world.db.one("SELECT count(*) AS n FROM user_skills WHERE skill_code = 'once.en'")).n);
    await until('all to be stored', async () => (await stored()) === 20, 60_000);
    await world.daemon.stop();
    await produceSkills(kafka, ids.slice(20), 'once.en');
    await world.restartDaemon();
    await until('the rest to be stored', async () => (await stored()) === 40, 60_000);
    await until('it to be counted', async () => (await counted(world, TOPICS.lessons, 'handled')) >= 20);
    assert.equal(await counted(world, TOPICS.lessons, 'handled'), 20, 'and no other');
  });
});

describe('events of other services, when something is away', () => {
  let kafka;
  let pg;
  let redis;
  let world;
  beforeEach(async () => {
    kafka = await cluster();
    ({ pg, redis } = await startServers());
    world = await World.create({ own: { pg, redis }, env: env(kafka) });
  });
  afterEach(async () => {
    try {
      await world?.stop();
    } finally {
      await allDone([pg?.destroy(), redis?.destroy(), kafka?.destroy()]);
    }
  });

  const stored = async (code) =>
    Number((await world.db.one('SELECT count(*) AS n FROM user_skills WHERE skill_code = $1', [code])).n);

  it('wait for PostgreSQL: none is skipped', async () => {
    await pg.stop();
    const ids = Array.from({ length: 300 }, () => crypto.randomUUID());
    await produceSkills(kafka, ids, 'away.en');
    await until('a try that failed', async () => (await counted(world, TOPICS.lessons, 'retried')) > 0, 60_000);
    await pg.start();
    await until('all to be stored', async () => (await stored('away.en')) === ids.length, 60_000);
    assert.equal(await counted(world, TOPICS.lessons, 'skipped'), 0);
  });

  it('wait for Redis: the skill is stored, what is kept there is not forgotten', async () => {
    await redis.kill();
    const id = crypto.randomUUID();
    await kafka.produce(TOPICS.lessons, skill(id, 'restaurant_vocab.en'));
    await until('a try that failed', async () => (await counted(world, TOPICS.lessons, 'retried')) > 0, 60_000);
    assert.equal(await stored('restaurant_vocab.en'), 1);
    await redis.start();
    await until('the event to be handled', async () => (await counted(world, TOPICS.lessons, 'handled')) > 0, 60_000);
    assert.match(redis.database().cli('SMEMBERS', `unlocked_topics:${id}`), /en:restaurant\.ordering/);
  });

  it('what the brokers refuse is said in the log, and tried again', async () => {
    await inGroup(world.daemon); // else it leaves a member behind whom the group waits for, longer than for the refusal
    await world.daemon.stop();
    await kafka.deny();
    await world.restartDaemon();
    const line = await world.daemon.log('of the refusal', (each) => each.error === 'GROUP_AUTHORIZATION_FAILED');
    const { event, level, dependency } = line;
    assert.deepEqual([event, level, dependency], ['kafka.error', 'WARN', 'kafka_consumer']);
    await kafka.produce(TOPICS.lessons, skill(crypto.randomUUID(), 'allowed.en'));
    await until('it to be stored', async () => (await stored('allowed.en')) === 1, 90_000);
  });

  it('a stop does not wait for a group that has not let the instance in yet', async () => {
    const { daemon } = world;
    await inGroup(daemon);
    daemon.signal('SIGSTOP'); // the group waits for it, nearly for its session timeout
    try {
      const second = await world.startAnother();
      const since = performance.now();
      await second.stop();
      const took = performance.now() - since;
      assert.ok(!second.logs.some(isAssigned), 'it was on its way in');
      assert.ok(took < LEAVING_MS, `${took} ms`);
      assert.ok(!second.logs.some((line) => line.event === 'kafka.client_broken'));
    } finally {
      daemon.signal('SIGCONT');
    }
  });

  it('wait for the brokers; a stop without them is a stop all the same', async () => {
    await kafka.kill();
    assert.equal((await world.daemon.readyz()).status, 200);
    await kafka.start();
    await createTopics(kafka);
    await kafka.produce(TOPICS.lessons, skill(crypto.randomUUID(), 'back.en'));
    await until('it to be stored', async () => (await stored('back.en')) === 1, 90_000);
    await kafka.kill();
    await world.daemon.stop(); // asserts how it went
  });
});

describe('two instances in one group', () => {
  let kafka;
  let world;
  let second;
  before(async () => {
    kafka = await cluster();
    world = await World.create({ env: env(kafka) });
    second = await world.startAnother();
  });
  after(async () => {
    try {
      await world?.stop();
    } finally {
      await kafka?.destroy();
    }
  });

  const handled = async (daemon) =>
    (await daemon.metric('kafka_messages_consumed_total{topic="lesson.events",result="handled"}')) ?? 0;
  const stored = async (code) =>
    Number((await world.db.one('SELECT count(DISTINCT user_id) AS n FROM user_skills WHERE skill_code = $1', [code])).n);

  it('share the partitions; when one is killed the other has all, and no event is lost', async () => {
    const ids = Array.from({ length: 400 }, () => crypto.randomUUID());
    await until('both to have a part', async () => {
      await produceSkills(kafka, Array.from({ length: 16 }, () => crypto.randomUUID()), 'warm.en');
      return (await handled(world.daemon)) > 0 && (await handled(second)) > 0;
    }, 90_000);
    const producing = produceSkills(kafka, ids, 'killed.en');
    await until('some to be stored', async () => (await stored('killed.en')) > 20, 60_000);
    await second.kill();
    await producing;
    await until('all to be stored', async () => (await stored('killed.en')) === ids.length, 60_000);
    const { n } = await world.db.one("SELECT count(*) AS n FROM user_skills WHERE skill_code = 'killed.en'");
    assert.equal(Number(n), ids.length, 'each once');
    const { n: warm } = await world.db.one("SELECT count(*) AS n FROM user_skills WHERE skill_code = 'warm.en'");
    assert.equal(Number(warm) % 16, 0);
  });
});

// As many authenticated sockets as the descriptor limit allows, held while some of them relay: memory stays flat, a client
// that does not read is cut alone, and one that writes slowly is served all the same.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import { after, afterEach, before, describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { PlainSocket, eventFrame } from '../lib/plain_socket.js';
import { candidate, sdp } from '../lib/sdp.js';
import { storeSessions } from '../lib/stored_sessions.js';
import { until, within } from '../lib/wait.js';
import { World } from '../lib/world.js';

const SOCKETS = 18_000;
const SPARE_DESCRIPTORS = 1_000; // of this process and of the daemon, for all but these sockets
const USERS = 500; // signatures are slow to make, so each user has many sockets
const OPENING_AT_ONCE = 128;
const SESSIONS = 50;
const WARM_UP_MESSAGES = 10_000;
const MESSAGES = 20_000;
const GROWTH_KIB = 512; // 26 bytes a message: less than the smallest allocation
const ROUNDS = 3; // a leak shows in each; what a daemon needs that stood still and has all pings due at once, in one
const RELAY_MS = 180_000; // for what takes seconds: only so that a message that gets lost is noticed

function descriptorLimit() {
  const limits = fs.readFileSync('/proc/self/limits', 'latin1');
  return Number(/Max open files\s+(\d+)/.exec(limits)[1]);
}

async function inParallel(count, width, work) {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

async function enter(world, learner) {
  learner.socket = await PlainSocket.open(world.daemon.port, learner.token);
  const answer = await learner.socket.emit('join_session', {
    userId: learner.userId,
    sessionId: learner.sessionId,
  });
  assert.equal(answer.status, 'ok');
}

// Pairs of learners with a socket each, every pair in a session of its own: [{socket, userId, sessionId}, …].
async function openPairs(world, count) {
  const learners = Array.from({ length: 2 * count }, () => {
    const userId = crypto.randomUUID();
    return { userId, token: world.token({ userId, name: 'Ana', native: 'es', levels: { en: 'B1' } }) };
  });
  await storeSessions(world.db, learners);
  await inParallel(learners.length, 16, (i) => enter(world, learners[i]));
  return Array.from({ length: count }, (_, i) => learners.slice(2 * i, 2 * i + 2));
}

function candidateFrame(from, to, port) {
  const payload = { sessionId: from.sessionId, targetUserId: to.userId, candidate: candidate(port) };
  return eventFrame('ice_candidate', payload);
}

// So many candidates to and fro, one under way in each session; every one of them arrives, with its port.
function relay(pairs, messages) {
  const done = new Promise((resolve, reject) => {
    let sent = 0;
    let open = pairs.length;
    const send = (from, to) => {
      if (sent === messages) {
        if (--open === 0) resolve();
        return;
      }
      to.expected = 1 + (sent++ % 65535);
      from.socket.write(candidateFrame(from, to, to.expected));
    };
    for (const pair of pairs) {
      pair.forEach((me, i) => {
        me.socket.onEvent = (name, argument) => {
          if (name !== 'ice_candidate') return;
          if (argument.candidate.candidate !== candidate(me.expected).candidate) reject(new Error('not what was sent'));
          else send(me, pair[1 - i]);
        };
      });
      send(...pair);
    }
  });
  return within(`${messages} candidates to arrive`, done, RELAY_MS);
}

const closedOf = (sockets) => sockets.filter((socket) => socket.isClosed).length;
const socketsOf = (pairs) => pairs.flat().map((learner) => learner.socket);

describe('many sockets', () => {
  const count = Math.min(SOCKETS, descriptorLimit() - SPARE_DESCRIPTORS);
  let world;
  let held; // sockets that do nothing
  let pairs;

  const rssKib = () => {
    const status = fs.readFileSync(`/proc/${world.daemon.process.pid}/status`, 'latin1');
    return Number(/VmRSS:\s*(\d+)/.exec(status)[1]);
  };
  const isSanitized = () =>
    fs.readFileSync(`/proc/${world.daemon.process.pid}/maps`, 'latin1').includes('libasan');

  before(async () => {
    world = await World.create({
      env: {
        LOG_LEVEL: 'info',
        RATE_LIMIT_ICE_CANDIDATES: '0',
        WS_SEND_BUFFER_BYTES: '65536',
        WS_RECOVERY_BYTES: '4096', // of the latest messages to each socket: full after the warm-up
        // What the sanitizers hold back of freed memory would look like growth.
        ASAN_OPTIONS: 'quarantine_size_mb=1:thread_local_quarantine_size_kb=64:exitcode=99',
      },
    });
    const tokens = Array.from({ length: USERS }, () =>
      world.token({ userId: crypto.randomUUID(), name: 'Ben', native: 'fr', levels: { en: 'B1' } }),
    );
    const before = rssKib();
    held = new Array(count);
    await inParallel(count, OPENING_AT_ONCE, async (i) => {
      held[i] = await PlainSocket.open(world.daemon.port, tokens[i % USERS]);
    });
    const bytes = ((rssKib() - before) * 1024) / count;
    console.log(`# ${count} sockets, ${bytes.toFixed(0)} bytes each${isSanitized() ? ', with the sanitizers’ own' : ''}`);
    if (!isSanitized()) assert.ok(bytes <= 4096, `${bytes} bytes a socket`);
    pairs = await openPairs(world, SESSIONS);
  });

  after(async () => {
    for (const socket of held ?? []) socket?.close();
    for (const socket of socketsOf(pairs ?? [])) socket.close();
    await world.stop();
  });

  afterEach(async () => {
    assert.equal(closedOf(held), 0, 'no held socket was closed');
    assert.equal(closedOf(socketsOf(pairs)), 0, 'no relaying socket was closed');
  });

  it('are all there', async () => {
    assert.equal(await world.metric('websocket_connections_active'), count + 2 * SESSIONS);
  });

  it('do not make memory grow while some of them relay', async () => {
    await relay(pairs, WARM_UP_MESSAGES); // buffers reach their sizes
    const growths = [];
    do {
      const before = rssKib();
      await relay(pairs, MESSAGES);
      growths.push(rssKib() - before);
    } while (growths.at(-1) > GROWTH_KIB && growths.length < ROUNDS);
    console.log(`# ${growths.join(', ')} KiB of growth in ${MESSAGES} messages`);
    assert.ok(growths.at(-1) <= GROWTH_KIB, `${growths.join(', ')} KiB`);
  });

  it('one that does not read is cut; nobody else notices', async () => {
    const [[reader, writer]] = await openPairs(world, 1);
    const cut = await world.metric('websocket_slow_consumers_total');
    let isLeft = false;
    writer.socket.onEvent = (name) => {
      isLeft ||= name === 'partner_left';
    };
    reader.socket.stopReading();
    const payload = { sessionId: writer.sessionId, targetUserId: reader.userId };
    const offer = eventFrame('offer', { ...payload, sdp: `${sdp()}${'a=x-padding:0123456789\r\n'.repeat(350)}` });
    const done = relay(pairs, 5_000); // meanwhile
    while (!isLeft) {
      const drained = () => new Promise((resolve) => writer.socket.tcp.once('drain', resolve));
      if (!writer.socket.write(offer)) await within('the daemon to read on', drained());
      await turn();
    }
    await done;
    assert.equal(await world.metric('websocket_slow_consumers_total'), cut + 1);
    assert.equal(writer.socket.isClosed, false);
    for (const learner of [reader, writer]) learner.socket.close();
  });

  it('one that writes byte by byte is served, and the others are not kept waiting', async () => {
    const [[slow, partner]] = await openPairs(world, 1);
    const got = [];
    partner.socket.onEvent = (name, argument) => {
      if (name === 'ice_candidate') got.push(argument.candidate.candidate);
    };
    const done = relay(pairs, 5_000);
    for (let port = 1; port <= 5; port++) {
      for (const byte of candidateFrame(slow, partner, port)) {
        slow.socket.write(Buffer.from([byte]));
        await turn();
      }
    }
    await done;
    await until('the slow candidates to arrive', () => got.length === 5);
    assert.deepEqual(got, [1, 2, 3, 4, 5].map((port) => candidate(port).candidate));
    for (const learner of [slow, partner]) learner.socket.close();
  });
});

describe('a frame that never ends', () => {
  let world;
  before(async () => {
    world = await World.create({
      env: { RATE_LIMIT_ICE_CANDIDATES: '0', WS_HEARTBEAT_INTERVAL: '2000', WS_HEARTBEAT_TIMEOUT: '8000' },
    });
  });
  after(() => world.stop());

  it('ends its socket when the heartbeat is due, and only that one', async () => {
    const [[stuck, partner], ...pairs] = await openPairs(world, 6);
    const frame = candidateFrame(stuck, partner, 9);
    stuck.socket.write(frame.subarray(0, frame.length / 2));
    stuck.socket.write = () => {}; // an answer to the ping would be in the middle of the frame
    await until('it to be cut', () => stuck.socket.isClosed, 30_000);
    await relay(pairs, 1_000);
    assert.equal(closedOf([partner.socket, ...socketsOf(pairs)]), 0);
    for (const socket of [partner.socket, ...socketsOf(pairs)]) socket.close();
  });
});

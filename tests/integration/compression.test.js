// permessage-deflate (RFC 7692) between the daemon and clients of other makes: what goes over the wire, and bombs.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, before, describe, it } from 'node:test';
import zlib from 'node:zlib';
import WebSocket from 'ws';
import { candidate, sdp } from '../lib/sdp.js';
import { within } from '../lib/wait.js';
import { World } from '../lib/world.js';

const AGREED = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover';
const RSV1 = 0x40;
const BOMB_BYTES = 100_000_000;

let world;
before(async () => {
  world = await World.create();
});
after(() => world.stop());

// An SDP of at least that size, with candidates as lines of it.
function longSdp(bytes) {
  let text = sdp();
  for (let port = 50_000; text.length < bytes; port++) text += `a=${candidate(port).candidate}\r\n`;
  return text;
}

// Collects the frames that a `ws` client is sent from now on: {opcode, isCompressed, length}.
function framesTo(ws) {
  const frames = [];
  let rest = Buffer.alloc(0);
  ws._socket.on('data', (data) => {
    rest = Buffer.concat([rest, data]);
    for (let frame; (frame = firstFrame(rest)); rest = rest.subarray(frame.end)) frames.push(frame);
  });
  return frames;
}

function firstFrame(bytes) {
  if (bytes.length < 2) return undefined;
  const short = bytes[1]; // servers do not mask
  const start = short < 126 ? 2 : short === 126 ? 4 : 10;
  if (bytes.length < start) return undefined;
  const length = short < 126 ? short : start === 4 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  if (bytes.length < start + length) return undefined;
  return { opcode: bytes[0] & 15, isCompressed: (bytes[0] & RSV1) !== 0, length, end: start + length };
}

const wsOf = (socket) => socket.io.io.engine.transport.ws;

// A masked frame (with a mask of zeros).
function frame(firstByte, payload) {
  const header = Buffer.alloc(10);
  header[0] = firstByte;
  const long = payload.length > 65_535 ? 8 : payload.length > 125 ? 2 : 0;
  header[1] = 0x80 | { 0: payload.length, 2: 126, 8: 127 }[long];
  if (long === 2) header.writeUInt16BE(payload.length, 2);
  if (long === 8) header.writeBigUInt64BE(BigInt(payload.length), 2);
  return Buffer.concat([header.subarray(0, 2 + long), Buffer.alloc(4), payload]);
}

// The payload of a compressed message: DEFLATE, flushed, without the tail.
function deflated(plain) {
  const bytes = zlib.deflateRawSync(plain, { finishFlush: zlib.constants.Z_SYNC_FLUSH });
  return bytes.subarray(0, bytes.length - 4);
}

// An open WebSocket that has got its first Engine.IO packet.
async function open(daemon, options) {
  const ws = new WebSocket(`${daemon.base.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`, options);
  await within(
    'the first packet',
    new Promise((resolve, reject) => ws.once('message', resolve).once('error', reject)),
  );
  return ws;
}

// The close code that a frame of these bytes is answered with.
async function codeAfter(ws, bytes) {
  const closed = new Promise((resolve) => ws.once('close', resolve));
  ws._socket.write(bytes);
  return within('the close', closed);
}

describe('what is agreed on', () => {
  const offers = {
    'the default of ws': [{}, AGREED],
    'no compression': [{ perMessageDeflate: false }, undefined],
    'a small window': [
      { perMessageDeflate: { serverMaxWindowBits: 10, clientMaxWindowBits: 9 } },
      `${AGREED}; server_max_window_bits=10`,
    ],
  };
  for (const [name, [options, expected]] of Object.entries(offers)) {
    it(name, async () => {
      const upgrade = {};
      const ws = new WebSocket(
        `${world.base.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`,
        options,
      );
      ws.once('upgrade', (response) => Object.assign(upgrade, response.headers));
      await within('an open socket', new Promise((resolve) => ws.once('open', resolve)));
      assert.equal(upgrade['sec-websocket-extensions'], expected);
      ws.terminate();
    });
  }
});

describe('the stock client', () => {
  const ways = {
    'by WebSocket': {},
    'by WebSocket after polling': { transports: ['polling', 'websocket'] },
  };
  for (const [name, way] of Object.entries(ways)) {
    it(`${name}: an SDP is compressed both ways, a candidate only by a client that wants it`, async () => {
      const options = { ...way, perMessageDeflate: { threshold: 0 } };
      const { a, b, sessionId } = await world.pair();
      const [sa, sb] = [await a.enter(sessionId, options), await b.enter(sessionId, options)];
      for (const socket of [sa, sb]) {
        await socket.take('partner_joined');
        await socket.take('new_prompt');
        const { engine } = socket.io.io;
        if (engine.transport.name === 'polling')
          await within('the upgrade', new Promise((resolve) => engine.once('upgrade', resolve)));
      }
      const text = longSdp(5000);
      const frames = framesTo(wsOf(sb));
      const before = wsOf(sa)._socket.bytesWritten;

      const ack = await sa.emit('offer', { sessionId, targetUserId: b.userId, sdp: text });
      assert.equal(ack.status, 'ok');
      assert.equal((await sb.take('offer')).sdp, text);
      assert.ok(wsOf(sa)._socket.bytesWritten - before < text.length / 2, 'the offer went out compressed');
      const compressed = frames.filter((f) => f.isCompressed);
      assert.equal(compressed.length, 1);
      assert.ok(compressed[0].length < text.length / 2);

      frames.length = 0;
      const sent = { sessionId, targetUserId: b.userId, candidate: candidate(50_000) };
      assert.equal((await sa.emit('ice_candidate', sent)).status, 'ok');
      assert.deepEqual((await sb.take('ice_candidate')).candidate, candidate(50_000));
      assert.deepEqual(
        frames.map((f) => f.isCompressed),
        frames.map(() => false),
      );
      assert.ok(frames.length > 0);
    });
  }

  it('without compression of its own is sent nothing compressed', async () => {
    const options = { perMessageDeflate: false };
    const { a, b, sessionId } = await world.pair();
    const [sa, sb] = [await a.enter(sessionId, options), await b.enter(sessionId, options)];
    const frames = framesTo(wsOf(sb));
    await sb.take('partner_joined');
    const text = longSdp(5000);
    await sa.emit('offer', { sessionId, targetUserId: b.userId, sdp: text });
    assert.equal((await sb.take('offer')).sdp, text);
    assert.ok(frames.some((f) => f.length > text.length) && !frames.some((f) => f.isCompressed));
  });

  it('counts what it saved', async () => {
    for (const direction of ['in', 'out']) {
      const bytes = (what) => world.metric(`websocket_deflate_${what}_bytes_total{direction="${direction}"}`);
      const [plain, wire] = [await bytes('plain'), await bytes('wire')];
      assert.ok(wire > 0 && wire < plain / 2, `${direction}: ${wire} for ${plain}`);
    }
  });
});

describe('refused', () => {
  it('bombs: 1009, and no memory for what they stand for', async () => {
    const bomb = frame(0x81 | RSV1, deflated(Buffer.alloc(BOMB_BYTES, '4')));
    const peakKb = () =>
      Number(/VmHWM:\s+(\d+) kB/.exec(fs.readFileSync(`/proc/${world.daemon.process.pid}/status`, 'utf8'))[1]);
    const before = peakKb();
    for (let i = 0; i < 10; i++) assert.equal(await codeAfter(await open(world.daemon, {}), bomb), 1009);
    // Half a bomb: the sanitizer holds back what was freed, some 2 MB each.
    assert.ok(peakKb() - before < BOMB_BYTES / 1024 / 2, `${before} kB, then ${peakKb()} kB`);
  });

  it('what cannot be expanded: 1007', async () => {
    const whole = deflated(Buffer.from('2'.repeat(1000)));
    for (const payload of [Buffer.from('not deflate'), whole.subarray(0, 3), deflated(Buffer.from([0x34, 0xff]))])
      assert.equal(await codeAfter(await open(world.daemon, {}), frame(0x81 | RSV1, payload)), 1007);
  });

  it('a message compressed without an agreement: 1002', async () => {
    const bytes = frame(0x81 | RSV1, deflated(Buffer.from('40')));
    assert.equal(await codeAfter(await open(world.daemon, { perMessageDeflate: false }), bytes), 1002);
  });

  it('every offer, with WS_DEFLATE_THRESHOLD_BYTES=0', async () => {
    const other = await World.create({ env: { WS_DEFLATE_THRESHOLD_BYTES: '0' } });
    try {
      const ws = await open(other.daemon, {});
      assert.equal(ws.extensions, '');
      assert.equal(await codeAfter(ws, frame(0x81 | RSV1, deflated(Buffer.from('40')))), 1002);
    } finally {
      await other.stop();
    }
  });
});

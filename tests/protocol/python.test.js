// An independent client, Debian's python3-socketio, against the fixture, the reference server and the daemon.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ProtocolServer, SERVERS } from '../lib/protocol_server.js';
import { World } from '../lib/world.js';

const PYTHON = '/usr/bin/python3'; // Debian's, which has Debian's packages
const CLIENT = fileURLToPath(new URL('python_client.py', import.meta.url));
const TRANSPORTS = {
  'polling, then WebSocket': [],
  'polling only': ['polling'],
  'WebSocket only': ['websocket'],
};

const run = promisify(execFile);

async function play(...args) {
  const { stdout } = await run(PYTHON, [CLIENT, ...args], { timeout: 120_000, killSignal: 'SIGKILL' });
  return JSON.parse(stdout);
}

for (const kind of SERVERS) {
  describe(`python3-socketio, ${kind}`, () => {
    let server;
    before(async () => {
      server = await ProtocolServer.start(kind, 'socketio-client');
    });
    after(() => ProtocolServer.stopAll(server));

    for (const [name, transports] of Object.entries(TRANSPORTS))
      it(name, async () => {
        const { transport, ...result } = await play('fixture', server.base, ...transports);
        assert.equal(transport, transports[0] ?? 'websocket');
        assert.deepEqual(result, {
          hi: ['hi', []],
          echo: { list: [1, null, 'é€😀'] },
          binary: true,
          mixed: true,
          'got it': ['got it', []],
          false: ['false', [false]],
          utf8: ['てすと', 'Я Б Г Д Ж Й', 'Ä ä Ü ü ß', 'utf8 — string', 'utf8 — string'],
          doge: true,
          jsonbuff: ['jsonbuff-ack', []],
          ids: [true, true],
          large: 300_000,
          'custom refusal': 'Auth failed (custom namespace)',
          'main refusal': 'Auth failed (main namespace)',
          unknown: 'Invalid namespace',
        });
      });
  });
}

describe('python3-socketio, the daemon', () => {
  let world;
  before(async () => {
    world = await World.create();
  });
  after(() => world.stop());

  for (const [name, transports] of Object.entries(TRANSPORTS))
    it(name, async () => {
      const { userId, token } = world.learner();
      const { transport, ...result } = await play('daemon', world.base, token, userId, ...transports);
      const code = ({ status, code: of }) => [status, of];
      assert.equal(transport, transports[0] ?? 'websocket');
      assert.deepEqual(code(result.known), ['error', 'NOT_IN_SESSION']);
      assert.deepEqual(code(result['unknown user']), ['error', 'UNAUTHORIZED']);
      assert.deepEqual(result.authenticate, { status: 'ok', userId });
      const [name_, [who]] = result.authenticated; // behind it there is the offset for recovery
      assert.equal(name_, 'authenticated');
      assert.deepEqual(who, { userId });
      assert.deepEqual(code(result['no session']), ['error', 'SESSION_NOT_FOUND']);
      const [event, [exception]] = result.exception;
      assert.equal(event, 'exception');
      assert.equal(exception.event, 'offer');
      assert.equal(exception.code, 'INVALID_REQUEST');
    });
});

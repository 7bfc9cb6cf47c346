// HTTPS and WSS on one port: real clients, old protocol versions, certificates that change under way.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import tls from 'node:tls';
import { makeCertificate } from '../lib/certificate.js';
import { runToEnd } from '../lib/daemon.js';
import { expectOk } from '../lib/expect.js';
import { RawConnection, Rest } from '../lib/http.js';
import { freePort } from '../lib/ports.js';
import { candidate } from '../lib/sdp.js';
import { within } from '../lib/wait.js';
import { World } from '../lib/world.js';

const BAD_CONFIGURATION = 78; // EX_CONFIG of sysexits.h

let dir;
let first;
let second;
before(() => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'conversationd-tls-'));
  first = makeCertificate(dir, 'first');
  second = makeCertificate(dir, 'second');
});
after(() => fs.rmSync(dir, { recursive: true, force: true }));

const filesOf = ({ cert, key }) => ({ TLS_CERT_FILE: cert, TLS_KEY_FILE: key });

// The files that a daemon of the test is given; `use` replaces their content.
function filesFor(name) {
  const files = { cert: path.join(dir, `${name}-live.crt`), key: path.join(dir, `${name}-live.key`) };
  const use = (pair) => {
    fs.copyFileSync(pair.cert, files.cert);
    fs.copyFileSync(pair.key, files.key);
  };
  use(first);
  return { ...files, use, env: filesOf(files) };
}

// The subject of the certificate that a new connection gets.
function subjectAt(port) {
  const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  const subject = new Promise((resolve, reject) => {
    socket.once('secureConnect', () => resolve(socket.getPeerCertificate().subject.CN));
    socket.once('error', reject);
  });
  return within('a handshake', subject).finally(() => socket.destroy());
}

// `openssl s_client` with these options: its exit status and all it says.
async function sClient(port, ...options) {
  const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, ...options], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data) => {
      output += data;
    });
  const code = await within('openssl s_client', new Promise((resolve) => child.once('close', resolve)));
  return { code, output };
}

describe('one port', () => {
  let world;
  before(async () => {
    world = await World.create({ env: filesOf(first) });
  });
  after(() => world.stop());

  it('serves REST over HTTPS', async () => {
    const learner = world.learner();
    assert.equal(expectOk(await learner.topics()).topics.length > 0, true);
    assert.equal((await world.rest.call('GET', '/readyz')).status, 200);
    assert.equal((await learner.requestMatch({ targetLanguageCode: 7 })).status, 400);
  });

  it('serves sockets over WSS to the stock client', async () => {
    const { b, sa, sb, sessionId } = await world.conversation();
    const sent = candidate(50000);
    sa.send('ice_candidate', { sessionId, targetUserId: b.userId, candidate: sent });
    assert.deepEqual((await sb.take('ice_candidate')).candidate, sent);
  });

  it('serves long-polling and the upgrade from it', async () => {
    const polling = await world.learner().connect({ transports: ['polling'] });
    await polling.barrier();
    assert.equal(polling.io.io.engine.transport.name, 'polling');
    const upgrading = world.learner().socket({ transports: ['polling', 'websocket'] });
    const upgraded = new Promise((resolve) =>
      upgrading.io.io.once('open', () => upgrading.io.io.engine.once('upgrade', resolve)),
    );
    await upgrading.connected();
    assert.equal((await within('the upgrade', upgraded)).name, 'websocket');
    await upgrading.barrier();
  });

  it('keeps a connection for many requests', async () => {
    const socket = tls.connect({ port: world.daemon.port, host: '127.0.0.1', ca: first.pem });
    let text = '';
    socket.on('data', (data) => {
      text += data;
    });
    const ended = new Promise((resolve) => socket.once('end', resolve)); // by close_notify and FIN
    const ask = (more) => `GET /healthz HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
    socket.write(ask('').repeat(50) + ask('Connection: close\r\n'));
    await within('51 answers', ended);
    assert.equal(text.match(/HTTP\/1\.1 200 OK\r\n/g).length, 51);
  });

  it('agrees on http/1.1 and TLS 1.2 or 1.3, and refuses what is older', async () => {
    const { port } = world.daemon;
    for (const version of ['-tls1_2', '-tls1_3']) {
      const { code, output } = await sClient(port, version, '-alpn', 'h2,http/1.1', '-CAfile', first.cert);
      assert.equal(code, 0, output);
      assert.match(output, /ALPN protocol: http\/1\.1/);
      assert.match(output, /Verify return code: 0 \(ok\)/);
    }
    for (const version of ['-tls1', '-tls1_1']) {
      const { code, output } = await sClient(port, version, '-cipher', 'ALL:@SECLEVEL=0');
      assert.notEqual(code, 0);
      assert.match(output, /alert protocol version/);
    }
    assert.match((await sClient(port, '-alpn', 'h2')).output, /alert no application protocol/);
  });

  it('tells plain HTTP that it is the wrong port', async () => {
    const connection = await RawConnection.open(world.daemon.port);
    connection.send('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
    const response = await connection.response();
    assert.equal(response.status, 400);
    assert.equal(response.headers.connection, 'close');
    assert.equal(response.text, 'this port speaks HTTPS only\n');
    assert.equal(await connection.closed(), '');
  });

  it('drops who never finishes the handshake, and serves others meanwhile', () =>
    World.during({ env: { ...filesOf(first), HTTP_HEADER_TIMEOUT_MS: '5000' } }, async (slow) => {
      const connections = [];
      for (let i = 0; i < 50; i++) {
        const connection = await RawConnection.open(slow.daemon.port);
        connection.send(Buffer.from([0x16, 3, 1, 2, 0, 1]));
        connections.push(connection);
      }
      assert.equal((await slow.rest.call('GET', '/healthz')).status, 200);
      for (const connection of connections) assert.equal(await connection.closed(), '');
    }));
});

describe('ports of their own', () => {
  const options = () => ({ env: filesOf(first), start: false });
  it('WS_PORT takes WSS, OPS_PORT plain HTTP', () => World.during(options(), async (world) => {
    const [ws, ops] = [await freePort(), await freePort()];
    const env = { WS_PORT: String(ws), OPS_PORT: String(ops) };
    await world.startDaemon({ env, ready: 'listening' });
    const plain = new Rest(`http://127.0.0.1:${ops}`);
    assert.equal((await plain.call('GET', '/healthz', { fresh: true })).status, 200);
    assert.equal(await subjectAt(ws), 'first');
    assert.equal(await subjectAt(world.daemon.port), 'first');
  }));
});

describe('SIGHUP', () => {
  const reloaded = (daemon) => daemon.logs.filter((line) => line.event === 'config.reloaded').length;

  async function reload(daemon) {
    const before = reloaded(daemon);
    daemon.signal('SIGHUP');
    await daemon.log('config.reloaded', () => reloaded(daemon) > before);
  }

  // The daemon has these files, of the first certificate.
  const withFiles = (name, test) => () => {
    const files = filesFor(name);
    return World.during({ env: files.env }, (world) => test(world, files));
  };

  it('brings a new certificate to new connections and leaves the open ones alone', withFiles('renewed', async (world, files) => {
    const { daemon } = world;
    const socket = await world.learner().connect();
    assert.equal((await daemon.rest.call('GET', '/healthz')).status, 200);
    assert.equal(await subjectAt(daemon.port), 'first');
    files.use(second);
    await reload(daemon);
    assert.equal(await subjectAt(daemon.port), 'second');
    await socket.barrier();
    assert.equal(socket.disconnectReason, undefined);
    assert.equal((await daemon.rest.call('GET', '/healthz')).status, 200, 'a connection of before');
    const expiry = await world.metric('tls_certificate_expires_timestamp_seconds');
    assert.ok(Math.abs(expiry - (Date.now() / 1000 + 86_400)) < 600, String(expiry));
  }));

  it('keeps the old certificate when the new one cannot be used, and says why', withFiles('kept', async (world, files) => {
    const { daemon } = world;
    const failure = (variable) => (line) => line.event === 'config.reload_failed' && line.variable === variable;
    fs.copyFileSync(second.key, files.key);
    await reload(daemon);
    const mismatch = await daemon.log('of the key', failure('TLS_KEY_FILE'));
    assert.equal(mismatch.problem, `"${files.key}": key values mismatch`);
    fs.rmSync(files.cert);
    await reload(daemon);
    const missing = await daemon.log('of the certificate', failure('TLS_CERT_FILE'));
    assert.equal(missing.problem, `"${files.cert}": No such file or directory`);
    assert.equal(await subjectAt(daemon.port), 'first');
    files.use(second);
    await reload(daemon);
    assert.equal(await subjectAt(daemon.port), 'second');
  }));
});

describe('a bad configuration', { concurrency: true }, () => {
  const check = (env, args = ['--check-config']) =>
    runToEnd(args, { JWT_PUBLIC_KEY: fs.readFileSync(first.cert, 'utf8'), ...env });

  it('is refused with status 78 and one line, at the check and at the start', async () => {
    const cases = [
      [{ TLS_CERT_FILE: '/nowhere', TLS_KEY_FILE: first.key }, /TLS_CERT_FILE: "\/nowhere": No such file/],
      [{ TLS_CERT_FILE: first.cert, TLS_KEY_FILE: '/nowhere' }, /TLS_KEY_FILE: "\/nowhere": No such file/],
      [{ TLS_CERT_FILE: first.cert, TLS_KEY_FILE: second.key }, /TLS_KEY_FILE: ".*": key values mismatch/],
      [{ TLS_CERT_FILE: first.key, TLS_KEY_FILE: first.key }, /TLS_CERT_FILE: ".*": no start line/],
      [{ TLS_CERT_FILE: first.cert }, /TLS_CERT_FILE and TLS_KEY_FILE: only one is set/],
      [{ TLS_KEY_FILE: first.key }, /TLS_CERT_FILE and TLS_KEY_FILE: only one is set/],
    ];
    for (const [env, problem] of cases) {
      for (const args of [['--check-config'], []]) {
        const run = await check(env, args);
        assert.equal(run.code, BAD_CONFIGURATION, run.stderr);
        assert.match(run.stderr, problem);
        assert.equal(run.stderr.trim().split('\n').length, 1, run.stderr);
      }
    }
  });

  it('is not a pair that fits', async () => {
    const run = await check(filesOf(first));
    assert.equal(run.code, 0, run.stderr);
  });
});

// REST over 64 kept-alive connections, by wrk; /healthz shows what HTTP alone costs, the others add token and database.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { benchmark, table } from './lib/bench.js';

const SECONDS = 5;
const CONNECTIONS = 64;
const run = promisify(execFile);

function wrk(url, token) {
  const args = ['-t1', `-c${CONNECTIONS}`, `-d${SECONDS}s`, '--latency', '-H', `Authorization: Bearer ${token}`, url];
  return run('wrk', args);
}

function number(text, pattern) {
  const found = pattern.exec(text);
  return found ? Number(found[1]) : 0;
}

async function measure(server, name, path, token) {
  const answer = await fetch(server.base + path, { headers: { Authorization: `Bearer ${token}` } });
  const bytes = (await answer.arrayBuffer()).byteLength;
  if (answer.status !== 200) throw new Error(`${name}: ${answer.status}`);
  const before = server.cpuUs;
  const { stdout } = await wrk(server.base + path, token);
  const cpuUs = server.cpuUs - before;
  const requests = number(stdout, /(\d+) requests in/);
  return {
    request: name,
    'body bytes': bytes,
    requests,
    'not 2xx': number(stdout, /Non-2xx or 3xx responses: (\d+)/),
    'requests/s': Math.round(number(stdout, /Requests\/sec:\s+([\d.]+)/)),
    'CPU us/request': (cpuUs / requests).toFixed(1),
    'CPU share': (cpuUs / SECONDS / 1e6).toFixed(2),
    p50: /50%\s+(\S+)/.exec(stdout)?.[1],
    p99: /99%\s+(\S+)/.exec(stdout)?.[1],
  };
}

await benchmark('rest', async (bench) => {
  const daemon = await bench.startDaemon();
  const [learner] = await bench.learners(2, { sessions: true });
  const api = '/api/conversations';
  const paths = {
    'GET /healthz': '/healthz',
    'GET /topics, one level': `${api}/topics?targetLanguageCode=en&level=B1`,
    'GET /topics, all': `${api}/topics?targetLanguageCode=en`,
    'GET /sessions/:id': `${api}/sessions/${learner.sessionId}`,
  };
  const rows = [];
  for (const [name, path] of Object.entries(paths)) rows.push(await measure(daemon, name, path, learner.token));
  table(rows);
});

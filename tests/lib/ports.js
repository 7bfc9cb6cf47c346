// Ports below the range the kernel takes outgoing ports from, that nobody listens on now, and that no other test of this run
// is given as long as this process lives: a server may take its time to bind its port, or go and come back on it.
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

const FIRST = 10_000;
const COUNT = 10_000;

const kept = []; // a file for each port that is ours
process.on('exit', () => kept.forEach((file) => fs.rmSync(file, { force: true })));

function keep(port) {
  const file = path.join(os.tmpdir(), `conversationd-port-${port}`);
  try {
    fs.closeSync(fs.openSync(file, 'wx'));
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
  kept.push(file);
  return true;
}

function isFree(port) {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

// The first of so many in a row.
export async function freePort(count = 1) {
  for (;;) {
    const first = FIRST + Math.floor(Math.random() * (COUNT - count));
    const ports = Array.from({ length: count }, (_, i) => first + i);
    if (ports.every(keep) && (await Promise.all(ports.map(isFree))).every(Boolean)) return first;
  }
}

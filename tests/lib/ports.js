// A port that nobody listens on now, below the range the kernel takes outgoing ports from; none twice, for two who ask
// at once would lose it to each other, and a server that was stopped may come back. Whoever binds it may still lose it
// to another process, and then asks again.
import net from 'node:net';

const FIRST = 10_000;
const COUNT = 10_000;

const given = new Set();

function isFree(port) {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

export async function freePort() {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(port)) return port;
  }
}

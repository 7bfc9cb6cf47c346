// A port that nobody listens on now, below the range the kernel takes outgoing ports from. Whoever binds it
// may still lose a race, and then asks again.
import net from 'node:net';

const FIRST = 10_000;
const COUNT = 10_000;

const given = new Set(); // to this process: who asks for two gets two, though neither is bound yet

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
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
}

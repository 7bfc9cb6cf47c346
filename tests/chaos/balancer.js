// A TCP balancer that knows nothing of what it carries: each connection goes to a daemon at random, and to another one
// when that refuses it.
import net from 'node:net';

export class Balancer {
  // ports: of the daemons; they keep theirs when they are started again.
  static async start(ports, random) {
    const balancer = new Balancer();
    balancer.links = new Set();
    balancer.server = net.createServer((client) => balancer.#link(client, shuffled(ports, random)));
    await new Promise((resolve) => balancer.server.listen(0, '127.0.0.1', resolve));
    balancer.base = `http://127.0.0.1:${balancer.server.address().port}`;
    return balancer;
  }

  #link(client, [port, ...others]) {
    if (port === undefined || client.destroyed) {
      client.destroy();
      return;
    }
    const daemon = net.connect(port, '127.0.0.1');
    daemon.once('connect', () => {
      daemon.removeAllListeners('error');
      this.#join(client, daemon);
    });
    daemon.once('error', () => this.#link(client, others));
    client.once('error', () => daemon.destroy());
  }

  #join(client, daemon) {
    this.links.add(client);
    client.pipe(daemon).pipe(client);
    for (const [side, other] of [
      [client, daemon],
      [daemon, client],
    ]) {
      side.on('error', () => {}); // the close that follows is passed on
      side.on('close', () => other.destroy());
    }
    client.on('close', () => this.links.delete(client));
  }

  stop() {
    this.server.close();
    for (const client of this.links) client.destroy();
  }
}

function shuffled(list, random) {
  const all = [...list];
  for (let i = all.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [all[i], all[j]] = [all[j], all[i]];
  }
  return all;
}

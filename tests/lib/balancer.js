// A TCP balancer that knows nothing of what it carries: each new connection goes to the next of the ports that takes it.
import net from 'node:net';

export class Balancer {
  static async start(ports) {
    const balancer = new Balancer(ports);
    await new Promise((resolve) => balancer.server.listen(0, '127.0.0.1', resolve));
    balancer.base = `http://127.0.0.1:${balancer.server.address().port}`;
    return balancer;
  }

  constructor(ports) {
    this.ports = ports; // may be changed at any time
    this.turn = 0;
    this.clients = new Set();
    this.server = net.createServer((client) => this.#connect(client, this.ports.length));
  }

  #connect(client, tries) {
    const port = this.ports[this.turn++ % this.ports.length];
    const upstream = net.connect(port, '127.0.0.1');
    upstream.once('error', () => (tries > 1 ? this.#connect(client, tries - 1) : client.destroy()));
    upstream.once('connect', () => {
      this.clients.add(client);
      client.pipe(upstream).pipe(client);
      upstream.on('error', () => client.destroy());
      client.on('error', () => upstream.destroy());
      client.on('close', () => {
        this.clients.delete(client);
        upstream.destroy();
      });
    });
  }

  stop() {
    this.server.close();
    for (const client of this.clients) client.destroy();
  }
}

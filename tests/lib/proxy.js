// A TCP relay that can lose what the server sends, and whole connections, as networks do.
import net from 'node:net';
import { within } from './wait.js';

export class Proxy {
  static async start(port) {
    const proxy = new Proxy(port);
    await new Promise((resolve) => proxy.server.listen(0, '127.0.0.1', resolve));
    proxy.port = proxy.server.address().port;
    proxy.base = `http://127.0.0.1:${proxy.port}`;
    return proxy;
  }

  constructor(port) {
    this.upstream = port; // of new connections
    this.links = new Set();
    this.isLosing = false;
    this.lost = Buffer.alloc(0); // what the server sent and nobody got
    this.waiters = [];
    this.server = net.createServer((client) => this.#link(client, net.connect(this.upstream, '127.0.0.1')));
  }

  #link(client, upstream) {
    const link = { client, upstream, isLosing: false, brings: undefined };
    this.links.add(link);
    client.on('data', (data) => {
      link.brings ??= String(data.subarray(0, 4)) === 'GET ';
      link.isLosing ||= this.isLosing && link.brings;
      upstream.write(data);
    });
    client.on('end', () => upstream.end());
    upstream.on('data', (data) => {
      if (!link.isLosing) client.write(data);
      else this.#lose(data);
    });
    upstream.on('end', () => link.isLosing || client.end());
    for (const side of [client, upstream]) side.on('error', () => {}); // the close that follows is passed on
    upstream.on('close', () => link.isLosing || client.destroy());
    client.on('close', () => {
      this.links.delete(link);
      upstream.destroy();
    });
  }

  #lose(data) {
    this.lost = Buffer.concat([this.lost, data]);
    for (const wake of this.waiters.splice(0)) wake();
  }

  // From now on nothing that the server sends on WebSockets and to polls arrives. What clients send still does, and
  // so does the answer to a POST.
  lose() {
    this.isLosing = true;
    for (const link of this.links) link.isLosing = link.brings;
  }

  // New connections are good again.
  recover() {
    this.isLosing = false;
  }

  async hasLost(text) {
    while (!this.lost.includes(text))
      await within(`the loss of ${text}`, new Promise((resolve) => this.waiters.push(resolve)));
  }

  cut() {
    for (const { client, upstream } of this.links) {
      client.destroy();
      upstream.destroy();
    }
  }

  stop() {
    this.server.close();
    this.cut();
  }
}

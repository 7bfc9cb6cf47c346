// The server to compare with: stock socket.io, relaying ice_candidate between two sockets of a session. It does less
// than the daemon: tokens are read but not verified, a candidate is not validated, nothing is counted or stored.
import http from 'node:http';
import { Server } from 'socket.io';

const sessions = new Map(); // session id -> Map of user id -> socket

const server = http.createServer((request, response) => response.end('ok'));
const io = new Server(server, { transports: ['websocket'], pingInterval: 30_000, pingTimeout: 20_000 });

function userOf(token) {
  return JSON.parse(Buffer.from(token.split('.')[1], 'base64url')).sub;
}

io.on('connection', (socket) => {
  const userId = userOf(socket.handshake.auth.token);
  let members;
  socket.on('join_session', ({ sessionId }, ack) => {
    members = sessions.get(sessionId) ?? new Map();
    sessions.set(sessionId, members.set(userId, socket));
    ack({ status: 'ok', sessionId });
  });
  socket.on('ice_candidate', ({ targetUserId, candidate }) => {
    members?.get(targetUserId)?.emit('ice_candidate', { from: userId, candidate });
  });
  socket.on('disconnect', () => members?.delete(userId));
});

server.listen(Number(process.env.PORT), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));

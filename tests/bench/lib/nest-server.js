// What a signaling gateway is like in NestJS, and the second server to compare with: Socket.IO, a token verified on
// connection, a guard for the events that need a session, and what came validated by NestJS's ValidationPipe. It does less
// than the daemon: no look into the candidate's text, no rate limits, nothing counted or stored. Decorators are applied by
// hand.
import 'reflect-metadata';
import crypto from 'node:crypto';
import fs from 'node:fs';
import { Controller, Get, Module, UseGuards, UsePipes, ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { IoAdapter } from '@nestjs/platform-socket.io';
import {
  ConnectedSocket,
  MessageBody,
  SubscribeMessage,
  WebSocketGateway,
  WebSocketServer,
  WsException,
} from '@nestjs/websockets';
import transformation from 'class-transformer';
import validation from 'class-validator';

const { IsInt, IsOptional, IsString, IsUUID, Max, MaxLength, Min, ValidateNested } = validation;
const { Type } = transformation;
const publicKey = crypto.createPublicKey(fs.readFileSync(process.env.JWT_PUBLIC_KEY_FILE));

function verify(token) {
  const [header, payload, signature] = token.split('.');
  const isGood = crypto.verify(
    'sha256',
    Buffer.from(`${header}.${payload}`),
    publicKey,
    Buffer.from(signature, 'base64url'),
  );
  const claims = isGood && JSON.parse(Buffer.from(payload, 'base64url'));
  return claims && claims.exp * 1000 > Date.now() ? claims.sub : undefined;
}

// A class of which each property has its decorators.
function dto(properties) {
  class Dto {}
  for (const [name, decorators] of Object.entries(properties)) {
    for (const decorator of decorators) decorator(Dto.prototype, name);
  }
  return Dto;
}

const Candidate = dto({
  candidate: [IsOptional(), IsString(), MaxLength(1024)],
  sdpMid: [IsOptional(), IsString()],
  sdpMLineIndex: [IsOptional(), IsInt(), Min(0), Max(65535)],
  usernameFragment: [IsOptional(), IsString()],
});
const JoinSession = dto({ userId: [IsUUID()], sessionId: [IsUUID()] });
const IceCandidate = dto({
  sessionId: [IsUUID()],
  targetUserId: [IsUUID()],
  candidate: [ValidateNested(), Type(() => Candidate)],
});

class SessionGuard {
  canActivate(context) {
    const ws = context.switchToWs();
    const { userId, sessionId } = ws.getClient().data;
    if (!userId || sessionId !== ws.getData().sessionId) throw new WsException('not in this session');
    return true;
  }
}

const userRoom = (userId) => `user:${userId}`;

class SignalingGateway {
  handleConnection(client) {
    client.data.userId = verify(client.handshake.auth.token ?? '');
    if (client.data.userId) client.join(userRoom(client.data.userId));
    else client.disconnect(true);
  }

  join(client, { sessionId }) {
    client.data.sessionId = sessionId;
    return { status: 'ok', sessionId };
  }

  iceCandidate(client, { targetUserId, candidate }) {
    this.server.to(userRoom(targetUserId)).emit('ice_candidate', { from: client.data.userId, candidate });
  }
}

class HealthController {
  get() {
    return 'ok';
  }
}

function decorate(target, method, ...decorators) {
  for (const d of decorators) d(target.prototype, method, Object.getOwnPropertyDescriptor(target.prototype, method));
}

function handler(method, event, body, ...more) {
  Reflect.defineMetadata('design:paramtypes', [Object, body], SignalingGateway.prototype, method);
  ConnectedSocket()(SignalingGateway.prototype, method, 0);
  MessageBody()(SignalingGateway.prototype, method, 1);
  decorate(SignalingGateway, method, SubscribeMessage(event), ...more);
}

handler('join', 'join_session', JoinSession);
handler('iceCandidate', 'ice_candidate', IceCandidate, UseGuards(SessionGuard));
WebSocketServer()(SignalingGateway.prototype, 'server');
UsePipes(new ValidationPipe({ whitelist: true, transform: true }))(SignalingGateway);
WebSocketGateway({ transports: ['websocket'], pingInterval: 30_000, pingTimeout: 20_000 })(SignalingGateway);
decorate(HealthController, 'get', Get('healthz'));
Controller()(HealthController);

class AppModule {}
Module({ controllers: [HealthController], providers: [SignalingGateway] })(AppModule);

const app = await NestFactory.create(AppModule, { logger: ['error'] });
app.useWebSocketAdapter(new IoAdapter(app));
await app.listen(Number(process.env.PORT), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));

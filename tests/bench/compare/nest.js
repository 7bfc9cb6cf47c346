// The REST service to compare with: what GET /topics and GET /sessions/:id are like in NestJS, on Express or
// on Fastify (ADAPTER). A guard verifies the token (jsonwebtoken, RS256, key parsed once); the answers have the
// daemon's bytes, an ETag and a correlation id. It does less: no metrics, no rate limits, no validation of what
// is asked.
//
// STORE=memory     topics, skills and sessions are in memory: what framework and token cost.
// STORE=databases  topics from Redis as JSON, skills and sessions from PostgreSQL: as such a service is
//                  usually written.
//
// Decorators are applied by hand.
import 'reflect-metadata';
import crypto from 'node:crypto';
import fs from 'node:fs';
import {
  Controller,
  Get,
  HttpException,
  Module,
  NotFoundException,
  Param,
  Query,
  Req,
  Res,
  UnauthorizedException,
  UseGuards,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import jwt from 'jsonwebtoken';
import { databases, inMemory } from './store.js';

const { ADAPTER, STORE, PORT, JWT_PUBLIC_KEY_FILE } = process.env;
const isFastify = ADAPTER === 'fastify';
const publicKey = crypto.createPublicKey(fs.readFileSync(JWT_PUBLIC_KEY_FILE));
const store = await (STORE === 'databases' ? databases() : inMemory());

function identityOf(header) {
  try {
    const claims = jwt.verify(header.slice('Bearer '.length), publicKey, {
      algorithms: ['RS256'],
      clockTolerance: 30,
    });
    return { userId: claims.sub, tier: claims.tier };
  } catch {
    throw new UnauthorizedException('UNAUTHORIZED');
  }
}

class TokenGuard {
  canActivate(context) {
    const http = context.switchToHttp();
    const request = http.getRequest();
    request.who = identityOf(request.headers.authorization ?? '');
    http.getResponse().header('X-Correlation-Id', request.headers['x-correlation-id'] ?? crypto.randomUUID());
    return true;
  }
}

// Express makes a tag by itself (a SHA-1 of the body); Fastify leaves it to the service.
function answer(response, value) {
  response.header('Cache-Control', 'private, no-cache');
  if (!isFastify) return value;
  const text = JSON.stringify(value);
  response.header('ETag', `"${crypto.createHash('sha1').update(text).digest('base64')}"`);
  response.header('Content-Type', 'application/json; charset=utf-8');
  return text;
}

function isOpen(topic, tier, skills) {
  if (tier !== 'premium' && topic.level > 'A2') return false;
  return topic.requiredSkills.every((skill) => skills.has(skill));
}

class TopicsController {
  async list(query, request, response) {
    if (!query.targetLanguageCode) throw new HttpException('INVALID_REQUEST', 400);
    const [topics, skills] = await Promise.all([
      store.topics(query.targetLanguageCode),
      store.skills(request.who.userId),
    ]);
    const shown = topics
      .filter(
        (t) =>
          (!query.level || t.level === query.level) && (!query.category || t.category === query.category),
      )
      .map((topic) => {
        const { requiredSkills, ...rest } = topic;
        return { ...rest, isUnlocked: isOpen({ ...rest, requiredSkills }, request.who.tier, skills) };
      });
    return answer(response, { topics: shown });
  }
}

class SessionsController {
  async get(id, request) {
    const session = await store.session(id);
    if (!session?.participants.some((p) => p.userId === request.who.userId))
      throw new NotFoundException('SESSION_NOT_FOUND');
    return { session };
  }
}

class HealthController {
  get() {
    return { status: 'ok' };
  }
}

class AppModule {}

const method = (controller, name, ...decorators) => {
  const descriptor = Object.getOwnPropertyDescriptor(controller.prototype, name);
  for (const decorate of decorators) decorate(controller.prototype, name, descriptor);
};
const parameter = (controller, name, index, decorate) => decorate(controller.prototype, name, index);

Controller('api/conversations/topics')(TopicsController);
UseGuards(TokenGuard)(TopicsController);
method(TopicsController, 'list', Get());
parameter(TopicsController, 'list', 0, Query());
parameter(TopicsController, 'list', 1, Req());
parameter(TopicsController, 'list', 2, Res({ passthrough: true }));

Controller('api/conversations/sessions')(SessionsController);
UseGuards(TokenGuard)(SessionsController);
method(SessionsController, 'get', Get(':id'));
parameter(SessionsController, 'get', 0, Param('id'));
parameter(SessionsController, 'get', 1, Req());

Controller('healthz')(HealthController);
method(HealthController, 'get', Get());

Module({ controllers: [TopicsController, SessionsController, HealthController] })(AppModule);

const app = await NestFactory.create(AppModule, isFastify ? new FastifyAdapter() : new ExpressAdapter(), {
  logger: false,
});
await app.listen(Number(PORT), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));

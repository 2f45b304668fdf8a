// node-redis: the basics, and what a crash and a pause look like: node node_redis.mjs FOLDER PORT...
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';

const [folder, ...ports] = process.argv.slice(2);
const { createClient, createCluster } = createRequire(`${folder}/`)('redis');
const silent = (client) => client.on('error', () => {});

const cluster = silent(createCluster({ rootNodes: [{ url: `redis://127.0.0.1:${ports[0]}` }] }));
await cluster.connect();
const operator = silent(createClient({ url: `redis://127.0.0.1:${ports[0]}` }));
await operator.connect();
const shell = (line) => operator.sendCommand(['SHARDLAB', line]);

// Strings, hashes, transactions.
assert.equal(cluster.masters.length, ports.length);
for (let n = 0; n < 60; n += 1) assert.equal(await cluster.set(`key${n}`, n), 'OK');
const values = await Promise.all([...Array(60).keys()].map((n) => cluster.get(`key${n}`)));
assert.deepEqual(values, [...Array(60).keys()].map(String));
assert.equal(await cluster.incrBy('key1', 41), 42);
assert.equal(await cluster.hSet('hash', { a: 1, b: 2 }), 2);
assert.deepEqual({ ...(await cluster.hGetAll('hash')) }, { a: '1', b: '2' });
assert.deepEqual(await cluster.multi().set('{t}x', 1).incr('{t}x').get('{t}x').exec(), ['OK', 2, '2']);
assert.equal(await cluster.set('soon', 'gone', { expiration: { type: 'EX', value: 100 } }), 'OK');
assert.equal(await cluster.ttl('soon'), 100);

// A channel reaches other nodes.
const subscriber = silent(createClient({ url: `redis://127.0.0.1:${ports[1]}` }));
await subscriber.connect();
const heard = new Promise((resolve) => subscriber.subscribe('news', resolve));
await sleep(100);
await operator.publish('news', 'hello');
assert.equal(await heard, 'hello');
subscriber.destroy();

// A crash resets the connection; the client gets an error, and the same client works after the restart.
const plain = silent(createClient({ url: `redis://127.0.0.1:${ports[1]}`, disableOfflineQueue: true }));
await plain.connect();
await shell('CRASH 1');
await sleep(100);
await assert.rejects(plain.ping());
await shell('RESTART 1');
for (let turn = 0; ; turn += 1) {
  try {
    await plain.ping();
    break;
  } catch (error) {
    assert.ok(turn < 200, String(error));
    await sleep(100);
  }
}

// A pause is silence until it ends.
await shell('PAUSE 1');
let answered = false;
const ping = plain.ping().then(() => { answered = true; });
await sleep(300);
assert.equal(answered, false);
await shell('RESUME 1');
await ping;

[plain, operator].forEach((client) => client.destroy());
cluster.destroy();

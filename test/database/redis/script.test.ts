import { expect, test } from 'bun:test'
import { createScript, findCommands } from '../../../src/database/redis/script.ts'
import { listCommands } from '../../../src/tasks/redis/scripts.ts'

test('findCommands names each command that scripts call, once', () => {
  const scripts = [
    createScript(`redis.call('GET', KEYS[1]) rcall("zadd", KEYS[1], 1, 'a') redis.pcall( 'HSET', KEYS[1])`),
    createScript(`-- call('no', 1)\nredis.call('GET', KEYS[2])`),
  ]
  expect(findCommands(scripts)).toEqual(['GET', 'HSET', 'ZADD'])
})

test('the commands of the queue are those of our scripts and BullMQ’s', () => {
  expect(listCommands()).toEqual(expect.arrayContaining(['HSET', 'LREM', 'TIME', 'XADD', 'ZADD', 'ZREM']))
})

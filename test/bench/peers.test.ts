import { expect, test } from 'bun:test'
import { wantedPeers } from '../../bench/peers.ts'

const all = wantedPeers({})

test('all peers are measured unless told otherwise', () => {
  expect(all).toEqual(['Hono', 'Fastify', 'Go net/http', 'axum', 'FastAPI'])
})

test('a quick run has fewer of them, or those that are asked for', () => {
  expect(wantedPeers({ QUICK: '1' }).length).toBeLessThan(all.length)
  expect(wantedPeers({ QUICK: '1', PEERS: 'all' })).toEqual(all)
  expect(wantedPeers({ QUICK: '1', PEERS: 'axum, Hono' })).toEqual(['axum', 'Hono'])
})

test('none at all can be asked for', () => {
  expect(wantedPeers({ PEERS: 'none' }).filter((name) => all.includes(name))).toEqual([])
})

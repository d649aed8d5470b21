import { expect, test } from 'bun:test'
import { type RequestMessage, RpcClient } from '../../src/cluster/rpc-client.ts'

type Request = { readonly kind: 'count' } | { readonly kind: 'name' }

interface Responses {
  readonly count: number
  readonly name: string
}

function createClient() {
  const sent: RequestMessage<Request>[] = []
  return { client: new RpcClient<Request, Responses>((message) => sent.push(message)), sent }
}

test('each response resolves its own request, in any order', async () => {
  const { client, sent } = createClient()
  const count = client.request({ kind: 'count' }, 1_000)
  const name = client.request({ kind: 'name' }, 1_000)
  expect(sent.map(({ request }) => request.kind)).toEqual(['count', 'name'])
  client.handleResponse({ type: 'response', id: sent[1]!.id, response: 'a' })
  client.handleResponse({ type: 'response', id: sent[0]!.id, response: 7 })
  expect([await count, await name]).toEqual([7, 'a'])
})

test('a request without a response resolves with undefined, and a late response is ignored', async () => {
  const { client, sent } = createClient()
  expect(await client.request({ kind: 'count' }, 0)).toBeUndefined()
  client.handleResponse({ type: 'response', id: sent[0]!.id, response: 7 })
})

test('a request that cannot be sent rejects', async () => {
  const client = new RpcClient<Request, Responses>(() => {
    throw new Error('disconnected')
  })
  expect(await client.request({ kind: 'count' }, 1_000).catch(String)).toBe('Error: disconnected')
})

import { ask } from './service.ts'

/** A document that also satisfies the schema of an item (`docs/examples/item.schema.json`). */
export interface Item {
  readonly id: number
  readonly name: string
  readonly value: number
}

const created = new Set<string>()

/** Remembers a document that a test makes, for `deleteDocuments`. */
export function remember(id: string | number): void {
  created.add(String(id))
}

/** An item under a unique id. Its document is deleted in the end. */
export function newItem(name = 'conformance'): Item {
  // A whole number, because a service may be configured to take no other id.
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2))
  const id = (high & 0xfffff) * 2 ** 32 + low
  remember(id)
  return { id, name, value: 7.5 }
}

/** Stores a new item. @throws when the service does not */
export async function createItem(name?: string): Promise<Item> {
  const item = newItem(name)
  const { status, text } = await ask('POST', '/data', { json: item })
  if (status !== 201) throw new Error(`POST /data answered ${status}: ${text}`)
  return item
}

/** Deletes every document that the tests made, those that are gone already included. */
export async function deleteDocuments(): Promise<void> {
  for (const id of created) {
    await ask('DELETE', `/data/${id}`)
    created.delete(id)
  }
}

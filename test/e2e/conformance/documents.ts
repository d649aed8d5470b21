import { ask } from './service.ts'

/** A document that also satisfies the schema of an item (`docs/examples/item.schema.json`). */
export interface Item {
  readonly id: number
  readonly name: string
  readonly value: number
}

const created = new Set<string>()

/** Registers a document of a test for `deleteDocuments`. */
export function remember(id: string | number): void {
  created.add(String(id))
}

/** An item with a unique id. Its document is deleted at the end. */
export function newItem(name = 'conformance'): Item {
  // A whole number, because a service may accept no other ids.
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2))
  const id = (high & 0xfffff) * 2 ** 32 + low
  remember(id)
  return { id, name, value: 7.5 }
}

/** Stores a new item. @throws Error if the service does not store it */
export async function createItem(name?: string): Promise<Item> {
  const item = newItem(name)
  const { status, text } = await ask('POST', '/data', { json: item })
  if (status !== 201) throw new Error(`POST /data answered ${status}: ${text}`)
  return item
}

/** Deletes all documents of the tests. Some may already be gone. */
export async function deleteDocuments(): Promise<void> {
  for (const id of created) {
    await ask('DELETE', `/data/${id}`)
    created.delete(id)
  }
}

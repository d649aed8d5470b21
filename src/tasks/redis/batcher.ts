/** The most items of one batch, because the server serves nobody else meanwhile, and its most characters. */
const maxItems = 64
const maxCharacters = 1024 * 1024

interface Queued<Item, Result> {
  readonly item: Item
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

/** Collects the calls of one turn of the event loop and makes them together, because each call to a server has its cost. */
export class Batcher<Item extends readonly string[], Result> {
  readonly #run: (items: readonly Item[]) => Promise<readonly Result[]>
  #queued: Queued<Item, Result>[] = []
  #characters = 0

  /** @param run resolves with the result of each item, in their order */
  constructor(run: (items: readonly Item[]) => Promise<readonly Result[]>) {
    this.#run = run
  }

  call(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#queued.push({ item, resolve, reject })
      this.#characters += item.reduce((sum, text) => sum + text.length, 0)
      if (this.#queued.length === 1) setImmediate(() => this.#flush())
      if (this.#queued.length >= maxItems || this.#characters >= maxCharacters) this.#flush()
    })
  }

  #flush(): void {
    const batch = this.#queued
    if (batch.length === 0) return
    this.#queued = []
    this.#characters = 0
    this.#run(batch.map(({ item }) => item)).then(
      (results) => {
        for (const [n, { resolve }] of batch.entries()) resolve(results[n] as Result)
      },
      (error) => {
        for (const { reject } of batch) reject(error)
      },
    )
  }
}

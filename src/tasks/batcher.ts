import { QueueUnavailable } from './task-queue.ts'

export interface BatcherOptions<Item> {
  /** The most items of one batch. */
  readonly maxItems: number
  /** The size of an item, in characters. Default: no size. A batch ends before it exceeds `maxBatchCharacters`. */
  readonly characters?: (item: Item) => number
}

/** The most characters of a batch with more than one item. */
const maxBatchCharacters = 1024 * 1024
/** Items that may wait for their batch. One more is refused at once. */
const maxWaitingItems = 10_000

interface Waiting<Item, Result> {
  readonly item: Item
  resolve(result: Result): void
  reject(error: unknown): void
}

/**
 * Runs calls that arrive at the same time as one batch: one call to the server for all of them. While a batch
 * runs, the next one fills up, so that batches grow with the load and a single call does not wait.
 */
export class Batcher<Item, Result> {
  readonly #run: (items: readonly Item[]) => Promise<readonly Result[]>
  readonly #options: BatcherOptions<Item>
  #waiting: Waiting<Item, Result>[] = []
  #running: Promise<void> | undefined

  /** @param run returns the results in the order of the items. When it throws, every item of the batch fails */
  constructor(run: (items: readonly Item[]) => Promise<readonly Result[]>, options: BatcherOptions<Item>) {
    this.#run = run
    this.#options = options
  }

  /** @throws what the run of its batch threw; QueueUnavailable when too many items are waiting */
  add(item: Item): Promise<Result> {
    if (this.#waiting.length >= maxWaitingItems)
      return Promise.reject(
        new QueueUnavailable(1, { cause: `${maxWaitingItems} calls are already waiting` }),
      )
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject })
      this.#running ??= this.#runBatches()
    })
  }

  async #runBatches(): Promise<void> {
    while (this.#waiting.length > 0) {
      // All calls of this turn of the event loop join the batch, also those that follow from the last one. Otherwise the
      // callers would split into two halves that wait for each other.
      await new Promise((resolve) => setImmediate(resolve))
      const batch = this.#takeBatch()
      try {
        const results = await this.#run(batch.map(({ item }) => item))
        for (const [n, { resolve }] of batch.entries()) resolve(results[n] as Result)
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    this.#running = undefined
  }

  #takeBatch(): Waiting<Item, Result>[] {
    const { maxItems, characters = () => 0 } = this.#options
    let count = 0
    let size = 0
    for (const { item } of this.#waiting) {
      size += characters(item)
      if (count === maxItems || (count > 0 && size > maxBatchCharacters)) break
      count++
    }
    return this.#waiting.splice(0, count)
  }
}

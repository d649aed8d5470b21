/**
 * Several queues, called lanes, that take turns. However many items wait in one lane, the first item of another lane
 * waits for at most one of them.
 */
export class FairQueue<Item> {
  /** Only lanes with waiting items; the lane whose turn it is comes first. */
  readonly #lanes = new Map<string, Item[]>()
  #size = 0

  /** Waiting items in all lanes. */
  get size(): number {
    return this.#size
  }

  push(lane: string, item: Item): void {
    const waiting = this.#lanes.get(lane)
    if (waiting === undefined) this.#lanes.set(lane, [item])
    else waiting.push(item)
    this.#size++
  }

  /** Removes and returns the oldest item of the lane whose turn it is. */
  shift(): Item | undefined {
    for (const [lane, waiting] of this.#lanes) {
      const item = waiting.shift()
      this.#lanes.delete(lane)
      if (waiting.length > 0) this.#lanes.set(lane, waiting)
      this.#size--
      return item
    }
    return undefined
  }

  /** @returns whether the item was still waiting. */
  remove(lane: string, item: Item): boolean {
    const waiting = this.#lanes.get(lane)
    const index = waiting?.indexOf(item) ?? -1
    if (waiting === undefined || index === -1) return false
    waiting.splice(index, 1)
    if (waiting.length === 0) this.#lanes.delete(lane)
    this.#size--
    return true
  }

  /** Removes and returns all items. */
  drain(): Item[] {
    const all = [...this.#lanes.values()].flat()
    this.#lanes.clear()
    this.#size = 0
    return all
  }
}

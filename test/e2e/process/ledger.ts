/** The exact text of a document; undefined if it does not exist. */
type State = string | undefined

/**
 * The confirmed state of each document, which must be found afterwards. A request without a response, or with a 503,
 * may or may not have taken effect: both outcomes are correct, but nothing in between.
 */
export class Ledger {
  /** The correct states, by id. */
  readonly #states = new Map<string, Set<State>>()
  /** Texts that were sent without an id and never confirmed. */
  readonly #unnamed = new Set<string>()

  /** The write was confirmed: only this state is correct. */
  confirm(id: string, state: State): void {
    this.#states.set(id, new Set([state]))
  }

  /** The write was not confirmed: the previous states and this one are correct. */
  doubt(id: string, state: State): void {
    this.#states.set(id, new Set([...(this.#states.get(id) ?? [undefined]), state]))
  }

  /** The same for a document whose id the service would have chosen. */
  doubtUnnamed(sent: string): void {
    this.#unnamed.add(sent)
  }

  /** A repetition was answered, so the text has its id now. */
  confirmUnnamed(sent: string, id: string, text: string): void {
    this.#unnamed.delete(sent)
    this.confirm(id, text)
  }

  /**
   * Compares the ledger with the stored documents.
   *
   * @param texts of all documents
   * @returns every difference as a sentence: lost, torn, duplicate, or without a writer
   */
  differences(texts: readonly string[]): string[] {
    const differences: string[] = []
    const found = new Set<string>()
    const unnamed = new Set(this.#unnamed)
    for (const text of texts) {
      const id = idOf(text)
      const states = this.#states.get(id)
      if (found.has(id)) differences.push(`twice: ${text}`)
      else if (states === undefined && !unnamed.delete(withoutId(text, id)))
        differences.push(`never sent, or torn, or twice: ${text}`)
      else if (states !== undefined && !states.has(text))
        differences.push(`not one of ${[...states].join(' or ')}: ${text}`)
      found.add(id)
    }
    for (const [id, states] of this.#states)
      if (!states.has(undefined) && !found.has(id)) differences.push(`lost: ${[...states].join(' or ')}`)
    return differences
  }
}

function idOf(text: string): string {
  return (JSON.parse(text) as { id: string }).id
}

/** The text as sent, from the service's text with an id in front. */
function withoutId(text: string, id: string): string {
  return text.replace(`{"id":"${id}",`, '{')
}

const storageKey = 'tally-key'

/** A question for a key that waits for the user. */
interface Prompt {
  /** Whether a key was sent, and refused. */
  readonly isRetry: boolean
  readonly answer: PromiseWithResolvers<string | undefined>
}

/** The API key or token of the user, kept for the tab: a link or another site never carries it. */
class AccessKey {
  #prompt: Prompt | undefined
  /** Who does not want to give a key is not asked again by each request. */
  #isDeclined = false
  readonly #listeners = new Set<() => void>()

  get(): string | undefined {
    return sessionStorage.getItem(storageKey) ?? undefined
  }

  /**
   * Asks the user for another key than the one that was refused. Requests that are refused meanwhile share the question.
   *
   * @returns undefined when the user gives none
   */
  ask(refused: string | undefined): Promise<string | undefined> {
    const current = this.get()
    if (current !== refused) return Promise.resolve(current)
    if (this.#isDeclined) return Promise.resolve(undefined)
    return this.#open(refused !== undefined)
  }

  /** Asks a user who has declined before, because the user wants it now. */
  async askAgain(): Promise<void> {
    // Views have failed meanwhile: they begin again with the key.
    if ((await this.#open(false)) !== undefined) location.reload()
  }

  /** Answers the open question. */
  answer(key: string | undefined): void {
    if (key !== undefined) sessionStorage.setItem(storageKey, key)
    this.#isDeclined = key === undefined
    this.#prompt?.answer.resolve(key)
    this.#setPrompt(undefined)
  }

  get prompt(): Prompt | undefined {
    return this.#prompt
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #open(isRetry: boolean): Promise<string | undefined> {
    const prompt = this.#prompt ?? { isRetry, answer: Promise.withResolvers() }
    if (prompt !== this.#prompt) this.#setPrompt(prompt)
    return prompt.answer.promise
  }

  #setPrompt(prompt: Prompt | undefined): void {
    this.#prompt = prompt
    for (const listener of this.#listeners) listener()
  }
}

export const accessKey = new AccessKey()

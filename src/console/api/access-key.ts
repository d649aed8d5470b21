const storageKey = 'tally-key'

/** An open request for a key. */
interface Prompt {
  /** Whether the service refused the previous key. */
  readonly isRetry: boolean
  readonly answer: PromiseWithResolvers<string | undefined>
}

/** The user's API key or token, kept for the tab. Links and other sites cannot send it. */
class AccessKey {
  #prompt: Prompt | undefined
  /** After the user has declined, requests do not ask again. */
  #isDeclined = false
  readonly #listeners = new Set<() => void>()

  get(): string | undefined {
    return sessionStorage.getItem(storageKey) ?? undefined
  }

  /**
   * Asks the user to replace the refused key. Concurrent refused requests share one dialog.
   *
   * @returns undefined if the user declines
   */
  ask(refused: string | undefined): Promise<string | undefined> {
    const current = this.get()
    if (current !== refused) return Promise.resolve(current)
    if (this.#isDeclined) return Promise.resolve(undefined)
    return this.#open(refused !== undefined)
  }

  /** Asks again after the user has declined, on request of the user. */
  async askAgain(): Promise<void> {
    // Reloads the views, which failed without a key.
    if ((await this.#open(false)) !== undefined) location.reload()
  }

  /** Closes the dialog with the user's answer. */
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

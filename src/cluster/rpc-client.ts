/** Answers that another process owes, by the number that its question went out with. */
export class PendingAnswers<Answer> {
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  #lastId = 0

  /**
   * Sends a question and waits for its answer.
   *
   * @param timeoutMs how long, in ms
   * @returns undefined when none came in time
   */
  async ask(send: (id: number) => void, timeoutMs: number): Promise<Answer | undefined> {
    const id = ++this.#lastId
    const { promise, resolve } = Promise.withResolvers<Answer | undefined>()
    this.#waiting.set(id, resolve)
    const timer = setTimeout(() => resolve(undefined), timeoutMs)
    send(id)
    const answer = await promise
    clearTimeout(timer)
    this.#waiting.delete(id)
    return answer
  }

  /** Hands an answer to who asked; one that comes too late is nobody's. */
  settle(id: number, answer: Answer): void {
    this.#waiting.get(id)?.(answer)
  }
}

import type { Result, Router } from 'hono/router'
import { RegExpRouter } from 'hono/router/reg-exp-router'
import { TrieRouter } from 'hono/router/trie-router'

/**
 * Hono's TrieRouter until `compile`, then its RegExpRouter. Compiling all routes takes a quarter of a start, and the first
 * probe should not wait for it.
 */
export class DeferredRouter<T> implements Router<T> {
  readonly name = 'DeferredRouter'
  readonly #routes: [method: string, path: string, handler: T][] = []
  #router: Router<T> = new TrieRouter<T>()

  add(method: string, path: string, handler: T): void {
    this.#routes.push([method, path, handler])
    this.#router.add(method, path, handler)
  }

  match(method: string, path: string): Result<T> {
    return this.#router.match(method, path)
  }

  /**
   * Call it when all routes are registered; none can be added afterwards.
   *
   * @throws UnsupportedPathError for a path that the RegExpRouter cannot compile, such as `/docs/:file` beside `/docs/a.css`
   */
  compile(): void {
    const compiled = new RegExpRouter<T>()
    for (const route of this.#routes) compiled.add(...route)
    // The first match compiles.
    compiled.match('GET', '/')
    this.#router = compiled
  }
}

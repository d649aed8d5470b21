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
  readonly #trie = new TrieRouter<T>()
  #router: Router<T> = this.#trie
  /** Paths that stay with the TrieRouter. */
  #uncompiled: ReadonlySet<string> = new Set()

  add(method: string, path: string, handler: T): void {
    this.#routes.push([method, path, handler])
    this.#trie.add(method, path, handler)
  }

  match(method: string, path: string): Result<T> {
    return (this.#uncompiled.has(path) ? this.#trie : this.#router).match(method, path)
  }

  /**
   * Call it when all routes are registered; none can be added afterwards.
   *
   * @throws UnsupportedPathError for paths that the RegExpRouter cannot compile, such as `/a/:x/b` beside `/a/c/:y`
   */
  compile(): void {
    const compiled = new RegExpRouter<T>()
    const uncompiled = findCovered(this.#routes.map(([, path]) => path))
    for (const route of this.#routes) if (!uncompiled.has(route[1])) compiled.add(...route)
    // The first match compiles.
    compiled.match('GET', '/')
    this.#router = compiled
    this.#uncompiled = uncompiled
  }
}

/** Paths such as `/tasks/stats` beside `/tasks/:id`: the RegExpRouter has no place for the two together. */
function findCovered(paths: readonly string[]): ReadonlySet<string> {
  const patterns = [...new Set(paths.filter((path) => path.includes(':')))].map(
    (path) => new URLPattern({ pathname: path }),
  )
  const isStatic = (path: string): boolean => !/[:*]/.test(path)
  return new Set(
    paths.filter((path) => isStatic(path) && patterns.some((one) => one.test({ pathname: path }))),
  )
}

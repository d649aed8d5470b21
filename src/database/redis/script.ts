/** A script, which the server knows by its SHA-1 once it has run. */
export interface Script {
  readonly source: string
  readonly sha1: string
}

export function createScript(source: string): Script {
  return { source, sha1: new Bun.CryptoHasher('sha1').update(source).digest('hex') }
}

/**
 * The commands that scripts run.
 *
 * @example findCommands([createScript("redis.call('GET', KEYS[1])")]) // ['GET']
 */
export function findCommands(scripts: readonly Script[]): readonly string[] {
  const calls = scripts.flatMap(({ source }) => [
    ...source.matchAll(/\b(?:rcall|redis\.p?call)\(\s*["'](\w+)["']/g),
  ])
  return [...new Set(calls.map(([, name = '']) => name.toUpperCase()))].sort()
}

/** A package in bun.lock. */
export interface LockedPackage {
  /** Its path in the lock file: `a/b` is the `b` that only `a` uses. */
  readonly path: string
  readonly name: string
  readonly version: string
  /** `sha512-` and base64, in npm's format. */
  readonly integrity: string
  /** Paths of the packages that it requires. */
  readonly dependencies: readonly string[]
}

/** `[name@version, registry, needs, integrity]` */
type Entry = [string, string, Needs, string]
interface Needs {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}
interface Lock {
  readonly workspaces: { readonly '': { readonly dependencies?: Readonly<Record<string, string>> } }
  readonly packages: Readonly<Record<string, Entry>>
}

/**
 * The packages that `bun install --production` installs from a lock file: the dependencies and their own, without
 * development dependencies. Sorted by path.
 *
 * @param text of bun.lock
 * @throws Error if a dependency is not in the lock file
 */
export function productionPackages(text: string): LockedPackage[] {
  const { workspaces, packages } = Bun.JSONC.parse(text) as Lock
  const found = new Map<string, LockedPackage>()
  const waiting = Object.keys(workspaces[''].dependencies ?? {}).map((name) => {
    const path = resolvePath(packages, '', name)
    if (path === undefined) throw new Error(`bun.lock has no ${name}, which package.json needs`)
    return path
  })
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (found.has(path)) continue
    const [id, , needs, integrity] = packages[path] as Entry
    const at = id.lastIndexOf('@')
    const dependencies = dependenciesOf(packages, path, needs)
    found.set(path, { path, name: id.slice(0, at), version: id.slice(at + 1), integrity, dependencies })
    waiting.push(...dependencies)
  }
  return [...found.values()].sort((one, other) => (one.path < other.path ? -1 : 1))
}

function dependenciesOf(packages: Lock['packages'], path: string, needs: Needs): string[] {
  const required = Object.keys(needs.dependencies ?? {})
  // The lock file lacks packages of other platforms and optional peers.
  const possible = [
    ...Object.keys(needs.optionalDependencies ?? {}),
    ...Object.keys(needs.peerDependencies ?? {}),
  ]
  const resolved = new Set<string>()
  for (const name of required) {
    const target = resolvePath(packages, path, name)
    if (target === undefined) throw new Error(`bun.lock has no ${name}, which ${path} needs`)
    resolved.add(target)
  }
  for (const name of possible) {
    const target = resolvePath(packages, path, name)
    if (target !== undefined) resolved.add(target)
  }
  return [...resolved].sort()
}

/** Resolves a package like Node.js: next to the importing package, then in each parent. */
function resolvePath(packages: Lock['packages'], from: string, name: string): string | undefined {
  const segments = from === '' ? [] : splitPath(from)
  for (let depth = segments.length; depth >= 0; depth--) {
    const path = [...segments.slice(0, depth), name].join('/')
    if (path in packages) return path
  }
  return undefined
}

/** `a/@scope/b` is two packages. */
function splitPath(path: string): string[] {
  return path.match(/@[^/]+\/[^/]+|[^/]+/g) ?? []
}

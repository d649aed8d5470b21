import { DatabaseUnavailable } from '../errors.ts'

/** The database, its log and the index of the log: a write is in the first two, and the third has the locks. */
const suffixes = ['', '-wal', '-shm']

interface Identity {
  readonly dev: number
  readonly ino: number
}

/**
 * The files that SQLite has open. When one of them is deleted or replaced, SQLite goes on with the file that it has open
 * and notices nothing: all that it writes is gone with the last process that has the file open.
 */
export class OpenFiles {
  readonly #path: string
  readonly #identities: readonly (readonly [path: string, identity: Identity])[]

  /** @param path of a database that was just opened, in WAL mode, and has been read */
  static async of(path: string): Promise<OpenFiles> {
    const identities = await Promise.all(
      suffixes.map(async (suffix) => {
        const { dev, ino } = await Bun.file(path + suffix).stat()
        return [path + suffix, { dev, ino }] as const
      }),
    )
    return new OpenFiles(path, identities)
  }

  private constructor(path: string, identities: readonly (readonly [path: string, identity: Identity])[]) {
    this.#path = path
    this.#identities = identities
  }

  /** @throws DatabaseUnavailable when another file, or none, has taken the place of one of them */
  assertInPlace(): void {
    const { statSync } = process.getBuiltinModule('node:fs')
    for (const [path, { dev, ino }] of this.#identities) {
      const found = statSync(path, { throwIfNoEntry: false })
      if (found?.ino === ino && found.dev === dev) continue
      const change = found === undefined ? 'deleted' : 'replaced'
      throw new DatabaseUnavailable(
        'refused',
        `${path} was ${change} while it was open, so nothing can be stored in it: restart the service`,
      )
    }
  }

  /** @throws DatabaseUnavailable when the file system has become read-only */
  assertWritable(): void {
    const { accessSync, constants } = process.getBuiltinModule('node:fs')
    try {
      accessSync(this.#path, constants.W_OK)
    } catch (cause) {
      // Permissions that were taken away do not concern a file that is open.
      if ((cause as NodeJS.ErrnoException).code !== 'EROFS') return
      throw new DatabaseUnavailable('refused', `the file system of ${this.#path} is read-only`, { cause })
    }
  }
}

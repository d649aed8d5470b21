import { DatabaseUnavailable } from '../errors.ts'

/** The database, its log and the index of the log: a write is in the first two, and the third has the locks. */
const suffixes = ['', '-wal', '-shm']

interface OpenFile {
  readonly path: string
  readonly dev: number
  readonly ino: number
}

/**
 * The files that SQLite has open. When one of them is deleted or replaced, SQLite keeps using the file that it has open
 * without an error: all its writes are gone with the last process that has the file open.
 */
export class OpenFiles {
  /** The path of the database. */
  readonly path: string
  readonly #files: readonly OpenFile[]

  /** @param path of a database that was just opened, in WAL mode, and has been read */
  static async of(path: string): Promise<OpenFiles> {
    const files = suffixes.map(async (suffix) => {
      const { dev, ino } = await Bun.file(path + suffix).stat()
      return { path: path + suffix, dev, ino }
    })
    return new OpenFiles(path, await Promise.all(files))
  }

  private constructor(path: string, files: readonly OpenFile[]) {
    this.path = path
    this.#files = files
  }

  /**
   * Checks, cheaply enough for every commit, that the committed data is in files that other processes can open.
   *
   * @throws DatabaseUnavailable when the database or its log was deleted or replaced
   */
  assertStored(): void {
    // A commit is in the log first, and in the database later.
    for (const file of this.#files.slice(0, 2)) assertInPlace(file)
  }

  /** @throws DatabaseUnavailable when one of the files was deleted or replaced, or the file system has become read-only */
  assertUsable(): void {
    for (const file of this.#files) assertInPlace(file)
    const { accessSync, constants } = loadFs()
    try {
      accessSync(this.path, constants.W_OK)
    } catch (cause) {
      // Revoked permissions do not affect an open file.
      if ((cause as NodeJS.ErrnoException).code !== 'EROFS') return
      throw new DatabaseUnavailable('refused', `the file system of ${this.path} is read-only`, { cause })
    }
  }
}

let fs: typeof import('node:fs') | undefined

/** Loads the module at the first write, because it would lengthen every start. */
function loadFs(): typeof import('node:fs') {
  fs ??= process.getBuiltinModule('node:fs')
  return fs
}

function assertInPlace({ path, dev, ino }: OpenFile): void {
  const found = loadFs().statSync(path, { throwIfNoEntry: false })
  if (found?.ino === ino && found.dev === dev) return
  const change = found === undefined ? 'deleted' : 'replaced'
  throw new DatabaseUnavailable(
    'refused',
    `${path} was ${change} while it was open, so nothing can be stored in it: restart the service`,
  )
}

import { DatabaseUnavailable } from '../errors.ts'

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
  /** A commit is in the log first, and in the database later. */
  readonly #data: readonly [database: OpenFile, log: OpenFile]
  /** The index of the log. It has the locks of all processes. */
  readonly #index: OpenFile
  #isIndexReplaced = false

  /** @param path of a database that was just opened, in WAL mode, and has been read */
  static async of(path: string): Promise<OpenFiles> {
    const identify = async (file: string): Promise<OpenFile> => {
      const { dev, ino } = await Bun.file(file).stat()
      return { path: file, dev, ino }
    }
    const [database, log, index] = await Promise.all([
      identify(path),
      identify(`${path}-wal`),
      identify(`${path}-shm`),
    ])
    return new OpenFiles(path, [database, log], index)
  }

  private constructor(path: string, data: readonly [database: OpenFile, log: OpenFile], index: OpenFile) {
    this.path = path
    this.#data = data
    this.#index = index
  }

  /**
   * Checks, cheaply enough for every commit, that the committed data is in files that other processes can open.
   *
   * @throws DatabaseUnavailable when the database or its log was deleted or replaced
   */
  assertStored(): void {
    for (const file of this.#data) assertInPlace(file)
  }

  /**
   * Checks that a lock keeps other processes out. Call it before each transaction: two processes with different locks would
   * overwrite each other's commits in the log.
   *
   * @throws DatabaseUnavailable when the index of the log was deleted or replaced
   */
  assertLocks(): void {
    if (isInPlace(this.#index)) {
      this.#isIndexReplaced = false
      return
    }
    this.#isIndexReplaced = loadFs().existsSync(this.#index.path)
    // If the data is gone too, that is the better explanation.
    this.assertStored()
    assertInPlace(this.#index)
  }

  /** Whether `assertLocks` has found that other processes have another index of the log. */
  get isIndexReplaced(): boolean {
    return this.#isIndexReplaced
  }

  /**
   * Checks that reads see the commits of other processes, as far as `assertLocks` has found out: a read pays for no look at
   * the files.
   *
   * @throws DatabaseUnavailable when the index of the log was replaced, so that others have another one
   */
  assertCurrent(): void {
    if (this.#isIndexReplaced) assertInPlace(this.#index)
  }

  /** @throws DatabaseUnavailable when one of the files was deleted or replaced, or the file system has become read-only */
  assertUsable(): void {
    this.assertStored()
    this.assertLocks()
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

function isInPlace({ path, dev, ino }: OpenFile): boolean {
  const found = loadFs().statSync(path, { throwIfNoEntry: false })
  return found?.ino === ino && found.dev === dev
}

function assertInPlace(file: OpenFile): void {
  if (isInPlace(file)) return
  const { path } = file
  const change = loadFs().existsSync(path) ? 'replaced' : 'deleted'
  throw new DatabaseUnavailable(
    'refused',
    `${path} was ${change} while it was open, so nothing can be stored in it: restart the service`,
  )
}

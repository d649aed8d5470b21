import type { Database } from 'bun:sqlite'
import { DatabaseUnavailable } from '../errors.ts'

interface OpenFile {
  readonly path: string
  readonly dev: number
  readonly ino: number
}

/** What is at the path of an open file. */
type Place = 'the file' | 'nothing' | 'another file'

/**
 * SQLITE_FCNTL_NULL_IO: from then on the connection reads and writes nothing
 * (https://www.sqlite.org/c3ref/c_fcntl_begin_atomic_write.html).
 */
const nullIo = 43

/**
 * The files that SQLite has open. When one of them is deleted or replaced, SQLite keeps using the file that it has open
 * without an error: all its writes are gone with the last process that has the file open.
 */
export class OpenFiles {
  /** The path of the database. */
  readonly path: string
  readonly #db: Database
  /** A commit is in the log first, and in the database later. */
  readonly #data: readonly [database: OpenFile, log: OpenFile]
  /** The index of the log. It has the locks of all processes. */
  readonly #index: OpenFile
  #isIndexReplaced = false

  /**
   * @param path of a database that was just opened, in WAL mode, and has been read
   * @param db the connection
   */
  static async of(path: string, db: Database): Promise<OpenFiles> {
    const identify = async (file: string): Promise<OpenFile> => {
      const { dev, ino } = await Bun.file(file).stat()
      return { path: file, dev, ino }
    }
    const [database, log, index] = await Promise.all([
      identify(path),
      identify(`${path}-wal`),
      identify(`${path}-shm`),
    ])
    return new OpenFiles(path, db, [database, log], index)
  }

  private constructor(
    path: string,
    db: Database,
    data: readonly [database: OpenFile, log: OpenFile],
    index: OpenFile,
  ) {
    this.path = path
    this.#db = db
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
    const place = this.#findIndex()
    if (place === 'the file') return
    // If the data is gone too, that is the better explanation.
    this.assertStored()
    throw displaced(this.#index, place)
  }

  /** Call it before the connection is closed: the last one to close copies the log to the database and deletes it. */
  prepareClose(): void {
    this.#findIndex()
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

  /** Cuts the connection off if the index was replaced: by its own one, it would copy its commits over newer ones of others. */
  #findIndex(): Place {
    const place = placeOf(this.#index)
    this.#isIndexReplaced = place === 'another file'
    if (this.#isIndexReplaced) this.#db.fileControl(nullIo, null)
    return place
  }
}

let fs: typeof import('node:fs') | undefined

/** Loads the module at the first write, because it would lengthen every start. */
function loadFs(): typeof import('node:fs') {
  fs ??= process.getBuiltinModule('node:fs')
  return fs
}

function placeOf({ path, dev, ino }: OpenFile): Place {
  const found = loadFs().statSync(path, { throwIfNoEntry: false })
  if (found === undefined) return 'nothing'
  return found.ino === ino && found.dev === dev ? 'the file' : 'another file'
}

function assertInPlace(file: OpenFile): void {
  const place = placeOf(file)
  if (place !== 'the file') throw displaced(file, place)
}

function displaced({ path }: OpenFile, place: Exclude<Place, 'the file'>): DatabaseUnavailable {
  const change = place === 'nothing' ? 'deleted' : 'replaced'
  return new DatabaseUnavailable(
    'refused',
    `${path} was ${change} while it was open, so nothing can be stored in it: restart the service`,
  )
}

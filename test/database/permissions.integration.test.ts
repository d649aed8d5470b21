import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCommand } from '../support/command.ts'
import { hasProgram, isRoot } from '../support/programs.ts'
import { root } from '../support/root.ts'

/** Only root may start a process as another user. No account has this uid. */
const canChangeUser = isRoot() && hasProgram('setpriv', 'util-linux')
const uid = 65_532

describe.skipIf(!canChangeUser)('a database that another user owns, such as a bind mount of root', () => {
  let directory = ''
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tally-permissions-'))
    await chmod(directory, 0o755)
  })
  afterEach(() => rm(directory, { recursive: true }))

  /** The error message of a service that opens the database without permission. */
  const refusal = async (path: string): Promise<string> => {
    const script = `
      const { openSqlite } = await import(${JSON.stringify(join(root, 'src/database/open.ts'))})
      await openSqlite(${JSON.stringify(path)}).catch((error) => console.log(error.message))`
    const user = ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups']
    const { stdout } = await runCommand([...user, process.execPath, '-e', script])
    return stdout.trim()
  }
  const owned = (kind: string, path: string): string =>
    `uid ${uid} may not write the ${kind} ${path}, which belongs to uid 0: chown ${uid} ${path}`

  test('names the directory and both users', async () => {
    expect(await refusal(join(directory, 'tally.db'))).toEndWith(owned('directory', directory))
  })

  test('names the directory above a missing one', async () => {
    expect(await refusal(join(directory, 'a', 'b', 'tally.db'))).toEndWith(owned('directory', directory))
  })

  test('names the file in a directory that may be written', async () => {
    const open = join(directory, 'open')
    await mkdir(open)
    await chmod(open, 0o777)
    const path = join(open, 'tally.db')
    await Bun.write(path, '')
    await chmod(path, 0o644)
    expect(await refusal(path)).toEndWith(owned('file', path))
  })
})

import { assetPath } from '../analysis/parse/asset-path.ts'
import type { Config } from '../config.ts'
import type { Console, ConsoleDeps, ConsoleFile } from '../http/routes/console.ts'
import type { RequestChecks } from './access.ts'

/** The console, where the configuration has one. It is loaded at the first request for it. */
export function openConsole(
  { CONSOLE }: Config,
  { consoleChecks }: Pick<RequestChecks, 'consoleChecks'>,
): ConsoleDeps | undefined {
  return CONSOLE ? { load: createLoader(assetPath('./console/')), checks: consoleChecks } : undefined
}

/**
 * Loads the console from the folder that a bundle has beside its programs. Where there is none, the console is built from
 * source, and again after each change.
 */
function createLoader(folder: string): () => Promise<Console> {
  let stored: Promise<Console | undefined> | undefined
  return async () => {
    stored ??= readConsole(folder)
    const found = await stored
    if (found !== undefined) return found
    const { buildCurrentConsole } = await import('./build-console.ts')
    return buildCurrentConsole()
  }
}

/** @returns undefined when the folder has no built console, such as the folder of the sources */
async function readConsole(folder: string): Promise<Console | undefined> {
  const files = new Map<string, ConsoleFile>()
  try {
    for await (const compressed of new Bun.Glob('*.br').scan(folder)) {
      const name = compressed.slice(0, -3)
      const path = folder + name
      files.set(name, { identity: Bun.file(path), br: Bun.file(`${path}.br`), zstd: Bun.file(`${path}.zst`) })
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  return files.size === 0 ? undefined : { page: await Bun.file(`${folder}index.html`).text(), files }
}

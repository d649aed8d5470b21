import { beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { copyFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { runCommand } from '../support/command.ts'
import { parseCodeBlocks } from '../support/markdown.ts'
import { hasProgram } from '../support/programs.ts'
import { root } from '../support/root.ts'

// Mermaid is far larger than all other packages, so it is not a dependency. This test installs it once, from its own
// lock file.
setDefaultTimeout(240_000)

const folder = join(root, 'dist/mermaid')
const isInstalled = await install()

interface Mermaid {
  /** @throws Error with the place if the text is not a diagram */
  parse(text: string): Promise<unknown>
}
let mermaid: Mermaid

const pages = ['*.md', '{docs,load,bench,k8s,src}/**/*.md'].flatMap((pattern) => [
  ...new Bun.Glob(pattern).scanSync(root),
])

describe.skipIf(!hasProgram('mermaid', 'from npm', isInstalled))('every mermaid diagram', async () => {
  const diagrams = (
    await Promise.all(
      pages.map(async (page) =>
        parseCodeBlocks(await Bun.file(join(root, page)).text())
          .filter(({ language }) => language === 'mermaid')
          .map(({ text, line }) => ({ place: `${page}:${line}`, text })),
      ),
    )
  ).flat()

  beforeAll(async () => {
    // Mermaid sanitizes labels with DOMPurify, which lacks its functions without a DOM.
    const purify = await import(join(folder, 'node_modules/dompurify/dist/purify.es.mjs'))
    Object.assign(purify.default, { addHook: () => {}, sanitize: (text: string) => text })
    mermaid = (await import(join(folder, 'node_modules/mermaid/dist/mermaid.core.mjs'))).default
  })

  test('is found', () => {
    expect(diagrams.length).toBeGreaterThan(2)
  })

  test.each(diagrams)('parses: $place', async ({ text }) => {
    expect(await mermaid.parse(text)).toBeObject()
  })

  test('rejects an invalid diagram', async () => {
    await expect(mermaid.parse('flowchart LR\n a --->>')).rejects.toThrow('Parse error')
    await expect(mermaid.parse('stateDiagram-v2\n a -> b')).rejects.toThrow('Parse error')
  })
})

/** @returns whether mermaid is installed; without a network it is not at first */
async function install(): Promise<boolean> {
  await mkdir(folder, { recursive: true })
  for (const name of ['package.json', 'bun.lock'])
    await copyFile(join(import.meta.dir, 'mermaid', name), join(folder, name))
  const { exitCode, output } = await runCommand([process.execPath, 'install', '--frozen-lockfile'], {
    cwd: folder,
  })
  if (exitCode !== 0) console.warn(output)
  return exitCode === 0
}

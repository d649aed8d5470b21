import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

// Compiles src/analysis/parse/number-scanner.as to WebAssembly in a module of its own, which is kept in the repository: who works
// on something else needs no compiler. Not a package of the project, because it is 100 MB large.
const compiler = 'assemblyscript@0.28.20'

const source = new URL('../src/analysis/parse/number-scanner.as', import.meta.url).pathname
const target = new URL('../src/analysis/parse/number-scanner-wasm.ts', import.meta.url).pathname

const folder = await mkdtemp(join(tmpdir(), 'tally-scanner-'))
try {
  // The compiler takes files of one ending only.
  await Bun.write(join(folder, 'scanner.ts'), Bun.file(source))
  const options =
    '-O3 --noAssert --runtime stub --enable simd --initialMemory 1 --use abort= --disableWarning 201'
  await Bun.$`${process.execPath} x --bun --package=${compiler} asc scanner.ts -o scanner.wasm ${{ raw: options }}`.cwd(
    folder,
  )
  const wasm = await Bun.file(join(folder, 'scanner.wasm')).bytes()
  await Bun.write(target, moduleOf(wasm, await Bun.file(source).text()))
} finally {
  await rm(folder, { recursive: true, force: true })
}

function moduleOf(wasm: Uint8Array, text: string): string {
  const digest = new Bun.CryptoHasher('sha256').update(text).digest('hex')
  return [
    `// Made from number-scanner.as by \`bun run scanner\` with ${compiler}.`,
    '',
    '/** SHA-256 of the source: a test compares. */',
    `export const sourceDigest = '${digest}'`,
    '',
    "/** The module's bytes in base64. */",
    `export const wasm =\n  '${wasm.toBase64()}'`,
    '',
  ].join('\n')
}

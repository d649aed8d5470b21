import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

// Compiles src/analysis/parse/number-scanner.as to WebAssembly: `bun run scanner`. With `--check` it only compares the
// result with the committed file. The compiler is not a dependency of the project, because it is large and only a change
// of the scanner needs it.

const compiler = 'assemblyscript@0.28.20'
const flags =
  '-O3 --noAssert --runtime stub --enable simd --initialMemory 1 --use abort= --disableWarning 201'

const source = new URL('../src/analysis/parse/number-scanner.as', import.meta.url).pathname
const target = new URL('../src/analysis/parse/number-scanner.wasm', import.meta.url).pathname

async function compile(): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), 'tally-scanner-'))
  try {
    // The compiler accepts only .ts files.
    await Bun.write(join(folder, 'scanner.ts'), Bun.file(source))
    const asc = [process.execPath, 'x', '--bun', `--package=${compiler}`, 'asc']
    await Bun.$`${asc} scanner.ts -o scanner.wasm ${{ raw: flags }}`.cwd(folder)
    return await Bun.file(join(folder, 'scanner.wasm')).bytes()
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const compiled = await compile()
if (!process.argv.includes('--check')) await Bun.write(target, compiled)
else if (!Bun.deepEquals(compiled, await Bun.file(target).bytes())) {
  console.error('number-scanner.wasm is out of date. Run: bun run scanner')
  process.exit(1)
}

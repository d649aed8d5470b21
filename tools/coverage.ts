import { Glob } from 'bun'

// Fails when fewer of the lines of src/ are run by the tests than asked for: bun tools/coverage.ts --lines 90
//
// A file that no test loads is not in the report at all. It counts with all its lines of code, or a part of
// the service without a single test would raise the figure.

const wanted = Number(Bun.argv[Bun.argv.indexOf('--lines') + 1])
const reported = linesByFile(await Bun.file('reports/coverage/lcov.info').text())
const files = (await Array.fromAsync(new Glob('src/**/*.{ts,tsx}').scan('.')))
  .filter((file) => !file.endsWith('.d.ts'))
  .sort()

let found = 0
let hit = 0
const thin: string[] = []
for (const file of files) {
  const lines = reported.get(file) ?? { found: await linesOfCode(file), hit: 0 }
  found += lines.found
  hit += lines.hit
  if (lines.hit * 100 < lines.found * wanted)
    thin.push(`  ${file}: ${lines.hit} of ${lines.found}${reported.has(file) ? '' : ' (no test loads it)'}`)
}

const percent = (100 * hit) / found
if (thin.length > 0) console.log(`Files below ${wanted} %:\n${thin.join('\n')}`)
console.log(`${percent.toFixed(2)} % of ${found} lines in ${files.length} files; asked for: ${wanted} %`)
process.exit(percent >= wanted ? 0 : 1)

/** Lines found and hit of each file in an lcov report. */
function linesByFile(lcov: string): Map<string, { found: number; hit: number }> {
  const records = lcov.split('end_of_record').filter((record) => record.includes('SF:'))
  return new Map(
    records.map((record) => [
      /^SF:(.*)$/m.exec(record)?.[1] ?? '',
      {
        found: Number(/^LF:(\d+)$/m.exec(record)?.[1] ?? 0),
        hit: Number(/^LH:(\d+)$/m.exec(record)?.[1] ?? 0),
      },
    ]),
  )
}

/** Lines that run, close to what a report would count: types and comments are gone, imports do not count. */
async function linesOfCode(file: string): Promise<number> {
  const loader = file.endsWith('x') ? 'tsx' : 'ts'
  const code = new Bun.Transpiler({ loader }).transformSync(await Bun.file(file).text())
  return code.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('import ')).length
}

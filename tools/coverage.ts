import { Glob } from 'bun'

// Fails if the tests run less than the required share of the lines of src/: bun tools/coverage.ts --lines 90
//
// The report omits files that no test loads. Their lines of code count as not covered; otherwise untested code would
// raise the figure. Files of the console are an exception: they run in the browser of test/e2e/browser, where lines are not
// counted.

const required = Number(Bun.argv[Bun.argv.indexOf('--lines') + 1])
const reported = linesByFile(await Bun.file('reports/coverage/lcov.info').text())
const files = (await Array.fromAsync(new Glob('src/**/*.{ts,tsx}').scan('.')))
  .filter((file) => !file.endsWith('.d.ts') && (reported.has(file) || !file.startsWith('src/console/')))
  .sort()

let found = 0
let hit = 0
const belowRequired: string[] = []
for (const file of files) {
  const lines = reported.get(file) ?? { found: await linesOfCode(file), hit: 0 }
  found += lines.found
  hit += lines.hit
  if (lines.hit * 100 < lines.found * required)
    belowRequired.push(
      `  ${file}: ${lines.hit} of ${lines.found}${reported.has(file) ? '' : ' (no test loads it)'}`,
    )
}

const percent = (100 * hit) / found
if (belowRequired.length > 0) console.log(`Files below ${required} %:\n${belowRequired.join('\n')}`)
console.log(
  `${percent.toFixed(2)} % of ${found} lines in ${files.length} files covered; required: ${required} %`,
)
process.exit(percent >= required ? 0 : 1)

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

/** Executable lines, close to the count of a report: without types, comments and imports. */
async function linesOfCode(file: string): Promise<number> {
  const loader = file.endsWith('x') ? 'tsx' : 'ts'
  const code = new Bun.Transpiler({ loader }).transformSync(await Bun.file(file).text())
  return code.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('import ')).length
}

/** Converts reports/coverage/lcov.info to reports/cobertura.xml, because Jenkins reads Cobertura but not lcov. */

/** A source file in an lcov report: how often each line ran. */
interface Covered {
  readonly path: string
  readonly lines: readonly { readonly number: number; readonly hits: number }[]
}

/** The files of an lcov report. */
export function parseLcov(lcov: string): Covered[] {
  return lcov.split('end_of_record').flatMap((record) => {
    const path = /^SF:(.*)$/m.exec(record)?.[1]
    if (path === undefined) return []
    const lines = [...record.matchAll(/^DA:(\d+),(\d+)/gm)].map(([, number, hits]) => ({
      number: Number(number),
      hits: Number(hits),
    }))
    return [{ path, lines }]
  })
}

/**
 * A report in the format of https://github.com/cobertura/web/blob/master/htdocs/xml/coverage-04.dtd; a package is a
 * folder.
 */
export function renderCobertura(files: readonly Covered[], timestamp: Date): string {
  const folders = Map.groupBy(files, ({ path }) => path.split('/').slice(0, -1).join('/'))
  const all = files.flatMap(({ lines }) => lines)
  const rates = (lines: Covered['lines']): string =>
    `line-rate="${rateOf(lines)}" branch-rate="0" complexity="0"`
  return [
    '<?xml version="1.0"?>',
    '<!DOCTYPE coverage SYSTEM "http://cobertura.sourceforge.net/xml/coverage-04.dtd">',
    `<coverage ${rates(all)} lines-valid="${all.length}" lines-covered="${hitsOf(all)}" branches-valid="0" branches-covered="0" version="1" timestamp="${timestamp.getTime()}">`,
    '<sources><source>.</source></sources>',
    '<packages>',
    ...[...folders].flatMap(([folder, own]) => [
      `<package name="${escapeXml(folder)}" ${rates(own.flatMap(({ lines }) => lines))}><classes>`,
      ...own.flatMap(({ path, lines }) => [
        `<class name="${escapeXml(path.slice(folder.length + 1))}" filename="${escapeXml(path)}" ${rates(lines)}><methods/><lines>`,
        ...lines.map(({ number, hits }) => `<line number="${number}" hits="${hits}"/>`),
        '</lines></class>',
      ]),
      '</classes></package>',
    ]),
    '</packages>',
    '</coverage>',
    '',
  ].join('\n')
}

function hitsOf(lines: Covered['lines']): number {
  return lines.filter(({ hits }) => hits > 0).length
}

function rateOf(lines: Covered['lines']): string {
  return (lines.length === 0 ? 0 : hitsOf(lines) / lines.length).toFixed(4)
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}

if (import.meta.main) {
  const report = Bun.file('reports/coverage/lcov.info')
  if (!(await report.exists())) {
    console.error(`${report.name} is not there: make ci PART=tests writes it`)
    process.exit(1)
  }
  const files = parseLcov(await report.text())
  await Bun.write('reports/cobertura.xml', renderCobertura(files, new Date()))
  console.log(`reports/cobertura.xml: ${files.length} files`)
}

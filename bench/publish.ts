/**
 * `bun run bench:publish`: writes the results of the last `make bench` and `bench/sweep.ts` into the README,
 * docs/performance.md and docs/images. A separate command, so that a trial run changes no document.
 */
import { copyFile } from 'node:fs/promises'
import { judge } from './goals.ts'
import { goalsMarkdown, provenance, replaceMarked, summaryMarkdown, workloadsMarkdown } from './markdown.ts'
import { largeBodiesFile, type Report, reportFile } from './report.ts'

const root = new URL('..', import.meta.url).pathname

const measured: Report = await Bun.file(`${root}${reportFile}`).json()
const report = { ...measured, findings: [...measured.findings, ...(await soakFindings())] }
const goals = judge(report)

await rewrite('README.md', { summary: summaryMarkdown(report, goals) })
await rewrite('docs/performance.md', {
  provenance: provenance(report),
  goals: goalsMarkdown(goals),
  workloads: workloadsMarkdown(report),
})
await copyFile(`${root}reports/bench/chart.svg`, `${root}docs/images/benchmark.svg`)
for (const picture of ['payload-size.svg', 'connections.svg'])
  if (await Bun.file(`${root}reports/bench/${picture}`).exists())
    await copyFile(`${root}reports/bench/${picture}`, `${root}docs/images/${picture}`)

async function rewrite(path: string, texts: Readonly<Record<string, string>>): Promise<void> {
  let document = await Bun.file(`${root}${path}`).text()
  for (const [name, text] of Object.entries(texts)) document = replaceMarked(document, name, text)
  await Bun.write(`${root}${path}`, document)
}

/** The soak row; it takes half an hour and has its own command. */
async function soakFindings(): Promise<Report['findings']> {
  const file = Bun.file(`${root}${largeBodiesFile}`)
  if (!(await file.exists())) return []
  const { findings }: Pick<Report, 'findings'> = await file.json()
  return findings.filter(({ row }) => row === 10)
}

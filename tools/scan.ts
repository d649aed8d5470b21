/**
 * Looks up the SBOM's components at OSV (https://osv.dev), and fails on a HIGH or CRITICAL vulnerability that has a fix
 * and is not in deploy/image/allowlist.json.
 *
 * An unreachable advisory source is reported but not a failure; with `SCAN_REQUIRED=1`, as before a publication, it is
 * one.
 */

import type { Sbom } from './sbom/document.ts'
import { findVulnerabilities, SourceUnreachable } from './scan/osv.ts'
import { judge, parseAllowlist, renderVerdict } from './scan/verdict.ts'

const source = process.env.OSV_URL || 'https://api.osv.dev'
const sbomFile = process.env.SBOM || 'reports/supply-chain/sbom.cdx.json'
const allowlistFile = process.env.ALLOWLIST || 'deploy/image/allowlist.json'

process.exitCode = await main()

async function main(): Promise<number> {
  if (!(await Bun.file(sbomFile).exists())) {
    console.error(`${sbomFile} is not there: make sbom writes it`)
    return 1
  }
  const sbom: Sbom = await Bun.file(sbomFile).json()
  const allowed = parseAllowlist(await Bun.file(allowlistFile).json())
  try {
    const found = await findVulnerabilities(source, sbom.components)
    const verdict = judge(found, allowed, new Date())
    await Bun.write('reports/supply-chain/scan.json', `${JSON.stringify(verdict, undefined, 2)}\n`)
    console.log(`${sbom.components.length} components looked up at ${source}`)
    console.log(renderVerdict(verdict))
    return verdict.failing.length > 0 ? 1 : 0
  } catch (error) {
    if (!(error instanceof SourceUnreachable)) throw error
    const required = process.env.SCAN_REQUIRED === '1'
    console.log(`Not scanned: no advisory source can be reached (${error.message}).`)
    if (required) console.error('SCAN_REQUIRED=1: what was not scanned is not published.')
    return required ? 1 : 0
  }
}

/**
 * Checks a release: `TAG=v1.2.3 bun tools/release.ts check` fails unless the tag, package.json, the OpenAPI document
 * that the service serves, and a dated heading of CHANGELOG.md have the same version. `… notes` prints the text below
 * that heading.
 */
import { startService } from '../test/support/service.ts'

/** The version in each place. */
export interface Claims {
  /** `v1.2.3` */
  readonly tag: string
  /** The version in package.json. */
  readonly manifest: string
  /** `info.version` of the OpenAPI document. */
  readonly openapi: string
  /** The text of CHANGELOG.md. */
  readonly changelog: string
}

const tagPattern = /^v(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)$/

/** The reasons why a version cannot be released, as sentences; empty if it can. */
export function findDisagreements({ tag, manifest, openapi, changelog }: Claims): string[] {
  const version = tagPattern.exec(tag)?.[1]
  if (version === undefined) return [`The tag must be a v and a version, as v1.2.3: ${tag || 'TAG is empty'}`]
  const problems: string[] = []
  if (manifest !== version) problems.push(`package.json says ${manifest}, the tag ${version}`)
  if (openapi !== version) problems.push(`The OpenAPI document says ${openapi}, the tag ${version}`)
  const section = releaseSection(changelog, version)
  if (section === undefined) problems.push(`CHANGELOG.md has no heading "## ${version} - YYYY-MM-DD"`)
  else if (section === '') problems.push(`CHANGELOG.md has nothing below "## ${version}"`)
  else if (releaseSection(changelog, undefined) !== version)
    problems.push(`The newest heading of CHANGELOG.md is not ${version}`)
  return problems
}

/**
 * The section of a version in CHANGELOG.md, without its heading; undefined without a dated heading for it. Without a
 * version: the newest section.
 *
 * @example releaseSection('## 1.2.3 - 2026-12-01\n\n- New.\n', '1.2.3') // '- New.'
 */
export function releaseSection(changelog: string, version: string | undefined): string | undefined {
  const sections = changelog.split(/^## /m).slice(1)
  for (const section of sections) {
    const heading = /^\[?([^\s\]]+)\]? - \d{4}-\d{2}-\d{2}\s*\n/.exec(section)
    if (heading === null) continue
    if (version === undefined) return heading[1]
    if (heading[1] === version) return section.slice(heading[0].length).trim()
  }
  return undefined
}

if (import.meta.main) process.exit(await main(process.argv[2]))

async function main(command: string | undefined): Promise<number> {
  const tag = process.env.TAG ?? ''
  const changelog = await Bun.file('CHANGELOG.md').text()
  if (command === 'notes') {
    const section = releaseSection(changelog, tag.replace(/^v/, ''))
    if (section === undefined) {
      console.error(`CHANGELOG.md has no heading for ${tag || 'TAG'}`)
      return 1
    }
    const image = process.env.IMAGE ? `\n\nImage: \`${process.env.IMAGE}\`` : ''
    console.log(section + image)
    return 0
  }
  const manifest = (await Bun.file('package.json').json()).version
  const problems = findDisagreements({ tag, manifest, openapi: await servedVersion(), changelog })
  for (const problem of problems) console.error(problem)
  if (problems.length === 0) console.log(`${tag}: package.json, the OpenAPI document and CHANGELOG.md agree`)
  return problems.length > 0 ? 1 : 0
}

/** What a service started from these sources serves. */
async function servedVersion(): Promise<string> {
  await using service = await startService()
  const document = (await (await fetch(`${service.url}/openapi.json`)).json()) as {
    info: { version: string }
  }
  return document.info.version
}

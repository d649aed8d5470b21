import { expect, test } from 'bun:test'
import { findDisagreements, releaseSection } from '../../tools/release.ts'

const changelog = `# Changelog

## Unreleased

- Later.

## 1.2.3 - 2026-12-01

- New.

### Fixed

- Old.

## 1.2.2 - 2026-11-01

- Older.
`
const agreed = { tag: 'v1.2.3', manifest: '1.2.3', openapi: '1.2.3', changelog }

test('accepts a release whose tag, package.json, OpenAPI document and CHANGELOG agree', () => {
  expect(findDisagreements(agreed)).toEqual([])
})

test.each([
  ['package.json', { ...agreed, manifest: '1.2.2' }, 'package.json says 1.2.2, the tag 1.2.3'],
  ['the OpenAPI document', { ...agreed, openapi: '0.9.0' }, 'The OpenAPI document says 0.9.0, the tag 1.2.3'],
  [
    'a CHANGELOG without the heading',
    { ...agreed, changelog: '## Unreleased\n\n- New.\n' },
    'CHANGELOG.md has no heading "## 1.2.3 - YYYY-MM-DD"',
  ],
  [
    'a heading without a date',
    { ...agreed, changelog: '## 1.2.3\n\n- New.\n' },
    'CHANGELOG.md has no heading "## 1.2.3 - YYYY-MM-DD"',
  ],
  [
    'a heading with nothing below it',
    { ...agreed, changelog: '## 1.2.3 - 2026-12-01\n\n## 1.2.2 - 2026-11-01\n\n- Old.\n' },
    'CHANGELOG.md has nothing below "## 1.2.3"',
  ],
  [
    'a CHANGELOG that is further already',
    { ...agreed, changelog: `## 1.3.0 - 2026-12-02\n\n- Newer.\n\n${changelog}` },
    'The newest heading of CHANGELOG.md is not 1.2.3',
  ],
  ['a tag without v', { ...agreed, tag: '1.2.3' }, 'The tag must be a v and a version, as v1.2.3: 1.2.3'],
  ['no tag', { ...agreed, tag: '' }, 'The tag must be a v and a version, as v1.2.3: TAG is empty'],
])('rejects a release for %s', (_, claims, problem) => {
  expect(findDisagreements(claims)).toEqual([problem])
})

test('names all differences', () => {
  expect(findDisagreements({ tag: 'v2.0.0', manifest: '1.2.3', openapi: '1.2.3', changelog })).toHaveLength(3)
})

test('takes the notes from below the heading, up to the next release', () => {
  expect(releaseSection(changelog, '1.2.3')).toBe('- New.\n\n### Fixed\n\n- Old.')
})

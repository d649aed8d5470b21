import { describe, expect, test } from 'bun:test'
import { readdirSync, statSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { findAnchors, findLinks, findPaths } from '../support/markdown.ts'
import { root } from '../support/root.ts'

/** Generated files, which a clone lacks. */
const generated = ['.git', '.tools', 'data', 'dist', 'node_modules', 'reports']

/** Every file and folder of the project, as paths from its root. */
const present = new Set(
  readdirSync(root)
    .filter((name) => !generated.includes(name))
    .flatMap((name) => [name, ...listFolder(name)]),
)
const pages = [...present].filter((path) => path.endsWith('.md') && path !== 'CHANGELOG.md').sort()
const texts = new Map(
  await Promise.all(pages.map(async (path) => [path, await Bun.file(join(root, path)).text()] as const)),
)

/** Patterns and generated files that pages name. */
const isAbsentByDesign = (path: string): boolean =>
  /[*<>{}$…]/.test(path) || generated.includes(path.split('/')[0] ?? '')

function listFolder(name: string): string[] {
  const isFolder = statSync(join(root, name)).isDirectory()
  return isFolder
    ? readdirSync(join(root, name), { recursive: true }).map((path) => join(name, String(path)))
    : []
}

/** A relative link as a path from the project's root, without a slash at the end. */
const resolveLink = (page: string, target: string): string =>
  normalize(join(dirname(page), target)).replace(/\/$/, '')

describe.each(pages)('%s', (page) => {
  const text = texts.get(page) ?? ''

  test('has links to files that exist', () => {
    const missing = findLinks(text).filter(
      ({ target }) => target !== '' && !present.has(resolveLink(page, target)),
    )
    expect(missing).toEqual([])
  })

  test('has links to headings that exist', async () => {
    const links = findLinks(text).filter(({ target, anchor }) => anchor !== '' && /^$|\.md$/.test(target))
    const missing = links.filter(({ target, anchor }) => {
      const linked = target === '' ? page : resolveLink(page, target)
      return !findAnchors(texts.get(linked) ?? '').has(anchor)
    })
    expect(missing).toEqual([])
  })

  test('names files and folders that exist', () => {
    const missing = findPaths(text).filter(
      (path) => !isAbsentByDesign(path) && !isPresent(dirname(page), path),
    )
    expect(missing).toEqual([])
  })
})

/** A page names files relative to the root, to its own folder, or to the folder that it describes. */
function isPresent(folder: string, path: string): boolean {
  const plain = path.replace(/\/$/, '')
  return [folder, '.', 'src', 'src/http', 'src/tasks', 'test', 'test/e2e'].some((base) =>
    present.has(normalize(join(base, plain))),
  )
}

import { describe, expect, test } from 'bun:test'
import { bannedWords, findWords, maskCode, unreadable } from '../../tools/words.ts'

const wordsIn = (path: string, text: string) => findWords(maskCode(path, text), bannedWords)

describe('a banned word is found', () => {
  test.each([
    ['in the prose of a page', 'a.md', 'The worker is told to stop.', 'told'],
    ['at the start of a sentence', 'a.md', 'Whoever asks waits.', 'Whoever'],
    ['in a comment', 'a.ts', 'const a = 1 // somebody else', 'somebody'],
    ['in a comment of several lines', 'a.ts', '/**\n * It is mended.\n */', 'mended'],
    ['in the title of a test', 'a.ts', "test('nobody waits', run)", 'nobody'],
    ['in a template', 'a.ts', `test(\`nobody asks \${count}\`, run)`, 'nobody'],
    ['in a script', 'a.sh', '# looks every second', 'looks every'],
    ['that makes a noun from a question', 'a.md', 'Whatever arrives is served.', 'Whatever'],
    ['in British spelling', 'a.md', 'It is analysed.', 'analysed'],
  ])('%s', (_, path, text, word) => {
    expect(wordsIn(path, text).map((finding) => finding.word)).toEqual([word])
  })
})

describe('code is not prose', () => {
  test.each([
    ['a block of a page', 'a.md', '```sh\ntold\n```'],
    ['backticks of a page', 'a.md', 'The variable `told` is old.'],
    ['the target of a link', 'a.md', '[a page](told.md)'],
    ['a name in a program', 'a.ts', 'const told = somebody()'],
    ['backticks in a comment', 'a.ts', '// renames `told`'],
    ['None of Python', 'a.py', 'if value is None: pass'],
    ['an expression in a template', 'a.ts', `const a = \`one \${told} two\``],
  ])('%s', (_, path, text) => {
    expect(wordsIn(path, text)).toEqual([])
  })
})

test('plain words that contain a banned one are allowed', () => {
  expect(wordsIn('a.md', 'Stories are retold; as long as it holds, there is heartbeat.')).toEqual([])
})

test('a finding has the line and a replacement', () => {
  expect(wordsIn('a.md', '```\ncode\n```\n\nIt is mended.')).toEqual([
    { line: 5, word: 'mended', instead: 'fix' },
  ])
})

test('a reference to a document outside of the repository is found', () => {
  const name = ['DESIGN', 'md'].join('.')
  expect(findWords(`answers what ${name} says`, unreadable).map(({ word }) => word)).toEqual([name])
})

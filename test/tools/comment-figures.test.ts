import { expect, test } from 'bun:test'
import { findFigures } from '../../tools/comment-figures.ts'

const linesOf = (source: string): number[] => findFigures(source).map(({ line }) => line)

test('finds a number with a unit in every kind of comment', () => {
  const source = [
    '/** Saves 0.75 µs of 11. */',
    'const one = 1 // at most 10ms',
    '/*',
    ' * 18.3 MB a body, 3 KiB a line,',
    ' * a 64-kB buffer, and up to 20',
    ' * ms more',
    ' */',
    '  // goes on for 5',
    '  // us',
    'f(/* 1 GB */)',
  ].join('\n')
  expect(linesOf(source)).toEqual([1, 2, 4, 5, 8, 10])
})

test('passes code in a comment, a unit without a number, numbers without a unit, and code', () => {
  const source = [
    '/** How long a poll may take, in ms. */',
    'const pollMs = 250',
    '// Twice in 10 rounds, 3 of 4 bytes, 5 messages, HTTP/1.1 msgs.',
    '/** Milliseconds from `500ms` or `5s`; bytes from `64KiB`. */',
    "const text = 'after 10 ms'",
    'const path = `src/**/*.ts`, limit = `10 MB`',
    "const url = 'https://example.org/10 ms'",
    "const glob = '/* 10 ms'",
  ].join('\n')
  expect(linesOf(source)).toEqual([])
})

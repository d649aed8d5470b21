import { describe, expect, test } from 'bun:test'
import { parseCommands, showsOutput } from '../support/markdown.ts'

const page = [
  '```sh run',
  'echo 1',
  '```',
  'prints',
  '```',
  '1',
  '```',
  '```sh',
  'make dev',
  '```',
  '```json',
  '{"a":1}',
  '```',
].join('\n')

test('only blocks of sh with a name are commands, each with the output below it', () => {
  expect(parseCommands(page)).toEqual([
    { name: 'run', script: 'echo 1\n', output: { language: '', name: '', text: '1\n', line: 5 }, line: 1 },
  ])
})

describe('output', () => {
  const json = (text: string) => ({ language: 'json', name: '', text, line: 1 })
  const plain = (text: string) => ({ language: '', name: '', text, line: 1 })

  test.each([
    ['members in another order, … for any text', json('{"id":"…","n":[1]}'), '{"n":[1],"id":"abc"}'],
    ['another processing time', json('{"processing_time_ms":0.05}'), '{"processing_time_ms":9}'],
    ['other white space around lines', plain('  51 000\n'), '51 000\n'],
  ])('matches with %s', (_, expected, actual) => {
    expect(showsOutput(expected, actual)).toBe(true)
  })

  test.each([
    ['a number where … stands', json('{"id":"…"}'), '{"id":7}'],
    ['one more member', json('{"n":1}'), '{"n":1,"more":2}'],
    ['a shorter list', json('{"n":[1,2]}'), '{"n":[1]}'],
    ['an object for a list', json('[]'), '{}'],
    ['another line', plain('51 000\n'), '50 000\n'],
  ])('does not match with %s', (_, expected, actual) => {
    expect(showsOutput(expected, actual)).toBe(false)
  })
})

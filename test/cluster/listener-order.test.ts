import { expect, test } from 'bun:test'
import { ListenerGroup } from '../../src/cluster/listener-order.ts'

function group(...members: string[]): ListenerGroup<string> {
  const made = new ListenerGroup<string>()
  for (const member of members) made.opened(member)
  return made
}

test('a new listener is the last of its group', () => {
  const three = group('a', 'b', 'c')
  expect(['a', 'b', 'c'].map((member) => three.indexOf(member))).toEqual([0, 1, 2])
})

test('the last listener takes the place of one that is closed, as in the kernel', () => {
  const four = group('a', 'b', 'c', 'd')
  four.closed('b')
  expect(four.size).toBe(3)
  expect(['a', 'd', 'c'].map((member) => four.indexOf(member))).toEqual([0, 1, 2])
  four.closed('c')
  expect(['a', 'd'].map((member) => four.indexOf(member))).toEqual([0, 1])
})

test('closing the last listener, or one that is unknown, moves nobody', () => {
  const two = group('a', 'b')
  two.closed('b')
  two.closed('never opened')
  expect(two.size).toBe(1)
  expect(two.indexOf('a')).toBe(0)
  expect(two.indexOf('b')).toBe(-1)
})

test('somebody else can speak for the group, unless there is nobody else', () => {
  expect(group('a', 'b').other('a')).toBe('b')
  expect(group('a').other('a')).toBeUndefined()
})

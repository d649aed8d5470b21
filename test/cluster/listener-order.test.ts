import { expect, test } from 'bun:test'
import { ListenerOrder } from '../../src/cluster/listener-order.ts'

function group(...members: string[]): ListenerOrder<string> {
  const made = new ListenerOrder<string>()
  for (const member of members) made.add(member)
  return made
}

test('a new listener is last', () => {
  const three = group('a', 'b', 'c')
  expect(['a', 'b', 'c'].map((member) => three.indexOf(member))).toEqual([0, 1, 2])
})

test('the last listener takes the position of a removed one, as in the kernel', () => {
  const four = group('a', 'b', 'c', 'd')
  four.remove('b')
  expect(four.size).toBe(3)
  expect(['a', 'd', 'c'].map((member) => four.indexOf(member))).toEqual([0, 1, 2])
  four.remove('c')
  expect(['a', 'd'].map((member) => four.indexOf(member))).toEqual([0, 1])
})

test('removing the last listener, or an unknown one, moves no other', () => {
  const two = group('a', 'b')
  two.remove('b')
  two.remove('never opened')
  expect(two.size).toBe(1)
  expect(two.indexOf('a')).toBe(0)
  expect(two.indexOf('b')).toBe(-1)
})

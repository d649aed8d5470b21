/** Pseudorandom numbers: the same seed gives the same sequence. */
export interface Random {
  /** A whole number from 0 to `below` − 1. */
  below(below: number): number
  /** One of these, with equal probability. */
  pick<T>(choices: readonly T[]): T
  /** `count` bytes. */
  bytes(count: number): Uint8Array
}

/**
 * mulberry32: 32 bits of state, period 2^32, passes gjrand's quick tests; released into the public domain by its
 * author, Tommy Ettinger. Good enough for test inputs, but not for secrets.
 */
export function createRandom(seed: number): Random {
  let state = seed | 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number): number => Math.floor(next() * limit)
  return {
    below,
    pick(choices) {
      const choice = choices[below(choices.length)]
      if (choice === undefined) throw new Error('nothing to pick from')
      return choice
    },
    bytes: (count) => Uint8Array.from({ length: count }, () => below(256)),
  }
}

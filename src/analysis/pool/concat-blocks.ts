/** Concatenates the first `size` bytes of several blocks, of which the last may be partly filled. Does not copy a single block. */
export function concatBlocks(blocks: readonly ArrayBuffer[], size: number): Uint8Array {
  const [only] = blocks
  if (only !== undefined && blocks.length === 1) return new Uint8Array(only, 0, size)
  return Buffer.concat(
    blocks.map((block) => new Uint8Array(block)),
    size,
  )
}

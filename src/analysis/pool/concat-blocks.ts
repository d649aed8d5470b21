/**
 * The first `size` bytes of several blocks, one after another; the last block may not be full. A single block is
 * not copied.
 */
export function concatBlocks(blocks: readonly ArrayBuffer[], size: number): Uint8Array {
  const [only] = blocks
  if (only !== undefined && blocks.length === 1) return new Uint8Array(only, 0, size)
  return Buffer.concat(
    blocks.map((block) => new Uint8Array(block)),
    size,
  )
}

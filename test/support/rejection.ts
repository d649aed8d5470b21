/**
 * The reason with which a promise rejects. Replaces `expect(promise).rejects`, which waits by running the event loop
 * inside the call: with Bun's Redis client on the stack, responses that it has received but not handled would then go
 * to the wrong calls.
 *
 * @throws Error if the promise resolves
 */
export async function rejectionOf(promise: Promise<unknown>): Promise<unknown> {
  let value: unknown
  try {
    value = await promise
  } catch (error) {
    return error
  }
  throw new Error(`the promise resolved: ${Bun.inspect(value)}`)
}

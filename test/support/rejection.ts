/**
 * The reason for which a promise rejects. In place of `expect(promise).rejects`, which waits by running the event loop
 * inside the call: with Bun's client for Redis on the stack, the answers that it has received but not handled then meet
 * the wrong calls.
 *
 * @throws Error when the promise resolves
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

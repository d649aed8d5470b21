/** The text is not a cursor that a page could have returned. */
export class InvalidCursor extends Error {
  override readonly name = 'InvalidCursor'
  readonly code = 'invalid-cursor'
  constructor() {
    super('the cursor is not one that a page returned')
  }
}

/** The payload of the OpenAPI document's example. */
export const examplePayload = { numbers: [1, 2, 3, 4, 5], text: 'Sample text for analysis' }

// A file imported by path (`with { type: 'file' }`).
declare module '*.wasm' {
  const path: string
  export default path
}

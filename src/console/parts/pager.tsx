/** Links to the first and the next page of a list. */
export function Pager(props: {
  readonly first: string
  readonly isFirst: boolean
  /** Undefined on the last page. */
  readonly next: string | undefined
}) {
  const { first, isFirst, next } = props
  if (isFirst && next === undefined) return null
  return (
    <nav className="pager" aria-label="Pages">
      {!isFirst && <a href={first}>First page</a>}
      {next !== undefined && (
        <a href={next} rel="next">
          Next page
        </a>
      )}
    </nav>
  )
}

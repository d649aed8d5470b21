/** A scrollable box of text, also by keyboard. */
export function ScrollingText({ label, text }: { readonly label: string; readonly text: string }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: keys scroll only a focused element
    <section className="scrolling-text" aria-label={label} tabIndex={0}>
      <pre>{text}</pre>
    </section>
  )
}

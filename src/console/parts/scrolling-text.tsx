/** A text in a box that scrolls, also by keyboard. */
export function ScrollingText({ label, text }: { readonly label: string; readonly text: string }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: without the focus no key scrolls it
    <section className="scrolling-text" aria-label={label} tabIndex={0}>
      <pre>{text}</pre>
    </section>
  )
}

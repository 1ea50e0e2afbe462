/** Asks for `run` at the next frame: once, however many changes ask for it, and never after the view's end. */
export function onceAFrame(signal: AbortSignal, run: () => void): () => void {
  let request = 0;
  signal.addEventListener("abort", () => cancelAnimationFrame(request));
  return () => {
    if (request !== 0 || signal.aborted) return;
    request = requestAnimationFrame(() => {
      request = 0;
      run();
    });
  };
}

/**
 * Runs `work` at most once a frame. A hidden window gets no frames, so a timer stands in for them.
 */
export function oncePerFrame(work: () => void): () => void {
  let due = false;
  return () => {
    if (due) return;
    due = true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const run = () => {
      if (!due) return;
      due = false;
      clearTimeout(timer);
      work();
    };
    timer = setTimeout(run, 100);
    requestAnimationFrame(run);
  };
}

/**
 * A group of radio buttons is one tab stop; up and down (left and right belong to the slider, from
 * anywhere) move the focus inside it. Moving does not choose: a choice may cost the kernel seconds.
 */
export function rove(group: HTMLElement, signal: AbortSignal): void {
  group.addEventListener(
    "keydown",
    (event) => {
      const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
      if (by === 0) return;
      const radios = Array.from(group.querySelectorAll<HTMLElement>('[role="radio"]'));
      const now = radios.findIndex((one) => one === document.activeElement);
      const next = radios[(now + by + radios.length) % radios.length];
      if (next === undefined) return;
      for (const one of radios) one.tabIndex = one === next ? 0 : -1;
      next.focus();
      event.preventDefault();
    },
    { signal },
  );
}

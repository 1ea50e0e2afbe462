/** camwidget/plotting.py has the same. */
export const ACCENT = "#e8710a";
export const RIVALS = ["#4f86c6", "#3a9d8f", "#9a7fc0"] as const;
export const NEUTRAL = "#8a929c";

/** The colours of so many listed classes, most probable first. */
export function classColors(count: number, chosen: number): string[] {
  let rival = 0;
  return Array.from({ length: count }, (_, at) => (at === chosen ? ACCENT : (RIVALS[rival++] ?? NEUTRAL)));
}
